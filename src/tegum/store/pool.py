"""The pool: worker processes that may be killed at any moment without taking another's work with them.

pebble keeps the processes. Its workers share two pipes and their locks, and a worker killed while it holds one (idle workers do, often)
would block all others; so each worker here is a pebble pool of its own, replaced whole when its worker dies. Processes are spawned, never
forked (torch and its threads do not survive a fork), with one thread each.
"""

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from tegum.store import worker
from tegum.store.failure import message_of
from tegum.store.leases import is_gone
from tegum.store.worker import Done, Raised, Task, Unsaved

_LOOK_SECONDS = 1.0
_FALSE_STARTS = 3


@dataclass(frozen=True)
class Crashed:
    """A cell whose worker died while it ran."""

    message: str


@dataclass(frozen=True)
class NotStarted:
    """A cell that no worker was given: the one it was meant for had died before."""


@dataclass(frozen=True)
class Finished:
    """What became of the task that was submitted under `ticket`."""

    ticket: Any
    result: Done | Raised | Unsaved | Crashed | NotStarted


class _Slot:
    """One worker: a pebble pool of one process, its process id once known, and the ticket it works on."""

    def __init__(self) -> None:
        spawn: Any = multiprocessing.get_context("spawn")
        self.pool = ProcessPool(max_workers=1, initializer=worker.prepare, context=spawn)
        self.pid = 0
        self.ticket: Any = None
        self.given = 0.0
        self.gone_since: float | None = None

    def dispose(self) -> None:
        self.pool.stop()
        if self.pid:
            _kill(self.pid)
        self.pool.join()


class Pool:
    """`jobs` workers; use as a context manager, in which environment variables keep BLAS and OpenMP to one thread a process."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._slots: list[_Slot] = []
        self._events: queue.SimpleQueue[tuple[_Slot, Future[Any] | None]] = queue.SimpleQueue()
        self._disposals: list[threading.Thread] = []
        self._false_starts = 0
        self._looked = time.monotonic()
        self._environment: dict[str, str | None] = {}

    def __enter__(self) -> Self:
        self._environment = {name: os.environ.get(name) for name in worker.ONE_THREAD}
        os.environ.update(worker.ONE_THREAD)
        for _ in range(self.jobs):
            self._open_slot()
        return self

    def __exit__(self, *_: object) -> None:
        for slot in tuple(self._slots):
            self._close_slot(slot)
        for disposal in self._disposals:
            disposal.join(timeout=10)
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    @property
    def idle(self) -> int:
        """How many workers wait for a task."""
        return sum(bool(slot.pid) and slot.ticket is None for slot in self._slots)

    @property
    def busy(self) -> int:
        """How many tasks are being worked on."""
        return sum(slot.ticket is not None for slot in self._slots)

    def longest(self) -> tuple[Any, float]:
        """The ticket that has been worked on longest, and for how many seconds; only while there is one."""
        slot = min((slot for slot in self._slots if slot.ticket is not None), key=lambda slot: slot.given)
        return slot.ticket, time.monotonic() - slot.given

    def submit(self, ticket: Any, task: Task) -> None:
        """Hand a task to an idle worker."""
        slot = next(slot for slot in self._slots if slot.pid and slot.ticket is None)
        slot.ticket, slot.given = ticket, time.monotonic()
        try:
            self._schedule(slot, worker.execute, task)
        except RuntimeError:  # its worker died while it was idle
            self._events.put((slot, None))

    def wait(self, seconds: float) -> list[Finished]:
        """What finished, waiting up to `seconds` for the first. Raises RuntimeError when workers do not start at all."""
        finished: list[Finished] = []
        try:
            slot, future = self._events.get(timeout=seconds)
            while True:
                if slot in self._slots:
                    finished.extend(self._settle(slot, future))
                slot, future = self._events.get_nowait()
        except queue.Empty:
            return finished + self._look_for_the_dead()

    def _settle(self, slot: _Slot, future: Future[Any] | None) -> Iterator[Finished]:
        ticket, slot.ticket = slot.ticket, None
        if future is None:
            self._replace(slot)
            yield Finished(ticket, NotStarted())
            return
        error = future.exception()
        if error is None and ticket is None:
            slot.pid = future.result()
            self._false_starts = 0
        elif error is None:
            yield Finished(ticket, future.result())
        else:
            self._replace(slot)
            if ticket is None:
                self._count_false_start(error)
            else:
                yield Finished(ticket, _end_of(error))

    def _look_for_the_dead(self) -> list[Finished]:
        """Tasks whose worker left without pebble's noticing: one that ends itself with status 0."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return []
        self._looked = now
        lost = []
        for slot in tuple(self._slots):
            if slot.ticket is None or not slot.pid or not is_gone(slot.pid):
                continue
            slot.gone_since = slot.gone_since or now
            if now - slot.gone_since >= _LOOK_SECONDS:
                lost.append(Finished(slot.ticket, Crashed("the worker process ended itself")))
                self._replace(slot)
        return lost

    def _open_slot(self) -> None:
        resource_tracker.ensure_running()  # it lets Ctrl-C through again where it starts, which must not be inside
        with _interrupts_held():
            slot = _Slot()
            self._slots.append(slot)
            try:
                self._schedule(slot, os.getpid)
            except (OSError, RuntimeError) as error:
                raise RuntimeError(f"worker processes cannot be started: {message_of(error)}") from error

    def _schedule(self, slot: _Slot, function: Any, *arguments: Any) -> None:
        future = slot.pool.schedule(function, args=arguments)
        future.add_done_callback(lambda done: self._events.put((slot, done)))

    def _replace(self, slot: _Slot) -> None:
        self._close_slot(slot)
        self._open_slot()

    def _close_slot(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        disposal = threading.Thread(target=slot.dispose, name="tegum-dispose", daemon=True)
        disposal.start()
        self._disposals = [*(thread for thread in self._disposals if thread.is_alive()), disposal]

    def _count_false_start(self, error: BaseException) -> None:
        self._false_starts += 1
        if self._false_starts >= _FALSE_STARTS + self.jobs:
            raise RuntimeError(
                f"worker processes do not start ({error}); a script that runs experiments must do so under `if __name__ == '__main__':`, "
                "for every worker imports it"
            )


def _end_of(error: BaseException) -> Crashed:
    if not isinstance(error, ProcessExpired):
        return Crashed(f"the worker process was lost ({message_of(error)})")
    if error.exitcode < 0:
        return Crashed(f"the worker process was killed by {_signal(-error.exitcode)}")
    return Crashed(f"the worker process ended with status {error.exitcode}")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal: only the first and the last have names
        return f"signal {number}"


def _kill(pid: int) -> None:
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        return


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let new threads, and the processes that they start, be born deaf to Ctrl-C: it is for the runner alone."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
