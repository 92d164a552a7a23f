"""Directions for fixed codes, from two sums over samples: A = sum z z^T and B = sum z x^T, all that 1/2 sum |x - z D|^2 depends on but for |x|^2.

A centre is one more direction, of a code that is 1 in every sample and of any length; it is the last row of A and B where it is to be fitted.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tegum.features import SparseCodes
from tegum.shapes import Float

_BLOCK = 128  # directions that are changed between two products with the whole of A
_PAIRS = 1 << 22  # pairs of codes added at a time
_WORTH = 12  # a pair that is added by itself costs as much as so many of a product
_RIDGE = 1e-10  # added to A at a diagonal of 1: codes that depend on each other have no one solution


@dataclass(eq=False)
class Sums:
    """A, B and how many samples they stand for, all in float64. `centred` says whether their last row is that of a centre."""

    A: Float[Tensor, "codes codes"]
    B: Float[Tensor, "codes dims"]
    centred: bool

    @classmethod
    def none(cls, n_features: int, n_dims: int, *, centred: bool) -> "Sums":
        """Of no samples."""
        n = n_features + centred
        return cls(torch.zeros(n, n, dtype=torch.float64), torch.zeros(n, n_dims, dtype=torch.float64), centred)

    def forget(self, share: float) -> None:
        """Keep this share of all so far."""
        self.A *= share
        self.B *= share

    def add(self, z: SparseCodes, x: Float[Tensor, "batch dims"]) -> None:
        """Add a batch: pair by pair where few codes are on, by a product else."""
        n = len(self.A)
        if self.centred:
            one = torch.ones(len(z), 1, dtype=z.values.dtype)
            z = SparseCodes(torch.cat([z.indices, (one * (n - 1)).long()], 1), torch.cat([z.values, one], 1), n)
        dense = z.dense().double()
        self.B.addmm_(dense.T, x.double())
        width = z.indices.shape[1]
        if width * width * _WORTH > n * n:
            self.A.addmm_(dense.T, dense)
            return
        step = max(1, _PAIRS // max(1, width * width))
        for first in range(0, len(z), step):
            values, places = z.values[first : first + step].double(), z.indices[first : first + step].clamp(min=0)  # what pads has value 0
            pairs = places[:, :, None] * n + places[:, None, :]
            self.A.view(-1).index_add_(0, pairs.flatten(), (values[:, :, None] * values[:, None, :]).flatten())

    def drop(self, features: Tensor) -> None:
        """Forget all about these features."""
        self.A[features], self.A[:, features], self.B[features] = 0, 0, 0

    def least_squares(
        self, D: Float[Tensor, "features dims"], centre: Float[Tensor, " dims"]
    ) -> tuple[Float[Tensor, "features dims"], Float[Tensor, " dims"]]:
        """The directions that minimise sum |x - centre - z D|^2, of any length, and the centre that goes with them where it is fitted.

        Engan, Aase & Husoy 1999, 'Method of optimal directions for frame design': D = A^-1 B. Of several solutions it is the one nearest to what
        D and centre are: a direction of a code that is never on stays as it is.
        """
        if not self.centred:
            return D + self._solved(self.A, self.B - self.A @ D), centre
        both = torch.cat([D, centre[None]])
        both = both + self._solved(self.A, self.B - self.A @ both)
        return both[:-1], both[-1]

    def descend(
        self, D: Float[Tensor, "features dims"], centre: Float[Tensor, " dims"]
    ) -> tuple[Float[Tensor, "features dims"], Float[Tensor, " dims"]]:
        """One sweep of block coordinate descent over unit directions, then the centre where it is fitted; the objective never rises.

        Mairal, Bach, Ponce & Sapiro 2010, 'Online learning for matrix factorization and sparse coding', algorithm 2: u = D_j + (B_j - A_j D) / A_jj.
        They divide u by max(1, |u|); here it is divided by |u|, which is the minimum over unit vectors. B_j - A_j D is made for a block of directions
        by one product.
        """
        D, m = D.clone(), len(D)
        A, B = self.A[:m, :m], self.B[:m]
        if self.centred:
            B = B - self.A[:m, m:] * centre
        for first in range(0, m, _BLOCK):
            block = slice(first, min(m, first + _BLOCK))
            D[block] = _swept(D[block], B[block] - A[block] @ D, A[block, block])
        if self.centred:
            centre = (self.B[m] - self.A[m, :m] @ D) / self.A[m, m]
        return D, centre

    @staticmethod
    def _solved(A: Float[Tensor, "codes codes"], right: Float[Tensor, "codes dims"]) -> Float[Tensor, "codes dims"]:
        on = (A.diagonal() > 0).nonzero()[:, 0]
        some, out = A[on][:, on], torch.zeros_like(right)
        scale = some.diagonal().sqrt()
        some = some / (scale[:, None] * scale)
        some.diagonal().add_(_RIDGE)
        out[on] = torch.cholesky_solve(right[on] / scale[:, None], torch.linalg.cholesky(some)) / scale[:, None]
        return out


def _swept(
    D: Float[Tensor, "some dims"], pull: Float[Tensor, "some dims"], within: Float[Tensor, "some some"]
) -> Float[Tensor, "some dims"]:
    """Directions of a block after a sweep, from B_j - A_j D before it and their own part of A. In NumPy, whose small steps cost least."""
    before, slopes, weights = D.numpy(), pull.numpy(), within.numpy()
    after, moved = before.copy(), np.zeros_like(before)
    for j in np.flatnonzero(weights.diagonal() > 0):
        u = before[j] + (slopes[j] - weights[j, :j] @ moved[:j]) / weights[j, j]
        length = np.sqrt(u @ u)
        if length > 0:
            after[j] = u / length
            moved[j] = after[j] - before[j]
    return torch.from_numpy(after)
