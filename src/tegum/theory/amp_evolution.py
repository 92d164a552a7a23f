"""State evolution: how the noise that each feature sees falls from one iteration of message passing to the next, and where it sticks.

For i.i.d. N(0, 1/d) directions and noise of variance s^2 per dim, an iteration sees every entry through a channel of variance

    tau^2  ->  s^2 + (N/d) E (estimate(z + tau g) - z)^2,          tau_0^2 = s^2 + (k/d) E[z^2 | active],

with the posterior mean (Bayes-AMP) or a soft threshold alpha tau for the estimate. A tau^2 stays where d = D(tau^2) = N error(tau^2) /
(tau^2 - s^2). D is infinite at s^2 (the good fixed point is beside it); where it first falls and then rises again to a maximum, Bayes-AMP
sticks below that maximum and passes above it. Without noise the good fixed point is 0, and the maximum is over all tau^2; above tau^2 = 1
it can only lie where d < k E[z^2 | active].

Source: Donoho, Maleki & Montanari 2009, 'Message-passing algorithms for compressed sensing'; Krzakala, Mezard, Sausset, Sun & Zdeborova
2012, 'Statistical-physics-based reconstruction in compressed sensing', on the spinodal alpha_BP(rho). For alpha, `lasso_alpha` and
`minimax_alpha`; in the box, `minimax_alpha(box=True)`.
"""

import numpy as np

from tegum.checks import check_count
from tegum.theory._counts import Real, between, counts, noise_variance, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import root_between
from tegum.theory.channel_error import active_error, soft_threshold_active_error, soft_threshold_inactive_error
from tegum.theory.priors import value_moments

_GRID = np.linspace(np.log(1e-8), np.log(1e4), 200)  # ln(tau^2 - s^2)


def state_evolution(
    d: Numbers,
    n: int,
    k: int,
    *,
    alpha: Numbers | None = None,
    signed: bool = False,
    box: bool = False,
    values: str = "binary",
    noise_std: Numbers = 0.0,
    steps: int = 50,
) -> np.ndarray:
    """tau^2 before the first iteration and after each of `steps`: (steps + 1, ...), d, alpha and noise_std broadcast.

    Of Bayes-AMP, or of AMP with the soft threshold `alpha` tau (two-sided if `signed`, kept within [0, 1] if `box`). The mean squared error
    per entry after an iteration is (tau^2 - noise_std^2) d/n. Raises ValueError unless 1 <= k < n, d > 0 and noise_std >= 0, and as
    `soft_threshold_error` does.
    """
    check_count("steps", steps)
    step = _Map(d, n, k, alpha, signed, box, values, noise_std)
    found = [step.start]
    for _ in range(steps):
        found.append(step(found[-1]))
    return np.array(found)


def fixed_points(
    d: Numbers,
    n: int,
    k: int,
    *,
    alpha: Numbers | None = None,
    signed: bool = False,
    box: bool = False,
    values: str = "binary",
    noise_std: Numbers = 0.0,
) -> np.ndarray:
    """All tau^2 that state evolution leaves where they are, ascending, from noise_std^2 + 1e-8 to 1e4 and, without noise, 0.

    It sticks at the largest that is not above its start. Raises ValueError as `state_evolution` does, and for more than one d, alpha or
    noise_std: the number of points differs.
    """
    step = _Map(d, n, k, alpha, signed, box, values, noise_std)
    if step.start.size != 1:
        raise ValueError(f"fixed points are found for one d, alpha and noise_std at a time, got {step.start.shape} of them")
    more = step.gain(_GRID) - 1
    left = np.flatnonzero((more[:-1] > 0) != (more[1:] > 0))
    found = root_between(lambda log_excess: step.gain(log_excess) - 1, _GRID[left], more[left], _GRID[left + 1], more[left + 1])
    zero = [0.0] if step.noise == 0 else []
    return np.concatenate((zero, step.noise.reshape(()) + np.exp(found)))


