"""TrainingFolder: where a training keeps its state and its results. Each file is there whole or not at all, and one process writes at a time."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tegum.files import as_number, read_tensors, write_json, write_tensors
from tegum.learning.sparse_autoencoder import SparseAutoencoder, read_saved

_FACTS, _STATE, _LOCK = "training.json", "state.safetensors", "lock"


class TrainingFolder:
    """A folder, or none: then nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    @classmethod
    @contextmanager
    def at(cls, path: str | Path | None, facts: Mapping[str, Any]) -> Iterator["TrainingFolder"]:
        """The folder of a training with these facts. Raises ValueError for one that holds another, or that another process writes to."""
        if path is None:
            yield cls(None)
            return
        place = Path(path)
        if place.exists() and not place.is_dir():
            raise ValueError(f"out is {place}, which is a file; it must be a folder, new or of this training")
        place.mkdir(parents=True, exist_ok=True)
        with alone(place, "training"):
            _same(place, json.loads(json.dumps(facts, default=as_number)))
            yield cls(place)

    def kept(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The state that was kept last."""
        return read_tensors(self.path / _STATE) if self.path and (self.path / _STATE).exists() else None

    def keep(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Keep this state in the place of the last."""
        if self.path:
            try:
                write_tensors(self.path / _STATE, tensors, facts)
            except OSError as error:
                before = "the state kept before is whole" if (self.path / _STATE).exists() else "nothing was kept before"
                raise OSError(error.errno, f"{error.strerror}: {before}. Make room in {self.path}, and call fit again to go on") from error

    def finished(self, count: int) -> list[SparseAutoencoder] | None:
        """The autoencoders, if all are done."""
        files = [self.path / f"{i}.safetensors" for i in range(count)] if self.path else []
        return [read_saved(file) for file in files] if files and all(file.exists() for file in files) else None

    def finish(self, done: Sequence[SparseAutoencoder]) -> None:
        """Write them; the state is needed no more."""
        if self.path:
            for i, sae in enumerate(done):
                sae.save(self.path / f"{i}.safetensors")
            (self.path / _STATE).unlink(missing_ok=True)


def digest_of(rows: Tensor) -> str:
    """Of numbers, bit for bit."""
    return hashlib.sha256(rows.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()[:16]


def _same(place: Path, facts: dict[str, Any]) -> None:
    """Where nothing has been kept yet, the last call failed before there was anything to lose."""
    file = place / _FACTS
    if not file.exists() or not list(place.glob("*.safetensors")):
        write_json(file, facts)
        return
    known = json.loads(file.read_text())
    if differing := sorted(_differing(known, facts)):
        raise ValueError(f"{place} holds another training: {'; '.join(differing)}. Give another out=, or delete the folder")


def _differing(known: Any, asked: Any, name: str = "") -> Iterator[str]:
    if isinstance(known, dict) and isinstance(asked, dict):
        for key in known.keys() | asked.keys():
            yield from _differing(known.get(key), asked.get(key), key)
    elif known != asked and name != "name":
        yield f"{name} was {known!r} and is {asked!r}"


@contextmanager
def alone(place: Path, doing: str) -> Iterator[None]:
    """One process at a time; the system lets go of the lock when a process dies, however that happens. ValueError where another is there."""
    handle = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # another system; two in one folder are then not refused
        except BlockingIOError:
            raise ValueError(f"another process is {doing} in {place}") from None
        except OSError:
            pass  # a file system without locks: the same
        yield
    finally:
        os.close(handle)
