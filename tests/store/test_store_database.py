"""What differs between databases, and what is told when one cannot be written or read."""

import errno
import os

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from tegum.store import CannotWrite, NoPermission, Store, Unreadable
from tegum.store.database import insert_once, leases
from tegum.store.disk import of_database, unwritable


@pytest.mark.parametrize("dialect", ["sqlite", "another"])
def test_a_line_is_inserted_once(tmp_path, monkeypatch, dialect):
    store = Store(tmp_path)
    store.create()
    store.create()
    monkeypatch.setattr(store.engine.dialect, "name", dialect)  # one without 'on conflict do nothing' goes another way
    with store.engine.begin() as connection:
        first = insert_once(connection, leases, key="k", owner="first", process="p", expires=1.0)
        second = insert_once(connection, leases, key="k", owner="second", process="p", expires=2.0)
        held = connection.execute(sa.select(leases.c.owner)).scalars().all()
    assert (first, second, held) == (True, False, ["first"])


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [
        (errno.ENOSPC, CannotWrite, "make room and run again"),
        (errno.EDQUOT, CannotWrite, "make room and run again"),
        (errno.EIO, CannotWrite, "see that the disk is sound"),
        (errno.EROFS, NoPermission, "cannot write to runs: Read-only"),
        (errno.EACCES, NoPermission, "cannot write to runs: Permission denied"),
    ],
)
def test_an_error_of_the_system_says_what_can_be_done(number, kind, said):
    told = unwritable(OSError(number, os.strerror(number)), "runs")
    assert type(told) is kind
    assert said in str(told)


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ("database or disk is full", CannotWrite, "make room and run again"),
        ("could not extend file: No space left on device", CannotWrite, "make room and run again"),
        ("disk I/O error", CannotWrite, "see that the disk is sound"),
        ("database is locked", CannotWrite, "kept; run again"),
        ("attempt to write a readonly database", NoPermission, "cannot write to runs"),
        ("unable to open database file", NoPermission, "cannot write to runs"),
        ("database disk image is malformed", Unreadable, "runs is damaged"),
    ],
)
def test_an_error_of_a_database_says_what_can_be_done(words, kind, said):
    told = of_database(exc.OperationalError("insert", {}, Exception(words)), "runs", writing=True)
    assert type(told) is kind
    assert said in str(told)
    assert "cannot write" not in str(of_database(exc.OperationalError("select", {}, Exception(words)), "runs", writing=False))


def test_an_error_that_is_no_fault_of_the_place_is_left_as_it_is():
    assert of_database(exc.IntegrityError("insert", {}, Exception("disk is full")), "runs", writing=True) is None
