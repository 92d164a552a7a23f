"""What a store's file is: a store, nothing yet, or something that is refused untouched; and reading where nobody can write."""

import os
import resource
import shutil
import sqlite3
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from store_laboratory import Walks

from tegum.store import NoPermission, Store, Unreadable, rows_of, run_experiments

SMALL = Walks.Params(walks=2, steps=(5,), milliseconds=0)


def run(store):
    return run_experiments([(Walks, SMALL, "quick")], store, jobs=1)


@pytest.fixture(scope="module")
def made():
    """A store with the small walks, in a folder that every user can read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        store = Store(Path(folder) / "runs")
        run(store)
        store.close()
        yield store.folder


@pytest.fixture
def copy(made):
    folder = made.with_name("copy")
    shutil.copytree(made, folder)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def foreign(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("CREATE TABLE runs (id, name); INSERT INTO runs VALUES (1, 'marathon')")


def newer(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def no_database(file):
    file.write_text("no database, but long enough to be looked at as if it were one " * 20)


def cut_short(file):
    file.write_bytes(file.read_bytes()[:50])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (foreign, "not a store of tegum's"),
        (newer, "of a newer tegum"),
        (no_database, "not a database"),
        (cut_short, "not a database"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_is_no_store_of_this_tegum_is_refused_untouched(tmp_path, copy, spoil, said):
    place = tmp_path / "runs"
    place.mkdir()
    if spoil is not foreign:
        shutil.copy(copy / "store.db", place)
    spoil(place / "store.db")
    before = (place / "store.db").read_bytes()
    for use in (Store.runs, Store.create, run):
        with pytest.raises(Unreadable, match=said):
            use(Store(place))
    assert (place / "store.db").read_bytes() == before
    assert {file.name for file in place.iterdir()} <= {"store.db", "store.db-shm", "store.db-wal"}


def test_a_database_damaged_beyond_its_head_is_told_as_damaged(copy):
    file = copy / "store.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    for use in (Store.runs, Store.claims, run):
        with pytest.raises(Unreadable, match="is damaged"):
            use(Store(copy))


def test_a_store_that_another_process_makes_at_this_moment_is_not_taken_for_a_foreign_one(tmp_path, monkeypatch):
    class Slow(sqlite3.Connection):
        def execute(self, sql, *arguments):
            if "user_version" in sql and not made:
                made.append(threading.Thread(target=Store(tmp_path).create))
                made[0].start()
                time.sleep(0.5)  # it would be done by now, were it let
            return super().execute(sql, *arguments)

    def connect(path, mode):
        return sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=60, check_same_thread=False, factory=Slow)

    made = []
    (tmp_path / "store.db").touch()
    monkeypatch.setattr("tegum.store.opening._connect", connect)
    assert Store(tmp_path).exists in (False, True)  # before or after, but not Unreadable
    made[0].join(30)
    assert Store(tmp_path).exists


def test_the_mark_is_the_first_thing_written(tmp_path, monkeypatch):
    def stop(connection):
        seen.append([connection.execute(s).fetchone()[0] for s in ("PRAGMA application_id", "SELECT count(*) FROM sqlite_master")])
        raise InterruptedError

    seen = []
    monkeypatch.setattr("tegum.store.opening._enter_wal", stop)
    with pytest.raises(InterruptedError):
        Store(tmp_path).create()
    assert seen == [[int.from_bytes(b"tegu"), 0]]


def test_a_store_carries_its_mark_and_the_number_of_its_format(made):
    with closing(sqlite3.connect(f"file:{made / 'store.db'}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"tegu"),)
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the system does not list its locks")
def test_looking_at_a_store_ends_no_lock_of_another_connection_in_this_process(copy):
    def locks():
        return [line.split()[1:] for line in Path("/proc/locks").read_text().splitlines() if f":{inode} " in line]

    inode = (copy / "store.db").stat().st_ino
    store = Store(copy)
    store.create()
    with store.engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        before = locks()
        assert before
        assert Store(copy).exists
        assert Store(copy).runs()
        assert all(lock in locks() for lock in before)


def test_a_store_that_is_kept_locked_is_not_taken_for_one_that_nobody_writes(copy, monkeypatch):
    monkeypatch.setattr("tegum.store.opening._BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(copy / "store.db")) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("PRAGMA user_version = 1")
        other.commit()
        with pytest.raises(OSError, match=r"cannot read the store at .*: database is locked"):
            Store(copy).runs()


@contextmanager
def nobody_writes(folder):
    """Nothing can be written in `folder`; for root, to whom permissions mean nothing, as a user who has none."""
    folder.chmod(0o555)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_results_can_be_read_where_nothing_can_be_written(copy):
    for leftover in copy.glob("store.db-*"):
        leftover.unlink()
    with nobody_writes(copy):
        store = Store(copy)
        assert rows_of(store, Walks, SMALL).complete
        assert [record.claim.verdict for record in store.claims()] == ["holds", "holds"]
        with pytest.raises(NoPermission, match="cannot write to"):
            run(Store(copy))
        with pytest.raises(NoPermission, match="cannot write to"):
            run(Store(copy / "new"))
        store.close()


def test_results_can_be_read_on_a_full_disk(copy):
    for leftover in copy.glob("store.db-*"):
        leftover.unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        assert rows_of(Store(copy), Walks, SMALL).complete
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_rows_that_a_killed_run_left_in_the_log_are_not_passed_over(made, copy):
    with closing(sqlite3.connect(made / "store.db")) as connection:
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
        shutil.copy(made / "store.db-wal", copy)
    (copy / "store.db-shm").unlink(missing_ok=True)
    with nobody_writes(copy), pytest.raises(Unreadable, match="copy the folder"):
        Store(copy).runs()
    assert len(rows_of(Store(copy), Walks, SMALL)) == 2
