"""The store: a folder with a database and array files, in which every finished cell is committed at once and from which all else resumes.

A row is there whole or not at all: its arrays are on disk before its line is committed, the line is inserted once whoever computed it, and
a row whose array file was lost or altered counts as not done. Reading never makes a store, and works where nothing can be written.
"""

import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tegum.store import database as db
from tegum.store.arrays import Arrays, Spoiled
from tegum.store.cell import Cell, Row, canonical
from tegum.store.claim import Claim
from tegum.store.disk import unwritable
from tegum.store.failure import Failure
from tegum.store.leases import end_lease, is_dead, this_process
from tegum.store.opening import is_store, reader, writer


@dataclass(frozen=True)
class RunRecord:
    """The latest run of one (experiment, version, parameters), and how much of its work the store holds.

    `seconds` is the compute time of its rows summed over all runs and workers; `elapsed` the wall time of the latest run, None while it
    runs; `started` and `finished` are Unix times; `state` is running, finished or stopped (killed or interrupted); `claims_failure` is what
    `claims` raised, None when they are judged or yet to be.
    """

    id: str
    experiment: str
    version: int
    preset: str
    params: dict[str, Any]
    done: int
    failed: int
    total: int
    state: str
    started: float
    finished: float | None
    seconds: float
    provenance: dict[str, Any]
    setting: str
    claims_failure: Failure | None

    @property
    def elapsed(self) -> float | None:
        """Wall time of the latest run in seconds."""
        return None if self.finished is None else self.finished - self.started

    @property
    def versions(self) -> dict[str, str]:
        """Versions of Python and the packages in the latest run."""
        return self.provenance.get("versions", {})


@dataclass(frozen=True)
class ClaimRecord:
    """A stored claim with the run that judged it."""

    experiment: str
    version: int
    preset: str
    params: dict[str, Any]
    claim: Claim
    run: str
    judged: float
    setting: str


