"""Discovery of parts: every file of a room that holds a decoder, a distribution, an experiment, ... is found by walking the package.

Adding a part is adding one file. A class part is a concrete subclass of its room's base that is defined in the file; a function part (a
dictionary construction) is a public function whose return annotation is the room's base. Files that begin with `_` are skipped, folders are
walked (those with an `__init__.py`), two parts of one name in one room are an error, and a file that does not import is kept as 'not available:
reason'. Third parties add parts through an entry point named after the room (`tegum.decoders`, `tegum.experiments`, ...).

What was found is kept in a cache, the survey, until a file or an installed package changes: a listing then imports nothing, and one
experiment is found without importing the others.
"""

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

# room -> module and name of the base that its parts share
ROOMS = {
    "features": ("tegum.features._base", "Distribution"),
    "dictionaries": ("tegum.dictionaries._base", "Dictionary"),
    "decoders": ("tegum.decoders._base", "Decoder"),
    "models": ("tegum.toys.models._base", "Model"),
    "losses": ("tegum.toys.losses._base", "Loss"),
    "engines": ("tegum.toys.engines._base", "Engine"),
    "autoencoders": ("tegum.learning.autoencoders._base", "Autoencoder"),
    "formats": ("tegum.learning.formats._base", "Format"),
    "experiments": ("tegum.store.experiment", "Experiment"),
}
_PACKAGES = {
    "models": "tegum.toys.models",
    "losses": "tegum.toys.losses",
    "engines": "tegum.toys.engines",
    "autoencoders": "tegum.learning.autoencoders",
    "formats": "tegum.learning.formats",
}
_ONE_BY_ONE = {"experiments"}  # rooms whose files together take seconds to import, so that `find` imports only what it is asked for


class DuplicatePart(ValueError):
    """Two parts of one room share a name."""


class UnknownPart(LookupError):
    """No part of that room has that name."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class Part:
    """One part as a listing shows it: no import is needed to read it back from the cache."""

    room: str
    name: str
    module: str  # or what its entry point says, where that could not be loaded
    title: str
    id: str = ""
    source: str = ""
    reason: str = ""  # why it is not available; empty when it is

    @property
    def available(self) -> bool:
        """True when the part's file imports."""
        return not self.reason

    def answers_to(self, name: str) -> bool:
        """True when this is the part's name, or the id of an experiment, in whatever case."""
        return name == self.name or name.lower() == self.id.lower() != ""


@cache
def discover(room: str) -> dict[str, Any]:
    """Every part of `room` by name, in the order of their ids and names: classes, or functions where the room's parts are functions."""
    _refuse_duplicates(part for part, _ in _walk(room))
    found = {part.name: target for part, target in _walk(room) if target is not None}
    return dict(sorted(found.items(), key=lambda item: (_id_order(getattr(item[1], "id", "")), item[0])))


def find(room: str, name: str) -> Any:
    """The part of `room` called `name` (an experiment answers to its id too). Raises UnknownPart with a suggestion, or with the reason."""
    listed = [part for part in _surveyed() if part.room == room] if room in _ONE_BY_ONE else [part for part, _ in _walk(room)]
    _refuse_duplicates(listed)
    for part in sorted(listed, key=lambda part: not part.available):
        if part.answers_to(name):
            return _load(part)
    known = [known for part in listed for known in (part.name, part.id)]
    raise UnknownPart(f"no {_singular(room)} named {name!r}; {did_you_mean(name, known)}")


def did_you_mean(name: str, known: list[str]) -> str:
    """The end of an error line for a mistyped name."""
    spelt = {k.lower(): k for k in reversed(known) if k}  # of two that differ in case alone, the first
    close = difflib.get_close_matches(name.lower(), list(spelt), n=1, cutoff=0.5)
    return f"did you mean {spelt[close[0]]!r}?" if close else f"known: {', '.join(k for k in known if k)}"


