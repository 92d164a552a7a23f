"""Real processes for the store's tests: start a runner, find its workers, wait for a condition."""

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

RUNNER = Path(__file__).parent / "store_runner.py"


def start_runner(store, experiment, params, jobs=2, largest_file=0):
    """A runner in a session of its own, so that signals to its group reach it and its workers alone."""
    command = [sys.executable, RUNNER, store, experiment, json.dumps(params), jobs, largest_file]
    return subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def run_to_end(*arguments, **options):
    """(exit status, stdout, stderr) of a runner left alone."""
    runner = start_runner(*arguments, **options)
    out, err = runner.communicate(timeout=120)
    return runner.returncode, out, err


def workers_of(pid):
    """The ids of the worker processes that `pid` started and that run."""
    return [child for child in _children(pid) if b"spawn_main" in _read(f"/proc/{child}/cmdline") and runs(child)]


def runs(pid):
    """True while the process runs (a zombie does not)."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[:1] not in ([], [b"Z"], [b"X"])


def rows_in(database):
    """How many rows the SQLite file holds; 0 while it has no table of them."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return connection.execute("select count(*) from rows").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def wait_until(condition, seconds=30):
    """The condition's first true value; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not true after {seconds} s")


def _children(pid):
    tasks = Path(f"/proc/{pid}/task")
    try:
        return [int(child) for task in tasks.iterdir() for child in _read(str(task / "children")).split()]
    except OSError:
        return []


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
