"""Scaled: a dictionary's directions, each divided by a number of its own, as decoders search it.

By its length: then no feature wins because its direction is long, and what is fitted in unit directions is divided by the lengths to be values
of z, for x = sum_i (z_i |D_i|) (D_i / |D_i|). By its squared length: then correlations are projections, at the scale of z itself.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from tegum.dictionaries import Dictionary
from tegum.dictionaries._screen import OnDemand
from tegum.dictionaries.dense import Dense
from tegum.shapes import Float, Int


def lengths(dictionary: Dictionary) -> Float[Tensor, " features"]:
    """|D_i|; infinity for a direction of length 0 (its square is below the least normal number), so that divided by it nothing is left."""
    squares = dictionary.squared_norms()
    return torch.where(squares >= torch.finfo(squares.dtype).tiny, squares.sqrt(), torch.inf)


class Scaled:
    """Directions D_i / by_i, 0 where by_i is infinite.

    A table is divided once; where directions are made on the fly, their correlations are divided as they come.
    """

    def __init__(self, dictionary: Dictionary, by: Float[Tensor, " features"]) -> None:
        self.by, self.n_features = by, dictionary.n_features
        self._once = isinstance(dictionary, Dense)
        self._dictionary = Dense(dictionary.dense() / by[:, None]) if self._once else dictionary
        self._screen = OnDemand(self._dictionary.table if isinstance(self._dictionary, Dense) else None)

    def largest(self, x: Float[Tensor, "batch dims"], k: int, *, signed: bool) -> tuple[Float[Tensor, "batch k"], Int[Tensor, "batch k"]]:
        """The k largest inner products of each x (in magnitude if `signed`), largest first, and their features."""
        k = min(k, self.n_features)
        if (screen := self._screen(len(x), k)) is None:
            return self._full(x, k, signed=signed)
        values, features, refused = screen.largest(x, k, signed=signed)
        if refused.any():
            values[refused], features[refused] = self._full(x[refused], k, signed=signed)
        return values, features

    def _full(self, x: Tensor, k: int, *, signed: bool) -> tuple[Tensor, Tensor]:
        return self._dictionary.largest(x, k, signed=signed, scale=None if self._once else self.by)

    def correlations(self, x: Float[Tensor, "batch dims"]) -> Iterator[tuple[slice, Float[Tensor, "batch some"]]]:
        """Inner products, a block of features at a time; one block may be overwritten by the next."""
        for first, products in self._dictionary.correlations(x):
            block = slice(first, first + products.shape[1])
            yield block, products if self._once else products / self.by[block]

    def directions(self, indices: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape dims"]:
        """The directions of the features named."""
        flat = indices.flatten()
        if isinstance(self._dictionary, Dense) and self._once:
            rows = self._dictionary.table.index_select(0, flat)  # .6 of the time of table[flat]: 8,192 rows of 150 float32, one thread
        else:
            rows = self._dictionary.directions(flat) / self.by[flat, None]
        return rows.unflatten(0, indices.shape)
