"""Refit: features that stand clear of the noise are tried as the whole code, so that an iteration that creeps towards exact codes ends at once.

If fewer than d features of a generic dictionary explain x, the active ones are among them: a fit without a residual is a certificate. It need be
no better than single precision, in which most x are made.
"""

import torch
from torch import Tensor

from tegum.decoders._base import Values
from tegum.decoders._fitted import fitted
from tegum.decoders._survivors import survivors
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Bool, Float, Int

_SINGLE = 4e-6  # of |x|: 32 units of rounding in single precision
_HELD = 1 << 22  # numbers of chosen directions held at a time


class Refit:
    """What each sample of a batch was tried with: the same set is never tried twice, and one to be fitted only when it has stood for a step."""

    def __init__(self, dictionary: Dictionary, kind: Values, n_samples: int) -> None:
        self.dictionary, self.kind = dictionary, kind
        self.seen = torch.zeros(n_samples, dtype=torch.int64, device=dictionary.device)
        self.tried = self.seen

    def keep(self, slots: Int[Tensor, " kept"]) -> None:
        """Go on with these samples alone."""
        self.seen, self.tried = self.seen[slots], self.tried[slots]

    def explained(
        self, x: Float[Tensor, "batch dims"], indices: Int[Tensor, "batch some"], clear: Bool[Tensor, "batch some"]
    ) -> tuple[Int[Tensor, " found"], SparseCodes] | None:
        """Which samples the features that are `clear` explain, as codes of the kind, and these codes; None where none is tried."""
        places, there = survivors(clear.to(x.dtype), x.new_full((len(x),), 0.5))
        if not places.shape[1]:
            return None
        chosen = torch.where(there > 0, indices.gather(1, places), -1)
        mark = (chosen + 1).square().sum(dim=1)  # two sets are taken for one if they agree in this sum
        steady = mark > 0 if self.kind is Values.BINARY else (mark > 0) & (mark == self.seen)
        rows = (steady & (mark != self.tried) & (there.sum(dim=1) < self.dictionary.n_dims)).nonzero()[:, 0]
        self.seen = mark
        if not len(rows):
            return None
        self.tried = self.tried.index_copy(0, rows, mark[rows])
        z, right = refit(self.dictionary, x[rows], chosen[rows], self.kind)
        return rows[right], z[right]


def refit(
    dictionary: Dictionary, x: Float[Tensor, "batch dims"], indices: Int[Tensor, "batch k"], kind: Values
) -> tuple[SparseCodes, Bool[Tensor, " batch"]]:
    """The features named (padded with -1) at the values that fit x best, and where they explain it as codes of the kind.

    A binary code has nothing to fit: its values are 1. Values that change x by no more than its rounding become 0.
    """
    enough = fitted(x, _SINGLE)
    values = (indices >= 0).to(x.dtype) if kind is Values.BINARY else _least_squares(dictionary, x, indices, fitted(x))
    z = SparseCodes(indices, values, dictionary.n_features)
    right = (x - dictionary.encode(z)).norm(dim=1) <= enough
    return z, right & values.ge(0).all(dim=1) if kind is Values.NONNEGATIVE else right


def _least_squares(dictionary: Dictionary, x: Tensor, indices: Tensor, enough: Tensor) -> Tensor:
    """By the normal equations, in float64: their condition is the square of the directions'."""
    values = torch.zeros(indices.shape, dtype=x.dtype, device=x.device)
    for first in range(0, len(x), step := max(1, _HELD // max(1, indices.shape[1] * dictionary.n_dims))):
        rows = slice(first, first + step)
        missing = indices[rows] < 0
        chosen = dictionary.directions(indices[rows].clamp(min=0).flatten()).reshape(*missing.shape, -1).double()
        chosen.masked_fill_(missing[:, :, None], 0)
        gram = chosen @ chosen.mT
        gram.diagonal(dim1=1, dim2=2).add_(missing.double())
        factor, bad = torch.linalg.cholesky_ex(gram)
        fit = torch.cholesky_solve(chosen @ x[rows, :, None].double(), factor)[:, :, 0]
        felt = (bad == 0)[:, None] & ~missing & (fit.abs() * chosen.norm(dim=2) > enough[rows, None])
        values[rows] = torch.where(felt, fit, 0).to(x.dtype)
    return values
