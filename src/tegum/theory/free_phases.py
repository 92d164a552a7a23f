"""The phases of two features in one dim and three in two with every weight and bias free: local minima of the exact loss, phase by phase.

The candidates of `tegum.theory.phase` have bias 0 where features share a dim and a dropped feature's weight at exactly 0. Here each is a start that
descends to the minimum of its neighbourhood. What that changes:

- an antipodal pair gains by smaller norms and positive biases (14% at s = 4/7, r = 1, and more above), so its borders move outwards (`pair_border`);
- a dropped feature is left a weight of up to half opposite the other once features are dense, for a gain of 1.5% at the most;
- three features may share two dims at about 120 degrees, best of all near r = 1 for densities above about 0.54.

A feature alone in its dim costs nothing, so in two dims every minimum but the last kind is that of a pair, with the third feature alone. That no
other W is better was searched for with random starts, not proved.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tegum.features.bernoulli import Bernoulli
from tegum.shapes import Float
from tegum.theory.losses import expected_loss
from tegum.theory.optimum import local_minima
from tegum.theory.phase import one_dim_boundaries
from tegum.theory.polygons import polygon

_LEANS = 0.3, 0.03  # weights that a dropped feature starts with, opposite the other: at 0 the slope is 0 and nothing moves
_SAME = 1e-4  # a relative change of r that ends the search for a border
_CROWDED, _ALIKE = 0.4, 2.0  # three features in two dims are tried above this density, for importances within this factor of each other


class Minima(NamedTuple):
    """Local minima of the exact loss, sum over features: one a start and relative importance."""

    W: Float[Tensor, "importances starts features dims"]
    b: Float[Tensor, "importances starts features"]
    loss: Float[Tensor, "importances starts"]


def one_dim_minima(density: float, relative_importance: Float[np.ndarray, " importances"]) -> Minima:
    """Where 2 features in 1 dim, importances (1, r), end from 'extra dropped', 'first dropped' and 'antipodal', in this order of starts."""
    r = torch.as_tensor(np.asarray(relative_importance, dtype=np.float64))
    leaning = [[[1, -lean], [-lean, 1]] for lean in _LEANS]
    starts = torch.tensor([*leaning[0], *leaning[1], [0.9, -0.9]], dtype=torch.float64)
    biases = torch.tensor([[0, 0.5], [0.5, 0]] * 2 + [[0.2, 0.2]], dtype=torch.float64) * density
    ends = _minima(starts[..., None], biases, density, torch.stack((torch.ones_like(r), r), 1))
    # where a dropped feature that leans far falls into the pair, one that leans little may still have a minimum of its own, and a lower one
    far, near = ends.loss[:, :2], ends.loss[:, 2:4]
    kept = torch.cat([torch.where(near < far, 2, 0) + torch.arange(2), torch.full((len(r), 1), 4)], 1)
    at = torch.arange(len(r))[:, None]
    return Minima(*(value[at, kept] for value in ends))


def two_dim_minima(density: float, relative_importance: Float[np.ndarray, " importances"]) -> Minima:
    """Where 3 features in 2 dims, importances (1, 1, r), end: a pair and a feature alone, or, where dense and alike enough, all three together.

    The starts: the three of `one_dim_minima` for the second and the extra feature, with the first alone; the first two antipodal, with the extra
    feature alone; the first two with one dropped; all three at 120 degrees. The last is infinite where it is not tried.
    """
    r = np.asarray(relative_importance, dtype=np.float64)
    each = one_dim_minima(density, np.append(r, 1.0))
    pair, alike = Minima(*(value[:-1] for value in each)), Minima(*(value[-1, [2, 0]] for value in each))
    W = torch.zeros(len(r), 6, 3, 2, dtype=torch.float64)
    b, loss = torch.zeros(len(r), 6, 3, dtype=torch.float64), torch.full((len(r), 6), torch.inf, dtype=torch.float64)
    W[:, :3, 1:, 1:], b[:, :3, 1:], loss[:, :3] = pair.W, pair.b, pair.loss
    W[:, :3, 0, 0] = W[:, 3:5, 2, 0] = 1
    W[:, 3:5, :2, 1:], b[:, 3:5, :2], loss[:, 3:5] = alike.W, alike.b, alike.loss
    W[:, 5] = polygon(3)
    tried = torch.from_numpy((r <= _ALIKE) & (r >= 1 / _ALIKE) & (density > _CROWDED))
    if tried.any():
        weights = torch.ones(int(tried.sum()), 3, dtype=torch.float64)
        weights[:, 2] = torch.from_numpy(r)[tried]
        bias = torch.full((1, 3), 0.4 * density, dtype=torch.float64)
        crowd = _minima(0.85 * polygon(3).to(torch.float64)[None], bias, density, weights)
        W[tried, 5], b[tried, 5], loss[tried, 5] = crowd.W[:, 0], crowd.b[:, 0], crowd.loss[:, 0]
    return Minima(W, b, loss)


def pair_border(density: float) -> float:
    """Relative importance r below 1 at which an antipodal pair in 1 dim costs what dropping the extra feature costs, both with all else free.

    The other border is 1/r. Each least loss has the extra feature's error as its slope in r, so Newton's method needs no further derivative; it
    begins a tenth below the closed form's border, and goes back where no pair is a minimum. From s = 0.68 on the two minima are one, and what is
    returned is where its smaller weight passes 1/2. Raises ValueError unless 0 < density < 1.
    """
    if not 0 < density < 1:
        raise ValueError(f"density is {density}; a pair has a border for densities between 0 and 1")
    features, extra = Bernoulli(n_features=2, density=density), torch.tensor([0.0, 1.0], dtype=torch.float64)
    W = torch.tensor([[0.9, -0.9], [1, -_LEANS[0]]], dtype=torch.float64)[..., None]
    b = torch.tensor([[0.2, 0.2], [0, 0.5]], dtype=torch.float64) * density
    variance = density / 3 - density**2 / 4
    r, inside = min(1.0, 0.9 * float(one_dim_boundaries(density).lower)), 1.0
    for _ in range(12):
        weights = torch.tensor([[1.0, r]], dtype=torch.float64).expand(2, -1)
        ends, biases, loss = local_minima(W, b, features, weights, "sum")
        pair, leans = (ends.abs().amin((1, 2)) > 0.5).logical_xor(torch.tensor([False, True])).tolist()
        if not pair:  # so far down the pair is no minimum: halve the way back
            r = (r + inside) / 2
        else:
            W[0], b[0], inside = ends[0], biases[0], r
            if leans:
                W[1], b[1] = ends[1], biases[1]
            slopes = expected_loss(ends, biases, features, extra, "sum")
            # where the dropped one fell into the pair, the one with weight 0 counts
            other, slope = (loss[1], slopes[1]) if leans else (r * variance, variance)
            r = max(r - float((loss[0] - other) / (slopes[0] - slope)), r / 2)
        if abs(r - inside) < _SAME * r:
            break
    return min(inside, 1.0)


def _minima(W: Tensor, b: Tensor, density: float, weights: Tensor) -> Minima:
    """From every start at every weighting."""
    n, starts = len(weights), len(W)
    features = Bernoulli(n_features=W.shape[1], density=density)
    each = (W.expand(n, *W.shape).flatten(0, 1), b.expand(n, *b.shape).flatten(0, 1), features, weights.repeat_interleave(starts, 0))
    return Minima(*(value.unflatten(0, (n, starts)) for value in local_minima(*each, "sum")))
