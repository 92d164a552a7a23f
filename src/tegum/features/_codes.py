"""SparseCodes: a batch of sparse feature vectors z, by the indices and values of what is active."""

import operator
from collections.abc import Iterator, Sequence
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

    `z[i]`, `z[2:5]`, `z[mask]` and `z[[4, 0]]` are batches too; masks and places are tensors, arrays or lists. Raises ValueError where indices and
    values differ in shape.
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
        row, column = (z != 0).nonzero(as_tuple=True)
        counts = torch.bincount(row, minlength=len(z))
        slot = torch.arange(len(row), device=z.device) - (counts.cumsum(0) - counts)[row]
        width = int(counts.max()) if len(z) else 0
        indices = torch.full((len(z), width), -1, dtype=torch.int64, device=z.device)
        indices[row, slot] = column
        values = torch.zeros((len(z), width), dtype=z.dtype, device=z.device)
        values[row, slot] = z[row, column]
        return cls(indices, values, z.shape[1])

    @classmethod
    def concatenate(cls, parts: Sequence["SparseCodes"]) -> "SparseCodes":
        """Several batches over the same features as one, padded to the widest. ValueError where features differ in number."""
        sizes = {part.n_features for part in parts}
        if len(sizes) != 1:
            raise ValueError(f"the batches have {sorted(sizes)} features; they must all have the same number, and be one at least")
        width = max(part.indices.shape[1] for part in parts)
        widened = [torch.nn.functional.pad(part.indices, (0, width - part.indices.shape[1]), value=-1) for part in parts]
        values = [torch.nn.functional.pad(part.values, (0, width - part.values.shape[1])) for part in parts]
        return cls(torch.cat(widened), torch.cat(values), sizes.pop())

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

    def __getitem__(self, rows: SupportsIndex | slice | Tensor | np.ndarray | list[int] | list[bool]) -> "SparseCodes":
        if isinstance(rows, (np.ndarray, list)):
            rows = _places(rows)
        if not isinstance(rows, (slice, Tensor)) or (isinstance(rows, Tensor) and rows.ndim == 0):
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


def _places(rows: np.ndarray | list[int] | list[bool]) -> Tensor:
    """A mask, or places as int64: torch takes small unsigned ones for a mask. An empty list is no places."""
    array = np.array(rows, order="C")
    return torch.from_numpy(array.astype(np.int64) if array.dtype.kind in "iu" or not array.size else array)
