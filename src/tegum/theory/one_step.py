"""One-step decoders: how many dims a threshold or a top-k on the correlations of x with each direction needs.

x is the sum of k of N directions in d dims. A direction's correlation with x is nearly N(1, (k-1)/d) when its feature is active and N(0, k/d)
when not, and nearly independent of the others. With Q the normal tail and eta = ln k / ln N:

- threshold at 1/2: P(all right) = (1 - Q(sqrt(d/(k-1))/2))^k (1 - Q(sqrt(d/k)/2))^(N-k); for large N it is safe from d = 8 k ln N on;
- top-k: P(the smallest of k actives exceeds the largest of N-k others); for large N from d = (2 + 4 sqrt(eta) + 2 eta) k ln N on;
- Bayes's threshold 1/2 + tau^2 ln((N-k)/k), tau^2 = k/d, the best one for each feature alone;
- noise of standard deviation s in each dim adds s^2 to every variance: a direction has length 1. Then no number of dims may be enough: inf;
- top-k by the rows of the pseudo-inverse (linear probes): they read features by a projection of rank d in N dims, whose diagonal is c = d/N on
  average and whose other entries have the mean square c (1 - c) / N. Over c^2 interference is (k/d) (1 - c): as for a matched filter in d / (1 -
  c) dims.

Two things are approximate. Lengths of i.i.d. Gaussian directions vary, so that an active correlation has variance (k+1)/d there; and correlations
share the length of x. Where the formula gives top-k 50%, decoding reads 44% of Gaussian and 56% of unit directions right at N = 256, k = 8 (d =
135), 47% and 51% at N = 4096, k = 16 (d = 448). The formula lies between, 7 dims or less from either. The threshold's errs by 1% and 3%, or 1 and
8 dims.

Source: Gadzinski, *When Numbers Are Bits*, on matched filters, and its follow-up for top-k.
"""

from collections.abc import Callable

import numpy as np

from tegum.theory import _special as special
from tegum.theory._counts import Real, between, counts, noise_variance, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import rising_root

# trapezoids in x = ln v for an integral of exp(-v) over v > 0: what is left out below and above is under 1e-16
_V = np.exp(np.arange(-37.0, 3.7, 0.1))
_WEIGHT = _V * np.exp(-_V) / np.sum(_V * np.exp(-_V))


def threshold_success(d: Numbers, n: Numbers, k: Numbers, noise_std: Numbers = 0.0) -> Real:
    """The chance that a threshold at 1/2 reads all n features right. Raises ValueError unless d > 0, 1 <= k <= n and noise_std >= 0."""
    _, k, rest = counts(n, k)
    return np.exp(_log_threshold(positive("d", d), k, rest, noise_variance(noise_std)))[()]


def threshold_dims(n: Numbers, k: Numbers, success: Numbers = 0.5, noise_std: Numbers = 0.0) -> Real:
    """The dims, a real number, at which a threshold at 1/2 reads all right with chance `success`.

    0 where guessing does as well already. Raises ValueError unless 1 <= k <= n, 0 < success < 1 and noise_std >= 0.
    """
    n, k, rest = counts(n, k)
    goal, noise = np.log(between("success", success)), noise_variance(noise_std)
    return _dims(lambda d: _log_threshold(d, k, rest, noise) - goal, n, k, goal, noise)


def threshold_dims_asymptotic(n: Numbers, k: Numbers) -> Real:
    """8 k ln n: enough for every filter at once as n grows, by the union bound."""
    n, k, _ = counts(n, k)
    return (8 * k * np.log(n))[()]


def topk_success(d: Numbers, n: Numbers, k: Numbers, noise_std: Numbers = 0.0) -> Real:
    """The chance that the k largest correlations are those of the k active features.

    Raises ValueError unless d > 0, 1 <= k <= n and noise_std >= 0.
    """
    _, k, rest = counts(n, k)
    return _topk(positive("d", d), k, rest, noise_variance(noise_std))[()]


def topk_dims(n: Numbers, k: Numbers, success: Numbers = 0.5, noise_std: Numbers = 0.0) -> Real:
    """The dims at which top-k is right with chance `success`; 0 where k = n, when there is nothing to tell apart, or where guessing does.

    Raises ValueError unless 1 <= k <= n, 0 < success < 1 and noise_std >= 0.
    """
    n, k, rest = counts(n, k)
    goal, noise = between("success", success), noise_variance(noise_std)
    return _dims(lambda d: _topk(d, k, rest, noise) - goal, n, k, goal, noise)


def probes_success(d: Numbers, n: Numbers, k: Numbers) -> Real:
    """The chance that top-k of the pseudo-inverse's rows with x is right; 1 from d = n on. Raises ValueError unless d > 0 and 1 <= k <= n."""
    n, k, rest = counts(n, k)
    d = positive("d", d)
    left = np.maximum(1 - d / n, 0.0)
    return np.where(left > 0, _topk(d / np.where(left > 0, left, 1.0), k, rest, np.float64(0.0)), 1.0)[()]


