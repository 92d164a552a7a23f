"""Five features in two dims, one rarer than the rest: a pentagon, or two digons without the rare one.

Importance 1, U[0,1] values; four features have density p, the first q = p / ratio. Two families of local minima of the exact loss compete, both in
the 'sum' normalisation:

- the pentagon, which bends around the rare feature, has no closed form: it is followed from a regular one by `local_minima`;
- two digons at right angles leave the rare feature out. Neither pair sees the other, so they cost twice `best_polygon(2, p)`, and the rare feature
  its variance q/3 - q^2/4, or its second moment q/3 where its output is *silent*: at any bias below 0 the ReLU passes no slope, and training,
  which comes from the pentagon's negative biases, ends there.

Each loss is of degree 1 in q while W and b are held, so a family's slope in q is the loss at q = 1 less the loss at q = 0 (the envelope theorem),
and Newton's method finds where the two cross.

Source: Elhage et al. 2022, 'The geometry of superposition', on non-uniform superposition.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tegum.features.bernoulli import Bernoulli
from tegum.shapes import Float
from tegum.theory._numbers import Array, Numbers
from tegum.theory.losses import expected_loss
from tegum.theory.optimum import local_minima
from tegum.theory.polygons import best_polygon, polygon

FEATURES = 5
_STRIDE = 2.0  # the most by which q changes at once, or the pentagon may be lost sight of
_CLOSE, _ROUNDS = 1e-7, 60  # a relative change of q that ends the search for a crossing, and the most rounds of it


class Pentagons(NamedTuple):
    """The pentagon at each ratio and its exact loss, a sum over features; NaN from where it is no local minimum."""

    W: Float[Tensor, "ratios features dims"]
    b: Float[Tensor, "ratios features"]
    loss: Float[Tensor, " ratios"]


class ByRareOutput(NamedTuple):
    """One number for either bias of a rare feature that is left out: its output at the feature's mean, or silent."""

    mean: Array
    silent: Array


def one_rarer(density: float, ratio: float) -> Bernoulli:
    """The five features, the first `ratio` times as rare as the others."""
    return _features(density, density / ratio)


def two_digons_loss(density: float, ratio: Numbers) -> ByRareOutput:
    """Exact loss, summed over features, of two digons with the rare feature left out; broadcasts over `ratio`."""
    pairs, q = 2 * best_polygon(2, density).loss, density / np.asarray(ratio, dtype=np.float64)
    return ByRareOutput(pairs + q / 3 - q**2 / 4, pairs + q / 3)


def bent_pentagons(density: float, ratios: Sequence[float]) -> Pentagons:
    """The pentagon at each ratio, followed from the regular one at ratio 1. Raises ValueError unless the ratios ascend, from 1 or more."""
    if not ratios or ratios[0] < 1 or list(ratios) != sorted(ratios):
        raise ValueError(f"ratios are {', '.join(f'{r:g}' for r in ratios)}; they must ascend, from 1 or more")
    found = Pentagons(*(torch.full((len(ratios), *shape), torch.nan, dtype=torch.float64) for shape in ((FEATURES, 2), (FEATURES,), ())))
    at, (W, b), loss = 1.0, _regular(), found.loss
    for i, ratio in enumerate(ratios):
        strides = max(1, int(np.ceil(np.log(ratio / at) / np.log(_STRIDE))))
        for between in np.geomspace(at, ratio, strides + 1)[1:]:
            W, b, loss = local_minima(W, b, one_rarer(density, between), reduction="sum")
            if not _all_there(W):
                return found
        found.W[i], found.b[i], found.loss[i], at = W[0], b[0], loss[0], ratio
    return found


def digon_crossings(density: float) -> ByRareOutput:
    """The ratio from which two digons cost less than the pentagon: below 1 for dense features, NaN where the pentagon ends before.

    Raises ValueError unless 0 < density < 1.
    """
    if not 0 < density < 1:
        raise ValueError(f"density is {density}; the two cross for densities between 0 and 1")
    pairs, q, (W, b) = 2 * best_polygon(2, density).loss, density, _regular()
    found = []
    for silent in (False, True):  # the second lies a little beyond the first
        W, b, q = _crossing(W, b, density, q, pairs, silent=silent)
        found.append(density / q)
    return ByRareOutput(*(np.asarray(ratio) for ratio in found))


def _crossing(W: Tensor, b: Tensor, density: float, q: float, pairs: float, *, silent: bool) -> tuple[Tensor, Tensor, float]:
    """The pentagon at the crossing and the rare feature's density there, NaN where a feature of the pentagon is lost on the way."""
    for _ in range(_ROUNDS if q > 0 else 0):
        W, b, loss = local_minima(W, b, _features(density, q), reduction="sum")
        if not _all_there(W):
            break
        on, off = (float(expected_loss(W[0], b[0], _features(density, certain), reduction="sum")) for certain in (1.0, 0.0))
        left_out, slope = (q / 3, 1 / 3) if silent else (q / 3 - q**2 / 4, 1 / 3 - q / 2)
        newton = q - (float(loss[0]) - pairs - left_out) / (on - off - slope)
        before, q = q, min(max(newton, q / _STRIDE), q * _STRIDE, 1.0)
        if abs(q - before) < _CLOSE * q:
            return W, b, q
    return W, b, float("nan")


def _regular() -> tuple[Tensor, Tensor]:
    return 1.1 * polygon(FEATURES)[None], torch.full((1, FEATURES), -0.2, dtype=torch.float64)


def _all_there(W: Tensor) -> bool:
    return bool((W.norm(dim=-1) > 0.5).all())


def _features(density: float, rare: float) -> Bernoulli:
    return Bernoulli(n_features=FEATURES, density=[rare, *[density] * (FEATURES - 1)])
