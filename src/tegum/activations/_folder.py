"""The folder that a capture writes to: whole shards and their manifest, what is pending, and a lock."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tegum.activations._manifest import Manifest, ShardRecord, damage, read_manifest, sweep
from tegum.activations._reader import Part, Reader, digest_of, joined
from tegum.files import sha256_of, write_tensors


class Folder:
    """The folder that a capture writes to: which batches its whole shards have, and what is not written yet."""

    def __init__(self, folder: Path, reader: Reader, shard_bytes: int) -> None:
        self.place, self.reader, self.shard_bytes = folder, reader, shard_bytes
        self.made, self.manifest = reader.made(), read_manifest(folder)
        if self.manifest is not None:
            _check_same(folder, self.manifest, self.made, reader.names)
            whole = tuple(shard for shard in self.manifest.shards if not damage(folder, shard))
            self.manifest = replace(self.manifest, shards=whole, complete=False)
            reader.dims = dict(self.manifest.sites)
        sweep(folder)
        shards = () if self.manifest is None else self.manifest.shards
        self.shard_of = {number: shard for shard in shards for number in range(shard.first, shard.last)}
        self.pending: list[Part] = []
        self.pending_bytes, self.passed = 0, b""

    def take(self, part: Part) -> None:
        """The next batch."""
        shard = self.shard_of.get(part.number)
        if shard is None:
            self.pending.append(part)
            self.pending_bytes += part.n_bytes
            if self.pending_bytes >= self.shard_bytes:
                self.flush()
            return
        self.flush()
        self.passed += part.inputs
        if part.number + 1 == shard.last:
            if digest_of(self.passed) != shard.inputs:
                raise ValueError(
                    f"batches {shard.first} to {shard.last - 1} are not those that {self.place / shard.file} was captured from: give the same, or "
                    "another folder"
                )
            self.passed, self.reader.samples = b"", shard.samples[1]

    def flush(self) -> None:
        """Write what is pending as a shard, then the manifest that knows of it."""
        if not self.pending:
            return
        parts, names = self.pending, self.reader.names
        tensors = joined(parts)
        manifest = self.manifest or Manifest(dict(self.reader.dims), str(tensors[names[0]].dtype), self.made)
        file = self.place / f"shard-{parts[0].number:07d}.safetensors"
        try:
            write_tensors(file, tensors, {})
            shard = ShardRecord(
                file=file.name, rows=len(tensors[names[0]]), n_bytes=file.stat().st_size, sha256=sha256_of(file), first=parts[0].number,
                last=parts[-1].number + 1, inputs=digest_of(b"".join(part.inputs for part in parts)),
                samples=(parts[0].samples[0], parts[-1].samples[1]), left_out=sum(part.left_out for part in parts),
                overflown=sum(part.overflown for part in parts),
            )  # fmt: skip
            manifest = manifest.with_shard(shard)
            manifest.write(self.place)
        except OSError as error:
            kept = len(self.manifest.shards) if self.manifest else 0
            what = "make room, and" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "then"
            raise OSError(
                error.errno,
                f"cannot write to {self.place}: {error.strerror}. {kept} whole shards are kept; {what} the same call does the rest",
            ) from error
        self.manifest, self.pending, self.pending_bytes = manifest, [], 0


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Nobody else captures into the folder; the lock goes with the process. Where the system has no such locks there is none."""
    try:
        import fcntl
    except ModuleNotFoundError:
        yield
        return
    with (place / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EAGAIN, f"another capture is writing to {place}") from None
        yield


def _check_same(folder: Path, manifest: Manifest, made: dict[str, Any], names: list[str]) -> None:
    """Raise ValueError where a folder holds another capture."""
    differ = [f"{name} was {manifest.made.get(name)}, is {value}" for name, value in made.items() if manifest.made.get(name) != value]
    if list(manifest.sites) != names:
        differ.insert(0, f"sites were {', '.join(manifest.sites)}, are {', '.join(names)}")
    if differ:
        raise ValueError(f"{folder} holds another capture ({'; '.join(differ)}); choose another folder")
