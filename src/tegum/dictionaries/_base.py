"""Dictionary: N feature directions in d dims as a linear operator. Row i is the direction of feature i (the layout of SAELens' W_dec).

What a construction must say is how it gives directions; whatever it can do faster (an implicit transform, say) it says too. Whatever has a number
for every pair of features, or of samples and features, also comes in blocks of bounded size; only `dense` holds N x d numbers, and `correlate` B x N.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

from tegum.checks import check_below, check_count
from tegum.dictionaries._door import in_range
from tegum.dictionaries._largest import largest
from tegum.features import SparseCodes
from tegum.shapes import Float, Int

CHUNK = 1 << 22  # numbers held at a time when directions or rows of the Gram matrix are made on the fly
BLOCK = 1 << 20  # correlations held at a time


class Dictionary(ABC):
    """A linear operator z -> x = sum_i z_i D_i with `n_features` directions in `n_dims` dims, a dtype and a device."""

    n_features: int
    n_dims: int
    dtype: torch.dtype
    device: torch.device

    @abstractmethod
    def directions(self, indices: Int[Tensor, " some"]) -> Float[Tensor, "some dims"]:
        """The directions of the features named, (len(indices), d). IndexError for one that is not there; -1 is not."""

    @abstractmethod
    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "Dictionary":
        """The same directions elsewhere, or of another dtype."""

    def encode(self, z: SparseCodes) -> Float[Tensor, "batch dims"]:
        """x = sum of the active directions by their values, (B, d): costs what is active.

        ValueError for codes of another size, IndexError for an index that is no feature; -1 is a place that is not used.
        """
        if not isinstance(z, SparseCodes):
            raise ValueError(f"codes are {type(z).__name__}; encode takes SparseCodes (SparseCodes.from_dense makes them)")
        if z.n_features != self.n_features:
            raise ValueError(f"the codes have {z.n_features} features but the dictionary has {self.n_features}")
        in_range(z.indices, self.n_features, least=-1)
        return self._encode(z)

    def correlate(self, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """Inner products of each x with every direction, (B, N). ValueError for x of another size."""
        self._takes(x)
        return self._correlate(x)

    def correlations(self, x: Float[Tensor, "batch dims"], block: int | None = None) -> Iterator[tuple[int, Float[Tensor, "batch some"]]]:
        """`correlate` a block of features at a time: (first feature, (B, n) inner products), n at most `block`.

        Without `block` a block holds a million numbers or so: few enough for the cache, many enough for a fast product.
        """
        self._takes(x)
        if block is not None:
            check_count("block", block)
        return self._correlations(x, block)

    def largest(
        self, x: Float[Tensor, "batch dims"], k: int, *, signed: bool = False, scale: Float[Tensor, " features"] | None = None
    ) -> tuple[Float[Tensor, "batch k"], Int[Tensor, "batch k"]]:
        """The k largest correlations of each x, largest first, and their features; no (B, N) array is made.

        With `signed` those largest in magnitude, at their own sign. `scale` divides each feature's correlation before they are compared. Which
        of equal ones are taken is not said.
        """
        self._takes(x)
        check_count("k", k)
        check_below("k", k, self.n_features + 1)
        if scale is not None and scale.shape != (self.n_features,):
            raise ValueError(f"scale has shape {tuple(scale.shape)}; it is one number for each of {self.n_features} features")
        if scale is not None and (scale.dtype != x.dtype or scale.device != x.device):
            raise ValueError(f"scale is {scale.dtype} on {scale.device} but x is {x.dtype} on {x.device}")
        return self._largest(x, k, signed, scale)

    def gram(self, rows: Int[Tensor, " rows"], columns: Int[Tensor, " columns"] | None = None) -> Float[Tensor, "rows columns"]:
        """Inner products of the directions `rows` with the directions `columns`; with each other where no columns are given."""
        left = self.directions(rows)
        return left @ (left if columns is None else self.directions(columns)).T

    def gram_blocks(self, size: int | None = None) -> Iterator[tuple[int, Float[Tensor, "rows features"]]]:
        """The Gram matrix some rows at a time: (first row, (n, N) inner products), n = `size`, or as many as make four million numbers."""
        if size is not None:
            check_count("size", size)
        step = max(1, CHUNK // self.n_features) if size is None else size
        return (
            (start, self._correlate(self._rows(start, min(start + step, self.n_features)))) for start in range(0, self.n_features, step)
        )

    def gram_row_sums(self, power: int = 1) -> Float[Tensor, " features"]:
        """sum over j != i of |<D_i, D_j>|^power for every feature i; `power` is 1 or 2.

        Power 2 goes through the d x d frame operator sum_j D_j D_j^T, in float64: N d^2 work. Power 1 has no such way: N^2 d, by Gram blocks.
        """
        if power not in (1, 2):
            raise ValueError(f"power is {power!r}; row sums are of magnitudes (1) or of squares (2)")
        return self._sums_of_magnitudes() if power == 1 else self._sums_of_squares()

    def squared_norms(self) -> Float[Tensor, " features"]:
        """|D_i|^2, (N,)."""
        return torch.cat([(rows * rows).sum(-1) for rows in self._blocks()])

    def dense(self) -> Float[Tensor, "features dims"]:
        """All the directions as one (N, d) tensor."""
        return torch.cat(list(self._blocks()))

    def _takes(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] != self.n_dims:
            raise ValueError(f"x has shape {tuple(x.shape)}; the dictionary takes (samples, {self.n_dims})")
        if x.dtype != self.dtype:
            raise ValueError(f"x is {x.dtype} but the dictionary is {self.dtype}; x.to(dictionary.dtype) makes them alike")

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

    def _correlations(self, x: Float[Tensor, "batch dims"], block: int | None) -> Iterator[tuple[int, Float[Tensor, "batch some"]]]:
        step = block or max(1, min(BLOCK // max(len(x), 1), CHUNK // self.n_dims))
        for start in range(0, self.n_features, step):
            yield start, x @ self._rows(start, min(start + step, self.n_features)).T

    def _largest(self, x: Tensor, k: int, signed: bool, scale: Tensor | None) -> tuple[Tensor, Tensor]:  # noqa: FBT001
        """A running top k: each block's best k against the best k so far."""
        values, indices = x.new_empty(len(x), 0), torch.empty(len(x), 0, dtype=torch.int64, device=x.device)
        for start, products in self._correlations(x, None):
            n = products.shape[1]
            seen = products if scale is None else products / scale[start : start + n]
            found, places = largest(seen, min(k, n), signed=signed)
            values, indices = torch.cat([values, found], dim=1), torch.cat([indices, places + start], dim=1)
            if values.shape[1] > k:
                values, order = largest(values, k, signed=signed)
                indices = indices.gather(1, order)
        return values, indices

    def _sums_of_squares(self) -> Float[Tensor, " features"]:
        frame = torch.zeros(self.n_dims, self.n_dims, dtype=torch.float64, device=self.device)
        for rows in self._blocks():
            frame += rows.double().T @ rows.double()
        sums = [
            ((rows @ frame * rows).sum(-1) - (rows * rows).sum(-1).square()).clamp(min=0) for rows in map(Tensor.double, self._blocks())
        ]
        return torch.cat(sums).to(self.dtype)

    def _sums_of_magnitudes(self) -> Float[Tensor, " features"]:
        sums = []
        for start, products in self.gram_blocks():
            own = torch.arange(len(products), device=products.device)
            sums.append(products.abs().index_put((own, own + start), products.new_zeros(())).sum(-1))
        return torch.cat(sums)

    def _rows(self, start: int, stop: int) -> Float[Tensor, "some dims"]:
        return self.directions(torch.arange(start, stop, device=self.device))

    def _blocks(self) -> Iterator[Float[Tensor, "some dims"]]:
        step = max(1, CHUNK // self.n_dims)
        for start in range(0, self.n_features, step):
            yield self._rows(start, min(start + step, self.n_features))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.n_features:,} features in {self.n_dims:,} dims, {self.dtype}, {self.device})"
