"""Decoder: the contract of every algorithm that reads codes z back out of activations x, and `decode`, the one door to all of them.

A decoder never sees the truth: what it needs beyond (D, x) it declares as fields, and which codes it can return as `kinds`, of which `values`
is the one asked for. `init` computes what depends on the dictionary alone, `run` decodes a batch. Failure is a value per sample: one bad
sample never spoils a batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from tegum._threads import one_thread, shared_out
from tegum.checks import check_count
from tegum.dictionaries import Dictionary
from tegum.dictionaries._base import BLOCK
from tegum.features import SparseCodes
from tegum.progress import bar
from tegum.results import Result
from tegum.shapes import Bool, Float, Int

if TYPE_CHECKING:
    import pandas as pd

HELD = 1 << 26  # numbers that a decoder may hold; larger batches are decoded in parts
A_THREAD = 256  # samples at least for each thread, where a batch is shared out
SEARCHED = 1 << 10  # features that are searched at a time, of so many samples that blocks of their correlations stay in cache


class Values(StrEnum):
    """What codes a decoder returns: zeros and ones (a relaxed solver: numbers in [0, 1]), numbers of at least 0, or any numbers."""

    BINARY = "binary"
    NONNEGATIVE = "nonnegative"
    SIGNED = "signed"


def as_kind(values: Float[Tensor, "*shape"], kind: Values | str) -> Float[Tensor, "*shape"]:
    """Values of chosen features as codes of that kind: signed as they are, else what is not positive is not active; binary is 1."""
    if kind is Values.SIGNED:
        return values
    return values.clamp(min=0) if kind is Values.NONNEGATIVE else (values > 0).to(values.dtype)


class Status(IntEnum):
    """How one sample ended; `advice` says what to do about it."""

    OK = 0
    MAX_STEPS = 1
    DIVERGED = 2
    NONFINITE_INPUT = 3
    SINGULAR = 4

    @property
    def advice(self) -> str:
        """One line of advice."""
        return _ADVICE[self]


_ADVICE = {
    Status.OK: "nothing to do",
    Status.MAX_STEPS: "no codes were found that explain the sample; try more steps, a looser tolerance, or another decoder",
    Status.DIVERGED: "no codes of this kind give the sample, or the dictionary is not what the decoder assumes; try another kind, or another decoder",
    Status.NONFINITE_INPUT: "the sample holds NaN or infinite numbers, or its squares leave the range of its dtype; drop it, mend it or scale it",
    Status.SINGULAR: "the directions chosen depend on each other linearly; ask for fewer active features, or change the dictionary a little",
}


@dataclass(frozen=True, eq=False)
class Decoded(Result):
    """What a decoder found: codes `z`, and one `status`, number of `steps` and residual norm |x - D z| a sample."""

    z: SparseCodes
    status: Int[Tensor, " batch"]
    steps: Int[Tensor, " batch"]
    residual: Float[Tensor, " batch"] = field(default_factory=lambda: torch.empty(0))

    @classmethod
    def of(cls, indices: Int[Tensor, "batch k"], values: Float[Tensor, "batch k"], n_features: int, steps: int | Tensor = 1) -> "Decoded":
        """From indices and values; an entry of value 0 is not active, and features come out in ascending order."""
        indices, order = torch.where(values == 0, n_features, indices).sort(dim=1)
        values = values.gather(1, order)
        z = SparseCodes(torch.where(indices == n_features, -1, indices), values, n_features)
        took = torch.as_tensor(steps, device=values.device).expand(len(values))
        return cls(z, torch.full_like(took, Status.OK), took)

    def support_exact(self, truth: SparseCodes) -> Bool[Tensor, " batch"]:
        """Whether the active set is right, sample by sample. ValueError for codes of another size."""
        return self._differs(truth, lambda values: (values != 0).to(torch.float32)).eq(0)

    def exact(self, truth: SparseCodes, tolerance: float | None = None) -> Bool[Tensor, " batch"]:
        """Whether every value is right: after rounding to the nearest integer, or within `tolerance` if one is given."""
        if tolerance is None:
            return self._differs(truth, torch.round, lambda values: values).eq(0)
        return self._differs(truth, lambda values: values) <= tolerance

    def _differs(
        self, truth: SparseCodes, seen: Callable[[Tensor], Tensor], wanted: Callable[[Tensor], Tensor] | None = None
    ) -> Float[Tensor, " batch"]:
        """The largest |seen(z_i) - wanted(truth_i)| over the features of each sample, from what is active alone."""
        if (len(truth), truth.n_features) != (len(self.z), self.z.n_features):
            raise ValueError(
                f"{len(self.z)} samples of {self.z.n_features} features were decoded, but the truth has {len(truth)} of {truth.n_features}"
            )
        truth = truth.to(self.z.values.device, self.z.values.dtype)
        indices, order = torch.cat([self.z.indices, truth.indices], dim=1).sort(dim=1)
        values = torch.cat([seen(self.z.values), -(wanted or seen)(truth.values)], dim=1).gather(1, order)
        if not indices.shape[1]:
            return values.new_zeros(len(indices))
        twice = (indices[:, 1:] == indices[:, :-1]) & (indices[:, 1:] >= 0)
        total = values.clone()
        total[:, 1:] += torch.where(twice, values[:, :-1], 0)
        total[:, :-1].masked_fill_(twice, 0)
        return torch.where(indices >= 0, total, 0).abs().amax(dim=1)

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a sample: status, active features found, steps, residual."""
        import pandas as pd

        return pd.DataFrame(
            {
                "status": [Status(s).name for s in self.status.tolist()],
                "n_active": self.z.n_active.cpu().numpy(),
                "steps": self.steps.cpu().numpy(),
                "residual": self.residual.detach().cpu().numpy(),
            }
        )

    def __repr__(self) -> str:
        ok = int((self.status == Status.OK).sum())
        return f"Decoded({ok:,} of {len(self.z):,} samples OK, {self.z!r}, median residual {self.residual.median():.3g})"


