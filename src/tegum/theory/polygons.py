"""Regular polygons: k features in 2 dims with one norm and one bias, the shapes that sparse, equally important features take.

k = 2 is the digon (an antipodal pair, which needs one dim only), then triangle, square, pentagon, ... Every feature is alike, so the loss
is k times that of feature 0, summed over which of the others are on: 2^(k-1) terms, each exact (`tegum.theory.rectified`). Importance 1,
U[0,1] values. `best_polygon` minimises over norm and bias.

Normalisation: `loss` is summed over the k features (reduction 'sum' of `expected_loss`), `loss / k` is the training loss (reduction
'mean'). The one-active loss is L_1 of `one_active_loss`: summed over which feature is on and over outputs, no probability in it.

Source: Elhage et al. 2022, 'The geometry of superposition'.
"""

from dataclasses import dataclass
from itertools import combinations

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
    gains = torch.as_tensor(norm, dtype=torch.float64) ** 2 * _angles(k).cos()
    offset = torch.as_tensor(bias, dtype=torch.float64)
    if density is None:
        return k * (_own_error(gains, offset, 0) + _others_error(gains, offset, 1))
    total = torch.zeros((), dtype=torch.float64)
    for others in range(k):
        weight = density**others * (1 - density) ** (k - 1 - others)
        total = total + weight * (density * _own_error(gains, offset, others) + (1 - density) * _others_error(gains, offset, others))
    return k * total


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


def _own_error(gains: Tensor, bias: Tensor, others: int) -> Tensor:
    """E (x_0 - x'_0)^2 with feature 0 on, summed over the sets of `others` further active features."""
    sets = torch.tensor([(0, *chosen) for chosen in combinations(range(1, len(gains)), others)], dtype=torch.long)
    own = torch.zeros(others + 1, dtype=torch.float64)
    own[0] = 1
    return missed(gains[sets], bias.expand(len(sets)), own, "uniform").sum()


def _others_error(gains: Tensor, bias: Tensor, others: int) -> Tensor:
    """E relu(y_0)^2 with feature 0 off, summed over the sets of `others` active features."""
    chosen = list(combinations(range(1, len(gains)), others))
    sets = torch.tensor(chosen, dtype=torch.long).reshape(len(chosen), others)
    return leaked(gains[sets], bias.expand(len(sets)), "uniform").sum()


def _angles(k: int) -> Tensor:
    return 2 * torch.pi * torch.arange(k, dtype=torch.float64) / k


def _check(k: int, density: float | None) -> None:
    if not 1 <= k <= MAX_CORNERS:
        raise ValueError(f"k must be from 1 to {MAX_CORNERS}, got {k}")
    if density is not None and not 0 < density <= 1:
        raise ValueError(f"density must be in (0, 1], got {density}")
