"""The doors to a store's database: one that only reads, one that writes. Both look at what a file is before they change it.

A store's SQLite file carries tegum's mark and the format's number in its header (SQLite's application_id and user_version), stamped before
anything else is written, so that another program's database, a damaged one or one from a newer tegum is refused untouched. SQLite runs in
write-ahead mode: readers never wait, a killed writer leaves nothing half done, and a commit costs no fsync of its own (a power cut can lose
the last commits, which are then computed again; it cannot corrupt).
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc

from tegum.store.disk import Unreadable, of_database

_MARK = int.from_bytes(b"tegu")
_FORMAT = 1
_BUSY_SECONDS = 60
# SQLite reads through a small file that it shares with other processes; it cannot make one where nobody can write, nor on a full disk.
_NO_SHARED_FILE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY_DIRECTORY, sqlite3.SQLITE_READONLY_CANTINIT}
_NO_SHARED_FILE |= {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP}


def reader(url: sa.URL) -> sa.Engine:
    """An engine that only reads; nothing is opened yet. It reads where nothing can be written, and never changes what it finds."""
    return _engine(url, _open_to_read, writing=False)


def writer(url: sa.URL) -> sa.Engine:
    """An engine that writes; nothing is opened or created yet."""
    return _engine(url, _open_to_write, writing=True)


def is_store(path: Path) -> bool:
    """True for a store's file, False where nothing is yet. Raises Unreadable for a file that is not a store which this tegum can read."""
    if not path.exists():
        return False
    with closing(_open_to_read(path)) as connection:
        return _is_marked(connection, path)


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
    try:
        return _looked_at(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in _NO_SHARED_FILE:
            raise OSError(f"cannot read the store at {path}: {error}") from error
    _refuse_unmerged(path)
    try:
        return _looked_at(path, "immutable=1")
    except sqlite3.OperationalError as error:
        raise OSError(f"cannot read the store at {path}: {error}") from error


def _looked_at(path: Path, mode: str) -> sqlite3.Connection:
    connection = _connect(path, mode)
    try:
        _is_marked(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_to_write(path: Path) -> sqlite3.Connection:
    marked = is_store(path)
    connection = _connect(path, "mode=rwc")
    if not marked:
        connection.executescript(f"BEGIN IMMEDIATE; PRAGMA application_id = {_MARK}; PRAGMA user_version = {_FORMAT}; COMMIT")
    _enter_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _is_marked(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file carries tegum's mark. SQLite itself must say so: who closes a file that he read by himself ends SQLite's locks on it."""
    try:
        # in this order: another process may be making the store just now, and it stamps the mark before it makes a table
        used = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        (made_for,), (mark,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("user_version", "application_id"))
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise Unreadable(f"{path} is damaged, or not a database ({error}): move it away, and a run makes a new one") from error
    if mark != _MARK and (mark or used):
        raise Unreadable(f"{path} is a database, but not a store of tegum's: name another folder")
    if mark == _MARK and made_for > _FORMAT:
        raise Unreadable(f"{path} is of a newer tegum (format {made_for}; this one knows {_FORMAT}): upgrade tegum")
    return mark == _MARK


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
