"""How many dims linear access takes: what none can do with less, what random directions do with more, and what their best probes do typically.

A and B read k of n features within eps < 1 (`linear_access`): every row of G = B A^T - I has k largest |entries| that sum to eps at most. Scale each
row of B until M = B A^T has ones on its diagonal. Then the k largest |entries| beside it sum to s = k eps / (k - eps) at most (equality: all of
them are t = s/k, and feature i's own reading falls as short as the others add).

**Below.** The rows with such a k-norm are the hull of +-s e_j and of s/k (+-1, ..., +-1), so sum_j M_ij^2p <= max(s^2p, (n - 1) t^2p) beside the
diagonal. The p-th powers of M's entries are a matrix of rank R = C(d + p - 1, p) or less (inner products of p-fold symmetric tensors) with trace
n, and |trace|^2 <= rank * |.|_F^2:

    C(d + p - 1, p) >= n / (1 + max(s^2p, (n - 1) t^2p)),        p = 1, 2, ...

At p = 1, d >= n / (1 + (n - 1) t^2), nearly (k/eps - 1)^2 for many features, which an equiangular tight frame reaches, read by itself; higher p bring
the logarithm of n (Alon 2003, 'Problems and results in extremal combinatorics', lemma 9.1). No condition on eps is needed.

**Above.** k cosines of a direction with independent random ones sum to r or more with chance exp(-d r^2 / 2k) at most, for moments of a cosine
are below those of a Gaussian of variance 1/d. If no k of them, signed, sum beyond s, and no k - 1 beyond s (k - 1) / k, then the directions
themselves, scaled by 1 / (1 + t), read within eps: by the union bound over n C(n - 1, k) 2^k sums and those of k - 1. That is O(k^2 log n / eps^2).

**Typically.** For random directions the best probe's t follows from Gordon's comparison: b has reading 1 along its own direction and a part of length
u across it, its readings of the others are Gaussian of variance (1 + u^2) / d, and that part can take away what exceeds t as far as its length goes,
sum_j (|r_j| - t)_+^2 <= u^2. With G(tau) = E (g - tau)_+^2 and t = eps / (k - eps) that takes

    d = min over tau of K tau^2 + 2 (n - 1) G(tau),        K = (k / eps - 1)^2.

That is but for K the number of dims from which l1 reads K signed features (`lasso_dims`): one linear look at k features costs what l1 asks for
the square of k. It is a law for large d and n - d, of the typical feature; the worst of n is a little worse. Gordon's b may have any length across
its direction, but no cosine is above 1: the direction itself reads with t = 1 at most, so k = 1 never costs more than 1/2. And near n dims the law
falls below what no probes can beat (its n - 1 dims read without error, which takes rank n): there the bound below is told instead.

Source: Garg, Kleinberg & Peng, 'How many features can a language model store under the linear representation hypothesis?', theorems 2 and 3 (orders,
without constants); Gordon 1988; Thrampoulidis, Oymak & Hassibi 2015 (the comparison is tight for convex problems).
"""

import math

import numpy as np

from tegum.features._subset_bits import subset_bits
from tegum.theory import _special as special
from tegum.theory._counts import Real, between, counts, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import rising_root
from tegum.theory._tails import tail
from tegum.theory.l1 import _best_tau, _dims_per_active
from tegum.theory.packing import random_packing_dims

ORDERS = np.unique(np.round(np.concatenate((np.arange(1, 65), np.geomspace(64, 1e5, 200)))))

ROUNDING = 1e-9


def access_dims_bound(n: Numbers, k: Numbers, eps: Numbers) -> Real:
    """Whole dims without which no A and B read k of n features within eps, whatever they are. ValueError unless 2 <= n, 1 <= k <= n, 0 < eps < 1."""
    n, k, eps = _sizes(n, k, eps)
    with np.errstate(over="ignore", divide="ignore"):
        log_t = np.log(eps / (k - eps))[..., None] * 2 * ORDERS
        beside = np.maximum(log_t + 2 * ORDERS * np.log(k)[..., None], log_t + np.log(n - 1)[..., None])
    log_rank = np.maximum(np.log(n)[..., None] - np.logaddexp(0, beside), 0.0)
    least = rising_root(lambda d: _log_rank(d) - log_rank - 1e-12, np.exp(np.minimum(log_rank / ORDERS, 300.0)))
    return np.maximum(np.ceil(np.max(least, axis=-1) * (1 - 1e-9)), 1.0)[()]


def access_error_bound(n: Numbers, d: Numbers, k: Numbers) -> Real:
    """The worst case that no A and B in d dims have less than, over codes with k of n features on; 0 up to n = d.

    Raises ValueError unless 1 <= k <= n and d >= 1.
    """
    n, k, _ = counts(n, k)
    n, k, d = np.broadcast_arrays(n, k, _dims(d))
    with np.errstate(divide="ignore", over="ignore"):
        excess = np.expm1(np.log(n)[..., None] - _log_rank(d[..., None]))
        log_excess = np.log(np.where(excess > ROUNDING, excess, 0.0))
        beside = np.maximum(np.log(n - 1)[..., None] - 2 * ORDERS * np.log(k)[..., None], 0.0)
    s = np.exp(np.max((log_excess - beside) / (2 * ORDERS), axis=-1))
    return np.where(n <= d, 0.0, np.minimum(k * s / (k + s), 1.0))[()]