class Store:
    """Runs, rows, failures and claims under one folder.

    Parameters
    ----------
    place
        A folder (it gets `store.db` and `arrays/`, when first written), or `URL#DIR`: any SQLAlchemy URL, and the folder for array files,
        which every machine that uses the store must see (for an SQLite file its own folder, where none is named).
    """

    def __init__(self, place: str | Path = "runs") -> None:
        if not str(place):
            raise ValueError("a store needs a place: a folder, or URL#DIR")
        if "://" in str(place):
            url, _, folder = str(place).partition("#")
            self.url = sa.make_url(url)
            beside = self._file.parent if self._file else None
            if not folder and beside is None:
                raise ValueError(f"the store at {self.url.render_as_string()} needs a folder for its array files: name it as URL#DIR")
            self.folder = Path(folder or beside or "").absolute()
        else:
            self.folder = Path(place).absolute()
            if self.folder.exists() and not self.folder.is_dir():
                raise ValueError(f"a store is a folder, but {self.folder} is a file")
            self.url = sa.URL.create("sqlite", database=str(self.folder / "store.db"))
        self.arrays = Arrays(self.folder / "arrays")
        self.engine = reader(self.url)
        self._writes = self._made = False

    def __repr__(self) -> str:
        return f"Store({self.url.render_as_string()!r})"

    @property
    def _file(self) -> Path | None:
        """The SQLite file; None for a database that a server keeps."""
        if self.url.get_backend_name() != "sqlite":
            return None
        if self.url.database in (None, "", ":memory:") or str(self.url.database).startswith("file:"):
            raise ValueError(f"a store in SQLite needs a file, as in sqlite:///runs/store.db, not {self.url.render_as_string()}")
        return Path(str(self.url.database)).absolute()

    @property
    def exists(self) -> bool:
        """True when something was ever written to it."""
        if self._made:
            return self._file is None or self._file.exists()
        if self._file is not None and not is_store(self._file):
            return False
        self._made = set(db.metadata.tables) <= set(sa.inspect(self.engine).get_table_names())
        return self._made

    def create(self) -> None:
        """Make the folder and the tables where they are missing, and let the store be written from now on."""
        made = self.exists
        try:
            self.arrays.folder.mkdir(parents=True, exist_ok=True)
            self.arrays.sweep()
        except OSError as error:
            raise unwritable(error, str(self.folder)) from error
        if not self._writes:
            self.engine.dispose()
            self.engine, self._writes = writer(self.url), True
        if not made:
            with self.engine.begin() as connection:
                for statement in _create_all():
                    connection.execute(statement)

    def close(self) -> None:
        """Close the connections; the store opens them again when used."""
        self.engine.dispose()

    def begin(self, line: dict[str, Any]) -> str:
        """Record the start of a run (the columns of `runs` that its caller knows) and return its id."""
        run = uuid.uuid4().hex
        with self.engine.begin() as connection:
            connection.execute(sa.insert(db.runs).values(id=run, process=this_process(), started=time.time(), **line))
        return run

    def finish(self, run: str, setting: str, judged: Iterable[Claim] | Failure | None) -> None:
        """Record the end of a run with the claims judged in it, or what they raised, in place of earlier ones; None leaves those as they are."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(db.runs).where(db.runs.c.id == run).values(finished=time.time()))
            if judged is None:
                return
            connection.execute(sa.delete(db.claims).where(db.claims.c.setting == setting))
            connection.execute(sa.delete(db.failures).where(db.failures.c.key == setting))
            if isinstance(judged, Failure):
                told = {"kind": judged.kind, "message": judged.message, "traceback": judged.traceback, "finished": time.time()}
                db.insert_once(connection, db.failures, key=setting, setting=setting, run=run, cell="null", **told)
                return
            for position, claim in enumerate(judged):
                line = {"claim": canonical(claim.to_dict()), "verdict": claim.verdict, "as_recorded": claim.as_recorded}
                connection.execute(sa.insert(db.claims).values(setting=setting, position=position, run=run, judged=time.time(), **line))

    def add_row(self, line: dict[str, Any], owner: str) -> bool:
        """Commit a finished cell (the columns of `rows`) and end its lease. False when its row was already there."""
        with self.engine.begin() as connection:
            new = db.insert_once(connection, db.rows, finished=time.time(), **line)
            connection.execute(sa.delete(db.failures).where(db.failures.c.key == line["key"]))
            end_lease(connection, line["key"], owner)
        return new

    def add_failure(self, line: dict[str, Any], owner: str) -> None:
        """Commit a cell that failed (the columns of `failures`) in place of an earlier failure, and end its lease."""
        with self.engine.begin() as connection:
            connection.execute(sa.delete(db.failures).where(db.failures.c.key == line["key"]))
            db.insert_once(connection, db.failures, finished=time.time(), **line)
            end_lease(connection, line["key"], owner)

    def drop_spoiled(self, setting: str) -> int:
        """Forget the rows whose array file is missing, cut or altered, so that their cells are done again. Returns how many."""
        lines = self._select(sa.select(db.rows.c.key, db.rows.c.arrays).where(db.rows.c.setting == setting, db.rows.c.arrays.is_not(None)))
        spoiled = [(line.key, line.arrays) for line in lines if not self.arrays.intact(line.arrays)]
        if spoiled:
            with self.engine.begin() as connection:
                for key, digest in spoiled:
                    connection.execute(sa.delete(db.rows).where(db.rows.c.key == key, db.rows.c.arrays == digest))
        return len(spoiled)

    def done(self, setting: str) -> set[str]:
        """The keys of the cells that have a row."""
        return {line.key for line in self._select(sa.select(db.rows.c.key).where(db.rows.c.setting == setting))}

    def is_done(self, key: str) -> bool:
        """True when the cell has a row."""
        return bool(self._select(sa.select(db.rows.c.key).where(db.rows.c.key == key)))

    def rows(self, setting: str) -> dict[str, Row]:
        """Every readable row by the key of its cell; one whose arrays are spoiled is left out."""
        found = {}
        for line in self._select(sa.select(db.rows).where(db.rows.c.setting == setting)):
            try:
                arrays = self.arrays.read(line.arrays) if line.arrays else {}
            except Spoiled:
                continue
            found[line.key] = Row(**json.loads(line.fields), **arrays).of(Cell(**json.loads(line.cell)))
        return found

    def failures(self, setting: str) -> dict[str, tuple[str, Failure]]:
        """(run, failure) of every failed cell by its key."""
        lines = self._select(sa.select(db.failures).where(db.failures.c.setting == setting, _of_a_cell))
        return {line.key: (line.run, _failure(line)) for line in lines}

    def failure(self, key: str) -> tuple[str, Failure] | None:
        """(run, failure) of one cell; None when it has not failed."""
        for line in self._select(sa.select(db.failures).where(db.failures.c.key == key)):
            return line.run, _failure(line)
        return None

    def runs(self) -> list[RunRecord]:
        """The latest run of every (experiment, version, parameters), latest first."""
        done = {line.setting: line for line in self._select(_tally(db.rows, sa.func.sum(db.rows.c.seconds)))}
        failed = {line.setting: line.count for line in self._select(_tally(db.failures, sa.literal(0.0)).where(_of_a_cell))}
        unjudged = {line.setting: _failure(line) for line in self._select(sa.select(db.failures).where(~_of_a_cell))}
        latest: dict[str, RunRecord] = {}
        for line in self._select(sa.select(db.runs).order_by(db.runs.c.started.desc(), db.runs.c.id)):
            if line.setting in latest:
                continue
            rows = done.get(line.setting)
            latest[line.setting] = RunRecord(
                id=line.id,
                experiment=line.experiment,
                version=line.version,
                preset=line.preset,
                params=json.loads(line.params),
                done=rows.count if rows else 0,
                failed=failed.get(line.setting, 0),
                total=line.total,
                state="finished" if line.finished is not None else "stopped" if is_dead(line.process) else "running",
                started=line.started,
                finished=line.finished,
                seconds=rows.seconds if rows else 0.0,
                provenance=json.loads(line.provenance),
                setting=line.setting,
                claims_failure=unjudged.get(line.setting),
            )
        return list(latest.values())

    def claims(self) -> list[ClaimRecord]:
        """Every stored claim, each setting's in the order of its experiment's file, latest setting first."""
        runs = {run.setting: run for run in self.runs()}
        order = {setting: place for place, setting in enumerate(runs)}
        lines = self._select(sa.select(db.claims).order_by(db.claims.c.position))
        return [
            ClaimRecord(
                experiment=runs[line.setting].experiment,
                version=runs[line.setting].version,
                preset=runs[line.setting].preset,
                params=runs[line.setting].params,
                claim=Claim.from_dict(json.loads(line.claim)),
                run=line.run,
                judged=line.judged,
                setting=line.setting,
            )
            for line in sorted(lines, key=lambda line: order[line.setting])
        ]

    def _select(self, statement: sa.Executable) -> list[Any]:
        if not self.exists:
            return []
        with self.engine.connect() as connection:
            return list(connection.execute(statement).all())


_of_a_cell = db.failures.c.key != db.failures.c.setting  # what claims() raised is kept under the setting's own key


def _failure(line: Any) -> Failure:
    cell = json.loads(line.cell)
    return Failure(None if cell is None else Cell(**cell), line.kind, line.message, line.traceback)


def _tally(table: sa.Table, seconds: sa.ColumnElement[Any]) -> sa.Select[Any, int, Any]:
    return sa.select(table.c.setting, sa.func.count().label("count"), seconds.label("seconds")).group_by(table.c.setting)


def _create_all() -> Iterable[sa.Executable]:
    for table in db.metadata.sorted_tables:
        yield sa.schema.CreateTable(table, if_not_exists=True)
        yield from (sa.schema.CreateIndex(index, if_not_exists=True) for index in table.indexes)