def bayes_dims(n: Numbers, k: Numbers, values: str = "binary", noise_std: Numbers = 0.0) -> Real:
    """The dims from which Bayes-AMP's state evolution has one fixed point, the good one: max over tau^2 of n mmse(tau^2) / (tau^2 - noise_std^2).

    nan where the noise leaves one at any d. Raises ValueError unless 1 <= k < n and noise_std >= 0, and for an unknown kind of values.
    """
    _, part, rest = counts(n, k)
    if not np.all(rest > 0):
        raise ValueError(f"k must be from 1 to n - 1, got n={n} and k={k}")
    part, rest, noise = np.broadcast_arrays(part, rest, noise_variance(noise_std))
    found = [_critical(np.log(a / b), values, s2) for a, b, s2 in zip(part.flat, rest.flat, noise.flat, strict=True)]
    return (part * np.reshape(found, part.shape))[()]


def bayes_critical_ratio(density: Numbers, values: str = "gaussian", noise_std: Numbers = 0.0) -> Real:
    """The d/n from which Bayes-AMP's state evolution has one fixed point: alpha_BP(rho) of Krzakala et al.

    Raises ValueError unless 0 < density < 1.
    """
    p, noise = np.broadcast_arrays(between("density", density), noise_variance(noise_std))
    found = [_critical(np.log(a) - np.log1p(-a), values, s2) for a, s2 in zip(p.flat, noise.flat, strict=True)]
    return (p * np.reshape(found, p.shape))[()]


class _Map:
    """One step of state evolution, on tau^2; `gain` is the factor on tau^2 - s^2, by its logarithm."""

    def __init__(
        self,
        d: Numbers,
        n: int,
        k: int,
        alpha: Numbers | None,
        signed: bool,  # noqa: FBT001 (private)
        box: bool,  # noqa: FBT001
        values: str,
        noise_std: Numbers,
    ) -> None:
        _, active, rest = counts(n, k)
        if not rest > 0:
            raise ValueError(f"k must be from 1 to n - 1, got n={n} and k={k}")
        self._odds, self._rest_per_active = np.log(active / rest), rest / active
        self._load, self.noise, self._alpha = np.broadcast_arrays(
            active / positive("d", d), noise_variance(noise_std), np.nan if alpha is None else np.asarray(alpha, dtype=np.float64)
        )
        self._bayes, self._signed, self._box, self._values = alpha is None, signed, box, values
        self.start = np.asarray(self.noise + self._load * value_moments(values)[1])

    def __call__(self, variance: np.ndarray) -> np.ndarray:
        return np.asarray(self.noise + self._load * self._error(np.maximum(variance, 1e-300)))

    def gain(self, log_excess: Real) -> np.ndarray:
        excess = np.exp(log_excess)
        return np.asarray(self._load * self._error(self.noise + excess) / excess)

    def _error(self, variance: Real) -> Real:
        """Squared error of all entries, per active one."""
        if self._bayes:
            return active_error(self._values, self._odds, variance)
        on = soft_threshold_active_error(self._values, variance, self._alpha, signed=self._signed, box=self._box)
        return on + self._rest_per_active * soft_threshold_inactive_error(variance, self._alpha, signed=self._signed, box=self._box)


def _critical(log_odds: Real, values: str, noise: np.float64) -> float:
    """The largest local maximum of mmse / (tau^2 - s^2), per active entry: on a grid of logarithms, then five times on a finer one about the best."""

    def ratio(log_excess: np.ndarray) -> np.ndarray:
        excess = np.exp(log_excess)
        return np.asarray(active_error(values, np.float64(log_odds), noise + excess)) / excess

    grid = _GRID
    found = ratio(grid)
    inner = np.flatnonzero((found[1:-1] >= found[:-2]) & (found[1:-1] > found[2:])) + 1
    if noise == 0:
        limit = 1.0 if values in ("uniform", "gaussian") else 0.0  # tau -> 0: a value of many is known to tau, one of few exactly
    elif not inner.size:
        return float("nan")
    else:
        limit = 0.0
    if not inner.size:
        return limit
    best = inner[found[inner].argmax()]
    low, high = grid[best - 1], grid[best + 1]
    for _ in range(5):
        grid = np.linspace(low, high, 25)
        found = ratio(grid)
        best = int(np.clip(found.argmax(), 1, 23))
        low, high = grid[best - 1], grid[best + 1]
    return max(limit, float(found.max()))
