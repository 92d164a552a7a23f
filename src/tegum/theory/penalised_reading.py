"""The lasso reading codes through noise: how many dims are enough for every coordinate to be right after rounding, at the best penalty and at any.

For non-negative codes and x = D z + noise of variance s^2 per dim, the minimiser of |x - D z|^2 / 2 + penalty |z|_1 is, entry by entry, a soft
threshold alpha tau of z + tau g, where

    tau^2 = s^2 + (n/d) error(tau^2, alpha),          penalty = alpha tau (1 - A/d),

A the number of entries above the threshold. At penalty 0, basis pursuit, A is d: it fits the noise with as many entries as there are dims, and reads
worse and worse as d nears n/2, where a threshold of 0 lets so many pass. From there on nothing fits x any more (Wendel 1962); what fits it best, by
non-negative least squares, has alpha = 0 and tau^2 near s^2 / (1 - n / 2d), and reads again.

An active entry must end between 1/2 and 3/2, another below 1/2, so that alpha and tau give the chance P of success. The other way round, alpha and
P give tau, that gives d = n error / (tau^2 - s^2), since error / (tau^2 - s^2) falls with tau^2, and d gives the penalty: every law here is read off
that one curve. The best penalty is that of its least d; it goes to 0 with s, and is told to 1e-7 or so.

Where there is next to no noise tau is not told by alpha: at one alpha it goes from the noise up to a tenth or more, and the penalty with it in
proportion. So for given d the two ends of the last bracket in alpha are taken, and tau between them as the penalty asks.

Asymptotic in the size but for P. Source: Bayati & Montanari 2012, 'The LASSO risk for Gaussian matrices', eq. 1.9 and 1.10; Donoho, Maleki &
Montanari 2011, 'The noise-sensitivity phase transition in compressed sensing'.
"""

from collections.abc import Callable

import numpy as np

from tegum.theory import _special as special
from tegum.theory._counts import Real, between, counts, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import rising_root
from tegum.theory.channel_error import soft_threshold_active_error, soft_threshold_inactive_error

_LEAST, _BEYOND = 1e-3, 3.0  # of alpha; and how far beyond sqrt(2 ln n)
_GRID, _FINE, _ZOOMS, _CLOSER = 100, 12, 8, 3  # points; looks closer at a minimum, and at a crossing before a straight line is drawn


def penalised_dims(n: Numbers, k: Numbers, noise_std: Numbers, success: Numbers = 0.5, penalty: float | None = None) -> Real:
    """The dims from which the lasso reads every entry right with chance `success`, at the best penalty or at `penalty`; inf where none are enough.

    At a small penalty more dims than that may be too many for a while: see `penalised_success`. Raises ValueError unless 1 <= k < n,
    noise_std > 0, 0 < success < 1 and penalty >= 0.
    """
    if penalty is None:
        return _each(lambda curve, goal: curve.best(goal)[0], n, k, noise_std, success)
    wanted = _checked(penalty)
    return _each(lambda curve, goal: curve.at(goal, wanted), n, k, noise_std, success)


def best_penalty(n: Numbers, k: Numbers, noise_std: Numbers, success: Numbers = 0.5) -> Real:
    """The penalty with which the lasso needs the dims of `penalised_dims`; nan where none are enough. Raises ValueError as that does."""
    return _each(lambda curve, goal: curve.best(goal)[1], n, k, noise_std, success)


def penalised_success(d: Numbers, n: int, k: int, noise_std: float, penalty: float) -> Real:
    """The chance that the lasso at `penalty` reads every entry right from d dims.

    At 0 that of basis pursuit, or of least squares where nothing fits x. Raises ValueError unless d > 0, 1 <= k < n, noise_std > 0 and
    penalty >= 0.
    """
    curve, wanted, dims = _Curve(*_sizes(n, k), positive("noise_std", noise_std)), _checked(penalty), positive("d", d)
    return np.reshape([curve.success(one, wanted) for one in dims.flat], dims.shape)[()]


def _sizes(n: Numbers, k: Numbers) -> tuple[Real, Real]:
    _, part, rest = counts(n, k)
    if not np.all(rest > 0):
        raise ValueError(f"k must be from 1 to n - 1, got n={n} and k={k}")
    return part, rest


def _checked(penalty: float) -> float:
    if not 0 <= penalty < np.inf:
        raise ValueError(f"penalty must be 0 or above and finite, got {penalty}")
    return float(penalty)


def _each(rule: Callable[["_Curve", float], float], n: Numbers, k: Numbers, noise_std: Numbers, success: Numbers) -> Real:
    part, rest, noise, goal = np.broadcast_arrays(*_sizes(n, k), positive("noise_std", noise_std), between("success", success))
    found = [rule(_Curve(*one[:3]), one[3]) for one in zip(part.flat, rest.flat, noise.flat, goal.flat, strict=True)]
    return np.reshape(found, part.shape)[()]


