"""Dictionaries that are rows of Walsh-Hadamard matrices, with random signs: correlations by fast transforms, nothing of size N x d stored.

Both forms work a block of M features at a time: a buffer of M numbers is filled from x, in an order and with signs of the block's own, and
transformed: M log2 M additions for M features, where a product takes 2 M d operations. On the CPU compiled kernels do it (`_walsh_numba.py`);
elsewhere, and where x carries a gradient, matrix products with the two Kronecker factors of the block's matrix.
"""

import functools
import math
from abc import abstractmethod
from collections.abc import Iterator
from types import ModuleType

import torch
from torch import Tensor

from tegum._compiled import kernels
from tegum.dictionaries._base import BLOCK, CHUNK, Dictionary
from tegum.dictionaries._door import check_dtype, in_range
from tegum.dictionaries._walsh import parity_signs, transform
from tegum.features import SparseCodes
from tegum.shapes import Float, Int

_kernels = functools.partial(kernels, "tegum.dictionaries._fast_hadamard")


class Hadamard(Dictionary):
    """What both forms share; `size` is M, the number of features in a block."""

    def __init__(self, n_features: int, n_dims: int, size: int, dtype: torch.dtype, device: torch.device) -> None:
        self.n_features, self.n_dims, self.size, self.dtype, self.device = n_features, n_dims, size, dtype, device

    @abstractmethod
    def _filled(self, x: Float[Tensor, "batch dims"], first: int, last: int) -> Float[Tensor, "batch blocks size"]:
        """The buffers of blocks `first` to `last`."""

    @abstractmethod
    def _signed(self, products: Float[Tensor, "batch some"], start: int) -> Float[Tensor, "batch some"]:
        """Correlations of the features from `start` on, with the signs that stand outside the transform."""

    def squared_norms(self) -> Float[Tensor, " features"]:
        """|D_i|^2: d entries of 1/d."""
        return torch.ones(self.n_features, dtype=self.dtype, device=self.device)

    def _correlate(self, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        last = -(-self.n_features // self.size)
        if (compiled := self._compiled(x)) is not None:
            return compiled.correlate(self, x, 0, last)
        return torch.cat([self._of_blocks(x, i, min(i + self._at_once(x), last)) for i in range(0, last, self._at_once(x))], dim=1)

    def _correlations(self, x: Float[Tensor, "batch dims"], block: int | None) -> Iterator[tuple[int, Float[Tensor, "batch some"]]]:
        last, compiled = -(-self.n_features // self.size), self._compiled(x)
        wanted = BLOCK // max(len(x), 1) if block is None else block
        step = max(1, wanted // self.size)
        for i in range(0, last, step):
            end = min(i + step, last)
            products = self._of_blocks(x, i, end) if compiled is None else compiled.correlate(self, x, i, end)
            for start in range(0, products.shape[1], wanted if block else products.shape[1]):
                yield i * self.size + start, products[:, start : start + wanted] if block else products

    def _largest(self, x: Tensor, k: int, signed: bool, scale: Tensor | None) -> tuple[Tensor, Tensor]:  # noqa: FBT001
        if (compiled := self._compiled(x)) is None:
            return super()._largest(x, k, signed, scale)
        values, features, short = compiled.largest(self, x, k, signed=signed, scale=scale)
        if short.any():
            values[short], features[short] = super()._largest(x[short], k, signed, scale)
        return values, features

    def _encode(self, z: SparseCodes) -> Float[Tensor, "batch dims"]:
        values = z.values.to(self.device, self.dtype)
        if (compiled := self._compiled(values)) is None:
            return super()._encode(z)
        return compiled.encode(self, z.indices.to(self.device), values)

    def _of_blocks(self, x: Float[Tensor, "batch dims"], first: int, last: int) -> Float[Tensor, "batch some"]:
        start, end = first * self.size, min(last * self.size, self.n_features)
        products = transform(self._filled(x, first, last)).flatten(1)[:, : end - start] / math.sqrt(self.n_dims)
        return self._signed(products, start)

    def _at_once(self, x: Tensor) -> int:
        return max(1, CHUNK // (self.size * max(len(x), 1)))

    def _compiled(self, x: Tensor) -> ModuleType | None:
        """The kernels' side, where it can take this."""
        if x.device.type != "cpu" or self.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64) or x.requires_grad:
            return None
        compiled = _kernels()
        return None if compiled is None or self.size < compiled.LEAST else compiled


class BlockHadamard(Hadamard):
    """Feature b M + r is row r of H_M, at columns and with signs that block b draws: `sources[b, p]` names what stands in place p of its buffer.

    t < d stands for x_t, d + t for -x_t, 2 d for 0.
    """

    def __init__(self, n_features: int, n_dims: int, sources: Int[Tensor, "blocks size"], dtype: torch.dtype) -> None:
        super().__init__(n_features, n_dims, sources.shape[1], dtype, sources.device)
        self.sources = sources

    def directions(self, indices: Int[Tensor, " some"]) -> Float[Tensor, "some dims"]:
        """Rows of H_M with the block's signs, over sqrt(d)."""
        indices = in_range(indices, self.n_features).to(self.device)
        rows = parity_signs(
            (indices % self.size).to(torch.int32)[:, None] & torch.arange(self.size, dtype=torch.int32, device=self.device), self.dtype
        )
        both = rows.new_zeros(len(indices), 2 * self.n_dims + 1)
        both.scatter_(1, self.sources[indices // self.size].long(), rows)
        return (both[:, : self.n_dims] - both[:, self.n_dims : 2 * self.n_dims]).div_(math.sqrt(self.n_dims))

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "BlockHadamard":
        """The same directions elsewhere, or of another dtype."""
        check_dtype(dtype)
        return BlockHadamard(self.n_features, self.n_dims, self.sources.to(device), self.dtype if dtype is None else dtype)

    def _filled(self, x: Float[Tensor, "batch dims"], first: int, last: int) -> Float[Tensor, "batch blocks size"]:
        both = torch.cat([x, -x, x.new_zeros(len(x), 1)], dim=1)
        return both[:, self.sources[first:last].flatten()].unflatten(1, (last - first, self.size))

    def _signed(self, products: Float[Tensor, "batch some"], start: int) -> Float[Tensor, "batch some"]:  # noqa: ARG002
        return products


class WholeHadamard(Hadamard):
    """Feature i is column i of one large H, at the rows `places`, times its sign.

    H factors into a block's number and the place within it, so block q needs a transform of size M alone: of the sums of those x_t whose places
    agree mod M, each with the sign of H at (q, places[t] // M). The signs of the features are `padded` to whole vectors and more.
    """

    def __init__(self, n_features: int, size: int, places: Int[Tensor, " dims"], padded: Float[Tensor, " more"]) -> None:
        super().__init__(n_features, len(places), size, padded.dtype, padded.device)
        self.places, self.padded = places, padded

    def directions(self, indices: Int[Tensor, " some"]) -> Float[Tensor, "some dims"]:
        """Columns of H at `places` with their signs, over sqrt(d)."""
        indices = in_range(indices, self.n_features).to(self.device)
        rows = parity_signs(indices.to(torch.int32)[:, None] & self.places.to(torch.int32), self.dtype)
        return rows.mul_(self.padded[indices][:, None]).div_(math.sqrt(self.n_dims))

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "WholeHadamard":
        """The same directions elsewhere, or of another dtype."""
        check_dtype(dtype)
        return WholeHadamard(self.n_features, self.size, self.places.to(device), self.padded.to(device=device, dtype=dtype))

    def _filled(self, x: Float[Tensor, "batch dims"], first: int, last: int) -> Float[Tensor, "batch blocks size"]:
        number = torch.arange(first, last, device=self.device)
        signs = parity_signs(number[:, None] & (self.places // self.size), self.dtype)
        return x.new_zeros(len(x), last - first, self.size).index_add(2, self.places % self.size, x[:, None, :] * signs)

    def _signed(self, products: Float[Tensor, "batch some"], start: int) -> Float[Tensor, "batch some"]:
        return products * self.padded[start : start + products.shape[1]]
