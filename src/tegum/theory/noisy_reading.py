"""Reading codes through noise by message passing: how many dims are enough for every coordinate to be right after rounding.

In the end each entry is seen as r = z + tau g, tau^2 a fixed point of state evolution with noise of variance s^2 per dim (`amp_evolution.py`),
and entries err independently. For 0/1 codes with k of n features on, and the posterior mean, which rounds to 1 above t = 1/2 + tau^2 ln((n-k)/k),

    P(all right) = Phi((1 - t) / tau)^k Phi(t / tau)^(n-k);

for a soft threshold alpha tau an active entry must end between 1/2 and 3/2, another below 1/2. A tau^2 is a fixed point where d = D(tau^2) = n
error(tau^2) / (tau^2 - s^2), and the iteration comes down from above to the largest. So Bayes-AMP ends at tau* or below once d exceeds D at every
tau from there on: d is the maximum of D over tau >= tau*, with tau* where P is what is asked for. Without noise that is the threshold of
`bayes_dims`, wherever P at its fold is low.

Asymptotic in the size but for P; what message passing needs at finite size is a little more. AMP's alpha is the decoder's own, minimax for d/n up to
.95. From there on it stays, tau^2 falls to s^2 as d grows, and P rises to its limit at tau = s: some d is enough if the limit is above what is asked
for. If not, one may be below .95 n, where P can have a peak, for a greater alpha lets less through.

Source: Bayati & Montanari 2011, 'The dynamics of message passing on dense graphs'; Krzakala et al. 2012; Donoho, Maleki & Montanari 2011, 'The
noise-sensitivity phase transition in compressed sensing'.
"""

import numpy as np

from tegum.theory import _special as special
from tegum.theory._counts import Real, between, counts, noise_variance, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import rising_root, root_between
from tegum.theory.channel_error import active_error, soft_threshold_active_error, soft_threshold_inactive_error
from tegum.theory.l1 import lasso_dims, minimax_alpha

_MOST = 1e4  # tau^2, far above any start
_GRID, _FINE = 200, 40
_DEEP, _HIGH = 40.0, 40.0  # how far below and above its start a fixed point is looked for, in ln of tau^2 - s^2
_STRIDE = 1.25  # of d
_ROUNDS, _PARTS = 4, 10  # how often the strides about a peak are divided, and into how many
_SPARSE = 0.95  # dims a feature, above which the decoder keeps the threshold for so many


def bayes_reading_success(d: Numbers, n: int, k: int, noise_std: Numbers = 0.0) -> Real:
    """The chance that Bayes-AMP reads every entry right from d dims. Raises ValueError unless d > 0, 1 <= k < n and noise_std >= 0."""
    _, part, rest = _some_off(n, k)
    d, noise = np.broadcast_arrays(positive("d", d), noise_variance(noise_std))
    found = [_bayes_success(_settled(_Bayes(part, rest), one, s2), part, rest) for one, s2 in zip(d.flat, noise.flat, strict=True)]
    return np.reshape(found, d.shape)[()]


def bayes_reading_dims(n: Numbers, k: Numbers, noise_std: Numbers = 0.0, success: Numbers = 0.5) -> Real:
    """The dims from which Bayes-AMP reads every entry right with chance `success`; inf where noise leaves none enough.

    Raises ValueError unless 1 <= k < n, noise_std >= 0 and 0 < success < 1.
    """
    n, k, rest = _some_off(n, k)
    k, rest, noise, goal = np.broadcast_arrays(k, rest, noise_variance(noise_std), between("success", success))
    found = [_bayes_dims(*one) for one in zip(k.flat, rest.flat, noise.flat, goal.flat, strict=True)]
    return np.reshape(found, k.shape)[()]


def amp_reading_success(d: Numbers, n: int, k: int, noise_std: Numbers = 0.0) -> Real:
    """The chance that AMP for l1, whose threshold is minimax for d/n, reads every entry right. Raises ValueError as `bayes_reading_success` does."""
    whole, part, rest = _some_off(n, k)
    d, noise = np.broadcast_arrays(positive("d", d), noise_variance(noise_std))
    found = [_amp_success(one, whole, part, rest, s2) for one, s2 in zip(d.flat, noise.flat, strict=True)]
    return np.reshape(found, d.shape)[()]


def amp_reading_dims(n: Numbers, k: Numbers, noise_std: Numbers = 0.0, success: Numbers = 0.5) -> Real:
    """The fewest dims from which AMP for l1 reads every entry right with chance `success`; inf where none are, whatever their number.

    With more dims success may fall again, up to .95 n. Raises as `bayes_reading_dims` does.
    """
    n, k, rest = _some_off(n, k)
    n, k, rest, noise, goal = np.broadcast_arrays(n, k, rest, noise_variance(noise_std), between("success", success))
    found = [_amp_dims(*one) for one in zip(n.flat, k.flat, rest.flat, noise.flat, goal.flat, strict=True)]
    return np.reshape(found, k.shape)[()]


