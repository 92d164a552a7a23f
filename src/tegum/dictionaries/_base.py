"""Dictionary: N feature directions in d dims as a linear operator. Row i is the direction of feature i (the layout of SAELens' W_dec).

What a construction must say is how it gives directions; whatever it can do faster (an implicit transform, say) it says too. Nothing here holds
an N x N array, and only `dense` holds N x d.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

from tegum.features import SparseCodes
from tegum.shapes import Float, Int

CHUNK = 1 << 22  # numbers held at a time when directions are made on the fly


class Dictionary(ABC):
    """A linear operator z -> x = sum_i z_i D_i with `n_features` directions in `n_dims` dims, a dtype and a device."""

    n_features: int
    n_dims: int
    dtype: torch.dtype
    device: torch.device

    @abstractmethod
    def directions(self, indices: Int[Tensor, " some"]) -> Float[Tensor, "some dims"]:
        """The directions of the features named, (len(indices), d)."""

    def encode(self, z: SparseCodes) -> Float[Tensor, "batch dims"]:
        """x = sum of the active directions by their values, (B, d): costs what is active. ValueError for codes of another size."""
        if not isinstance(z, SparseCodes):
            raise ValueError(f"codes are {type(z).__name__}; encode takes SparseCodes (SparseCodes.from_dense makes them)")
        if z.n_features != self.n_features:
            raise ValueError(f"the codes have {z.n_features} features but the dictionary has {self.n_features}")
        return self._encode(z)

    def correlate(self, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """Inner products of each x with every direction, (B, N). ValueError for x of another size."""
        if x.ndim != 2 or x.shape[1] != self.n_dims:
            raise ValueError(f"x has shape {tuple(x.shape)}; the dictionary takes (samples, {self.n_dims})")
        return self._correlate(x)

    def _encode(self, z: SparseCodes) -> Float[Tensor, "batch dims"]:
        x = torch.zeros(len(z), self.n_dims, dtype=self.dtype, device=self.device)
        active = z.indices >= 0
        sample, slot = active.to(self.device).nonzero(as_tuple=True)
        indices, values = z.indices.to(self.device)[sample, slot], z.values.to(self.device, self.dtype)[sample, slot]
        for part in range(0, len(indices), step := max(1, CHUNK // self.n_dims)):
            rows = slice(part, part + step)
            x.index_add_(0, sample[rows], self.directions(indices[rows]) * values[rows, None])
        return x

    def _correlate(self, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        return torch.cat([x @ rows.T for rows in self._blocks()], dim=1)

    def squared_norms(self) -> Float[Tensor, " features"]:
        """|D_i|^2, (N,)."""
        return torch.cat([(rows * rows).sum(-1) for rows in self._blocks()])

    def dense(self) -> Float[Tensor, "features dims"]:
        """All the directions as one (N, d) tensor."""
        return torch.cat(list(self._blocks()))

    def _blocks(self) -> Iterator[Float[Tensor, "some dims"]]:
        step = max(1, CHUNK // self.n_dims)
        for start in range(0, self.n_features, step):
            yield self.directions(torch.arange(start, min(start + step, self.n_features), device=self.device))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.n_features:,} features in {self.n_dims:,} dims, {self.dtype}, {self.device})"
