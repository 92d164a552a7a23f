"""A disk that takes no more: many errors, of the system and of databases, are told as one."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBERS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_WORDS = ("disk is full", "disk i/o error", "no space left", "readonly database", "unable to open database file")


class CannotWrite(OSError):
    """The disk is full, or the store cannot be written for another reason. What was finished is kept; a rerun does the rest."""


def is_full(error: BaseException) -> bool:
    """True when the error, one of the system's or one that SQLAlchemy wraps, says that nothing more can be written."""
    wrapped = getattr(error, "orig", None)
    if wrapped is not None:
        return any(words in str(wrapped).lower() for words in _WORDS)
    return isinstance(error, OSError) and error.errno in _NUMBERS


def cannot_write(place: str, why: str) -> CannotWrite:
    """The one error of a store that takes no more."""
    return CannotWrite(f"cannot write to {place}: {why}. Finished cells are kept; make room and run again to do the rest")


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Turn the errors of a full disk into one clear CannotWrite."""
    try:
        yield
    except Exception as error:
        if isinstance(error, CannotWrite) or not is_full(error):
            raise
        raise cannot_write(place, str(getattr(error, "orig", error))) from error
