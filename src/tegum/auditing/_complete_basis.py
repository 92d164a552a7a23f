"""The complete basis that rows fit best: independent component analysis of whitened rows by their third and fourth moments.

The contrast is sum_i m3_i^2 / 6 + k4_i^2 / 24 over orthonormal rows, twice the leading terms of negentropy, m3^2 / 12 + k4^2 / 48
(Comon 1994, 'Independent component analysis, a new concept?', eq. 3.10), with k4 the fourth moment less a Gaussian's. Ascent by the polar factor of
the gradient, which for the fourth moment alone is complete dictionary learning of Zhai et al. 2020 (JMLR 21:165).
"""

import torch
from torch import Tensor

from tegum.shapes import Float

THIRD, FOURTH = 1 / 6, 1 / 24
_STEPS, _TOLERANCE, _ROUGH = 200, 1e-6, 1e-4  # the last one in more dims than _FEW
_FEW = 64


def complete_basis(
    y: Float[Tensor, "rows rank"], gaussian_fourth: float, starts: int, seed: int, begin: Float[Tensor, "rank rank"] | None = None
) -> tuple[Float[Tensor, "rank rank"], float]:
    """Orthonormal rows and their contrast: the best of `starts` random ones, or from `begin` alone where that is given."""
    if begin is not None:
        return _climb(y, begin, gaussian_fourth)
    generator = torch.Generator().manual_seed(seed)
    d = y.shape[1]
    found = [_climb(y, _polar(torch.randn(d, d, generator=generator)), gaussian_fourth) for _ in range(starts)]
    return max(found, key=lambda pair: pair[1])


def surviving_share(y: Float[Tensor, "rows rank"], gaussian_fourth: float, starts: int, seed: int) -> float:
    """How much of the contrast of a basis survives on rows that it was not fitted to: of both halves, fitted to one and seen on the other.

    Near 1 where there are rows enough to find a basis, near 0 where what is found is noise (rows must be many times dims to the power 1.5).
    """
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    halves = y[order[: len(y) // 2]], y[order[len(y) // 2 :]]
    fitted = seen = 0.0
    for mine, other in (halves, halves[::-1]):
        basis, reached = complete_basis(mine, gaussian_fourth, starts, seed)
        p = other @ basis.T
        m3, k4 = (p**3).double().mean(0), (p**4).double().mean(0) - gaussian_fourth
        fitted, seen = fitted + reached, seen + float((THIRD * m3.square() + FOURTH * k4.square()).sum())
    return seen / fitted if fitted > 0 else 0.0


def _climb(y: Float[Tensor, "rows rank"], basis: Float[Tensor, "rank rank"], level: float) -> tuple[Float[Tensor, "rank rank"], float]:
    n = len(y)
    least = _TOLERANCE if y.shape[1] <= _FEW else _ROUGH
    contrast = -1.0
    for _ in range(_STEPS):
        p = y @ basis.T
        square = p * p
        third, fourth = square.T @ y / n, (square * p).T @ y / n
        m3, k4 = (third * basis).sum(1), (fourth * basis).sum(1) - level
        reached = float((THIRD * m3 * m3 + FOURTH * k4 * k4).sum())
        if reached <= contrast * (1 + least):
            break
        contrast = reached
        basis = _polar(3 * THIRD * m3[:, None] * third + 4 * FOURTH * k4[:, None] * (fourth - level * basis))
    return basis, contrast


def _polar(matrix: Float[Tensor, "rank rank"]) -> Float[Tensor, "rank rank"]:
    left, _, right = torch.linalg.svd(matrix)
    return left @ right
