"""SparseCodes: a batch of sparse feature vectors z, by the indices and values of what is active."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
import torch
from torch import Tensor

from tegum.results import Result
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class SparseCodes(Result):
    """A batch of B sparse vectors over N features: `indices` (B, k) padded with -1, `values` (B, k) padded with 0; k is the largest count.

    `z[i]`, `z[2:5]` and `z[mask]` are batches too. Raises ValueError where indices and values differ in shape.
    """

    indices: Int[Tensor, "batch k"]
    values: Float[Tensor, "batch k"]
    n_features: int

    def __post_init__(self) -> None:
        """Check the shapes; what the indices hold is trusted, for looking at them all would cost as much as the sampling."""
        if self.indices.ndim != 2 or self.indices.shape != self.values.shape:
            raise ValueError(
                f"indices have shape {tuple(self.indices.shape)} and values {tuple(self.values.shape)}; both must be (samples, k)"
            )

    @classmethod
    def from_dense(cls, z: Float[Tensor, "batch features"] | np.ndarray) -> "SparseCodes":
        """The codes of a dense batch (B, N): whatever is not zero is active, in the order of its features."""
        z = torch.as_tensor(z)
        if z.ndim != 2:
            raise ValueError(f"z has shape {tuple(z.shape)}; dense codes are (samples, features)")
        active = z != 0
        k = int(active.sum(-1).max()) if z.numel() else 0
        order = active.to(torch.int8).argsort(dim=-1, descending=True, stable=True)[:, :k]
        there = active.gather(1, order)
        return cls(torch.where(there, order, -1), torch.where(there, z.gather(1, order), 0), z.shape[1])

    def dense(self) -> Float[Tensor, "batch features"]:
        """The (B, N) tensor. For large N use indices and values instead: this holds B x N numbers."""
        out = torch.zeros(len(self), self.n_features + 1, dtype=self.values.dtype, device=self.values.device)
        out.scatter_(1, torch.where(self.indices < 0, self.n_features, self.indices), self.values)
        return out[:, : self.n_features]

    @property
    def n_active(self) -> Int[Tensor, " batch"]:
        """How many features are active in each sample."""
        return (self.indices >= 0).sum(-1)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "SparseCodes":
        """The same codes elsewhere, or with values of another dtype."""
        return SparseCodes(self.indices.to(device=device), self.values.to(device=device, dtype=dtype), self.n_features)

    def __len__(self) -> int:
        return self.indices.shape[0]

    def __getitem__(self, rows: SupportsIndex | slice | Tensor) -> "SparseCodes":
        if not isinstance(rows, (slice, Tensor)):
            at = operator.index(rows)
            if not -len(self) <= at < len(self):
                raise IndexError(f"there is no sample {at} in {len(self)}")
            rows = slice(at % len(self), at % len(self) + 1)
        return SparseCodes(self.indices[rows], self.values[rows], self.n_features)

    def __iter__(self) -> Iterator["SparseCodes"]:
        return (self[i : i + 1] for i in range(len(self)))

    def to_dataframe(self) -> "pd.DataFrame":
        """One line an active feature: sample, feature, value."""
        import pandas as pd

        sample, slot = (self.indices >= 0).cpu().nonzero(as_tuple=True)
        columns = {"sample": sample, "feature": self.indices.cpu()[sample, slot], "value": self.values.detach().cpu()[sample, slot]}
        return pd.DataFrame({name: column.numpy() for name, column in columns.items()})

    def __repr__(self) -> str:
        count = self.n_active.double()
        mean = f"{count.mean():.3g}" if len(self) else "no"
        return f"SparseCodes({len(self):,} samples, {mean} active of {self.n_features:,} features on average, {self.values.dtype})"
