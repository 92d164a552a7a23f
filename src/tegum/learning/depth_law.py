"""Depth law: how many dims a reader of L layers needs, if it is the best of its kind, by state evolution.

An entry is first seen through noise of variance tau_0^2 = k/d, and a layer of message passing brings tau^2 to (N/d) error(tau^2). The last layer
cuts at Bayes's threshold t = 1/2 + tau^2 ln((N-k)/k), so that with tau = tau_{L-1}

    P(all right) = (1 - Q((1-t)/tau))^k (1 - Q(t/tau))^(N-k).

No iteration of products with an i.i.d. dictionary and functions of single entries has less error after as many products than Bayes-AMP (Celentano,
Montanari & Wu 2020, 'The estimation error of general first order methods'): for large N the curve of the posterior mean is what training could
reach at most. That of soft thresholds takes the best one at every layer, which is best for all later ones, since error rises with tau^2.
One layer is the one-step threshold; ever more come down to `bayes_dims`, and to `lasso_dims`.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import log_ndtr, ndtr

from tegum import theory
from tegum.checks import check_count
from tegum.theory._counts import Real, between, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import rising_root

_LEAST = 1e-12  # of tau^2: below it everything is read


def depth_success(d: Numbers, n: int, k: int, depth: int | Sequence[int], *, denoiser: str = "posterior") -> Real:
    """The chance that `depth` layers read all n features right; d and depth broadcast.

    Raises ValueError unless d > 0 and 1 <= k < n, and for an unknown denoiser.
    """
    return np.exp(_log_success(*_sizes(positive("d", d), depth, denoiser), n, k, denoiser))[()]


def depth_dims(n: int, k: int, depth: int | Sequence[int], *, success: float = 0.5, denoiser: str = "posterior") -> Real:
    """The dims at which `depth` layers read all right with chance `success`. Raises ValueError as `depth_success` does, unless 0 < success < 1."""
    goal = np.log(between("success", success))
    guess, layers = _sizes(np.asarray(4 * k * np.log(n)), depth, denoiser)
    return rising_root(lambda d: _log_success(d, layers, n, k, denoiser) - goal, guess)


def _sizes(d: np.ndarray, depth: int | Sequence[int], denoiser: str) -> tuple[np.ndarray, np.ndarray]:
    layers = np.asarray(depth)
    for one in layers.ravel().tolist():
        check_count("depth", one)
    if denoiser not in _ERRORS:
        raise ValueError(f"denoiser is {denoiser!r}; it must be one of {', '.join(_ERRORS)}")
    found, layers = np.broadcast_arrays(d, layers)
    return found.astype(np.float64), layers


def _log_success(d: Real, layers: np.ndarray, n: int, k: int, denoiser: str) -> Real:
    variance = k / np.asarray(d)
    at_end = variance
    for layer in range(2, int(layers.max()) + 1):
        variance = np.maximum(n / d * _ERRORS[denoiser](variance, n, k), _LEAST)
        at_end = np.where(layers == layer, variance, at_end)
    tau, threshold = np.sqrt(at_end), theory.bayes_threshold(k / n, at_end)
    return k * log_ndtr((1 - threshold) / tau) + (n - k) * log_ndtr(threshold / tau)


def _posterior(variance: Real, n: int, k: int) -> Real:
    return theory.mmse("binary", k / n, variance)


def _soft(variance: Real, n: int, k: int) -> Real:
    """At the alpha where its slope is 0: k E[(alpha - g)_{g > alpha - 1/tau}] = (n - k) E[(g - alpha)_+]."""
    value = 1 / np.sqrt(variance)

    def slope(alpha: Real) -> Real:
        active = alpha * ndtr(value - alpha) - _normal(alpha - value)
        return k * active - (n - k) * (_normal(alpha) - alpha * ndtr(-alpha))

    alpha = rising_root(slope, np.full(np.shape(value), math.sqrt(2 * math.log(n / k) + 1)))
    return theory.soft_threshold_error("binary", k / n, variance, alpha)


def _normal(u: Real) -> Real:
    return np.exp(-u * u / 2) / math.sqrt(2 * math.pi)


_ERRORS = {"posterior": _posterior, "soft": _soft}
