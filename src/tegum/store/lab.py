"""The lab: runs every cell of several experiments in one pool, commits each as it finishes, and judges the claims.

Whatever happens to a run (a kill, Ctrl-C, a full disk, another run on the same store), the same call again does what is left and no more,
and ends with the same rows.
"""

import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tegum.store.cell import Cell, canonical
from tegum.store.claim import Claim
from tegum.store.disk import unwritable
from tegum.store.experiment import Experiment, address, cell_keys, params_dict, setting_key
from tegum.store.failure import Failure, message_of
from tegum.store.leases import Leases
from tegum.store.pool import Crashed, NotStarted, Pool
from tegum.store.progress import Progress, span
from tegum.store.provenance import provenance, usable_cpus
from tegum.store.rows import Rows
from tegum.store.storage import Store
from tegum.store.worker import Done, Raised, Task, Unsaved

if TYPE_CHECKING:
    import pandas as pd

_POLL_SECONDS = 0.25
_ATTEMPTS = 2
_QUIET_SECONDS = 60.0
_Result = Done | Raised | Unsaved | Crashed | NotStarted


@dataclass(frozen=True)
class Outcome:
    """What came of one experiment at one setting: its rows, its claims (judged only when no cell failed) and what went wrong."""

    experiment: Experiment
    params: Any
    preset: str
    rows: Rows
    claims: tuple[Claim, ...]
    errors: tuple[Failure, ...]
    seconds: float
    run_id: str

    @property
    def ok(self) -> bool:
        """True when every cell has its row and every claim the verdict on record."""
        return not self.errors and self.rows.complete and all(claim.as_recorded for claim in self.claims)

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows as a table."""
        return self.rows.to_dataframe()

    def __repr__(self) -> str:
        head = f"{self.experiment.name} ({self.preset}): {len(self.rows)} rows, {len(self.errors)} errors, {span(self.seconds)}"
        return "\n".join([head, *(f"  {claim}" for claim in self.claims), *(f"  {error.kind}: {error.message}" for error in self.errors)])

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>{self.rows._repr_html_()}"


@dataclass
class _Plan:
    """One request on its way: its cells by key, and what became of them so far."""

    experiment: Experiment
    params: Any
    preset: str
    setting: str
    cells: dict[str, Cell]
    task: Callable[[Cell], Task]
    run: str = ""
    started: float = 0.0
    began: float = 0.0  # when its first cell was handed to a worker
    finished: float = 0.0
    cached: int = 0
    done: set[str] = field(default_factory=set)
    failed: dict[str, Failure] = field(default_factory=dict)
    earlier: dict[str, str] = field(default_factory=dict)  # cell -> run of a failure from before this run
    rows: Rows = field(default_factory=lambda: Rows(None, ()))
    claims: tuple[Claim, ...] = ()
    errors: tuple[Failure, ...] = ()

    @property
    def left(self) -> int:
        return len(self.cells) - len(self.done) - len(self.failed)

    def progress(self) -> Progress:
        new = len(self.done) + len(self.failed) - self.cached
        rate = new / max(time.monotonic() - self.began, 1e-9) if new and self.began else None
        eta = self.left / rate if rate else None
        return Progress(self.experiment.name, self.setting, len(self.done), len(self.failed), len(self.cells), self.cached, rate, eta)

    def outcome(self) -> Outcome:
        seconds = self.finished - self.started
        return Outcome(self.experiment, self.params, self.preset, self.rows, self.claims, self.errors, seconds, self.run)


def run_experiments(
    requests: Iterable[tuple[Experiment | type[Experiment], Any, str]],
    store: Store,
    jobs: int | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> list[Outcome]:
    """Run (experiment, params, name of its preset) triples and return what came of each.

    Cells that the store has are not run again; those that failed before are. `jobs` worker processes (default: one a usable processor) do
    the rest. Ctrl-C stops at once and keeps what is finished. Call it under `if __name__ == "__main__":` in a script.

    Raises
    ------
    ValueError
        Before anything is written, when a request is not one.
    CannotWrite
        When the disk is full or fails; what is finished is kept.
    NoPermission
        When nothing can be written there.
    """
    jobs = usable_cpus() if jobs is None else jobs
    if not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs is {jobs!r}; it must be a whole number from 1 up")
    plans = [_plan(*request, store) for request in requests]
    settings = Counter(plan.setting for plan in plans)
    for plan in plans:
        if settings[plan.setting] > 1:
            raise ValueError(f"{plan.experiment.name} is asked for twice at the same parameters: {plan.params!r}")
    if not plans:
        return []
    store.create()
    with Leases(store.engine) as leases:
        return _Lab(store, leases, plans, progress or (lambda _: None)).run(jobs)


def rows_of(store: Store, experiment: Experiment | type[Experiment], params: Any) -> Rows:
    """The saved rows of an experiment at these parameters, in the order of its cells; nothing is run or written."""
    experiment = _instance(experiment)
    cells = checked_cells(experiment, params)
    return _gather(store, setting_key(experiment, params), params, cells)


def evaluate(experiment: Experiment | type[Experiment], rows: Rows) -> tuple[Claim, ...]:
    """The experiment's claims on these rows. Raises ValueError when cells lack rows or a claim is stated twice."""
    experiment = _instance(experiment)
    if rows.missing:
        raise ValueError(f"{experiment.name} cannot be judged: {len(rows.missing)} of {len(rows) + len(rows.missing)} cells have no row")
    claims = tuple(experiment.claims(rows))
    statements = set()
    for claim in claims:
        if not isinstance(claim, Claim):
            raise TypeError(f"{experiment.name}.claims yields a {type(claim).__name__}, not a Claim")
        if claim.statement in statements:
            raise ValueError(f"{experiment.name} claims twice: {claim.statement}")
        statements.add(claim.statement)
    return claims


