"""How many dims l1 minimisation needs to read k of n features exactly, on an i.i.d. Gaussian dictionary.

l1 recovers a code exactly when the dictionary's null space misses the descent cone of the norm there, and a random null space misses it
once d exceeds the cone's statistical dimension: the mean squared distance of a Gaussian vector g to the polar cone. For non-negative codes

    d50 = min over tau >= 0 of k (1 + tau^2) + kappa (n - k) G(tau),        G(t) = E (g - t)_+^2 = (1 + t^2) Q(t) - t phi(t),

kappa = 1; codes of either sign have two tails a feature, kappa = 2. For 0/1 codes read within the box [0, 1] the polar cone is larger: on
the support only (tau - g)_+^2 counts, and d50 = min of k (1 + tau^2) + (n - 2k) G(tau). The best tau is the threshold of AMP, in units of
its noise, at this curve.

Success is nearly Phi((d - d50) / width): width^2 is the variance of that squared distance at the best tau, less 2 d50, which is the
variance that the Gaussian's own length adds (McCoy & Tropp 2014, 'From Steiner formulas for cones to concentration of intrinsic volumes',
prop. 4.4). By E (g - t)_+^4 = 3 G - t E (g - t)_+^3 and the condition on tau that is kappa (n - k) G(tau) (1 + tau^2 - kappa G(tau)) for l1:
nothing cancels. `l1_success` gives the exact chance.

Source: Amelunxen, Lotz, McCoy & Tropp 2014, 'Living on the edge', prop. 4.5 and theorem II; Donoho & Tanner 2009, 'Counting faces of
randomly projected polytopes' (weak thresholds); Donoho, Maleki & Montanari 2009 (AMP). The box: Donoho & Tanner 2010, 'Counting the faces
of randomly-projected hypercubes'.
"""

import math
from typing import NamedTuple

import numpy as np

from tegum.theory import _special as special
from tegum.theory._counts import Real, between, counts, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import rising_root
from tegum.theory._tails import tail


class _Curve(NamedTuple):
    """The best tau, the 50% point in dims, the width of the transition in dims, and n."""

    tau: Real
    dims: Real
    width: Real
    most: Real


def lasso_dims(n: Numbers, k: Numbers, signed: bool = False, success: Numbers = 0.5) -> Real:  # noqa: FBT001 (the public face)
    """The dims, a real number in [0, n], at which l1 recovers a k-sparse code exactly with chance `success`, by the normal law of the transition.

    `signed` when it may not use that codes are >= 0. Raises ValueError unless 1 <= k <= n and 0 < success < 1.
    """
    return _dims(_lasso(n, k, signed), success)


def lasso_width(n: Numbers, k: Numbers, *, signed: bool = False) -> Real:
    """The standard deviation, in dims, of the l1 transition: from 50% to 84%."""
    return _lasso(n, k, signed).width


def lasso_success(d: Numbers, n: Numbers, k: Numbers, *, signed: bool = False) -> Real:
    """The chance that l1 recovers a k-sparse code from d dims, by the normal law of the transition.

    Raises ValueError unless d > 0 and 1 <= k <= n.
    """
    return _success(_lasso(n, k, signed), d)


def lasso_alpha(n: Numbers, k: Numbers, *, signed: bool = False) -> Real:
    """The tau of d50: the best threshold of AMP at the 50% point, in units of its noise."""
    return _lasso(n, k, signed).tau


def box_dims(n: Numbers, k: Numbers, success: Numbers = 0.5) -> Real:
    """The dims at which the least sum within the box 0 <= z <= 1 is the k-sparse 0/1 code itself, with chance `success`; n/2 from k = n/2 on.

    By the normal law of the transition, and in [0, n].    Raises ValueError unless 1 <= k <= n and 0 < success < 1.
    """
    return _dims(_box(n, k), success)


def box_width(n: Numbers, k: Numbers) -> Real:
    """The standard deviation, in dims, of the box's transition."""
    return _box(n, k).width


def box_success(d: Numbers, n: Numbers, k: Numbers) -> Real:
    """The chance that the least sum within the box is the code itself, by the normal law of the transition."""
    return _success(_box(n, k), d)


def weak_threshold(delta: Numbers, signed: bool = False) -> Real:  # noqa: FBT001 (the public face)
    """Donoho and Tanner's rho_W(delta): the k/d that l1 recovers for most codes and dictionaries as n grows, d/n = delta.

    max over z of [1 - (kappa/delta) G(z)] / [1 + z^2 - kappa G(z)]. Raises ValueError unless 0 < delta < 1.
    """
    return 1 / _dims_per_active(minimax_alpha(delta, signed=signed))


