"""Leases: who computes a cell now, so that runs which share a store share the work and no cell is computed twice while its owner lives.

An owner renews its leases as long as it lives; one that stopped renewing loses them after half a minute, one whose process is seen to be
dead (same machine) at once. Expiry compares the clocks of the machines that share a store, so these should agree to some seconds; where
they do not, a cell may be computed twice, but it is never stored twice.
"""

import os
import platform
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from tegum.store.database import insert_once, leases

LEASE_SECONDS = 30.0
_RENEW_SECONDS = 5.0


class Leases:
    """One run's leases, renewed by a thread while the context is open and given back when it closes."""

    def __init__(self, engine: sa.Engine, seconds: float = LEASE_SECONDS) -> None:
        self.owner = uuid.uuid4().hex
        self.error: Exception | None = None
        self._engine = engine
        self._process = this_process()
        self._seconds = seconds
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="tegum-leases", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
        with suppress(OSError), self._engine.begin() as connection:  # on a full disk they stay; the next run sees that their owner is dead
            connection.execute(sa.delete(leases).where(leases.c.owner == self.owner))

    def take(self, key: str) -> bool:
        """Lease the cell `key`. False when another owner, not known to be dead, holds it."""
        line = {"key": key, "owner": self.owner, "process": self._process}
        with self._engine.begin() as connection:
            connection.execute(sa.delete(leases).where(leases.c.key == key, leases.c.expires < time.time()))
            if insert_once(connection, leases, **line, expires=time.time() + self._seconds):
                return True
            held = connection.execute(sa.select(leases).where(leases.c.key == key)).one()
            if held.owner == self.owner:
                return True
            if not is_dead(held.process):
                return False
            connection.execute(sa.delete(leases).where(leases.c.owner == held.owner))
            return insert_once(connection, leases, **line, expires=time.time() + self._seconds)

    def give_back(self, key: str) -> None:
        """End the lease of one cell."""
        with self._engine.begin() as connection:
            end_lease(connection, key, self.owner)

    def _renew(self) -> None:
        while not self._closed.wait(min(_RENEW_SECONDS, self._seconds / 4)):
            try:
                with self._engine.begin() as connection:
                    line = sa.update(leases).where(leases.c.owner == self.owner).values(expires=time.time() + self._seconds)
                    connection.execute(line)
            except Exception as error:  # noqa: BLE001 - told by the run, which looks here
                self.error = error


def end_lease(connection: sa.Connection, key: str, owner: str) -> None:
    """End the owner's lease of a cell as part of a larger transaction."""
    connection.execute(sa.delete(leases).where(leases.c.key == key, leases.c.owner == owner))


def this_process() -> str:
    """A name for the running process that no other ever had: machine and process namespace, id, start time."""
    return f"{_machine()}|{os.getpid()}|{_status(os.getpid())[1]}"


def is_dead(process: str) -> bool:
    """True when `process` ran on this machine and is gone. False for one on another machine: its lease must expire."""
    machine, pid, started = process.rsplit("|", 2)
    if machine != _machine():
        return False
    return is_gone(int(pid)) or _status(int(pid))[1] != started


def is_gone(pid: int) -> bool:
    """True when this machine has no running process of that id (a zombie does not run)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _status(pid)[0] in ("Z", "X")


def _machine() -> str:
    try:
        return f"{platform.node()}:{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return platform.node()


def _status(pid: int) -> tuple[str, str]:
    """(state, start time) as the kernel tells them; empty where it has no /proc."""
    try:
        fields: list[Any] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]
