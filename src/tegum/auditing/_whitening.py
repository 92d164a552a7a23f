"""Rows as the test for superposition sees them: whitened and of one length, so that no scale of a row and no covariance is left.

Of every elliptical law with its centre known, a Gaussian or one of heavy tails, directions whitened by Tyler's scatter are uniform on the sphere
(Tyler 1987, 'A distribution-free M-estimator of multivariate scatter'; centre and scatter together: Hettmansperger & Randles 2002), so one
reference serves all of them. Rows must differ: many that are one and the same point, those with no feature on, would draw the centre to it and have
themselves no direction.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tegum.shapes import Float

_TOLERANCE, _ROUGH = 1e-5, 1e-3  # of centre and scatter: in few dims, and in more than _FEW, where they are known to 1e-2 at best
_FEW = 64
_STEPS = 200
_NEAR = 1e-2  # of the median distance: rows as near to the centre have no direction
_RANK = 1e-5  # of the largest standard deviation: directions that vary less are not there


@dataclass(frozen=True, eq=False)
class Whitened:
    """`rows` have mean square 1 in every coordinate; `whiten` (rank, dims) and `centre` give them, (x - centre) whiten^T brought to one length.

    `gaussian_fourth` is the fourth moment that a coordinate of Gaussian x has then.
    """

    rows: Float[Tensor, "kept rank"]
    centre: Float[Tensor, " dims"]
    whiten: Float[Tensor, "rank dims"]

    @property
    def rank(self) -> int:
        """In how many dims the rows vary."""
        return len(self.whiten)

    @property
    def gaussian_fourth(self) -> float:
        """3 rank / (rank + 2): of the sphere of squared radius rank."""
        return 3 * self.rank / (self.rank + 2)


def whitened(x: Float[Tensor, "rows dims"]) -> Whitened:
    """Rows in as many dims as they vary in; rank 0 where they are all alike."""
    x = x.double()
    if len(x) < 2:
        return Whitened(x.new_zeros(0, 0).float(), x.sum(0), x.new_zeros(0, x.shape[1]))
    size = (x - x.median(0).values).norm(dim=1)
    inner = size <= 10 * size.median() if size.median() > 0 else torch.ones_like(size, dtype=torch.bool)
    centre = x[inner].mean(0)
    scatter = torch.cov(x[inner].T).reshape(x.shape[1], -1)
    values, vectors = torch.linalg.eigh(scatter)
    there = values > values.max().clamp(min=0) * _RANK**2
    if values.max() <= 1e-14 * x.square().mean() or not there.any():
        return Whitened(x.new_zeros(0, 0).float(), centre, x.new_zeros(0, x.shape[1]))
    whiten = (vectors[:, there] / values[there].sqrt()).T.contiguous()
    return _tyler(x, centre, whiten)


def _tyler(x: Float[Tensor, "rows dims"], centre: Float[Tensor, " dims"], whiten: Float[Tensor, "rank dims"]) -> Whitened:
    """Centre and scatter are moved until directions have mean 0 and covariance 1 / rank; within the span of the first scatter."""
    d = len(whiten)
    back = torch.linalg.pinv(whiten)
    y = (x - centre) @ whiten.T  # from here on in whitened dims; x is back y + centre
    moved, turned = y.new_zeros(d), torch.eye(d, dtype=y.dtype)
    u, kept = y, torch.ones(len(y), dtype=torch.bool)
    near = _TOLERANCE if d <= _FEW else _ROUGH
    for _ in range(_STEPS):
        z = (y - moved) @ turned.T
        r = z.norm(dim=1)
        kept &= r > _NEAR * r.median()  # a row that had no direction once stays out, or centre and scatter could go round for ever
        u = z[kept] / r[kept, None]
        mean, spread = u.mean(0), u.T @ u * (d / len(u))
        moved = moved + torch.linalg.solve(turned, mean / (1 / r[kept]).mean())
        if max(float((spread - torch.eye(d, dtype=y.dtype)).abs().max()), float(mean.abs().max())) < near:
            break
        root = torch.linalg.cholesky(spread)
        turned = torch.linalg.solve_triangular(root, turned, upper=False) * root.diagonal().log().mean().exp()
    return Whitened((u * math.sqrt(d)).float(), centre + back @ moved, turned @ whiten)