def minimax_alpha(delta: Numbers, *, signed: bool = False, box: bool = False) -> Real:
    """The z of the maximum in `weak_threshold`: the threshold, in units of the noise, with which AMP reaches that curve.

    Of AMP that keeps 0/1 codes within [0, 1], on the curve of `box_dims`, if `box`: lower, and 0 from delta = 1/2 on. Raises ValueError unless
    0 < delta < 1, and for signed codes in the box.
    """
    goal = np.log(between("delta", delta))
    if box:
        if signed:
            raise ValueError("signed and box are both asked for; codes within [0, 1] have no sign")
        return rising_root(lambda tau: goal - _log_box_ratio(tau), np.sqrt(1 - goal))
    tails = 2.0 if signed else 1.0

    def excess(tau: Real) -> Real:
        # by k tau = kappa (n - k) m_1, the share of active features is epsilon = kappa m_1 / (tau + kappa m_1), and delta is that times d50 / k
        log_q, (first, *_) = tail(tau)
        return goal - (np.log(tails * first) + log_q - np.log(tau + tails * first * np.exp(log_q)) + np.log(_dims_per_active(tau)))

    return rising_root(excess, np.sqrt(1 - goal))


def lasso_dims_per_bit(log_ratio: Numbers, *, signed: bool = False) -> Real:
    """d50 over log2 C(n, k) as k grows at fixed ln(n/k) = `log_ratio` (any size): no law but a slow rise, to 2 ln 2 = 1.386.

    Raises ValueError unless log_ratio > 0.
    """
    ratio = positive("log_ratio", log_ratio)
    log_others = ratio + np.log(-np.expm1(-ratio)) + np.log(2.0 if signed else 1.0)
    share = np.exp(-ratio)
    bits = (ratio - np.where(share > 0, (1 - share) * np.log1p(-share) / np.where(share > 0, share, 1.0), -1.0)) / np.log(2)
    return _dims_per_active(_best_tau(log_others)) / bits


def _lasso(n: Numbers, k: Numbers, signed: bool) -> _Curve:  # noqa: FBT001 (a passage of the public flag)
    n, k, rest = counts(n, k)
    tails = 2.0 if signed else 1.0
    with np.errstate(divide="ignore"):
        tau = _best_tau(np.log(tails * rest / k))
    dims = k * _dims_per_active(tau)
    log_q, (first, second, *_) = tail(tau)
    squared = tails * first * second * np.exp(log_q)
    inside = special.erf(tau * math.sqrt(0.5)) if signed else special.ndtr(tau)
    price = (1 + tau**2) * inside + tails * tau * np.exp(-tau * tau / 2) / math.sqrt(2 * math.pi)  # 1 + tau^2 - kappa G
    return _Curve(tau, dims[()], np.sqrt(rest * squared * price)[()], n)


def _box(n: Numbers, k: Numbers) -> _Curve:
    n, k, rest = counts(n, k)
    with np.errstate(divide="ignore"):
        tau = _best_tau(np.log(np.maximum(rest - k, 0) / k))
    log_q, (first, second, third, fourth) = tail(tau)
    squared = first * second * np.exp(log_q)
    fourth_power = squared * third * fourth
    active = 1 + tau**2 - squared
    dims = k * active + rest * squared
    spread = rest * (fourth_power - squared**2) + k * (3 + 6 * tau**2 + tau**4 - fourth_power - active**2) - 2 * dims
    return _Curve(tau, dims[()], np.sqrt(np.maximum(spread, 0))[()], n)


def _dims(curve: _Curve, success: Numbers) -> Real:
    return np.clip(curve.dims + curve.width * special.ndtri(between("success", success)), 0.0, curve.most)[()]


def _success(curve: _Curve, d: Numbers) -> Real:
    past = positive("d", d) - curve.dims
    sharp = curve.width == 0
    return np.where(sharp, past >= 0, special.ndtr(past / np.where(sharp, 1.0, curve.width)))[()]


def _best_tau(log_others: Real) -> Real:
    """Where the derivative of k (1 + tau^2) + others G(tau) is zero, tau = (others / k) m_1(tau); `log_others` = ln(others / k)."""
    nobody = np.isneginf(log_others)
    log_others = np.where(nobody, 0.0, log_others)

    def slope(tau: Real) -> Real:
        log_q, (first, *_) = tail(tau)
        return np.log(tau) - np.log(first) - log_q - log_others

    return np.where(nobody, 0.0, rising_root(slope, np.sqrt(1 + 2 * np.maximum(log_others, 0))))[()]


def _log_box_ratio(tau: Real) -> Real:
    """ln of d50 / n for the box, (m_1 (1 + tau^2) + tau m_2) / (tau + 2 m_1): k is eliminated by k tau = (n - 2k) m_1."""
    log_q, (first, second, *_) = tail(tau)
    return log_q + np.log(first) + np.log1p(tau**2 + tau * second) - np.log(tau + 2 * first * np.exp(log_q))


def _dims_per_active(tau: Real) -> Real:
    """d50 / k = 1 + tau^2 + tau m_2/m_1: G is eliminated by the condition on tau, and with it all that could underflow."""
    return 1 + tau**2 + tau * tail(tau)[1][1]
