"""Discovery of parts: every file of a room that holds a decoder, a distribution, an experiment, ... is found by walking the package.

Adding a part is adding one file. A class part is a concrete subclass of its room's base that is defined in the file; a function part (a
dictionary construction) is a public function whose return annotation is the room's base. Files that begin with `_` are skipped, folders are
walked, two parts of one name in one room are an error, and a file that does not import is kept as 'not available: reason'. Third parties add
parts through an entry point named after the room (`tegum.decoders`, `tegum.experiments`, ...).
"""

import difflib
import hashlib
import importlib
import inspect
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
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
    "experiments": ("tegum.store.experiment", "Experiment"),
}
_PACKAGES = {"models": "tegum.toys.models", "losses": "tegum.toys.losses", "engines": "tegum.toys.engines"}


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
    module: str
    title: str
    id: str = ""
    source: str = ""
    reason: str = ""  # why it is not available; empty when it is

    @property
    def available(self) -> bool:
        """True when the part's file imports."""
        return not self.reason


@cache
def discover(room: str) -> dict[str, Any]:
    """Every part of `room` by name, in the order of their ids and names: classes, or functions where the room's parts are functions."""
    found: dict[str, Any] = {}
    for part, target in _walk(room):
        if target is None:
            continue
        if part.name in found:
            raise DuplicatePart(f"{room} has two parts named {part.name!r}: {found[part.name].__module__} and {part.module}")
        found[part.name] = target
    return dict(sorted(found.items(), key=lambda item: (_id_order(getattr(item[1], "id", "")), item[0])))


def find(room: str, name: str) -> Any:
    """The part of `room` called `name` (an experiment answers to its id too). Raises UnknownPart with a suggestion."""
    parts = discover(room)
    for key, part in parts.items():
        if name == key or name.lower() == getattr(part, "id", "").lower() != "":
            return part
    for part, target in _walk(room):
        if target is None and part.name == name:
            raise UnknownPart(f"{room.rstrip('s')} {name!r} is not available: {part.reason}")
    raise UnknownPart(
        f"no {room.rstrip('s')} named {name!r}; {did_you_mean(name, [*parts, *(getattr(p, 'id', '') for p in parts.values())])}"
    )


def did_you_mean(name: str, known: list[str]) -> str:
    """The end of an error line for a mistyped name."""
    known = [k for k in known if k]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5) or difflib.get_close_matches(
        name.lower(), [k.lower() for k in known], n=1, cutoff=0.5
    )
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def lazy(room: str, package: str) -> Callable[[str], Any]:
    """A module `__getattr__` (PEP 562) under which a room's parts appear when first asked for."""

    def getattr_(name: str) -> Any:
        if not name.startswith("_"):
            for key, part in discover(room).items():
                if name in (key, getattr(part, "__name__", key)):
                    return part
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return getattr_


def survey() -> list[Part]:
    """Every part of every room, available or not, without importing what was surveyed before and has not changed since."""
    key, file = _fingerprint(), _cache_file()
    try:
        saved = json.loads(file.read_text())
        if saved["key"] == key:
            return [Part(**p) for p in saved["parts"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    listed = [part for room in ROOMS for part, _ in sorted(_walk(room), key=lambda found: (_id_order(found[0].id), found[0].name))]
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps({"key": key, "parts": [asdict(p) for p in listed]}))
        scratch.replace(file)
    except OSError:
        pass  # a read-only home costs speed, nothing else
    return listed


@cache
def _walk(room: str) -> tuple[tuple[Part, Any], ...]:
    base_module, base_name = ROOMS[room]
    base = getattr(importlib.import_module(base_module), base_name)
    found: list[tuple[Part, Any]] = []
    for module_name, load in _modules(room):
        try:
            module = load()
        except Exception as error:  # noqa: BLE001 - whatever a part's file raises is its reason for not being available
            short = module_name.rpartition(".")[2]
            found.append((Part(room, short, module_name, "", reason=f"{type(error).__name__}: {error}"), None))
            continue
        found.extend((_describe(room, target, module), target) for target in _parts_of(module, base))
    return tuple(found)


def _modules(room: str) -> Iterator[tuple[str, Callable[[], ModuleType]]]:
    package = importlib.import_module(_PACKAGES.get(room, f"tegum.{room}"))
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not info.ispkg and not any(piece.startswith("_") for piece in info.name.split(".")):
            yield info.name, lambda name=info.name: importlib.import_module(name)
    for point in metadata.entry_points(group=f"tegum.{room}"):

        def load(point: metadata.EntryPoint = point) -> ModuleType:
            target = point.load()
            return target if isinstance(target, ModuleType) else importlib.import_module(target.__module__)

        yield point.value, load


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


def _fingerprint() -> str:
    root = Path(__file__).parent
    seen = [(str(f), (s := f.stat()).st_size, s.st_mtime_ns) for f in sorted(root.rglob("*.py"))]
    places = sorted({str(Path(p).resolve()) for p in sys.path if p.endswith("-packages")})
    installed = [
        (p, sorted(n.name for n in Path(p).iterdir() if n.suffix in {".dist-info", ".egg-info"})) for p in places if Path(p).is_dir()
    ]
    return hashlib.sha256(repr((sys.version, seen, installed)).encode()).hexdigest()


def _cache_file() -> Path:
    home = Path(os.environ.get("TEGUM_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    where = hashlib.sha256(f"{Path(__file__).parent}{sys.prefix}".encode()).hexdigest()[:16]
    return home / "tegum" / f"parts-{where}.json"
