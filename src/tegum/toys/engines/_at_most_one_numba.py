"""What at most one active feature adds to the gradient, exactly, for the compiled engine: the closed form beside the weighted samples.

With G = W W^T and A as in `_gram_numba`, feature i alone on adds P(only i) E[g u] to row i of A and P(only i) E[g] to the bias's gradient
(`_one_active_numba`); a linear output needs E u and E u^2 alone. Nothing active adds P(none) 2 I relu(b) / n.
"""

from typing import NamedTuple

import numpy as np

from tegum._kernel_numba import inner
from tegum.toys.engines._one_active_numba import slopes_of, value_of

_slopes = tuple(slopes_of(values) for values in ("uniform", "binary", "signed", "gaussian"))
_values = tuple(value_of(values) for values in ("uniform", "binary", "signed", "gaussian"))
_uniform, _binary, _signed, _gaussian = _slopes
_of_uniform, _of_binary, _of_signed, _of_gaussian = _values


class Exactly(NamedTuple):
    """The strata of each distribution (`tegum.toys.estimators.Strata`), a row each."""

    silent: np.ndarray  # (distributions,) float64
    alone: np.ndarray  # distributions, features: float64
    weights: np.ndarray  # distributions, features + 1: float32
    mean: np.ndarray  # (distributions,) float64: E u
    square: np.ndarray  # (distributions,) float64: E u^2


@inner
def add_at_most_one(exactly, which, kind, gram, b, importance, gb, n, rectified):
    """Add to A and to the bias's gradient."""
    width, silent = gram.width, exactly.silent[which]
    for j in range(n):
        y = np.float32(0) if rectified and b[j] <= 0 else b[j]
        gb[j] += 2 * silent * importance[j] * y / n
    for i in range(n):
        gains, to_gains, scale = gram.G[i * width : i * width + n], gram.A[i * width : i * width + n], exactly.alone[which, i] / n
        if not rectified:
            _linear(i, gains, b, importance, scale, exactly.mean[which], exactly.square[which], to_gains, gb)
        elif kind == 0:
            _uniform(i, gains, b, importance, scale, to_gains, gb)
        elif kind == 1:
            _binary(i, gains, b, importance, scale, to_gains, gb)
        elif kind == 2:
            _signed(i, gains, b, importance, scale, to_gains, gb)
        else:
            _gaussian(i, gains, b, importance, scale, to_gains, gb)


@inner
def _linear(active, gains, b, importance, scale, mean, square, to_gains, to_bias):
    for j in range(len(gains)):
        pays, own = 2 * scale * importance[j], (1.0 if j == active else 0.0)
        gain = gains[j] - own
        to_gains[j] += pays * (square * gain + mean * b[j])
        to_bias[j] += pays * (mean * gain + b[j])


@inner
def loss_of_at_most_one(exactly, which, kind, gram, b, importance, n, rectified):
    """Its part of the loss."""
    width, loss = gram.width, 0.0
    for j in range(n):
        y = np.float32(0) if rectified and b[j] <= 0 else b[j]
        loss += exactly.silent[which] * importance[j] * y * y
    for i in range(n):
        gains, here = gram.G[i * width : i * width + n], 0.0
        if not rectified:
            for j in range(n):
                gain = gains[j] - (1.0 if j == i else 0.0)
                here += importance[j] * (exactly.square[which] * gain * gain + 2 * exactly.mean[which] * gain * b[j] + b[j] * b[j])
        elif kind == 0:
            here = _of_uniform(i, gains, b, importance)
        elif kind == 1:
            here = _of_binary(i, gains, b, importance)
        elif kind == 2:
            here = _of_signed(i, gains, b, importance)
        else:
            here = _of_gaussian(i, gains, b, importance)
        loss += exactly.alone[which, i] * here
    return loss / n


@inner
def keep_two(batch, rows, weights):
    """Leave out the rows with fewer than two active, and weigh the others. Returns how many are left."""
    stop, row, feature, value = batch.stop, batch.row, batch.feature, batch.value
    kept, at, start = 0, 0, stop[0]
    for r in range(rows):
        end = stop[r + 1]
        active = end - start
        if active >= 2:
            for e in range(start, end):
                row[at], feature[at], value[at] = kept, feature[e], value[e]
                at += 1
            batch.weight[kept] = weights[active]
            kept += 1
            stop[kept] = at
        start = end
    return kept
