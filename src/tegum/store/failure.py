"""What went wrong, in words that any database and any terminal take: a cell that raised or crashed, or claims that raised."""

from dataclasses import dataclass

from tegum.store.cell import Cell


@dataclass(frozen=True)
class Failure:
    """A cell that has no row, and why: `kind` is raised, crashed or (with no cell) claims."""

    cell: Cell | None
    kind: str
    message: str
    traceback: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", _writable(self.message))
        object.__setattr__(self, "traceback", _writable(self.traceback))


def message_of(error: BaseException) -> str:
    """`Type: message` of any exception, also of one whose message cannot be had."""
    try:
        words = str(error)
    except BaseException as second:  # noqa: BLE001 - it is the first error that is told
        words = f"its message cannot be read, for that raises {type(second).__name__}"
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _writable(text: str) -> str:
    """The text with what is no text (surrogates, as in file names that are not UTF-8; NUL) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