def random_access_dims(n: Numbers, k: Numbers, eps: Numbers, success: Numbers = 0.5) -> Real:
    """The dims in which n random directions, scaled, read k of themselves within eps with chance `success` at least: so many are always enough.

    By sums of k cosines, or by single ones (`random_packing_dims`), whichever takes fewer. Raises ValueError unless 2 <= n, 1 <= k <= n, 0 < eps < 1
    and 0 < success < 1.
    """
    n, k, eps = _sizes(n, k, eps)
    n, k, eps, failure = np.broadcast_arrays(n, k, eps, np.log1p(-between("success", success)))
    t = eps / (k - eps)
    coherent = np.where(t < 1, random_packing_dims(np.maximum(n, 2), np.where(t < 1, t, 0.5), success), 1.0)
    return np.minimum(coherent, _union_dims(n, k, t, failure))[()]


def best_probe_dims(n: Numbers, k: Numbers, eps: Numbers) -> Real:
    """The dims in which the best probes of n random directions read k of them within eps, for the typical feature: a law for many dims.

    Never below `access_dims_bound`, which is told where the law falls short of it, and 1 for k = 1 and eps from 1/2 on, as every direction does that.
    Raises ValueError unless 2 <= n, 1 <= k <= n and 0 < eps < 1.
    """
    n, k, eps = _sizes(n, k, eps)
    log_square = 2 * (np.log(k - eps) - np.log(eps))
    tau = _best_tau(math.log(2) + np.log(n - 1) - log_square)
    law = np.where(2 * eps < k, np.exp(log_square) * (_dims_per_active(tau) - 1), 1.0)  # t < 1
    return np.maximum(np.minimum(law, n), access_dims_bound(n, k, eps))[()]


def best_probe_error(n: Numbers, d: Numbers, k: Numbers) -> Real:
    """The worst case of the best probe of a typical feature among n random directions in d dims: the inverse of the law in `best_probe_dims`.

    1 where nothing beats the probe 0; for k = 1 the direction itself does, with 1/2 at most. Never below `access_error_bound`, which is told where
    the law falls short of it, and 0 only from d = n on. Raises ValueError unless 2 <= n, 1 <= k <= n and d >= 1.
    """
    n, k, _ = counts(_several(n), k)
    n, k, d = np.broadcast_arrays(n, k, _dims(d))
    goal = np.log(d) - np.log(n - 1) - math.log(2)
    short = goal < -math.log(2)  # d < n - 1; from there on the law says 0 and the bound what is true

    def excess(tau: Real) -> Real:
        log_q, (first, second, *_) = tail(tau)  # d = 2 (n - 1) m_1 (tau + m_2 / m_1) at the best tau, which has K tau = 2 (n - 1) m_1
        return np.where(short, goal, -1.0) - log_q - np.log(first) - np.log(tau + second)

    tau = rising_root(excess, np.sqrt(1 + np.maximum(-goal, 0)))
    log_q, (first, *_) = tail(tau)
    t = np.minimum(np.exp((np.log(tau) - np.log(first) - log_q - np.log(n - 1) - math.log(2)) / 2), 1.0)  # no cosine is more
    return np.maximum(np.where(short, np.minimum(k * t / (1 + t), 1.0), 0.0), access_error_bound(n, d, k))[()]


def _union_dims(n: Real, k: Real, t: Real, failure: Real) -> Real:
    """Where n C(n-1, k) 2^k exp(-d s^2 / 2k) and the same of k - 1 terms at s (k - 1) / k are exp(failure) together; s = k t."""
    k = np.minimum(k, n - 1)  # no more than n - 1 can interfere
    rate = k * t**2 / 2
    of_k = np.log(n) + (np.asarray(subset_bits(n - 1, k), np.float64) + k) * math.log(2)
    fewer = np.log(n) + (np.asarray(subset_bits(n - 1, np.maximum(k - 1, 0)), np.float64) + k - 1) * math.log(2)
    less = np.where(k > 1, (k - 1) / k, np.inf)  # one cosine alone has no shorter sum
    return rising_root(lambda d: failure - np.logaddexp(of_k - d * rate, fewer - d * rate * less), (of_k - failure) / rate)


def _log_rank(d: Real) -> Real:
    """ln C(d + p - 1, p) for each order p."""
    return -np.log(ORDERS) - special.betaln(d, ORDERS)


def _sizes(n: Numbers, k: Numbers, eps: Numbers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, k, _ = counts(_several(n), k)
    n, k, eps = np.broadcast_arrays(n, k, between("eps", eps))
    return n, k, eps


def _several(n: Numbers) -> np.ndarray:
    n = np.asarray(n)
    if not np.all(n >= 2):
        raise ValueError(f"n must be at least 2, got {n}")
    return n


def _dims(d: Numbers) -> np.ndarray:
    d = positive("d", d)
    if not np.all(d >= 1):
        raise ValueError(f"d must be at least 1, got {d}")
    return d
