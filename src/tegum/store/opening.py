"""The doors to a store's database: one that only reads, one that writes. Both look at what a file is before a database opens it.

A store's SQLite file carries tegum's mark and the format's number in its header (SQLite's application_id and user_version), stamped before
anything else is written, so that another program's database, a damaged one or one from a newer tegum is refused untouched. SQLite runs in
write-ahead mode: readers never wait, a killed writer leaves nothing half done, and a commit costs no fsync of its own (a power cut can lose
the last commits, which are then computed again; it cannot corrupt).
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc

from tegum.store.disk import Unreadable, of_database

_MARK = int.from_bytes(b"tegu")
_FORMAT = 1
_BUSY_SECONDS = 60


def reader(url: sa.URL) -> sa.Engine:
    """An engine that only reads; nothing is opened yet. It reads where nothing can be written, and never changes what it finds."""
    return _engine(url, _open_to_read, writing=False)


def writer(url: sa.URL) -> sa.Engine:
    """An engine that writes; nothing is opened or created yet."""
    return _engine(url, _open_to_write, writing=True)


def is_marked(path: Path) -> bool:
    """True for a store's file, False where there is none yet. Raises Unreadable for a file that is not a store this tegum can read."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return False
    if not header:
        return False
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise Unreadable(f"{path} is not a database, or its head is damaged: move it away, and a run makes a new one")
    made_for, mark = (int.from_bytes(header[place : place + 4]) for place in (60, 68))  # https://sqlite.org/fileformat.html, 1.3
    if mark != _MARK:
        raise Unreadable(f"{path} is a database, but not a store of tegum's: name another folder")
    if made_for > _FORMAT:
        raise Unreadable(f"{path} is of a newer tegum (format {made_for}; this one knows {_FORMAT}): upgrade tegum")
    return True


def _engine(url: sa.URL, open_: Callable[[Path], sqlite3.Connection], *, writing: bool) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "").absolute()
        engine, place = sa.create_engine(url, creator=lambda: open_(path)), str(path)
    else:
        engine, place = sa.create_engine(url), url.render_as_string()

    def tell(context: sa.engine.ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        told = of_database(error, place, writing=writing) if isinstance(error, exc.DBAPIError) else None
        if told is not None:
            raise told from context.original_exception

    event.listen(engine, "handle_error", tell)
    return engine


def _open_to_read(path: Path) -> sqlite3.Connection:
    is_marked(path)
    connection = _connect(path, "mode=ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:  # in a place that lets nobody write, SQLite cannot have the files that it shares with other processes
        connection.close()
        _refuse_unmerged(path)
        return _connect(path, "immutable=1")
    return connection


def _open_to_write(path: Path) -> sqlite3.Connection:
    marked = is_marked(path)
    connection = _connect(path, "mode=rwc")
    if not marked:
        connection.executescript(f"BEGIN IMMEDIATE; PRAGMA application_id = {_MARK}; PRAGMA user_version = {_FORMAT}; COMMIT")
    _enter_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)


def _refuse_unmerged(path: Path) -> None:
    """Raise where a killed run left rows in the log beside the database, which cannot be read without writing."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise Unreadable(
            f"{path} has rows that a killed run left in {log.name}, and nothing can be written there: copy the folder to read it"
        )


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Set write-ahead mode; SQLite does not wait by itself when another process sets it at the same moment."""
    for pause in (0.01, 0.1, 0.5, 1.0, 5.0):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            time.sleep(pause)
        else:
            return
    connection.execute("PRAGMA journal_mode = WAL")