class _Lab:
    """One call of `run_experiments`."""

    def __init__(self, store: Store, leases: Leases, plans: list[_Plan], report: Callable[[Progress], object]) -> None:
        self._store = store
        self._leases = leases
        self._plans = plans
        self._report = report
        self._attempts: dict[str, int] = {}
        self._spoke = time.monotonic()  # when progress was last told

    def run(self, jobs: int) -> list[Outcome]:
        known = provenance()
        for plan in self._plans:
            self._open(plan, known)
        pending = deque((plan, key) for plan in self._plans for key in plan.cells if key not in plan.done)
        if pending:
            with Pool(min(jobs, len(pending))) as pool:
                self._work(pool, pending)
        return [plan.outcome() for plan in self._plans]

    def _open(self, plan: _Plan, known: dict[str, Any]) -> None:
        self._store.drop_spoiled(plan.setting)
        plan.done = self._store.done(plan.setting) & plan.cells.keys()
        plan.cached = len(plan.done)
        plan.earlier = {key: run for key, (run, _) in self._store.failures(plan.setting).items()}
        plan.started = time.monotonic()
        line = {"setting": plan.setting, "experiment": plan.experiment.name, "version": plan.experiment.version, "preset": plan.preset}
        told = {
            "params": canonical(params_dict(plan.params)),
            "total": len(plan.cells),
            "provenance": canonical({**known, "seed": plan.params.seed}),
        }
        plan.run = self._store.begin({**line, **told})
        self._tell(plan)
        if not plan.left:
            self._judge(plan)

    def _work(self, pool: Pool, pending: deque[tuple[_Plan, str]]) -> None:
        elsewhere: deque[tuple[_Plan, str]] = deque()  # cells that another run computes now
        asked = time.monotonic()
        while pending or elsewhere or pool.busy:
            if self._leases.error is not None:
                raise self._leases.error
            if elsewhere and not pending and time.monotonic() - asked >= _POLL_SECONDS:
                pending, elsewhere, asked = elsewhere, deque(), time.monotonic()
            while pool.idle and pending:
                plan, key = pending.popleft()
                if not self._leases.take(key):
                    elsewhere.append((plan, key))
                elif self._settled_elsewhere(plan, key):
                    self._leases.give_back(key)
                else:
                    plan.began = plan.began or time.monotonic()
                    pool.submit((plan, key), plan.task(plan.cells[key]))
            for finished in pool.wait(_POLL_SECONDS if pool.busy or not pending else 1.0):
                plan, key = finished.ticket
                self._take_in(plan, key, finished.result, pending)
            if pool.busy and time.monotonic() - self._spoke >= _QUIET_SECONDS:
                (plan, key), seconds = pool.longest()
                self._tell(plan, (str(plan.cells[key]), seconds))

    def _settled_elsewhere(self, plan: _Plan, key: str) -> bool:
        """True when another run finished this cell, or saw it fail, since this run began."""
        if self._store.is_done(key):
            plan.done.add(key)
        else:
            failure = self._store.failure(key)
            if failure is None or failure[0] == plan.earlier.get(key) or self._attempts.get(key):
                return False
            plan.failed[key] = failure[1]
        self._count(plan)
        return True

    def _take_in(self, plan: _Plan, key: str, result: _Result, pending: deque[tuple[_Plan, str]]) -> None:
        line = {"key": key, "setting": plan.setting, "run": plan.run, "cell": canonical(plan.cells[key])}
        if isinstance(result, Done):
            self._store.add_row({**line, "fields": result.fields, "arrays": result.arrays, "seconds": result.seconds}, self._leases.owner)
            plan.done.add(key)
            self._count(plan)
            return
        if isinstance(result, Unsaved):
            raise unwritable(OSError(result.number, result.words), str(self._store.folder))
        self._attempts[key] = self._attempts.get(key, 0) + (not isinstance(result, NotStarted))
        if isinstance(result, NotStarted) or (isinstance(result, Crashed) and self._attempts[key] < _ATTEMPTS):
            pending.appendleft((plan, key))
            return
        told = Failure(
            plan.cells[key], "crashed" if isinstance(result, Crashed) else "raised", result.message, getattr(result, "traceback", "")
        )
        self._store.add_failure({**line, "kind": told.kind, "message": told.message, "traceback": told.traceback}, self._leases.owner)
        plan.failed[key] = told
        self._count(plan)

    def _count(self, plan: _Plan) -> None:
        self._tell(plan)
        if not plan.left:
            self._judge(plan)

    def _tell(self, plan: _Plan, waiting: tuple[str, float] | None = None) -> None:
        self._spoke = time.monotonic()
        self._report(replace(plan.progress(), waiting=waiting))

    def _judge(self, plan: _Plan) -> None:
        plan.errors = tuple(plan.failed[key] for key in plan.cells if key in plan.failed)
        plan.rows = _gather(self._store, plan.setting, plan.params, plan.cells)
        judged = None
        if not plan.errors:
            try:
                judged = plan.claims = evaluate(plan.experiment, plan.rows)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever claims() raises is told, and other experiments go on
                judged = Failure(None, "claims", message_of(error), traceback.format_exc())
                plan.errors = (judged,)
        self._store.finish(plan.run, plan.setting, judged)
        plan.finished = time.monotonic()