@dataclass(frozen=True, kw_only=True)
class Decoder(ABC):
    """One algorithm x -> z, as a frozen description of what it is told; `values` is the kind of codes that it returns, one of its `kinds`."""

    kinds: ClassVar[tuple[Values, ...]]
    knows: ClassVar[tuple[str, ...]] = ("n_active", "prior", "noise_std")  # the fields that tell of the truth; the others are settings
    ones: ClassVar[bool] = False  # whether it takes what is active to be near 1 (or -1), of whatever kind its codes are
    arrays: ClassVar[int] = 4  # how many (samples, features) arrays `run` holds at a time; 0 where it searches by blocks of features
    values: Values | str = Values.NONNEGATIVE

    def __post_init__(self) -> None:
        """Check every field once, here: a description that exists is one that can be run."""
        kinds = getattr(self, "kinds", (self.values,))
        if self.values not in tuple(kinds):
            raise ValueError(f"values is {self.values!r}; {type(self).__name__} returns {' or '.join(kinds)} codes")
        object.__setattr__(self, "values", Values(self.values))
        self._check()

    def _check(self) -> None:
        """Raise ValueError for fields out of range. A decoder that says nothing has its `n_active` checked."""
        if (n_active := getattr(self, "n_active", None)) is not None:
            check_count("n_active", n_active)

    @property
    def told(self) -> dict[str, Any]:
        """What it was told beside the dictionary and x, by the names of the fields: nothing for a decoder that finds out by itself."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name in self.knows and getattr(self, f.name) is not None}

    def held(self, dictionary: Dictionary) -> int:
        """How many numbers of `HELD` a sample takes."""
        n = dictionary.n_features
        return n * self.arrays or min(n, SEARCHED) * HELD // BLOCK

    @abstractmethod
    def init(self, dictionary: Dictionary) -> Any:
        """What depends on the dictionary alone, computed once and reused."""

    @abstractmethod
    def run(self, state: Any, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """Decode a batch of finite samples."""


@dataclass(frozen=True, kw_only=True)
class WarmDecoder(Decoder):
    """A decoder that can begin from codes near those it looks for, such as what it found for a neighbouring x or penalty."""

    @abstractmethod
    def run(self, state: Any, dictionary: Dictionary, x: Float[Tensor, "batch dims"], start: SparseCodes | None = None) -> Decoded:
        """Decode a batch of finite samples, from `start` where it is given."""


def decode(
    dictionary: Dictionary,
    x: Tensor | np.ndarray,
    decoder: Decoder,
    *,
    state: Any = None,
    start: SparseCodes | None = None,
    batch_size: int | None = None,
    throw: bool = False,
    progress: bool | None = None,
) -> Decoded:
    """Read codes out of x (B, d) with `decoder`, on the device of the dictionary.

    Parameters
    ----------
    state : `decoder.init(dictionary)`, to reuse it over calls.
    start : codes to begin from, one a sample; for decoders that take them (`WarmDecoder`). What is not of their kind is brought to it.
    batch_size : samples decoded at a time; by default as many as keep what the decoder holds below 2^26 numbers.
    throw : raise RuntimeError at the first sample that failed; otherwise its `status` says so.
    progress : a bar on stderr, where there is more than one batch; by default only on a terminal.

    Raises ValueError when shapes or dtypes do not fit, before any work.
    """
    if not isinstance(dictionary, Dictionary):
        raise ValueError(f"dictionary is {type(dictionary).__name__}; wrap a table of directions as tegum.dictionaries.Dense(table)")
    if not isinstance(decoder, Decoder):
        raise ValueError(f"decoder is {decoder!r}; give one with its fields, such as tegum.decoders.TopK(n_active=16)")
    x = torch.as_tensor(x)
    if x.ndim != 2:
        raise ValueError(f"x has shape {tuple(x.shape)}; it must be (samples, dims)")
    if x.shape[1] != dictionary.n_dims:
        raise ValueError(f"x has {x.shape[1]} columns but the dictionary has {dictionary.n_dims} dims")
    if x.dtype != dictionary.dtype:
        raise ValueError(f"x is {x.dtype} but the dictionary is {dictionary.dtype}; x.to(dictionary.dtype) makes them alike")
    if x.device != dictionary.device:
        raise ValueError(f"x is on {x.device} but the dictionary on {dictionary.device}")
    if (getattr(decoder, "n_active", None) or 0) > dictionary.n_features:
        raise ValueError(f"n_active is {getattr(decoder, 'n_active', 0)} but the dictionary has {dictionary.n_features} features")
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"x is {x.dtype}; decoders work in float32 and float64, and dictionary.to(dtype=torch.float32) makes it one of them"
        )
    if start is not None:
        _check_start(start, dictionary, x, decoder)
        start = SparseCodes(start.indices.long(), _within(start.values.to(dictionary.dtype), Values(decoder.values)), start.n_features)
    if batch_size is not None:
        check_count("batch_size", batch_size)
    size = batch_size or max(1, HELD // decoder.held(dictionary))
    parts = []
    with bar("decoding", len(x), "samples", False if len(x) <= size else progress) as tick, torch.no_grad():
        state = decoder.init(dictionary) if state is None else state
        for first in range(0, max(1, len(x)), size):
            rows = slice(first, first + size)
            parts += _by_threads(dictionary, x[rows], decoder, state, None if start is None else start[rows])
            tick(min(len(x), first + size))
    out = Decoded(
        SparseCodes.concatenate([part.z for part in parts]),
        *(torch.cat([getattr(part, name) for part in parts]) for name in ("status", "steps", "residual")),
    )
    if throw and (out.status != Status.OK).any():
        first = int((out.status != Status.OK).nonzero()[0])
        failed = Status(int(out.status[first]))
        raise RuntimeError(f"sample {first} ended as {failed.name}: {failed.advice}")
    return out


def _within(values: Float[Tensor, "batch k"], kind: Values) -> Float[Tensor, "batch k"]:
    return values if kind is Values.SIGNED else values.clamp(0, 1 if kind is Values.BINARY else None)


def _check_start(start: Any, dictionary: Dictionary, x: Tensor, decoder: Decoder) -> None:
    if not isinstance(decoder, WarmDecoder):
        raise ValueError(f"{type(decoder).__name__} begins from nothing; it takes no start")
    if not isinstance(start, SparseCodes):
        raise ValueError(f"start is {type(start).__name__}; it must be SparseCodes (SparseCodes.from_dense makes them)")
    if (len(start), start.n_features) != (len(x), dictionary.n_features):
        raise ValueError(
            f"start has {len(start)} samples of {start.n_features} features; there are {len(x)} samples of {dictionary.n_features}"
        )
    if start.values.device != dictionary.device:
        raise ValueError(f"start is on {start.values.device} but the dictionary on {dictionary.device}")
    indices = start.indices.sort(dim=1).values
    if start.indices.numel() and not -1 <= int(indices.min()) <= int(indices.max()) < dictionary.n_features:
        raise ValueError(f"start names features {int(indices.min())} to {int(indices.max())}; there are {dictionary.n_features}")
    if ((indices[:, 1:] == indices[:, :-1]) & (indices[:, 1:] >= 0)).any():
        raise ValueError("start names a feature twice in one sample")
    if not torch.isfinite(start.values).all():
        raise ValueError("start holds values that are not finite")


def _by_threads(dictionary: Dictionary, x: Tensor, decoder: Decoder, state: Any, start: SparseCodes | None) -> list[Decoded]:
    """Many samples on the CPU are shared out among threads, each of which works alone: many small steps gain nothing by threads within."""
    threads = torch.get_num_threads()
    if x.device.type != "cpu" or len(x) < max(2, threads) * A_THREAD:
        return [_decode(dictionary, x, decoder, state, start)]
    found: dict[int, Decoded] = {}

    def some(first: int, last: int) -> None:
        rows = slice(first, last)
        with one_thread(), torch.no_grad():
            found[first] = _decode(dictionary, x[rows], decoder, state, None if start is None else start[rows])

    shared_out(some, len(x))
    return [found[first] for first in sorted(found)]


def _decode(dictionary: Dictionary, x: Tensor, decoder: Decoder, state: Any, start: SparseCodes | None) -> Decoded:
    begin = (start,) if isinstance(decoder, WarmDecoder) else ()
    sound = _sound(x)
    if bool(sound.all()):
        out = decoder.run(state, dictionary, x, *begin)
        return Decoded(out.z, out.status, out.steps, (x - dictionary.encode(out.z)).norm(dim=1))
    out = decoder.run(state, dictionary, torch.where(sound[:, None], x, 0), *begin)
    z = SparseCodes(torch.where(sound[:, None], out.z.indices, -1), torch.where(sound[:, None], out.z.values, 0), out.z.n_features)
    status = torch.where(sound, out.status, Status.NONFINITE_INPUT)
    return Decoded(z, status, out.steps, (x - dictionary.encode(z)).norm(dim=1))


def _sound(x: Float[Tensor, "batch dims"]) -> Bool[Tensor, " batch"]:
    """Which samples are finite, and 0 or of a length whose square, and that of what is left of it to rounding, the dtype can hold."""
    kind = torch.finfo(x.dtype)
    squares = x.square().sum(dim=1)
    sound = (squares > kind.tiny / kind.eps**2) & (squares < kind.max * kind.eps**2)
    return sound if bool(sound.all()) else sound | ~x.any(dim=1)
