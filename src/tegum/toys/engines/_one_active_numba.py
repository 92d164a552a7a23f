"""One active feature, exactly: value and gradient of its expected loss from one row of the Gram matrix, in numba.

Feature i is alone active with value u. Output j is f(y), y = G_ij u + b_j with G = W W^T, and costs I_j (own u - f(y))^2, own = 1 for j = i and 0
elsewhere. With g = d cost / dy, all that training needs is E[g u] = d cost / dG_ij and E[g] = d cost / db_j, and both are made of five
moments of u and relu(y) (`uniform`, `binary`, `signed`, `gaussian`). From the matrix C of all d cost / dG_ij the weights' gradient is (C + C^T) W.

These are the integrals behind `tegum.theory.one_active_loss` (Elhage et al. 2022, 'Mathematical understanding'), written so that no digit is lost
to a small gain: y > 0 on a share of [0, 1] that begins at `start`; there y is a line between its two rectified ends, and every moment is a sum of
positive terms. All arithmetic here is float64, without fastmath.
"""

import math

import numpy as np
from numba import njit

from tegum.toys.estimators import VALUE_MOMENTS

_STILL = 1e-100  # a Gaussian spread that moves nothing
_TINY = 1e-300  # keeps 0 / 0 away, and moves no number


@njit(error_model="numpy")
def uniform(gain, bias):
    """E relu(y)^2, E u relu(y), E relu(y), E u [y > 0], E u^2 [y > 0] for u uniform on [0, 1]."""
    end = gain + bias
    low = bias * (not bias <= 0.0)  # no number stays none, which max would hide: a training that diverges must show
    high = end * (not end <= 0.0)
    share = min(1.0, max(low, high) / (abs(gain) + _TINY))
    start = 1.0 - share if gain > 0.0 else 0.0
    middle = 0.5 * (low + high)
    return (
        share * (low * low + low * high + high * high) / 3.0,
        share * (start * middle + share * (low + 2.0 * high) / 6.0),
        share * middle,
        share * (start + 0.5 * share),
        share * (start * (start + share) + share * share / 3.0),
    )


@njit(error_model="numpy")
def binary(gain, bias):
    """The same for u = 1."""
    y = gain + bias
    above = 1.0 if y > 0.0 else 0.0
    level = above * y
    return level * level, level, level, above, above


@njit(error_model="numpy")
def signed(gain, bias):
    """The same for u = 1 and u = -1, either half the time."""
    up, down = bias + gain, bias - gain
    above, below = 1.0 if up > 0.0 else 0.0, 1.0 if down > 0.0 else 0.0
    up, down = above * up, below * down
    return (
        0.5 * (up * up + down * down),
        0.5 * (up - down),
        0.5 * (up + down),
        0.5 * (above - below),
        0.5 * (above + below),
    )


@njit(error_model="numpy")
def gaussian(gain, bias):
    """The same for standard normal u: E u relu(y) = gain P(y > 0) (Stein), the others by parts."""
    spread = abs(gain)
    if spread < _STILL:
        above = 1.0 if bias > 0.0 else 0.0
        return above * bias * bias, above * gain, above * bias, 0.0, above
    z = bias / spread
    above = 0.5 * math.erfc(-z * math.sqrt(0.5))
    bell = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return (
        (bias * bias + gain * gain) * above + bias * spread * bell,
        gain * above,
        bias * above + spread * bell,
        math.copysign(bell, gain),
        above - z * bell if bell > 0.0 else above,
    )


MOMENTS = {"uniform": uniform, "binary": binary, "signed": signed, "gaussian": gaussian}


def slopes_of(values):
    """The gradient for one kind of values, as a numba function that other kernels may call; it is compiled when it is first called.

    It adds `scale` times E[g u] of every output to `to_gains` and E[g] to `to_bias`, for a ReLU output and feature `active` alone on.
    `gains` is row `active` of W W^T. The cost of the feature's own output, E u^2 - 2 E u relu(y) + E relu(y)^2, has two terms that the others lack.
    """
    moments = MOMENTS[values]

    @njit(error_model="numpy", nogil=True)
    def add(active, gains, bias, importance, scale, to_gains, to_bias):
        for j in range(len(gains)):
            _, weighted, mean, _, _ = moments(np.float64(gains[j]), np.float64(bias[j]))
            pays = 2.0 * scale * np.float64(importance[j])
            to_gains[j] += pays * weighted
            to_bias[j] += pays * mean
        _, _, _, first, second = moments(np.float64(gains[active]), np.float64(bias[active]))
        pays = 2.0 * scale * np.float64(importance[active])
        to_gains[active] -= pays * second
        to_bias[active] -= pays * first

    return add


def value_of(values):
    """The expected loss for one kind of values, summed over outputs: a numba function of (active, gains, bias, importance) as in `slopes_of`."""
    moments, second = MOMENTS[values], VALUE_MOMENTS[values][1]

    @njit(error_model="numpy", nogil=True)
    def value(active, gains, bias, importance):
        total = 0.0
        for j in range(len(gains)):
            square, _, _, _, _ = moments(np.float64(gains[j]), np.float64(bias[j]))
            total += np.float64(importance[j]) * square
        _, weighted, _, _, _ = moments(np.float64(gains[active]), np.float64(bias[active]))
        return total + np.float64(importance[active]) * (second - 2.0 * weighted)

    return value
