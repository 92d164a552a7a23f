"""Decoder: the contract of every algorithm that reads codes z back out of activations x, and `decode`, the one door to all of them.

A decoder never sees the truth: what it needs beyond (D, x) it declares as fields, and which codes it can return as `values`. `init` computes
what depends on the dictionary alone, `run` decodes a batch. Failure is a value per sample: one bad sample never spoils a batch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.results import Result
from tegum.shapes import Bool, Float, Int

if TYPE_CHECKING:
    import pandas as pd


class Values(StrEnum):
    """What codes a decoder can return."""

    BINARY = "binary"
    NONNEGATIVE = "nonnegative"
    SIGNED = "signed"


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
    Status.MAX_STEPS: "try more steps, or a looser tolerance",
    Status.DIVERGED: "the dictionary is not of the kind the decoder assumes; try a decoder without that assumption",
    Status.NONFINITE_INPUT: "the sample holds NaN or infinite numbers; drop it or mend what made it",
    Status.SINGULAR: "the directions chosen depend on each other linearly; ask for fewer active features",
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
        self._compares(truth)
        return ((self.z.dense() != 0) == (truth.to(self.z.values.device).dense() != 0)).all(-1)

    def exact(self, truth: SparseCodes, tolerance: float | None = None) -> Bool[Tensor, " batch"]:
        """Whether every value is right: after rounding to the nearest integer, or within `tolerance` if one is given."""
        self._compares(truth)
        found, wanted = self.z.dense(), truth.to(self.z.values.device, self.z.values.dtype).dense()
        return ((found.round() == wanted) if tolerance is None else ((found - wanted).abs() <= tolerance)).all(-1)

    def _compares(self, truth: SparseCodes) -> None:
        if (len(truth), truth.n_features) != (len(self.z), self.z.n_features):
            raise ValueError(
                f"{len(self.z)} samples of {self.z.n_features} features were decoded, but the truth has {len(truth)} of {truth.n_features}"
            )

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
    """One algorithm x -> z, as a frozen description of what it is told."""

    values: ClassVar[Values]

    @abstractmethod
    def init(self, dictionary: Dictionary) -> Any:
        """What depends on the dictionary alone, computed once and reused."""

    @abstractmethod
    def run(self, state: Any, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """Decode a batch of finite samples."""


def decode(dictionary: Dictionary, x: Tensor | np.ndarray, decoder: Decoder, *, state: Any = None, throw: bool = False) -> Decoded:
    """Read codes out of x (B, d) with `decoder`; pass `state=decoder.init(dictionary)` to reuse it over batches.

    Raises ValueError when shapes or dtypes do not fit, before any work. A sample that fails says so in `status`; with `throw=True` the first
    such sample raises instead.
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
    if getattr(decoder, "n_active", 0) > dictionary.n_features:
        raise ValueError(f"n_active is {getattr(decoder, 'n_active', 0)} but the dictionary has {dictionary.n_features} features")
    finite = torch.isfinite(x).all(dim=1)
    out = decoder.run(decoder.init(dictionary) if state is None else state, dictionary, torch.where(finite[:, None], x, 0))
    z = SparseCodes(torch.where(finite[:, None], out.z.indices, -1), torch.where(finite[:, None], out.z.values, 0), out.z.n_features)
    status = torch.where(finite, out.status, Status.NONFINITE_INPUT)
    if throw and (status != Status.OK).any():
        first = int((status != Status.OK).nonzero()[0])
        failed = Status(int(status[first]))
        raise RuntimeError(f"sample {first} ended as {failed.name}: {failed.advice}")
    return Decoded(z, status, out.steps, (x - dictionary.encode(z)).norm(dim=1))
