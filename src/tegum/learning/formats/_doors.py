"""load and export: an autoencoder of anybody's format, told by its files; and ours in the format of anybody."""

from pathlib import Path

from tegum.learning.formats._base import Format
from tegum.learning.sparse_autoencoder import SparseAutoencoder
from tegum.parts import did_you_mean, discover


def load(path: str | Path) -> SparseAutoencoder:
    """The autoencoder in a file or folder: tegum's own, SAELens', dictionary_learning's or sparsify's, told by its files.

    Nothing is downloaded and no pickle is run. What only training uses, such as penalties, is at its default where the files do not say it.
    Raises FileNotFoundError for a path where nothing is; ValueError for what is none of these, saying what was looked for, and for an autoencoder
    whose codes ours can not give.
    """
    return recognised(path).read(Path(path))


def export(sae: SparseAutoencoder, path: str | Path, to: str, *, replace: bool = False) -> None:
    """Write an autoencoder in the format called `to`: 'saelens', 'dictionary_learning', 'sparsify', 'tegum', or a third party's.

    It is there whole or not at all. One that is there already, of that format and with nothing beside it, is written over if `replace`.
    Raises ValueError for an architecture that the format does not hold, naming those that do, and for a place that holds anything else.
    """
    chosen, target = named(to), Path(path)
    if not chosen.holds(sae.architecture):
        can = [one.name for one in _formats() if one.holds(sae.architecture)]
        raise ValueError(
            f"{chosen.name} holds no {type(sae.architecture).__name__}; {' and '.join(can)} {'do' if len(can) > 1 else 'does'}"
        )
    _check_place(chosen, target, replace=replace)
    chosen.write(sae, target)


def recognised(path: str | Path) -> Format:
    """The format of what is there. Raises as `load` does."""
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"there is nothing at {place}")
    found = [one for one in _formats() if one.recognises(place)]
    if len(found) > 1:
        raise ValueError(f"{place} holds autoencoders of {len(found)} formats: {', '.join(one.name for one in found)}")
    if not found:
        has = f"has {_some(place)}" if place.is_dir() else "is one file"
        raise ValueError(f"{place} holds no autoencoder that is known: looked for {'; '.join(one.wants for one in _formats())}; it {has}")
    return found[0]


def named(name: str) -> Format:
    """The format of that name, 'SAELens' as well as 'saelens'. Raises ValueError with a suggestion."""
    known = _formats()
    for one in known:
        if _letters(one.name) == _letters(name):
            return one
    raise ValueError(f"no format named {name!r}; {did_you_mean(name, [one.name for one in known])}")


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _formats() -> list[Format]:
    return [one() for one in discover("formats").values()]


def _check_place(chosen: Format, target: Path, *, replace: bool) -> None:
    if not target.exists():
        return
    if target.is_dir() != bool(chosen.files):
        raise ValueError(
            f"{target} is a {'folder' if target.is_dir() else 'file'}; {chosen.name} writes a {'folder' if chosen.files else 'file'}"
        )
    held = {file.name for file in target.iterdir()} if target.is_dir() else {target.name}
    if others := held - set(chosen.files or held):
        raise ValueError(f"{target} has other files ({', '.join(sorted(others)[:5])}); choose a new or an empty folder")
    if held and not (replace and chosen.recognises(target)):
        raise ValueError(
            f"there is something at {target} already; replace=True (--force) writes over an autoencoder of the format {chosen.name}"
        )


def _some(folder: Path, most: int = 8) -> str:
    names = sorted(file.name for file in folder.iterdir())
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "no files"
