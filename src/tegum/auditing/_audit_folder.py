"""AuditFolder: where an audit keeps each step that is done, so that one that was killed goes on and comes to the same result."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tegum.files import as_number, write_json, write_whole
from tegum.learning._training_folder import alone

_FACTS, _STEPS = "audit.json", "steps"
OnStep = Callable[[str, float, bool], object]


class AuditFolder:
    """A folder, or none: then nothing is kept. `on_step` is told the name of each step, its seconds, and whether it was there already."""

    def __init__(self, path: Path | None, on_step: OnStep | None = None) -> None:
        self.path, self._on_step = path, on_step
        self.seconds: dict[str, float] = {}

    @classmethod
    @contextmanager
    def at(cls, path: str | Path | None, facts: Mapping[str, Any], on_step: OnStep | None = None) -> Iterator["AuditFolder"]:
        """The folder of an audit with these facts. Raises ValueError for one that holds another, or that another process writes to."""
        if path is None:
            yield cls(None, on_step)
            return
        place = Path(path)
        if place.exists() and not place.is_dir():
            raise ValueError(f"out is {place}, which is a file; it must be a folder, new or of this audit")
        (place / _STEPS).mkdir(parents=True, exist_ok=True)
        with alone(place, "auditing"):
            _same(place, json.loads(json.dumps(facts, default=as_number)))
            yield cls(place, on_step)

    def part(self, name: str) -> Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]:
        """`keep` for the steps of one question."""
        return lambda step, compute: self.keep(f"{name}: {step}", compute)

    def keep(self, step: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is kept of a step, or else what `compute` gives, which is kept from then on: whole or not at all."""
        file = self.path / _STEPS / f"{_slug(step)}.json" if self.path else None
        if file is not None and (kept := _read(file)) is not None:
            self._told(step, float(kept["seconds"]), there=True)
            return kept["value"]
        begun = time.perf_counter()
        value = compute()
        seconds = time.perf_counter() - begun
        text = json.dumps({"step": step, "seconds": seconds, "value": value}, default=as_number)
        if file is not None:
            try:
                write_whole(file, text.encode())
            except OSError as error:
                done = len(list(file.parent.glob("*.json")))
                raise OSError(
                    error.errno, f"{error.strerror}: {done} steps are kept. Make room in {self.path}, and call audit again to go on"
                ) from error
        self._told(step, seconds, there=False)
        return json.loads(text)["value"]  # what a resumed audit would read

    def _told(self, step: str, seconds: float, *, there: bool) -> None:
        self.seconds[step] = seconds
        if self._on_step is not None:
            self._on_step(step, seconds, there)


def _read(file: Path) -> dict[str, Any] | None:
    """A file that is damaged counts as not there: the step is done again."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return kept if isinstance(kept, dict) and {"seconds", "value"} <= kept.keys() else None


def _slug(step: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", step.lower()).strip("-")[:60]
    return f"{words}-{hashlib.sha256(step.encode()).hexdigest()[:8]}"


def _same(place: Path, facts: dict[str, Any]) -> None:
    file = place / _FACTS
    if not file.exists() or not any((place / _STEPS).iterdir()):
        write_json(file, facts)
        return
    known = json.loads(file.read_text(encoding="utf-8"))
    if differing := [f"{name} was {known.get(name)!r} and is {facts.get(name)!r}" for name in sorted(known.keys() | facts.keys())
                     if known.get(name) != facts.get(name)]:  # fmt: skip
        raise ValueError(f"{place} holds another audit: {'; '.join(differing)}. Give another out=, or delete the folder")
