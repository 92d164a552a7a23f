"""capture: what named submodules of a model give, or are given, while it reads batches: to shards on disk, or to memory.

Shards end where batches end, and the manifest is written anew after each, so a capture that is killed loses at most one shard, one that fails nothing
that was read, and the same call goes on behind it: batches that are in a shard are hashed and not run. Inputs, masks and models that are not those of
the first time are refused, not mixed in.
"""

import errno
import hashlib
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tegum.activations._manifest import Manifest, ShardRecord, damage, read_manifest, sweep
from tegum.activations._sites import WHERES, check_sites, leaves, run, tensor_of, to_device, watched
from tegum.activations.dataset import DOCUMENTS, POSITIONS, TOKENS, Activations, in_memory
from tegum.checks import check_count
from tegum.files import sha256_of, write_tensors
from tegum.progress import bar
from tegum.shapes import Bool, Float

SHARD_BYTES = 1 << 26
_SAMPLED = 256  # numbers of each parameter that the model is known again by
_PADDING, _IDS, _DOCUMENTS = "attention_mask", "input_ids", "documents"  # of a batch


@torch.no_grad()
def capture(
    model: nn.Module,
    sites: str | Sequence[str],
    batches: Iterable[Any],
    out: str | Path | None = None,
    *,
    where: str = "output",
    dim: int = -1,
    mask: Callable[[Any], Bool[Tensor, "batch positions"]] | None = None,
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
    progress: bool | None = None,
) -> Activations:
    """The activations of `sites` (names as in `model.named_modules()`) while the model reads `batches`, one row a token or sample.

    Parameters
    ----------
    batches
        What the model is called with: a mapping (as keywords), a tuple or list (as arguments), or a tensor. A mapping's "attention_mask" says which
        rows are padding and are left out, its "input_ids" which token each row is of, and "documents", which the model is not given, which document
        each sample belongs to (else each is its own); a tensor of integers is tokens. The model runs only as far as the last site, in eval mode.
    out
        A folder for shards of about `shard_bytes`; None keeps all in memory. A folder that holds part of this capture is gone on with.
    where
        "output" or "input" of the submodule: of several values, or of a model output, the first floating-point tensor, in its first call of a pass.
    dim
        Which dim of that tensor holds the features; the others are rows.
    mask
        From a batch to the rows that are kept, in place of the attention mask.
    dtype
        What is stored; by default what the model gives.

    Rows with a number that is not finite, or too large for `dtype`, are left out; a warning says how many, and the manifest of each shard. Raises
    ValueError for names that are no submodules, sites that are not reached or do not agree in their rows, batches that hold what cannot be hashed
    (for a folder), and a folder of another capture; OSError when the disk is full, with all whole shards kept, or when another capture writes there.
    """
    names = [sites] if isinstance(sites, str) else list(sites)
    check_sites(model, names)
    check_count("shard_bytes", shard_bytes)
    if where not in WHERES:
        raise ValueError(f"where is {where!r}; it must be one of {', '.join(WHERES)}")
    training = {module: module.training for module in model.modules()}
    model.eval()
    reader = _Reader(model, names, where, dim, mask, dtype, hashed=out is not None)
    try:
        if out is None:
            parts = list(reader.rows(batches, lambda number: False, progress))  # noqa: ARG005
            if not parts:
                raise ValueError("there are no batches: nothing was captured")
            acts = in_memory(_joined(parts), names)
        else:
            acts = _to_folder(reader, batches, Path(out), shard_bytes, progress)
    finally:
        for module, mode in training.items():
            module.training = mode
    _warn(reader)
    return acts


@dataclass
class _Part:
    """The rows of one batch; `samples` counts those before it, and up to its end."""

    number: int
    inputs: bytes
    samples: tuple[int, int]
    tensors: dict[str, Tensor] = field(default_factory=dict)
    left_out: int = 0
    overflown: int = 0

    @property
    def rows(self) -> int:
        return len(next(iter(self.tensors.values()))) if self.tensors else 0

    @property
    def n_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors.values())


