"""capture: what named submodules of a model give, or are given, while it reads batches: to shards on disk, or to memory.

Shards end where batches end, and the manifest is written anew after each, so a capture that is killed loses at most one shard, and the same call
goes on behind it: batches that are in a shard are hashed and not run. Inputs that differ from those of the first time are refused, not mixed in.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tegum.activations._manifest import NAME, Manifest, ShardRecord, damage, read_manifest
from tegum.activations._sites import WHERES, check_sites, run, tensor_of, tensors_of, to_device, watched
from tegum.activations.dataset import DOCUMENTS, POSITIONS, TOKENS, Activations, in_memory
from tegum.checks import check_count
from tegum.files import sha256_of, write_tensors
from tegum.progress import bar
from tegum.shapes import Bool, Float, Int

SHARD_BYTES = 1 << 26
_SAMPLED = 256  # numbers of each parameter that the model is known again by
_PADDING = "attention_mask"
_IDS = "input_ids"


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

    Rows with a number that is not finite are left out, and counted in the manifest. Raises ValueError for names that are no submodules, sites that
    are not reached or do not agree in their rows, and a folder of another capture; OSError when the disk is full, with all whole shards kept.
    """
    names = [sites] if isinstance(sites, str) else list(sites)
    check_sites(model, names)
    check_count("shard_bytes", shard_bytes)
    if where not in WHERES:
        raise ValueError(f"where is {where!r}; it must be one of {', '.join(WHERES)}")
    training = model.training
    model.eval()
    reader = _Reader(model, names, where, dim, mask, dtype)
    try:
        if out is None:
            parts = list(reader.rows(batches, lambda number: False, progress))  # noqa: ARG005
            return in_memory(_joined(parts), names) if parts else Activations([], {})
        return _to_folder(reader, batches, Path(out), shard_bytes, progress)
    finally:
        model.train(training)


@dataclass
class _Part:
    """The rows of one batch."""

    number: int
    inputs: bytes
    samples: int
    tensors: dict[str, Tensor] = field(default_factory=dict)
    left_out: int = 0

    @property
    def rows(self) -> int:
        return len(next(iter(self.tensors.values()))) if self.tensors else 0

    @property
    def n_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors.values())