def probes_dims(n: Numbers, k: Numbers, success: Numbers = 0.5) -> Real:
    """The dims at which top-k of the pseudo-inverse's rows is right with chance `success`: D / (1 + D / n), D top-k's. Raises as `topk_dims`."""
    need = topk_dims(n, k, success)
    return need / (1 + need / np.asarray(n, dtype=np.float64))


def topk_dims_asymptotic(n: Numbers, k: Numbers) -> Real:
    """(2 + 4 sqrt(eta) + 2 eta) k ln n, eta = ln k / ln n: where top-k begins to succeed as n grows."""
    n, k, _ = counts(n, k)
    return (2 * k * (np.sqrt(np.log(n)) + np.sqrt(np.log(k))) ** 2)[()]


def filter_error(d: Numbers, k: Numbers) -> Real:
    """The chance that the filter of an inactive feature passes 1/2: Q(sqrt(d/k)/2)."""
    return special.ndtr(-np.sqrt(positive("d", d) / positive("k", k)) / 2)[()]


def filter_error_bound(d: Numbers, k: Numbers) -> Real:
    """exp(-d / 8k), Chernoff's bound on the error of one filter; it holds for +-1 directions too, at every d and k."""
    return np.exp(-positive("d", d) / (8 * positive("k", k)))[()]


def bayes_threshold(density: Numbers, variance: Numbers) -> Real:
    """Where r = z + tau g is as likely to come from z = 1 as from 0: 1/2 + tau^2 ln((1-p)/p), `variance` = tau^2, z = 1 with chance p."""
    p = between("density", density)
    return (0.5 + positive("variance", variance) * (np.log1p(-p) - np.log(p)))[()]


def bayes_threshold_success(d: Numbers, n: Numbers, k: Numbers, noise_std: Numbers = 0.0) -> Real:
    """The chance that Bayes's threshold reads all n features right. Raises ValueError unless d > 0, 1 <= k < n and noise_std >= 0."""
    n, k, rest = _some_off(n, k)
    return np.exp(_log_threshold(positive("d", d), k, rest, noise_variance(noise_std), np.log(rest / k)))[()]


def bayes_threshold_dims(n: Numbers, k: Numbers, success: Numbers = 0.5, noise_std: Numbers = 0.0) -> Real:
    """The dims at which Bayes's threshold reads all right with chance `success`; at k = 1 it jumps to that where the threshold falls below 1.

    Raises ValueError unless 1 <= k < n, 0 < success < 1 and noise_std >= 0.
    """
    n, k, rest = _some_off(n, k)
    goal, noise = np.log(between("success", success)), noise_variance(noise_std)
    return _dims(lambda d: _log_threshold(d, k, rest, noise, np.log(rest / k)) - goal, n, k, goal, noise)


def _some_off(n: Numbers, k: Numbers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    whole, part, rest = counts(n, k)
    if not np.all(rest > 0):
        raise ValueError(f"k must be from 1 to n - 1, got n={n} and k={k}")
    return whole, part, rest


def _log_threshold(d: Real, k: Real, rest: Real, noise: Real, against: Real | float = 0.0) -> Real:
    """Of a threshold at 1/2 + tau^2 `against`."""
    variance = k / d + noise
    threshold = 0.5 + variance * against
    others, gap = (k - 1) / d + noise, 1 - threshold
    alone = others == 0  # one active feature has no noise: it passes any threshold below 1, and one at 1 half the time
    active = np.where(alone, np.where(gap == 0, 0.0, np.copysign(np.inf, gap)), gap / np.sqrt(np.where(alone, 1.0, others)))
    return k * special.log_ndtr(active) + rest * special.log_ndtr(threshold / np.sqrt(variance))


def _topk(d: Real, k: Real, rest: Real, noise: Real) -> np.ndarray:
    """Both groups reach towards each other across a gap of 1. v = -ln(chance that one group's extreme falls short of its place) is Exp(1).

    Integrating over the extreme that varies less (s / sqrt(2 ln count) or so) leaves the other group's chance, which turns slowly in ln v:
    trapezoids converge geometrically.
    """
    d, k, rest, noise = np.broadcast_arrays(d, k, rest, noise)
    actives, others = np.sqrt((k - 1) / d + noise), np.sqrt(k / d + noise)
    steadier = actives / np.sqrt(1 + 2 * np.log(k)) < others / np.sqrt(1 + 2 * np.log(np.maximum(rest, 1)))
    own, other = np.where(steadier, k, rest), np.where(steadier, rest, k)
    spread, facing = np.where(steadier, actives, others), np.where(steadier, others, actives)
    some = own > 0
    reach = spread[..., None] * special.ndtri_exp(-_V / np.where(some, own, 1.0)[..., None])
    chance = np.exp(other[..., None] * special.log_ndtr((1 - reach) / facing[..., None])) @ _WEIGHT
    return np.where(some, np.minimum(chance, 1.0), 1.0)


def _dims(function: Callable[[Real], Real], n: Real, k: Real, goal: Real, noise: Real) -> Real:
    guess = np.broadcast_arrays(4 * k * np.log(n + 1), goal, noise)[0]
    return rising_root(function, guess)
