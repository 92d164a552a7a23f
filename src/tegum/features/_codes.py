"""SparseCodes: a batch of sparse feature vectors z, by the indices and values of what is active."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tegum.shapes import Float, Int


@dataclass(frozen=True, eq=False)
class SparseCodes:
    """A batch of B sparse vectors over N features: `indices` (B, k) padded with -1, `values` (B, k) padded with 0; k is the largest count."""

    indices: Int[Tensor, "batch k"]
    values: Float[Tensor, "batch k"]
    n_features: int

    @classmethod
    def from_dense(cls, z: Float[Tensor, "batch features"]) -> "SparseCodes":
        """The codes of a dense batch: whatever is not zero is active, in the order of its features."""
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

    def __getitem__(self, rows: slice | Tensor) -> "SparseCodes":
        return SparseCodes(self.indices[rows], self.values[rows], self.n_features)

    def __iter__(self) -> Iterator["SparseCodes"]:
        return (self[i : i + 1] for i in range(len(self)))

    def __repr__(self) -> str:
        count = self.n_active.double()
        mean = f"{count.mean():.3g}" if len(self) else "no"
        return f"SparseCodes({len(self):,} samples, {mean} active of {self.n_features:,} features on average, {self.values.dtype})"
