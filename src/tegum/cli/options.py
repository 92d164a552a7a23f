"""Options that several commands share, and the two doors to a store: one that may make it, one that only reads it."""

from typing import TYPE_CHECKING, Annotated

import typer

from tegum.cli.errors import BadInput, one_line

if TYPE_CHECKING:
    from tegum.store import Store

_PLACE = "Where results are kept: a folder, or an SQLAlchemy URL and the folder for arrays that all its users see."
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]
StorePlace = Annotated[str, typer.Option("--store", metavar="DIR|URL#DIR", help=_PLACE)]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0 is one a processor.")]
Preset = Annotated[str, typer.Option("--preset", help="A named set of parameters; every experiment has quick and paper.")]


def open_store(place: str) -> "Store":
    """The store at `place`; nothing is created before something is written to it."""
    from sqlalchemy.exc import SQLAlchemyError

    from tegum.store import Store
    from tegum.store.provenance import without_passwords

    try:
        store = Store(place)
        store.exists  # noqa: B018 - asks the database, so that one that cannot be opened is told now
    except (ValueError, OSError, ImportError, SQLAlchemyError) as error:
        why = one_line(getattr(error, "orig", None) or error)
        raise BadInput(f"cannot open the store at {without_passwords(place)!r}: {why}") from error
    return store


def existing_store(place: str) -> "Store":
    """The store at `place`, to be read. Raises BadInput when nothing was ever written there."""
    from tegum.store.provenance import without_passwords

    store = open_store(place)
    if not store.exists:
        raise BadInput(f"there is no store at {without_passwords(place)!r} yet: `tegum run NAME` or `tegum reproduce` makes one")
    return store
