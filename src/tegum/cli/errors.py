"""How commands end badly: bad input as one line and exit code 2, work that cannot be finished as one line and exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


class BadInput(typer.TyperException):
    """What was asked for cannot be done as asked: one line on stderr, exit code 2."""

    exit_code = 2


class Failed(typer.TyperException):
    """The work could not be finished, through no fault of what was asked for: one line on stderr, exit code 1."""

    exit_code = 1


class Interrupted(typer.TyperException):
    """Ctrl-C: one line on stderr that says what is kept, exit code 130."""

    exit_code = 130


@contextmanager
def refusing() -> Iterator[None]:
    """Turn a ValueError, LookupError or OSError of the door inside into BadInput: its message, on one line."""
    try:
        yield
    except (ValueError, LookupError, OSError) as error:
        raise BadInput(one_line(error)) from error


def one_line(error: BaseException | str) -> str:
    """An error's message on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def note(line: str) -> None:
    """Write one line to stderr."""
    typer.echo(line, err=True)
