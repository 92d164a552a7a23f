"""Mean squared error of estimating an entry z from r = z + tau g: at best (Bayes), and by a soft threshold.

z is 0, or with chance p active. All Bayes needs are averages over r of an active entry, with m and v its mean and variance given r and pi
the chance that it is active:

    mmse = p E_{r ~ f1} [v(r) + (1 - pi(r)) m(r)^2]

so p may be as small as floats go. The integrand turns within tau^2 / m of the r where pi = 1/2; panels of Gauss's rule close in on that
point, and on the ends of [0, 1], by halves, and tile the rest by tau.

Source: Guo, Shamai & Verdu 2005, 'Mutual information and minimum mean-square error in Gaussian channels'; Donoho, Maleki & Montanari 2009
(soft threshold).
"""

from collections.abc import Callable

import numpy as np
import torch

from tegum.theory import _special as special
from tegum.theory._counts import Real, between, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import root_between
from tegum.theory._tails import tail
from tegum.theory.priors import channel, value_moments

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(14)
_CLOSER = np.concatenate(
    (-(2.0 ** np.arange(-1, 21)), [0.0], 2.0 ** np.arange(-1, 21))
)  # edges of panels about a point, in units of its scale
_TILES = np.linspace(0, 1, 41)


def mmse(values: str, density: Numbers, variance: Numbers) -> Real:
    """The least mean squared error per entry, active with chance `density`, of one `values` kind, seen through a channel of `variance` = tau^2.

    Raises ValueError for an unknown kind, unless 0 < density < 1, or unless variance > 0.
    """
    p = between("density", density)
    return p * active_error(values, np.log(p) - np.log1p(-p), positive("variance", variance))


def active_error(values: str, log_odds: Real, variance: Real) -> Real:
    """mmse / p: the expectation over an active entry alone."""
    value_moments(values)
    odds, variance = np.broadcast_arrays(log_odds, variance)
    shape, odds, variance = odds.shape, odds.ravel(), variance.ravel()
    tau, zero = np.sqrt(variance), np.zeros_like(variance)
    if values == "gaussian":
        low, high = zero, 9 * np.sqrt(1 + variance)
    elif values == "uniform":
        low, high = -9 * tau, 1 + 9 * tau
    else:
        low, high = 1 - 38 * tau, 1 + 38 * tau  # here all may hang on a tail: as far as a normal density is a float
    turn, sharpness = _turn(values, odds, variance, high)
    sharp = [(turn, sharpness)]
    if values == "signed":
        sharp += [(-turn, sharpness), (zero, variance)]
    elif values != "binary":
        sharp += [(zero, tau)]
    if values == "uniform":
        sharp += [(zero + 1, tau)]

    def integrand(r: np.ndarray, row: np.ndarray) -> np.ndarray:
        ratio, mean, spread = (a.numpy() for a in channel(values, torch.from_numpy(r), torch.from_numpy(variance[row, None])))
        with np.errstate(over="ignore"):
            inactive = 1 / (1 + np.exp(odds[row, None] + ratio))
        return _density(values, r, tau[row, None]) * (spread + inactive * mean**2)

    return _integral(integrand, low, high, sharp).reshape(shape)[()]


def soft_threshold_error(
    values: str, density: Numbers, variance: Numbers, alpha: Numbers, *, signed: bool = False, box: bool = False
) -> Real:
    """The mean squared error per entry of the soft threshold alpha tau on r.

    Of (r - alpha tau)_+, or on both sides if `signed`, or of min((r - alpha tau)_+, 1) if `box`, for binary and uniform values. Raises
    ValueError as `mmse` does, unless alpha >= 0, and for kinds that take values which the threshold never gives.
    """
    p, variance = between("density", density), positive("variance", variance)
    off = soft_threshold_inactive_error(variance, alpha, signed=signed, box=box)
    return p * soft_threshold_active_error(values, variance, alpha, signed=signed, box=box) + (1 - p) * off


def soft_threshold_active_error(values: str, variance: Real, alpha: Numbers, *, signed: bool, box: bool) -> Real:
    """Of an active entry alone."""
    first, _ = value_moments(values)
    if box and (signed or values not in ("binary", "uniform")):
        raise ValueError(
            f"values is {values!r} and signed is {signed}; the box [0, 1] reads only kinds within it, by the one-sided threshold"
        )
    if first <= 0 and not signed:
        raise ValueError(f"values is {values!r}; a one-sided threshold reads only kinds that are never negative")
    alpha = np.asarray(alpha, dtype=np.float64)
    if not np.all(alpha >= 0):
        raise ValueError(f"alpha must be 0 or above, got {alpha}")
    tau, alpha = np.broadcast_arrays(np.sqrt(variance), alpha)
    if values in ("binary", "signed"):
        return _risk(np.float64(1.0), tau, alpha, signed=signed, box=box)
    shape, tau, alpha = tau.shape, tau.ravel(), alpha.ravel()

    def integrand(z: np.ndarray, row: np.ndarray) -> np.ndarray:
        chance = z**0 if values == "uniform" else 2 * _normal(z)
        return np.asarray(chance * _risk(z, tau[row, None], alpha[row, None], signed=signed, box=box))

    zero = np.zeros_like(tau)
    return _integral(integrand, zero, zero + (1 if values == "uniform" else 9), [(zero, tau)]).reshape(shape)[()]


