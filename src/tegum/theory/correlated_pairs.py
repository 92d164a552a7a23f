"""Three pairs of features in two dims, the two of a pair always on together: local minima of the exact loss by how many pairs have collapsed.

Importance 1, U[0,1] values, each pair on with density p ('mean' normalisation). Sparse pairs lie side by side, each feature with a direction of its
own, as a distorted hexagon. As p rises, pair after pair collapses to one direction: then a network answers both with their mean, as the first
principal component of the pair does. Each family of minima is a start that descends to the minimum of its neighbourhood, and where two of them cost
the same is found by Newton's method, with slopes at constant W and b (the envelope theorem). That no other minimum is lower was searched for with
trained networks, not proved.

Source: Elhage et al. 2022, 'The geometry of superposition', on correlated features and principal components.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from tegum.features.correlated import Correlated
from tegum.geometry import collapsed_sets
from tegum.shapes import Float, Int
from tegum.theory.losses import expected_loss
from tegum.theory.optimum import local_minima

PAIRS = 3
# degrees and norms of the six directions, and the bias as (a constant, a share of the density), from where the descent begins
_SHAPES = (
    ((0, 60, 120, 180, 240, 300), (0.96,) * 6, (-0.18, 0.0)),  # none
    ((72, 146, -72, -146, 0, 0), (0.93, 1.0, 0.93, 1.0, 0.71, 0.71), (-0.06, 0.0)),  # one
    ((182, 268, 0, 0, 90, 90), (0.97, 0.97, 0.72, 0.72, 0.72, 0.72), (0.0, 0.05)),  # two
    ((0, 0, 90, 90, 180, 180), (0.71,) * 6, (0.0, 0.05)),  # three, of which two opposed
    ((0, 0, 120, 120, 240, 240), (0.63,) * 6, (0.0, 0.4)),  # three, all alike
    ((0, 0, 53, 53, 101, 101), (0.66, 0.66, 0.4, 0.4, 0.65, 0.65), (0.0, 0.0)),  # three, no output ever cut off by its ReLU
)
_BORDERS = (0.07, 0.14, 0.39)  # where the search for each begins
_NEAR, _ROUNDS = 1e-4, 20  # of its differences in p, and the most rounds


class PairMinima(NamedTuple):
    """One a start: none, one, two collapsed, three in three ways; `collapsed` is how many pairs have at the minimum it led to."""

    W: Float[Tensor, "starts features dims"]
    b: Float[Tensor, "starts features"]
    loss: Float[Tensor, " starts"]
    collapsed: Int[Tensor, " starts"]


def three_pairs(density: float) -> Correlated:
    """Features 0 and 1, 2 and 3, 4 and 5."""
    return Correlated(n_features=2 * PAIRS, n_sets=PAIRS, density=density)


def pair_minima(density: float) -> PairMinima:
    """Where each start leads at this density; several may lead to one minimum."""
    return _settled(*_starts(density), density)


def collapse_border(collapsed: int) -> float:
    """The density from which it costs less that `collapsed` + 1 of the pairs collapse than that `collapsed` do, 0 to 2."""
    if not 0 <= collapsed < PAIRS:
        raise ValueError(f"collapsed is {collapsed}; there is a border from 0, 1 and 2 pairs to one more")
    p = _BORDERS[collapsed]
    W, b = (value[collapsed : collapsed + 2] for value in _starts(p))
    for _ in range(_ROUNDS):
        W, b, loss, _ = _settled(W, b, p)
        high, low = (expected_loss(W, b, three_pairs(p + side)) for side in (_NEAR, -_NEAR))
        slope = (high - low) / (2 * _NEAR)
        step = -float((loss[0] - loss[1]) / (slope[0] - slope[1]))
        p += step
        if abs(step) < 1e-8:
            break
    return p


def _starts(density: float) -> tuple[Tensor, Tensor]:
    angles, norms, biases = (torch.tensor(column, dtype=torch.float64) for column in zip(*_SHAPES, strict=True))
    W = norms[..., None] * torch.stack((angles.deg2rad().cos(), angles.deg2rad().sin()), -1)
    return W, (biases[:, :1] + biases[:, 1:] * density).expand(-1, 2 * PAIRS)


def _settled(W: Tensor, b: Tensor, density: float) -> PairMinima:
    W, b, loss = local_minima(W, b, three_pairs(density))
    return PairMinima(W, b, loss, collapsed_sets(W, PAIRS).sum(-1))
