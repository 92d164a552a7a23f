"""A store that cannot be written or read: many errors, of the system and of databases, are told in one line that says what to do."""

import errno

from sqlalchemy import exc

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}
_FULL_WORDS = ("disk is full", "no space left", "disk full")
_CLOSED_WORDS = ("readonly database", "unable to open database file", "permission denied", "read-only")
_DAMAGED_WORDS = ("malformed", "not a database", "no such table", "no such column")


class CannotWrite(OSError):
    """The store takes no more: its disk is full or failing, or its database cannot be had. What was finished is kept; a rerun does the rest."""


class NoPermission(OSError):
    """The place of the store lets nobody write: a read-only disk, or another's folder."""


class Unreadable(ValueError):
    """The database is damaged, not tegum's, or of a newer tegum."""


def unwritable(error: OSError, place: str) -> OSError:
    """What an error of the system that met a write to the store is told as."""
    why = error.strerror or str(error)
    if error.errno in _CLOSED:
        return NoPermission(f"cannot write to {place}: {why}")
    return _takes_no_more(place, why, "make room and" if error.errno in _FULL else "see that the disk is sound and has room, then")


def of_database(error: exc.DBAPIError, place: str, *, writing: bool) -> Exception | None:
    """What an error of the database is told as; None for one that is no fault of the place (a line that is there already, say)."""
    if type(error) not in (exc.OperationalError, exc.DatabaseError):
        return None
    why = " ".join(str(error.orig).split())
    words = why.lower()
    if any(damage in words for damage in _DAMAGED_WORDS):
        return Unreadable(f"the database at {place} is damaged ({why}): move it away, and a run makes a new one")
    if not writing:
        return OSError(f"cannot read the store at {place}: {why}")
    if any(closed in words for closed in _CLOSED_WORDS):
        return NoPermission(f"cannot write to {place}: {why}")
    if any(full in words for full in _FULL_WORDS):
        return _takes_no_more(place, why, "make room and")
    if "disk i/o error" in words:  # what SQLite says of a failing disk, and of a quota that is used up
        return _takes_no_more(place, why, "see that the disk is sound and has room, then")
    return _takes_no_more(place, why, "")


def _takes_no_more(place: str, why: str, first: str) -> CannotWrite:
    return CannotWrite(f"cannot write to {place}: {why}. Finished cells are kept; {f'{first} ' if first else ''}run again to do the rest")