def soft_threshold_inactive_error(variance: Real, alpha: Numbers, *, signed: bool, box: bool) -> Real:
    """Of an inactive entry: tau^2 G(alpha), twice if signed; in the box less by what passes 1, E[((u - 1)_+ + 1)^2 - 1] of u = r - alpha tau."""
    alpha = np.asarray(alpha, dtype=np.float64)
    log_q, (first, second, *_) = tail(alpha)
    error = (2 if signed else 1) * variance * first * second * np.exp(log_q)
    if not box:
        return error
    tau = np.sqrt(variance)
    log_q, (first, second, *_) = tail(alpha + 1 / tau)
    return error - tau * first * (tau * second + 2) * np.exp(log_q)


def _integral(
    integrand: Callable[[np.ndarray, np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, sharp: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Integrals from `low` to `high`, one a row, of an integrand that takes points (panels, 14) and each panel's row.

    Forty panels tile the range; about each pair (centre, scale) in `sharp`, panels close in by halves.
    """
    edges = [low[:, None] + (high - low)[:, None] * _TILES, *(centre[:, None] + scale[:, None] * _CLOSER for centre, scale in sharp)]
    edges = np.sort(np.clip(np.concatenate(edges, 1), low[:, None], high[:, None]), axis=1)
    row, panel = np.nonzero(np.diff(edges) > 0)
    half = (edges[row, panel + 1] - edges[row, panel]) / 2
    heights = integrand(edges[row, panel, None] + half[:, None] * (1 + _NODES), row)
    return np.bincount(row, half * (heights @ _WEIGHTS), minlength=len(edges)).astype(np.float64)  # with no panel it counts in integers


def _turn(values: str, odds: np.ndarray, variance: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The r at which an entry is as likely active as not, 0 if there is none above, and the scale of r on which that changes: tau^2 / m(r)."""
    tau = np.sqrt(variance)
    if values == "binary":
        return 0.5 - odds * variance, np.minimum(variance, tau)
    if values == "signed":  # where log cosh(r / tau^2) makes up for the rest
        missing = np.maximum(0.5 / variance - odds, 0)
        turn = variance * (missing + np.log1p(np.sqrt(-np.expm1(-2 * missing))))
        mean = np.tanh(turn / variance)
    elif values == "gaussian":
        turn = np.sqrt(2 * variance * (1 + variance) * np.maximum(np.log1p(1 / variance) / 2 - odds, 0))
        mean = turn / (1 + variance)
    else:

        def excess(r: Real) -> Real:
            return channel(values, torch.as_tensor(r), torch.from_numpy(variance.copy())).log_ratio.numpy() + odds

        at_zero, at_high = excess(np.zeros_like(high)), excess(high)
        near = np.where(at_high < 0, high, 0.0)  # where it does not turn between them, there is nothing to look for
        far = np.where(at_zero >= 0, 0.0, high)
        turn = np.asarray(
            root_between(excess, near, np.where(at_high < 0, at_high, at_zero), far, np.where(at_zero >= 0, at_zero, at_high))
        )
        mean = channel(values, torch.from_numpy(turn), torch.from_numpy(variance.copy())).mean.numpy()
    return turn, np.minimum(variance / np.maximum(mean, 1e-300), tau)


def _density(values: str, r: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """f1(r): of an active entry; of its absolute value for the gaussian kind, of +1 for the signed kind, for both are even."""
    if values == "uniform":
        near = np.minimum(r, 1 - r)
        return special.ndtr((1 - near) / tau) - special.ndtr(-near / tau)
    if values == "gaussian":
        wide = np.sqrt(1 + tau**2)
        return np.sqrt(2 / np.pi) * np.exp(-((r / wide) ** 2) / 2) / wide
    return np.exp(-(((r - 1) / tau) ** 2) / 2) / (tau * np.sqrt(2 * np.pi))


def _normal(u: Real) -> Real:
    return np.exp(-u * u / 2) / np.sqrt(2 * np.pi)


def _risk(z: Real, tau: Real, alpha: Real, *, signed: bool, box: bool) -> Real:
    """E (threshold(z + tau g) - z)^2 at one z >= 0: where the threshold passes from above, where it gives 0 or 1, and where it passes from below."""
    above, below = z / tau - alpha, z / tau + alpha
    passed = (1 + alpha**2) * special.ndtr(above) - (above + 2 * alpha) * _normal(above)
    if box:
        full = (1 - z) / tau + alpha  # the g from which on it gives 1
        passed -= (1 + alpha**2) * special.ndtr(-full) + (full - 2 * alpha) * _normal(full)
        return tau**2 * passed + z**2 * special.ndtr(-above) + (1 - z) ** 2 * special.ndtr(-full)
    if not signed:
        return tau**2 * passed + z**2 * special.ndtr(-above)
    turned = (1 + alpha**2) * special.ndtr(-below) + (below - 2 * alpha) * _normal(below)
    return tau**2 * (passed + turned) + z**2 * (special.ndtr(-above) - special.ndtr(-below))
