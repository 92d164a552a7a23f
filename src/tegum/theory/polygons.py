"""Regular polygons: k features in 2 dims with one norm and one bias, the shapes that sparse, equally important features take.

k = 2 is the digon (an antipodal pair, which needs one dim only), then triangle, square, pentagon, ... Every feature is alike, so the loss
is k times that of feature 0, summed over which of the others are on, each term exact (`tegum.theory.rectified`). Importance 1,
U[0,1] values. `best_polygon` minimises over norm and bias.

Normalisation: `loss` is summed over the k features (reduction 'sum' of `expected_loss`), `loss / k` is the training loss (reduction
'mean'). The one-active loss is L_1 of `one_active_loss`: summed over which feature is on and over outputs, no probability in it.

Source: Elhage et al. 2022, 'The geometry of superposition'.
"""

from dataclasses import dataclass
from itertools import product
from math import comb, prod

import numpy as np
import torch
from torch import Tensor

from tegum.shapes import Float
from tegum.theory.rectified import MAX_CORNERS, leaked, missed


@dataclass(frozen=True)
class PolygonOptimum:
    """The best norm and bias of a regular k-gon, the model they make, and its loss summed over the k features."""

    k: int
    norm: float
    bias: float
    loss: float

    @property
    def per_feature(self) -> float:
        """The loss of one feature: the training loss, a mean over features."""
        return self.loss / self.k

    @property
    def W(self) -> Float[Tensor, "k 2"]:
        """The directions, scaled."""
        return self.norm * polygon(self.k)

    @property
    def b(self) -> Float[Tensor, " k"]:
        """The bias of every output."""
        return torch.full((self.k,), self.bias, dtype=torch.float64)


def polygon(k: int) -> Float[Tensor, "k 2"]:
    """The k unit vectors at angles 2 pi i / k, float64, the first along the first axis."""
    _check(k, None)
    return torch.stack((_angles(k).cos(), _angles(k).sin()), -1)


def polygon_loss(k: int, density: float | None, norm: Tensor | float = 1.0, bias: Tensor | float = 0.0) -> Float[Tensor, ""]:
    """Exact loss, summed over features, of the regular k-gon; density None: the one-active loss L_1. Differentiable."""
    _check(k, density)
    gain, offset = torch.as_tensor(norm, dtype=torch.float64) ** 2, torch.as_tensor(bias, dtype=torch.float64)
    others, weights, p = _company(k, density)
    own = torch.zeros(k, dtype=torch.float64)
    own[0] = 1
    off = leaked(gain * others, offset.expand(len(others)), "uniform")
    if density is None:
        return k * (weights @ off + missed(gain[None], offset, own[:1], "uniform"))
    with_own = torch.cat((torch.ones(len(others), 1, dtype=torch.float64), others), -1)
    on = missed(gain * with_own, offset.expand(len(others)), own, "uniform")
    return k * (weights @ (p * on + (1 - p) * off))


def best_polygon(k: int, density: float | None) -> PolygonOptimum:
    """The regular k-gon with the norm and bias of least exact loss; density None: least one-active loss L_1.

    BFGS with exact slopes from three starts (free of error, negative bias, dense); the least is kept.
    """
    from scipy.optimize import minimize

    _check(k, density)

    def value_and_slope(point: np.ndarray) -> tuple[float, np.ndarray]:
        with torch.enable_grad():
            x = torch.from_numpy(point).clone().requires_grad_()
            loss = polygon_loss(k, density, x[0], x[1])
            (slope,) = torch.autograd.grad(loss, x)
        return loss.item() / scale, slope.numpy() / scale

    scale = k * (1.0 if density is None else density) / 3  # the loss of a model that gives 0
    starts = ((1.0, 0.0), (1.2, -0.3), (0.6, (density or 0.0) / 2))
    ends = [minimize(value_and_slope, np.array(start), jac=True, method="BFGS", options={"gtol": 1e-8}) for start in starts]
    best = min(ends, key=lambda end: end.fun)
    norm, bias = (float(v) for v in best.x)
    return PolygonOptimum(k, abs(norm), bias, float(polygon_loss(k, density, norm, bias)))


def _company(k: int, density: float | None) -> tuple[Tensor, Tensor, float]:
    """Which other features are on, as their cosines to feature 0 (0 where off), with weights; and the chance that feature 0 is on.

    Features j and k - j have one cosine, so sets that differ by such a swap are taken together.
    """
    cosines = _angles(k).cos().tolist()
    if density is None:
        return torch.tensor(cosines[1:], dtype=torch.float64)[:, None], torch.ones(k - 1, dtype=torch.float64), 0.0
    mirrored = [(cosines[j], 1 if 2 * j == k else 2) for j in range(1, k // 2 + 1)]
    rows, weights = [], []
    for counts in product(*(range(many + 1) for _, many in mirrored)):
        rows.append([c if i < on else 0.0 for (c, many), on in zip(mirrored, counts, strict=True) for i in range(many)])
        chances = (comb(many, on) * density**on * (1 - density) ** (many - on) for (_, many), on in zip(mirrored, counts, strict=True))
        weights.append(prod(chances))
    return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), k - 1), torch.tensor(weights, dtype=torch.float64), density


def _angles(k: int) -> Tensor:
    return 2 * torch.pi * torch.arange(k, dtype=torch.float64) / k


def _check(k: int, density: float | None) -> None:
    if not 1 <= k <= MAX_CORNERS:
        raise ValueError(f"k must be from 1 to {MAX_CORNERS}, got {k}")
    if density is not None and not 0 < density <= 1:
        raise ValueError(f"density must be in (0, 1], got {density}")
