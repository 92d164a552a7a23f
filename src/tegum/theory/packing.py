"""How many unit vectors fit in d dims with every |cosine| below eps: what random ones reach, and what none can.

The cosine c of two random directions is that of one with a fixed axis: c^2 ~ Beta(1/2, (d-1)/2), or (c + 1)/2 ~ Beta((d-1)/2, (d-1)/2), of
standard deviation 1/sqrt(d), and P(|c| >= eps) falls about as exp(-d eps^2 / 2). So

- n random directions clear eps with chance 1 - n (n-1)/2 P or more: n grows as exp(d eps^2 / 4);
- directions taken one after another where there is room left number 1/P at least (Gilbert): exp(d eps^2 / 2), squared;
- none clear it beyond Welch's bounds. For real vectors the mean of c^(2s) over all pairs, i = j too, is at least (2s-1)!! / (d (d+2) ...
  (d+2s-2)), by which sum over i != j is at least what that leaves; order 1 is the rank bound n <= d (1 - eps^2) / (1 - d eps^2). Below
  1/sqrt(d) there are no more than d (d+1) / 2 (the orthoplex bound);
- as d grows, ln(n) / d is at most Kabatjanskii and Levenstein's exponent.

Source: Welch 1974; Sidelnikov 1974 (the real constants); Conway, Hardin & Sloane 1996 (orthoplex); Kabatjanskii & Levenstein 1978; Elhage
et al. 2022, on almost orthogonal vectors.
"""

import math

import numpy as np

from tegum.theory import _special as special
from tegum.theory._counts import Real, between
from tegum.theory._numbers import Numbers
from tegum.theory._roots import rising_root

ORDERS = np.unique(np.round(np.concatenate((np.arange(1, 65), np.geomspace(64, 1e8, 300)))))  # of Welch's bounds: the best is near d eps^2
SHALLOW = math.log(1e-250)  # a chance above it is left to the beta function
_S, _S_WEIGHT = np.polynomial.laguerre.laggauss(20)


def cosine_tail(d: Numbers, eps: Numbers) -> Real:
    """P(|cosine| >= eps) of two random directions. Raises ValueError unless d >= 2 and 0 < eps < 1."""
    return np.exp(log_cosine_tail(d, eps))


def log_cosine_tail(d: Numbers, eps: Numbers) -> Real:
    """ln P(|cosine| >= eps), also where that is smaller than any float. Raises ValueError unless d >= 2 and 0 < eps < 1."""
    return _log_tail(_dims(d), between("eps", eps))


def cosine_quantile(d: Numbers, chance: Numbers) -> Real:
    """The eps that |cosine| of two random directions reaches with `chance`. Raises ValueError unless d >= 2 and 0 < chance < 1."""
    return np.sqrt(special.betainccinv(0.5, (_dims(d) - 1) / 2, between("chance", chance)))


def random_coherence(n: Numbers, d: Numbers, success: Numbers = 0.5) -> Real:
    """The eps that all |cosines| of n random directions stay below with chance `success` at least, by the union bound.

    Raises ValueError unless n >= 2, d >= 2 and 0 < success < 1.
    """
    n = _vectors(n)
    a, log_chance = np.broadcast_arrays((_dims(d) - 1) / 2, np.log1p(-between("success", success)) - np.log(n) - np.log((n - 1) / 2))
    deep = rising_root(lambda nats: log_chance - _log_deep(a, nats), -log_chance / a)
    quantile = np.sqrt(special.betainccinv(0.5, a, np.exp(np.maximum(log_chance, SHALLOW))))
    return np.where(log_chance > SHALLOW, quantile, np.sqrt(-np.expm1(-deep)))[()]


def coherence_bound(n: Numbers, d: Numbers) -> Real:
    """What the largest |cosine| of n unit vectors in d dims is at least: the best of Welch's bounds and the orthoplex bound; 0 up to n = d.

    Raises ValueError unless n >= 2 and d >= 2.
    """
    n = _vectors(n)
    n, d = np.broadcast_arrays(n, _dims(d))
    with np.errstate(over="ignore"):
        excess = np.maximum((n[..., None] * np.exp(_log_moments(d)) - 1) / (n[..., None] - 1), 0.0)
    welch = np.max(excess ** (0.5 / ORDERS), axis=-1)
    return np.maximum(welch, np.where(n > d * (d + 1) / 2, 1 / np.sqrt(d), 0.0))[()]


def log_random_packing(d: Numbers, eps: Numbers, success: Numbers = 0.5) -> Real:
    """ln n for the n random directions that all clear eps with chance `success` at least. Raises ValueError as `log_cosine_tail` does."""
    log_pairs = np.log1p(-between("success", success)) - log_cosine_tail(d, eps)
    return np.logaddexp(-math.log(2), np.logaddexp(-math.log(4), math.log(2) + log_pairs) / 2)