class _Reader:
    """The model and what is taken of it."""

    def __init__(
        self,
        model: nn.Module,
        names: list[str],
        where: str,
        dim: int,
        mask: Callable[[Any], Tensor] | None,
        dtype: torch.dtype | None,
        *,
        hashed: bool,
    ) -> None:
        self.model, self.names, self.where, self.dim, self.mask, self.dtype, self.hashed = model, names, where, dim, mask, dtype, hashed
        parameter = next(model.parameters(), None)
        self.device = torch.device("cpu") if parameter is None else parameter.device
        self.samples = 0  # before the next batch
        self.dims: dict[str, int] = {}
        self.left_out = self.overflown = self.taken = 0

    def made(self) -> dict[str, Any]:
        """What has to be the same for a capture to go on."""
        return {
            "model": type(self.model).__name__,
            "layers": hashlib.blake2b(repr(self.model).encode(), digest_size=16).hexdigest(),
            "parameters": _fingerprint(self.model),
            "where": self.where,
            "dim": self.dim,
            "masked": self.mask is not None,
            "dtype": str(self.dtype),
        }

    def rows(self, batches: Iterable[Any], known: Callable[[int], bool], progress: bool | None) -> Iterator[_Part]:  # noqa: FBT001
        """The rows of each batch; of one that is `known`, its inputs' hash alone."""
        total = len(batches) if isinstance(batches, Sized) else None
        began = time.monotonic()
        with (
            bar(f"capture {', '.join(self.names)}", total, "batches", progress) as done,
            watched(self.model, self.names, self.where) as seen,
        ):
            for number, batch in enumerate(batches):
                given = self.mask(batch) if self.mask else batch.get(_PADDING) if isinstance(batch, Mapping) else None
                inputs = _hash(batch, given if self.mask else None) if self.hashed else b""
                if known(number):
                    part = _Part(number, inputs, (self.samples, self.samples))
                else:
                    part = self._read(number, batch, given, inputs, seen)
                    seen.clear()
                self.taken += part.rows
                done(number + 1, f"{self.taken / max(time.monotonic() - began, 1e-9):,.0f} rows/s")
                yield part

    def _read(self, number: int, batch: Any, given: Any, inputs: bytes, seen: dict[str, Any]) -> _Part:
        told, documents = batch, None
        if isinstance(batch, Mapping):
            documents = batch.get(_DOCUMENTS)
            told = {name: value for name, value in batch.items() if name != _DOCUMENTS}
        run(self.model, to_device(told, self.device))
        found = {name: self._rows_of(name, number, seen) for name in self.names}
        shape = found[self.names[0]].shape[:-1]
        for name, tensor in found.items():
            if tensor.shape[:-1] != shape:
                raise ValueError(
                    f"{self.names[0]} gives rows of shape {tuple(shape)}, {name} of {tuple(tensor.shape[:-1])}: capture them apart"
                )
        keep = self._kept(given, shape)
        before, self.samples = self.samples, self.samples + shape[0]
        beside = self._beside(number, batch, documents, shape, before)
        finite = torch.stack([tensor.isfinite().all(-1) for tensor in found.values()]).all(0).cpu()
        if self.dtype is not None:
            found = {name: tensor.to(self.dtype) for name, tensor in found.items()}
        fits = torch.stack([tensor.isfinite().all(-1) for tensor in found.values()]).all(0).cpu() | ~finite
        chosen = (keep & finite & fits).reshape(-1)
        tensors = {name: tensor.reshape(-1, tensor.shape[-1]).cpu()[chosen] for name, tensor in found.items()}
        tensors |= {name: tensor.reshape(-1).cpu()[chosen].to(torch.int64) for name, tensor in beside.items()}
        lost = int((keep & ~finite).sum()), int((keep & ~fits).sum())
        self.left_out, self.overflown = self.left_out + lost[0], self.overflown + lost[1]
        return _Part(number, inputs, (before, self.samples), tensors, *lost)

    def _rows_of(self, name: str, number: int, seen: dict[str, Any]) -> Float[Tensor, "*rows dims"]:
        if name not in seen:
            raise ValueError(f"{name} was not reached: the model does not call it on these batches")
        tensor = tensor_of(seen[name])
        if tensor is None:
            raise ValueError(f"the {self.where} of {name} holds no floating-point tensor, but {type(seen[name]).__name__}")
        if not -tensor.ndim <= self.dim < tensor.ndim or tensor.ndim < 2:
            raise ValueError(f"the {self.where} of {name} has shape {tuple(tensor.shape)}: it has no rows of features along dim {self.dim}")
        moved = tensor.movedim(self.dim, -1)
        if self.dims.setdefault(name, moved.shape[-1]) != moved.shape[-1]:
            raise ValueError(f"{name} has {moved.shape[-1]} dims in batch {number}, but had {self.dims[name]} before")
        return moved

    def _kept(self, given: Any, shape: torch.Size) -> Bool[Tensor, "*rows"]:
        if given is None:
            return torch.ones(shape, dtype=torch.bool)
        keep = torch.as_tensor(given).cpu().bool()
        if keep.shape != shape:
            whose = "mask" if self.mask else f"{_PADDING} of the batch"
            raise ValueError(f"the {whose} has shape {tuple(keep.shape)}, but rows have {tuple(shape)}: say by mask= which rows to keep")
        return keep

    def _beside(self, number: int, batch: Any, documents: Any, shape: torch.Size, before: int) -> dict[str, Tensor]:
        """Documents, positions and, where they are known, tokens, of the shape of the rows."""
        own = torch.arange(before, before + shape[0]) if documents is None else torch.as_tensor(documents)
        if own.shape != shape[:1]:
            raise ValueError(f"documents has shape {tuple(own.shape)}, but batch {number} has {shape[0]} samples")
        places = torch.arange(shape[1:].numel())
        found = {
            DOCUMENTS: own.reshape(-1, *(1,) * (len(shape) - 1)).expand(shape),
            POSITIONS: places.reshape(1, *shape[1:]).expand(shape) if len(shape) > 1 else torch.zeros(shape),
        }
        ids = (
            batch.get(_IDS)
            if isinstance(batch, Mapping)
            else batch
            if isinstance(batch, Tensor) and not batch.is_floating_point()
            else None
        )
        if isinstance(ids, Tensor) and ids.shape == shape:
            found[TOKENS] = ids
        return found