class _Reader:
    """The model and what is taken of it."""

    def __init__(
        self, model: nn.Module, names: list[str], where: str, dim: int, mask: Callable[[Any], Tensor] | None, dtype: torch.dtype | None
    ) -> None:
        self.model, self.names, self.where, self.dim, self.mask, self.dtype = model, names, where, dim, mask, dtype
        parameter = next(model.parameters(), None)
        self.device = torch.device("cpu") if parameter is None else parameter.device
        self.document = 0  # the number of the next sample, where batches do not say

    def made(self) -> dict[str, Any]:
        """What has to be the same for a capture to go on."""
        return {
            "model": type(self.model).__name__,
            "parameters": _fingerprint(self.model),
            "where": self.where,
            "dim": self.dim,
            "masked": self.mask is not None,
            "dtype": str(self.dtype),
        }

    def rows(self, batches: Iterable[Any], known: Callable[[int], bool], progress: bool | None) -> Iterator[_Part]:  # noqa: FBT001
        """The rows of each batch; of one that is `known`, its inputs' hash alone."""
        total = len(batches) if isinstance(batches, Sized) else None
        count, began = 0, time.monotonic()
        with (
            bar(f"capture {', '.join(self.names)}", total, "batches", progress) as done,
            watched(self.model, self.names, self.where) as seen,
        ):
            for number, batch in enumerate(batches):
                part = self._known(number, batch) if known(number) else self._read(number, batch, seen)
                seen.clear()
                count += part.rows
                done(number + 1, f"{count / max(time.monotonic() - began, 1e-9):,.0f} rows/s")
                yield part

    def _known(self, number: int, batch: Any) -> _Part:
        samples = self._samples(batch)
        self.document += samples
        return _Part(number, _hash(batch), samples)

    def _read(self, number: int, batch: Any, seen: dict[str, Any]) -> _Part:
        inputs, told, documents = _hash(batch), batch, None
        if isinstance(batch, Mapping):
            documents = batch.get(DOCUMENTS)
            told = {name: value for name, value in batch.items() if name != DOCUMENTS}
        run(self.model, to_device(told, self.device))
        found = {name: self._rows_of(name, seen) for name in self.names}
        shape = found[self.names[0]].shape[:-1]
        for name, tensor in found.items():
            if tensor.shape[:-1] != shape:
                raise ValueError(
                    f"{self.names[0]} gives rows of shape {tuple(shape)}, {name} of {tuple(tensor.shape[:-1])}: capture them apart"
                )
        keep = self._kept(batch, shape)
        samples = shape[0] if shape else 1
        own = torch.arange(self.document, self.document + samples) if documents is None else torch.as_tensor(documents)
        if own.shape != (samples,):
            raise ValueError(f"documents has shape {tuple(own.shape)}, but batch {number} has {samples} samples")
        self.document += samples
        beside = {DOCUMENTS: own.reshape(-1, *(1,) * (len(shape) - 1)).expand(shape)}
        places = torch.arange(shape[1:].numel()) if len(shape) > 1 else torch.zeros(1, dtype=torch.int64)
        beside[POSITIONS] = places.reshape(1, *shape[1:]).expand(shape)
        ids = (
            batch.get(_IDS)
            if isinstance(batch, Mapping)
            else batch
            if isinstance(batch, Tensor) and not batch.is_floating_point()
            else None
        )
        if isinstance(ids, Tensor) and ids.shape == shape:
            beside[TOKENS] = ids
        finite = torch.stack([tensor.isfinite().all(-1) for tensor in found.values()]).all(0).cpu()
        chosen = (keep & finite).reshape(-1)
        tensors = {name: tensor.reshape(-1, tensor.shape[-1]).cpu()[chosen] for name, tensor in found.items()}
        tensors |= {name: tensor.reshape(-1).cpu()[chosen].to(torch.int64) for name, tensor in beside.items()}
        return _Part(number, inputs, samples, tensors, int((keep & ~finite).sum()))

    def _rows_of(self, name: str, seen: dict[str, Any]) -> Float[Tensor, "*rows dims"]:
        if name not in seen:
            raise ValueError(f"{name} was not reached: the model does not call it on these batches")
        tensor = tensor_of(seen[name])
        if tensor is None:
            raise ValueError(f"the {self.where} of {name} holds no floating-point tensor, but {type(seen[name]).__name__}")
        if not -tensor.ndim <= self.dim < tensor.ndim or tensor.ndim < 2:
            raise ValueError(f"the {self.where} of {name} has shape {tuple(tensor.shape)}: it has no rows of features along dim {self.dim}")
        moved = tensor.detach().movedim(self.dim, -1)
        return moved if self.dtype is None else moved.to(self.dtype)

    def _kept(self, batch: Any, shape: torch.Size) -> Bool[Tensor, "*rows"]:
        given = self.mask(batch) if self.mask else batch.get(_PADDING) if isinstance(batch, Mapping) else None
        if given is None:
            return torch.ones(shape, dtype=torch.bool)
        keep = torch.as_tensor(given).cpu().bool()
        if keep.shape != shape:
            raise ValueError(f"the mask has shape {tuple(keep.shape)}, but rows have {tuple(shape)}")
        return keep

    def _samples(self, batch: Any) -> int:
        return next((len(tensor) for tensor in tensors_of(batch) if tensor.ndim), 1)