def log_greedy_packing(d: Numbers, eps: Numbers) -> Real:
    """ln n for the n directions that are always there to find: -ln P(|cosine| >= eps). Raises ValueError as `log_cosine_tail` does."""
    return -log_cosine_tail(d, eps)


def log_packing_bound(d: Numbers, eps: Numbers) -> Real:
    """ln n that no directions with all |cosines| at or below eps exceed; inf where none of the bounds speaks.

    Raises ValueError unless d >= 2 and 0 < eps < 1.
    """
    d, eps = np.broadcast_arrays(_dims(d), between("eps", eps))
    log_moment, log_power = _log_moments(d), 2 * ORDERS * np.log(eps)[..., None]
    gap = np.exp(np.minimum(log_power - log_moment, 0.0))
    with np.errstate(divide="ignore"):
        welch = np.log(-np.expm1(log_power)) - log_moment - np.log1p(-gap)
    orthoplex = np.where(eps < 1 / np.sqrt(d), np.log(d * (d + 1) / 2), np.inf)
    return np.minimum(np.min(welch, axis=-1), orthoplex)[()]


def random_packing_dims(n: Numbers, eps: Numbers, success: Numbers = 0.5) -> Real:
    """The dims in which n random directions all clear eps with chance `success` at least. Raises ValueError unless n >= 2 and 0 < eps < 1."""
    n = _vectors(n)
    return _needed(np.log(n) + np.log((n - 1) / 2) - np.log1p(-between("success", success)), between("eps", eps))


def greedy_packing_dims(n: Numbers, eps: Numbers) -> Real:
    """The dims in which n directions that clear eps are always there to find. Raises ValueError unless n >= 2 and 0 < eps < 1."""
    n = _vectors(n)
    return _needed(np.log(n), between("eps", eps))


def kabatjanskii_levenstein_exponent(eps: Numbers) -> Real:
    """What ln(n) / d can not exceed as d grows, for unit vectors with all |cosines| at or below eps. Raises ValueError unless 0 < eps < 1."""
    eps = between("eps", eps)
    sine = np.sqrt((1 - eps) * (1 + eps))
    more, less = (1 + sine) / (2 * sine), eps**2 / (2 * sine * (1 + sine))
    return (more * np.log(more) - less * np.log(less))[()]


def _vectors(n: Numbers) -> np.ndarray:
    n = np.asarray(n).astype(np.float64)
    if not np.all(n >= 2):
        raise ValueError(f"n must be at least 2, got {n}")
    return n


def _dims(d: Numbers) -> np.ndarray:
    d = np.asarray(d, dtype=np.float64)
    if not np.all(d >= 2):
        raise ValueError(f"d must be at least 2, got {d}")
    return d


def _log_moments(d: np.ndarray) -> np.ndarray:
    """ln of (2s-1)!! / (d (d+2) ... (d+2s-2)), the mean of c^(2s) over random directions, for each order: a ratio of two beta functions."""
    rest = (d[..., None] - 1) / 2
    return special.betaln(ORDERS + 0.5, rest) - special.betaln(0.5, rest)


def _log_tail(d: Real, eps: Real) -> Real:
    """With a = (d-1)/2, P is the integral of t^(a-1) (1-t)^(-1/2) below 1 - eps^2, over B(a, 1/2); deep down by t = (1 - eps^2) e^(-s/a)."""
    d, eps = np.broadcast_arrays(d, eps)
    a, square = (d - 1) / 2, eps**2
    tail = special.betaincc(0.5, a, square)
    return np.where(tail > np.exp(SHALLOW), np.log(np.maximum(tail, 1e-300)), _log_deep(a, -np.log1p(-square)))[()]


def _log_deep(a: Real, nats: Real) -> Real:
    """By `nats` = -ln(1 - eps^2), far from P = 1."""
    a, nats = np.asarray(a), np.asarray(nats)
    rest = -np.expm1(-nats)[..., None] - np.exp(-nats)[..., None] * np.expm1(-_S / a[..., None])
    return -a * nats - np.log(a) - special.betaln(a, 0.5) + np.log(rest**-0.5 @ _S_WEIGHT)


def _needed(nats: Real, eps: Real) -> Real:
    """The d at which P(|cosine| >= eps) is exp(-nats)."""
    nats, eps = np.broadcast_arrays(nats, eps)
    return 1 + rising_root(lambda more: -_log_tail(1 + more, eps) - nats, 2 * nats / eps**2)