def _some_off(n: Numbers, k: Numbers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    whole, part, rest = counts(n, k)
    if not np.all(rest > 0):
        raise ValueError(f"k must be from 1 to n - 1, got n={n} and k={k}")
    return whole, part, rest


class _Bayes:
    """The squared error of all entries seen through variances tau^2, by the posterior mean."""

    def __init__(self, k: Real, rest: Real) -> None:
        self.k, self.odds = k, np.log(k / rest)

    def __call__(self, variance: Real) -> Real:
        return self.k * active_error("binary", self.odds, variance)


class _Soft:
    """The same by the soft threshold alpha tau."""

    def __init__(self, k: Real, rest: Real, alpha: float) -> None:
        self.k, self.rest, self.alpha = k, rest, alpha

    def __call__(self, variance: Real) -> Real:
        on = soft_threshold_active_error("binary", variance, self.alpha, signed=False, box=False)
        return self.k * on + self.rest * soft_threshold_inactive_error(variance, self.alpha, signed=False, box=False)


def _settled(error: "_Bayes | _Soft", d: Real, noise: Real) -> float:
    """The tau^2 at which state evolution sticks when it begins with nothing known, at s^2 + k/d: the largest fixed point below, or the first above.

    Above goes only a threshold that lets too much through: to inf where there is none.
    """
    top = np.log(error.k / d)
    grid = np.linspace(top - _DEEP, top, _GRID)

    def gain(log_excess: Real) -> np.ndarray:
        return np.asarray(error(noise + np.exp(log_excess)) / np.exp(log_excess) / d - 1)

    found = gain(grid)
    if found[-1] > 0:
        grid = np.linspace(top, top + _HIGH, 2 * _FINE)
        found = gain(grid)
        at = int((found <= 0).argmax()) - 1
        if at < 0:
            return np.inf
    else:
        peaks = np.flatnonzero((found[1:-1] >= found[:-2]) & (found[1:-1] > found[2:])) + 1
        if peaks.size:  # one that just reaches 0 lies between points
            at = peaks[found[peaks].argmax()]
            grid = np.sort(np.concatenate((grid, np.linspace(grid[at - 1], grid[at + 1], _FINE + 2)[1:-1])))
            found = gain(grid)
        stuck = np.flatnonzero(found > 0)
        if not stuck.size:
            return float(noise)
        at = int(stuck[-1])
    log_excess = root_between(gain, grid[at], found[at], grid[at + 1], found[at + 1])
    return float(noise + np.exp(log_excess))


def _bayes_success(variance: Real | float, k: Real, rest: Real) -> Real:
    """All entries right, seen through variance tau^2 and rounded as the posterior mean is; in logarithms for the root."""
    return np.exp(_log_bayes(variance, k, rest))


def _log_bayes(variance: Real | float, k: Real, rest: Real) -> Real:
    variance = np.maximum(variance, 1e-300)
    tau = np.sqrt(variance)
    turn = 0.5 + variance * np.log(rest / k)
    return k * special.log_ndtr((1 - turn) / tau) + rest * special.log_ndtr(turn / tau)


def _bayes_dims(k: Real, rest: Real, noise: Real, goal: Real) -> float:
    best = rising_root(lambda precision: _log_bayes(1 / precision, k, rest) - np.log(goal), 8 * np.log(k + rest))
    if best * _MOST <= 1:
        return 0.0
    worst = 1 / best
    if not worst > noise:
        return float("inf")
    error = _Bayes(k, rest)
    low, high = np.log(worst - noise), np.log(_MOST)
    best = 0.0
    for _ in range(4):  # again on a finer grid about the largest
        grid = np.linspace(low, high, _GRID if best == 0 else 40)
        found = error(noise + np.exp(grid)) / np.exp(grid)
        at = int(found.argmax())
        best = max(best, float(found[at]))
        low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    return best


def _amp_success(d: Real, n: Real, k: Real, rest: Real, noise: Real) -> float:
    alpha = float(minimax_alpha(min(float(d / n), _SPARSE)))
    return _amp_chance(_settled(_Soft(k, rest, alpha), d, noise), alpha, k, rest)


def _amp_chance(variance: Real | float, alpha: float, k: Real, rest: Real) -> float:
    """All entries right, seen through variance tau^2 and rounded after the soft threshold alpha tau."""
    reach = 0.5 / np.sqrt(max(variance, 1e-300))
    on = np.diff(special.ndtr(np.array([alpha - reach, alpha + reach])))[0]
    with np.errstate(divide="ignore"):
        return float(np.exp(k * np.log(on) + rest * special.log_ndtr(alpha + reach)))


def _amp_dims(n: Real, k: Real, rest: Real, noise: Real, goal: Real) -> float:
    """The first d that is enough, by strides, then by halving: up to the peak and the valley behind it at .95 n, then as far as the limit asks."""

    def success(d: float) -> float:
        return _amp_success(np.float64(d), n, k, rest, noise)

    low, end = float(lasso_dims(n, k)) / 2, _SPARSE * float(n)
    while (here := success(low)) >= goal or success(low / _STRIDE) > here:  # a peak lies lower only in much noise
        low /= _STRIDE
    passed = [low / _STRIDE]
    found = [success(passed[0])]
    while found[-1] < goal and passed[-1] < end:
        passed.append(min(_STRIDE * passed[-1], end))
        found.append(success(passed[-1]))
    for _ in range(_ROUNDS):
        if max(found) >= goal:
            break
        at = int(np.argmax(found[1:-1])) + 1
        passed = np.linspace(passed[at - 1], passed[at + 1], _PARTS + 1).tolist()
        found = [success(d) for d in passed]
    if max(found) >= goal:
        at = int(np.argmax(np.array(found) >= goal))
        low, high = passed[at - 1], passed[at]
    elif _amp_chance(noise, float(minimax_alpha(_SPARSE)), k, rest) > goal:
        low = high = end
        while success(high) < goal:
            low, high = high, _STRIDE * high
    else:
        return float("inf")
    for _ in range(40):
        middle = (low + high) / 2
        if success(middle) < goal:
            low = middle
        else:
            high = middle
        if high - low < 1e-6 * high:
            break
    return high
