"""Reading: a model, and the rows that its sites give of each batch; by what a batch and a model are known again."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tegum.activations._sites import leaves, run, tensor_of, to_device, watched
from tegum.activations.dataset import DOCUMENTS, POSITIONS, TOKENS
from tegum.progress import bar
from tegum.shapes import Bool, Float

_SAMPLED = 256  # numbers of each parameter that the model is known again by
_PADDING, _IDS, _DOCUMENTS = "attention_mask", "input_ids", "documents"  # of a batch


@dataclass
class Part:
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


class Reader:
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
            "parameters": fingerprint(self.model),
            "where": self.where,
            "dim": self.dim,
            "masked": self.mask is not None,
            "dtype": str(self.dtype),
        }

    def rows(self, batches: Iterable[Any], known: Callable[[int], bool], progress: bool | None) -> Iterator[Part]:  # noqa: FBT001
        """The rows of each batch; of one that is `known`, its inputs' hash alone."""
        total = len(batches) if isinstance(batches, Sized) else None
        began = time.monotonic()
        with (
            bar(f"capture {', '.join(self.names)}", total, "batches", progress) as done,
            watched(self.model, self.names, self.where) as seen,
        ):
            for number, batch in enumerate(batches):
                given = self.mask(batch) if self.mask else batch.get(_PADDING) if isinstance(batch, Mapping) else None
                inputs = batch_hash(batch, given if self.mask else None) if self.hashed else b""
                if known(number):
                    part = Part(number, inputs, (self.samples, self.samples))
                else:
                    part = self._read(number, batch, given, inputs, seen)
                    seen.clear()
                self.taken += part.rows
                done(number + 1, f"{self.taken / max(time.monotonic() - began, 1e-9):,.0f} rows/s")
                yield part

    def _read(self, number: int, batch: Any, given: Any, inputs: bytes, seen: dict[str, Any]) -> Part:
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
        return Part(number, inputs, (before, self.samples), tensors, *lost)

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


def joined(parts: list[Part]) -> dict[str, Tensor]:
    """One tensor a name; tokens only where every batch has them."""
    names = [name for name in parts[0].tensors if all(name in part.tensors for part in parts)]
    return {name: torch.cat([part.tensors[name] for part in parts]) for name in names}


def digest_of(inputs: bytes) -> str:
    return hashlib.blake2b(inputs, digest_size=16).hexdigest()


def batch_hash(batch: Any, mask: Any = None) -> bytes:
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


def fingerprint(model: nn.Module) -> str:
    """Of the names, shapes and some numbers of all parameters and buffers."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in model.state_dict().items():
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        flat = tensor.detach().reshape(-1)
        some = flat[:: max(1, len(flat) // _SAMPLED)][:_SAMPLED]
        digest.update(some.cpu().contiguous().view(torch.uint8).numpy().tobytes() if len(some) else b"")
    return digest.hexdigest()
