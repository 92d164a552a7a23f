"""Dense: any table of directions is a dictionary: a toy model's W, an autoencoder's decoder, a word embedding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tegum.dictionaries._base import Dictionary
from tegum.dictionaries._door import check_dtype
from tegum.features import SparseCodes
from tegum.shapes import Float, Int


class Dense(Dictionary):
    """An (N, d) tensor or array whose rows are the directions. Floating dtypes are kept; integers become float32.

    ValueError for complex numbers, and for directions that are not finite or whose squared length is not: it would be an infinite norm.
    """

    def __init__(self, directions: Tensor | np.ndarray | Sequence[Sequence[float]]) -> None:
        table = torch.as_tensor(directions)
        if table.ndim != 2 or 0 in table.shape:
            raise ValueError(f"directions have shape {tuple(table.shape)}; a dictionary is (features, dims), neither of them 0")
        if table.is_complex():
            raise ValueError(f"directions are {table.dtype}; they are real (a real table of twice the dims holds both parts)")
        self.table = table if table.dtype.is_floating_point else table.to(torch.float32)
        self.n_features, self.n_dims = self.table.shape
        self.dtype, self.device = self.table.dtype, self.table.device
        with torch.no_grad():
            bad = ~torch.isfinite(self.squared_norms())
        if bad.any():
            first = int(bad.nonzero()[0])
            what = f"have squared lengths beyond {self.dtype}" if self.table[first].isfinite().all() else "are not finite"
            raise ValueError(f"{int(bad.sum())} of {self.n_features} directions {what}; the first is that of feature {first}")

    def directions(self, indices: Int[Tensor, " some"]) -> Float[Tensor, "some dims"]:
        """The rows named. IndexError for one that is not there: -1, which pads codes, is no feature."""
        return self.table.index_select(0, indices.to(self.device))  # in half the time of table[indices]

    def _encode(self, z: SparseCodes) -> Float[Tensor, "batch dims"]:
        """By one embedding-bag pass over what is active."""
        indices, values = z.indices.to(self.device), z.values.to(self.device, self.dtype)
        if indices.shape[1] == 0:
            return torch.zeros(len(z), self.n_dims, dtype=self.dtype, device=self.device)
        return torch.nn.functional.embedding_bag(indices.clamp(min=0), self.table, per_sample_weights=values, mode="sum")

    def _correlate(self, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """One matrix product."""
        return x @ self.table.T

    def _rows(self, start: int, stop: int) -> Float[Tensor, "some dims"]:
        return self.table[start:stop]

    def dense(self) -> Float[Tensor, "features dims"]:
        """The table itself."""
        return self.table

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "Dense":
        """The same directions elsewhere, or of another dtype."""
        check_dtype(dtype)
        return Dense(self.table.to(device=device, dtype=dtype))

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return np.asarray(self.table.detach().cpu().numpy(), *args, **kwargs)