def _to_folder(reader: _Reader, batches: Iterable[Any], folder: Path, shard_bytes: int, progress: bool | None) -> Activations:  # noqa: FBT001
    folder.mkdir(parents=True, exist_ok=True)
    for scratch in (*folder.glob("*.safetensors.*"), *folder.glob(f"{NAME}.*")):
        scratch.unlink()  # what a killed writer left
    made, manifest = reader.made(), read_manifest(folder)
    if manifest is not None:
        _check_same(folder, manifest, made, reader.names)
        whole = tuple(shard for shard in manifest.shards if not damage(folder, shard))
        manifest = with_fields(manifest, shards=whole, complete=False)
    kept = {} if manifest is None else {shard.first: shard for shard in manifest.shards}
    inside = {number for shard in kept.values() for number in range(shard.first, shard.last)}
    pending: list[_Part] = []
    passed: list[_Part] = []
    number = -1
    for part in reader.rows(batches, inside.__contains__, progress):
        number = part.number
        if number in inside:
            if pending:
                manifest = _written(folder, manifest, pending, reader, made)
                pending = []
            passed = _checked(folder, kept, [*passed, part])
            continue
        pending.append(part)
        if sum(one.n_bytes for one in pending) >= shard_bytes:
            manifest = _written(folder, manifest, pending, reader, made)
            pending = []
    if pending:
        manifest = _written(folder, manifest, pending, reader, made)
    if manifest is None:
        raise ValueError("there are no batches: nothing was captured")
    beyond = [shard.file for shard in manifest.shards if shard.last > number + 1]
    if beyond:
        raise ValueError(f"{folder} holds {beyond[0]}, of batches beyond the {number + 1} given now: give all batches, or another folder")
    with_fields(manifest, complete=True).write(folder)
    return Activations.open(folder)


def _written(folder: Path, manifest: Manifest | None, parts: list[_Part], reader: _Reader, made: dict[str, Any]) -> Manifest:
    """Write a shard, then the manifest that knows of it."""
    tensors = _joined(parts)
    sites = {name: tensors[name].shape[1] for name in reader.names}
    if manifest is None:
        manifest = Manifest(sites, str(tensors[reader.names[0]].dtype), made)
    if manifest.sites != sites:
        raise ValueError(f"sites have {sites} dims in batch {parts[0].number}, but had {manifest.sites} before")
    first, last = parts[0].number, parts[-1].number + 1
    file = f"shard-{first:07d}.safetensors"
    try:
        write_tensors(folder / file, tensors, {})
        shard = ShardRecord(
            file=file, rows=len(tensors[reader.names[0]]), n_bytes=(folder / file).stat().st_size, sha256=sha256_of(folder / file), first=first,
            last=last, inputs=_digest(parts), documents=_span(tensors[DOCUMENTS]), left_out=sum(part.left_out for part in parts),
        )  # fmt: skip
        manifest = manifest.with_shard(shard)
        manifest.write(folder)
    except OSError as error:
        raise OSError(
            error.errno,
            f"cannot write to {folder}: {error.strerror}. {len(manifest.shards)} whole shards are kept; make room, and the same call does the rest",
        ) from error
    return manifest


def _checked(folder: Path, kept: dict[int, ShardRecord], passed: list[_Part]) -> list[_Part]:
    """Batches that a shard has, until it is passed: then their inputs must be those that were captured."""
    shard = kept[next(first for first in sorted(kept, reverse=True) if first <= passed[0].number)]
    if passed[-1].number + 1 < shard.last:
        return passed
    if _digest(passed) != shard.inputs:
        raise ValueError(
            f"batches {shard.first} to {shard.last - 1} are not those that {folder / shard.file} was captured from: give the same, or another folder"
        )
    return []


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


def _span(documents: Int[Tensor, " rows"]) -> tuple[int, int]:
    return (int(documents.min()), int(documents.max()) + 1) if len(documents) else (0, 0)


def _hash(batch: Any) -> bytes:
    """Of all tensors that a batch is made of."""
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors_of(batch):
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data if tensor.ndim else repr(tensor.item()).encode())
    return digest.digest()


def _digest(parts: list[_Part]) -> str:
    return hashlib.blake2b(b"".join(part.inputs for part in parts), digest_size=16).hexdigest()


def _fingerprint(model: nn.Module) -> str:
    """Of the names, shapes and some numbers of all parameters and buffers."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in model.state_dict().items():
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        flat = tensor.detach().reshape(-1)
        some = flat[:: max(1, len(flat) // _SAMPLED)][:_SAMPLED]
        digest.update(some.cpu().contiguous().view(torch.uint8).numpy().tobytes() if len(some) else b"")
    return digest.hexdigest()
