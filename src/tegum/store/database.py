"""The tables, and the one statement that differs between databases: SQLAlchemy Core, SQLite by default, any URL that SQLAlchemy knows.

Every transaction on them writes before it reads, so that two writers queue instead of failing.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite

metadata = sa.MetaData()
_Key = sa.String(64)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("setting", _Key, nullable=False, index=True),
    sa.Column("experiment", sa.String(200), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("preset", sa.String(200), nullable=False),
    sa.Column("params", sa.Text, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("finished", sa.Float),
    sa.Column("process", sa.String(400), nullable=False),
    sa.Column("provenance", sa.Text, nullable=False),
)
rows = sa.Table(
    "rows",
    metadata,
    sa.Column("key", _Key, primary_key=True),
    sa.Column("setting", _Key, nullable=False, index=True),
    sa.Column("run", sa.String(32), nullable=False),
    sa.Column("cell", sa.Text, nullable=False),
    sa.Column("fields", sa.Text, nullable=False),
    sa.Column("arrays", _Key),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("finished", sa.Float, nullable=False),
)
failures = sa.Table(
    "failures",
    metadata,
    sa.Column("key", _Key, primary_key=True),
    sa.Column("setting", _Key, nullable=False, index=True),
    sa.Column("run", sa.String(32), nullable=False),
    sa.Column("cell", sa.Text, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("traceback", sa.Text, nullable=False),
    sa.Column("finished", sa.Float, nullable=False),
)
claims = sa.Table(
    "claims",
    metadata,
    sa.Column("setting", _Key, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("run", sa.String(32), nullable=False),
    sa.Column("claim", sa.Text, nullable=False),
    sa.Column("verdict", sa.String(20), nullable=False),
    sa.Column("as_recorded", sa.Boolean, nullable=False),
    sa.Column("judged", sa.Float, nullable=False),
)
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("key", _Key, primary_key=True),
    sa.Column("owner", sa.String(32), nullable=False, index=True),
    sa.Column("process", sa.String(400), nullable=False),
    sa.Column("expires", sa.Float, nullable=False),
)


def insert_once(connection: sa.Connection, table: sa.Table, **values: Any) -> bool:
    """Insert one line unless its primary key is there. True when it was inserted."""
    name = connection.dialect.name
    if name in ("sqlite", "postgresql"):
        dialect = sqlite if name == "sqlite" else postgresql
        return connection.execute(dialect.insert(table).values(**values).on_conflict_do_nothing()).rowcount == 1
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(table).values(**values))
    except exc.IntegrityError:
        return False
    return True
