"""The manifest of a folder of activations: what was captured of what, and of each shard its rows, its checksum and the batches that it holds."""

import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tegum.files import sha256_of, write_json

NAME, FORMAT = "manifest.json", "tegum activations 1"
_SCRATCH = re.compile(r"(shard-\d{7}\.safetensors|manifest\.json)\.[0-9a-f]{8}")


@dataclass(frozen=True)
class ShardRecord:
    """One shard: a file of `rows` rows, from batches `first` to `last` (not in it), whose inputs have the digest `inputs`.

    `samples` counts the samples of the batches before it, and of those up to its end; `left_out` rows had a number that was not finite, `overflown`
    ones a number too large for what is stored.
    """

    file: str
    rows: int
    n_bytes: int
    sha256: str
    first: int
    last: int
    inputs: str
    samples: tuple[int, int]
    left_out: int
    overflown: int


@dataclass(frozen=True)
class Manifest:
    """`sites` maps a submodule's name to its dims; `made` is what must be the same for a capture to go on (see `capture`)."""

    sites: dict[str, int]
    dtype: str
    made: dict[str, Any]
    shards: tuple[ShardRecord, ...] = field(default=())
    complete: bool = False

    def with_shard(self, shard: ShardRecord) -> "Manifest":
        """The same with one more shard, in the order of batches."""
        others = [one for one in self.shards if one.first != shard.first]
        return replace(self, shards=tuple(sorted([*others, shard], key=lambda one: one.first)))

    def write(self, folder: Path) -> None:
        """Put it into the folder, whole or not at all."""
        write_json(folder / NAME, {"format": FORMAT, **asdict(self)})


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder, None where there is none. Raises ValueError for one that cannot be read."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text())
        shards = tuple(ShardRecord(**one | {"samples": tuple(one["samples"])}) for one in told.pop("shards"))
        known = told.pop("format") == FORMAT
        manifest = Manifest(**told, shards=shards)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no manifest of activations: {type(error).__name__}: {error}") from None
    if not known:
        raise ValueError(f"{path} is no manifest of activations: its format is not {FORMAT!r}")
    return manifest


def sweep(folder: Path) -> None:
    """Remove what a killed writer left, and nothing else."""
    for path in folder.iterdir():
        if _SCRATCH.fullmatch(path.name):
            path.unlink(missing_ok=True)


def damage(folder: Path, shard: ShardRecord) -> str:
    """What is wrong with a shard's file, "" if nothing."""
    path = folder / shard.file
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return "is gone"
    if size != shard.n_bytes:
        return f"has {size:,} bytes of {shard.n_bytes:,}: it was cut short or altered"
    return "" if sha256_of(path) == shard.sha256 else "does not have its checksum: it was altered"
