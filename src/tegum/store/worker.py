"""What runs inside a worker process: one cell at a time, on one thread, its arrays put on disk before its row is handed back.

Everything that goes in or out is text, so nothing of an experiment is ever pickled; what a cell raises comes back as words with their
traceback. A worker dies with the process that started it, even where that one was killed.
"""

import errno
import importlib
import json
import multiprocessing
import os
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from multiprocessing import connection

from tegum.store.arrays import Arrays
from tegum.store.cell import Cell, Row, canonical, split
from tegum.store.experiment import Experiment, at_address
from tegum.store.failure import message_of

ONE_THREAD: dict[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Task:
    """One cell to run: where its experiment is found, its parameters and its fields as JSON, and the folder for its arrays."""

    module: str
    qualified_name: str
    params: str
    cell: str
    arrays: str


@dataclass(frozen=True)
class Done:
    """A cell's row: scalars and lists as JSON, the sha256 of its array file, the seconds it took."""

    fields: str
    arrays: str | None
    seconds: float


@dataclass(frozen=True)
class Raised:
    """A cell that raised."""

    message: str
    traceback: str


@dataclass(frozen=True)
class Unsaved:
    """A cell whose arrays the store's disk did not take, through no fault of the cell: the system's error number and words."""

    number: int | None
    words: str


def prepare() -> None:
    """Set a new worker up: one thread, nothing of a cell's own prints on stdout, and a watch on the process that started it."""
    os.environ.update(ONE_THREAD, NUMBA_NUM_THREADS="1")
    os.dup2(2, 1)
    threading.Thread(target=_die_with_parent, name="tegum-watch", daemon=True).start()


def execute(task: Task) -> Done | Raised | Unsaved:
    """Run one cell."""
    try:
        started = time.perf_counter()
        experiment = at_address(task.module, task.qualified_name)
        params = type(experiment).Params.model_validate(json.loads(task.params))
        cell = Cell(**json.loads(task.cell))
        _one_torch_thread()
        row = _row(experiment, cell, params)
        seconds = time.perf_counter() - started
        scalars, arrays = split(row)
        fields = canonical(scalars)
    except BaseException as error:  # noqa: BLE001 - whatever a cell raises is that cell's failure
        return Raised(message_of(error), traceback.format_exc())
    try:
        digest = Arrays(task.arrays).write(arrays) if arrays else None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):  # the cell's own doing, not the disk's
            return Raised(f"{message_of(error)}: the cell leaves files open", traceback.format_exc())
        return Unsaved(error.errno, error.strerror or str(error))
    return Done(fields, digest, seconds)


def _row(experiment: Experiment, cell: Cell, params: object) -> Row:
    row = experiment.run(cell, params)
    if not isinstance(row, Row):
        raise TypeError(f"{type(experiment).__qualname__}.run returned a {type(row).__name__}, not a Row")
    return row.of(cell)


def _one_torch_thread() -> None:
    if "torch" in sys.modules:
        importlib.import_module("torch").set_num_threads(1)


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