class _Curve:
    """What a threshold alpha goes with: tau, d and the penalty."""

    def __init__(self, k: Real, rest: Real, noise_std: Real) -> None:
        self.k, self.rest, self.noise = k, rest, noise_std**2
        self.alphas = np.geomspace(_LEAST, np.sqrt(2 * np.log(k + rest)) + _BEYOND, _GRID)

    def best(self, goal: float) -> tuple[float, float]:
        """The least d for that chance, and its penalty."""
        alphas, least = self.alphas, (np.inf, np.nan)
        for _ in range(_ZOOMS):
            dims, penalties = self._for(goal, alphas)
            at = int(dims.argmin())
            if not np.isfinite(dims[at]):
                break
            least = float(dims[at]), float(max(penalties[at], 0.0))
            alphas = np.linspace(alphas[max(at - 1, 0)], alphas[min(at + 1, len(alphas) - 1)], _FINE)
        return least

    def at(self, goal: float, penalty: float) -> float:
        """The least d for that chance at a penalty; at 0 least squares is the last chance."""
        dims, penalties = self._for(goal, self.alphas)
        there, below = np.isfinite(dims), penalties < penalty
        turns = np.flatnonzero(there[:-1] & there[1:] & (below[:-1] != below[1:]))
        found = [self._crossing(goal, penalty, self.alphas[at], self.alphas[at + 1]) for at in turns]
        return min([*found, self._least_squares(goal) if penalty == 0 else np.inf])

    def success(self, d: float, penalty: float) -> float:
        """The chance at d dims. A penalty below that of every alpha is least squares."""
        alphas = self.alphas
        tau, penalties = self._settled(d, alphas)
        if penalties.max() < penalty:  # a threshold that next to nothing but active entries passes: tau is near the noise
            alphas = np.geomspace(alphas[-1], max(2 * alphas[-1], 4 * penalty / np.sqrt(self.noise)), _GRID)
            tau, penalties = self._settled(d, alphas)
        above = int((penalties >= penalty).argmax())
        if above == 0:
            none = np.zeros(1)
            return float(np.exp(self._log_success(none, 0.5 / self._settled(d, none)[0]))[0])
        for _ in range(_ZOOMS):
            alphas = np.linspace(alphas[above - 1], alphas[above], _FINE)
            tau, penalties = self._settled(d, alphas)
            above = int((penalties >= penalty).argmax())
        ends = slice(above - 1, above + 1)
        found = (_between(penalties[ends], values[ends], penalty) for values in (alphas, tau))
        alpha, there = (np.array([value]) for value in found)
        return float(np.exp(self._log_success(alpha, 0.5 / there))[0])

    def _crossing(self, goal: float, penalty: float, low: float, high: float) -> float:
        """The d at that penalty, for which alpha is between two."""
        for _ in range(_CLOSER):
            alphas = np.linspace(low, high, _FINE)
            below = self._for(goal, alphas)[1] < penalty
            at = int((below[:-1] != below[1:]).argmax())
            low, high = alphas[at], alphas[at + 1]
        dims, penalties = self._for(goal, np.array([low, high]))
        return _between(penalties, dims, penalty)

    def _least_squares(self, goal: float) -> float:
        none = np.zeros(1)
        tau, dims = self._ends(goal, none)
        return float(dims[0]) if self._passed(tau, none)[0] < dims[0] else np.inf

    def _for(self, goal: float, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(d, penalty) with which each alpha gives that chance; d is inf where noise alone is too much."""
        tau, dims = self._ends(goal, alphas)
        return dims, alphas * tau * (1 - self._passed(tau, alphas) / dims)

    def _ends(self, goal: float, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(tau, d) with which each alpha gives that chance."""
        reach = np.asarray(rising_root(lambda reach: self._log_success(alphas, reach) - np.log(goal), alphas + _BEYOND))
        tau = 0.5 / reach
        excess = tau**2 - self.noise
        enough = excess > 0
        return tau, np.where(enough, self._error(tau**2, alphas) / np.where(enough, excess, 1.0), np.inf)

    def _settled(self, d: float, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(tau, penalty) at each alpha; inf and -inf where state evolution does not settle: at large tau all entries err alike."""
        settles = np.asarray((self.k + self.rest) * soft_threshold_inactive_error(np.float64(1.0), alphas, signed=False, box=False) < d)
        some = alphas[settles]
        excess = np.asarray(rising_root(lambda e: 1 - self._error(self.noise + e, some) / (d * e), np.full(len(some), self.k / d)))
        tau, penalties = np.full(len(alphas), np.inf), np.full(len(alphas), -np.inf)
        tau[settles] = np.sqrt(self.noise + excess)
        penalties[settles] = some * tau[settles] * (1 - self._passed(tau[settles], some) / d)
        return tau, penalties

    def _error(self, variance: Real, alphas: np.ndarray) -> np.ndarray:
        """The squared error of all entries."""
        on = soft_threshold_active_error("binary", variance, alphas, signed=False, box=False)
        return np.asarray(self.k * on + self.rest * soft_threshold_inactive_error(variance, alphas, signed=False, box=False))

    def _passed(self, tau: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """How many entries pass the threshold."""
        return np.asarray(self.k * special.ndtr(1 / tau - alphas) + self.rest * special.ndtr(-alphas))

    def _log_success(self, alphas: np.ndarray, reach: Real) -> np.ndarray:
        """ln P, where 1/2 is `reach` times tau."""
        on = special.ndtr(alphas + reach) - special.ndtr(alphas - reach)
        with np.errstate(divide="ignore"):
            return np.asarray(self.k * np.log(on) + self.rest * special.log_ndtr(alphas + reach))


def _between(penalties: np.ndarray, values: np.ndarray, penalty: float) -> float:
    """The value at a penalty between two others, on a straight line; the upper one's where the lower one is not finite."""
    if not np.isfinite(penalties[0]):
        return float(values[1])
    return float(values[0] + (penalty - penalties[0]) / (penalties[1] - penalties[0]) * (values[1] - values[0]))