def _plan(experiment: Experiment | type[Experiment], params: Any, preset: str, store: Store) -> _Plan:
    experiment = _instance(experiment)
    cells = checked_cells(experiment, params)
    module, qualified_name = address(experiment)
    saved = canonical(params_dict(params))

    def task(cell: Cell) -> Task:
        return Task(module, qualified_name, saved, canonical(cell), str(store.arrays.folder))

    return _Plan(experiment, params, preset, setting_key(experiment, params), cells, task)


def _instance(experiment: Experiment | type[Experiment]) -> Experiment:
    found = experiment() if isinstance(experiment, type) else experiment
    if not isinstance(found, Experiment):
        raise TypeError(f"{experiment!r} is not an experiment")
    if "<locals>" in type(found).__qualname__:
        raise ValueError(f"{type(found).__qualname__} is defined inside a function, where worker processes cannot find it")
    if not found.name:
        raise ValueError(f"{type(found).__qualname__} is defined in no file that could name it; give it a `name`")
    return found


def checked_cells(experiment: Experiment, params: Any) -> dict[str, Cell]:
    """The experiment's cells by key. Raises ValueError or TypeError when it has none at these parameters, or not only different ones."""
    if not isinstance(params, type(experiment).Params):
        raise TypeError(f"{experiment.name} takes {type(experiment).Params.__qualname__}, not {type(params).__qualname__}")
    cells = list(experiment.cells(params))
    if not cells:
        raise ValueError(f"{experiment.name} has no cells at {params!r}")
    for cell in cells:
        if not isinstance(cell, Cell):
            raise TypeError(f"{experiment.name}.cells gives a {type(cell).__name__}, not a Cell")
    keyed = dict(zip(cell_keys(experiment, params, cells), cells, strict=True))
    if len(keyed) < len(cells):
        twice = next(cell for place, cell in enumerate(cells) if cell in cells[:place])
        raise ValueError(f"{experiment.name} has the cell ({twice}) twice")
    return keyed


def _gather(store: Store, setting: str, params: Any, cells: dict[str, Cell]) -> Rows:
    saved = store.rows(setting)
    return Rows(params, (saved[key] for key in cells if key in saved), (cell for key, cell in cells.items() if key not in saved))