class _Folder:
    """The folder that a capture writes to: which batches its whole shards have, and what is not written yet."""

    def __init__(self, folder: Path, reader: _Reader, shard_bytes: int) -> None:
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
        self.pending: list[_Part] = []
        self.pending_bytes, self.passed = 0, b""

    def take(self, part: _Part) -> None:
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
            if _digest(self.passed) != shard.inputs:
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
        tensors = _joined(parts)
        manifest = self.manifest or Manifest(dict(self.reader.dims), str(tensors[names[0]].dtype), self.made)
        file = self.place / f"shard-{parts[0].number:07d}.safetensors"
        try:
            write_tensors(file, tensors, {})
            shard = ShardRecord(
                file=file.name, rows=len(tensors[names[0]]), n_bytes=file.stat().st_size, sha256=sha256_of(file), first=parts[0].number,
                last=parts[-1].number + 1, inputs=_digest(b"".join(part.inputs for part in parts)),
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


def _to_folder(reader: _Reader, batches: Iterable[Any], place: Path, shard_bytes: int, progress: bool | None) -> Activations:  # noqa: FBT001
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        folder, count = _Folder(place, reader, shard_bytes), 0
        try:
            for part in reader.rows(batches, folder.shard_of.__contains__, progress):
                folder.take(part)
                count = part.number + 1
        except OSError:
            raise  # of the disk, perhaps
        except BaseException:  # what was read is kept, whatever went wrong with the next batch
            folder.flush()
            raise
        folder.flush()
        if folder.manifest is None:
            raise ValueError("there are no batches: nothing was captured")
        beyond = [shard.file for shard in folder.manifest.shards if shard.last > count]
        if beyond:
            raise ValueError(f"{place} holds {beyond[0]}, of batches beyond the {count} given now: give all batches, or another folder")
        replace(folder.manifest, complete=True).write(place)
    return Activations.open(place)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
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


def _warn(reader: _Reader) -> None:
    """Say what was left out in this call."""
    told = [f"{reader.left_out:,} rows were not finite"] if reader.left_out else []
    told += [f"{reader.overflown:,} rows do not fit into {reader.dtype}"] if reader.overflown else []
    if told:
        warnings.warn(f"capture of {', '.join(reader.names)}: {' and '.join(told)}, and are left out", stacklevel=3)


def _check_same(folder: Path, manifest: Manifest, made: dict[str, Any], names: list[str]) -> None:
    """Raise ValueError where a folder holds another capture."""
    differ = [f"{name} was {manifest.made.get(name)}, is {value}" for name, value in made.items() if manifest.made.get(name) != value]
    if list(manifest.sites) != names:
        differ.insert(0, f"sites were {', '.join(manifest.sites)}, are {', '.join(names)}")
    if differ:
        raise ValueError(f"{folder} holds another capture ({'; '.join(differ)}); choose another folder")


def _joined(parts: list[_Part]) -> dict[str, Tensor]:
    """One tensor a name; tokens only where every batch has them."""
    names = [name for name in parts[0].tensors if all(name in part.tensors for part in parts)]
    return {name: torch.cat([part.tensors[name] for part in parts]) for name in names}


def _hash(batch: Any, mask: Any) -> bytes:
    """Of everything that a batch is made of, and of the mask that goes with it."""
    digest = hashlib.blake2b(digest_size=16)
    for way, leaf in leaves((batch, mask)):
        digest.update(way.encode())
        if isinstance(leaf, (Tensor, np.ndarray)):
            tensor = torch.as_tensor(leaf).detach().cpu().contiguous()
            digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        elif leaf is None or isinstance(leaf, (str, bytes, int, float, np.generic)):
            digest.update(repr(leaf).encode())
        else:
            raise ValueError(
                f"a batch holds a {type(leaf).__name__}, by which it would not be known again: give tensors, arrays, numbers or strings"
            )
    return digest.digest()


def _digest(inputs: bytes) -> str:
    return hashlib.blake2b(inputs, digest_size=16).hexdigest()


def _fingerprint(model: nn.Module) -> str:
    """Of the names, shapes and some numbers of all parameters and buffers."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in model.state_dict().items():
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        flat = tensor.detach().reshape(-1)
        some = flat[:: max(1, len(flat) // _SAMPLED)][:_SAMPLED]
        digest.update(some.cpu().contiguous().view(torch.uint8).numpy().tobytes() if len(some) else b"")
    return digest.hexdigest()