def lazy(package: str, *rooms: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A module's `__getattr__` and `__dir__` (PEP 562), under which the parts of these rooms appear when first asked for.

    The package of the room shows a part even where it has a file of that name: importing `tegum.dictionaries.hadamard` does not put the
    file in the place of the function `tegum.dictionaries.hadamard`.
    """
    module = sys.modules[package]

    own: list[str] = vars(module).get("__all__", [])

    def parts() -> dict[str, Any]:
        found = {key: part for room in rooms for key, part in discover(room).items()}
        return found | {part.__name__: part for part in found.values()}

    def getattr_(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if name in (found := parts()):
            return found[name]
        if f"{package}.{name}" in sys.modules:
            return sys.modules[f"{package}.{name}"]
        for part in (part for room in rooms for part, _ in _walk(room)):
            if part.name == name and not part.available:
                raise AttributeError(f"{package}.{name} is not available: {part.reason}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}; {did_you_mean(name, [*found, *own])}")

    if package in map(_package, rooms):
        module.__class__ = _Room
        for name in [name for name, value in vars(module).items() if _is_file_of(module, name, value)]:
            delattr(module, name)
    return getattr_, lambda: sorted({*own, *parts()})


class _Room(ModuleType):
    """The package of a room: an import binds no public file of it as an attribute, so that its `__getattr__` is asked for the part first."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not _is_file_of(self, name, value):
            super().__setattr__(name, value)


def _is_file_of(package: ModuleType, name: str, value: Any) -> bool:
    """True for a public file of `package`, which could share its name with a part; folders and `_files` hold none of that name."""
    return (
        isinstance(value, ModuleType)
        and value.__name__ == f"{package.__name__}.{name}"
        and not hasattr(value, "__path__")
        and not name.startswith("_")
    )


def survey() -> list[Part]:
    """Every part of every room, available or not, without importing what was surveyed before and has not changed since.

    Raises DuplicatePart where two parts of a room share a name.
    """
    listed = _surveyed()
    for room in ROOMS:
        _refuse_duplicates(part for part in listed if part.room == room)
    return listed


def _surveyed() -> list[Part]:
    key, file = _fingerprint(), _cache_file()
    try:
        saved = json.loads(file.read_text()) if file else {}
        if saved["key"] == key and all(_stamp(Path(name)) == stamp for name, stamp in saved["files"].items()):
            return [Part(**p) for p in saved["parts"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    listed = [part for room in ROOMS for part, _ in sorted(_walk(room), key=lambda found: (_id_order(found[0].id), found[0].name))]
    if file is None:
        return listed
    files = {name: _stamp(Path(name)) for name in _files_elsewhere(listed)}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps({"key": key, "files": files, "parts": [asdict(p) for p in listed]}))
        scratch.replace(file)
    except OSError:
        pass  # a read-only home costs speed, nothing else
    return listed


def _refuse_duplicates(listed: Iterable[Part]) -> None:
    seen: dict[str, Part] = {}
    for part in listed:
        if part.available and (other := seen.setdefault(part.name, part)) is not part:
            raise DuplicatePart(f"{part.room} has two parts named {part.name!r}: {other.module} and {part.module}")


def _load(part: Part) -> Any:
    """The part itself, imported now: what a survey said of it may no longer be so."""
    what = f"{_singular(part.room)} {part.name!r}"
    try:
        module = _import(part.module)
    except Exception as error:
        raise UnknownPart(f"{what} is not available: {type(error).__name__}: {error}") from error
    for target in _parts_of(module, _base(part.room)):
        if _describe(part.room, target, module).name == part.name:
            return target
    raise UnknownPart(f"{what} is not available: {part.module} holds none of that name")


@cache
def _walk(room: str) -> tuple[tuple[Part, Any], ...]:
    base = _base(room)
    found: list[tuple[Part, Any]] = []
    seen: set[str] = set()  # two entry points may name one module
    for place in [*_files(importlib.import_module(_package(room))), *(p.value for p in metadata.entry_points(group=f"tegum.{room}"))]:
        try:
            module = _import(place)
        except Exception as error:  # noqa: BLE001 - whatever a part's file raises is its reason for not being available
            found.append((Part(room, place.rpartition(".")[2], place, "", reason=f"{type(error).__name__}: {error}"), None))
            continue
        if module.__name__ not in seen:
            found.extend((_describe(room, target, module), target) for target in _parts_of(module, base))
        seen.add(module.__name__)
    return tuple(found)


def _package(room: str) -> str:
    return _PACKAGES.get(room, f"tegum.{room}")


def _base(room: str) -> type:
    module, name = ROOMS[room]
    return getattr(importlib.import_module(module), name)


def _files(package: ModuleType) -> Iterator[str]:
    """The public modules of a package and its public folders; a folder that does not import stands for its files."""
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if info.name.rpartition(".")[2].startswith("_"):
            continue
        if info.ispkg:
            try:
                inner = importlib.import_module(info.name)
            except Exception:  # noqa: BLE001 - imported again by the caller, who keeps the reason
                yield info.name
            else:
                yield from _files(inner)
        else:
            yield info.name


def _import(place: str) -> ModuleType:
    """The module named, or that of the object that an entry point names."""
    target = metadata.EntryPoint(name="", group="", value=place).load()
    return target if isinstance(target, ModuleType) else importlib.import_module(target.__module__)


def _parts_of(module: ModuleType, base: type) -> Iterator[Any]:
    for name, target in vars(module).items():
        if name.startswith("_") or getattr(target, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(target):
            if issubclass(target, base) and not inspect.isabstract(target):
                yield target
        elif inspect.isfunction(target) and _returns(target, base):
            yield target


def _returns(function: Callable[..., Any], base: type) -> bool:
    answer = function.__annotations__.get("return")
    return answer == base.__name__ or (inspect.isclass(answer) and issubclass(answer, base))


def _describe(room: str, target: Any, module: ModuleType) -> Part:
    doc = (module.__doc__ or target.__doc__ or "").strip().splitlines()
    title = getattr(target, "title", None) or (doc[0] if doc else "")
    name = module.__name__.rpartition(".")[2] if room == "experiments" else target.__name__
    if room == "experiments":
        target.name = name
    return Part(room, name, module.__name__, title, id=getattr(target, "id", ""), source=getattr(target, "source", ""))


def _id_order(identifier: str) -> tuple[str, int]:
    letters = identifier.rstrip("0123456789")
    digits = identifier[len(letters) :]
    return (letters or "~", int(digits) if digits else 0)


def _singular(room: str) -> str:
    return {"dictionaries": "dictionary", "losses": "loss"}.get(room, room.removesuffix("s"))


def _fingerprint() -> str:
    """Changes with any file of this package, and with what is installed anywhere on the path and the entry points it declares."""
    own = [(str(file), _stamp(file)) for file in sorted(Path(__file__).parent.rglob("*.py"))]
    installed = []
    for place in dict.fromkeys(map(os.path.abspath, sys.path)):
        try:
            found = sorted(info for info in Path(place).iterdir() if info.suffix in {".dist-info", ".egg-info"})
        except OSError:
            continue  # not there, or an archive
        installed += [(str(info), _stamp(info / "entry_points.txt")) for info in found]
    return hashlib.sha256(repr((sys.version, own, installed)).encode()).hexdigest()


def _files_elsewhere(listed: Iterable[Part]) -> set[str]:
    """The files of third parties' parts, which the fingerprint does not see."""
    points = [point for room in ROOMS for point in metadata.entry_points(group=f"tegum.{room}")]
    modules = {point.module for point in points} | {part.module for part in listed if part.available}
    root = Path(__file__).parent
    named = [getattr(sys.modules.get(module), "__file__", None) or _unloaded(module) for module in modules]
    return {file for file in named if file and root not in Path(file).parents}


def _unloaded(module: str) -> str | None:
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # noqa: BLE001 - its package does not import, and there is no telling where it is
        return None
    return spec.origin if spec else None


def _stamp(file: Path) -> list[int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _cache_file() -> Path | None:
    """None where nobody says where it may be kept: a home that is not known, or not told in full, would be the working directory."""
    given, shared = os.environ.get("TEGUM_CACHE_DIR", ""), os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = Path(given or (shared if Path(shared).is_absolute() else Path.home() / ".cache"))
    except RuntimeError:
        return None
    if not given and not home.is_absolute():
        return None
    where = hashlib.sha256(f"{Path(__file__).parent}{sys.prefix}".encode()).hexdigest()[:16]
    return home / "tegum" / f"parts-{where}.json"
