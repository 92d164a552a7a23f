"""What differs between databases, and what a full one says."""

import errno

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from tegum.store import CannotWrite, Store
from tegum.store.database import insert_once, leases
from tegum.store.disk import is_full, writing


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
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError(errno.ENOENT, "No such file"), False),
        (exc.OperationalError("insert", {}, Exception("database or disk is full")), True),
        (exc.OperationalError("insert", {}, Exception("could not extend file: No space left on device")), True),
        (exc.OperationalError("insert", {}, Exception("database is locked")), False),
        (ValueError("disk is full"), False),
    ],
    ids=str,
)
def test_the_errors_of_a_full_disk_are_told_as_one(error, full):
    assert is_full(error) == full
    with pytest.raises(CannotWrite if full else type(error), match="make room and run again" if full else None), writing("runs"):
        raise error
