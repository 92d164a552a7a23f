"""Transition: how many dims a decoder needs, from counts of successes at several numbers of dims.

Near its threshold the chance of success is Phi((d - d50) / width): for l1 that is a limit law (Amelunxen, Lotz, McCoy & Tropp 2014), for the others a
model. One outcome in a thousand is taken to be by chance, either way (a lapse rate, Wichmann & Hill 2001): a decoder that loses a code far
above its threshold would else be said to have its threshold there. Fitted by maximum likelihood; the interval of d50 is where the likelihood,
maximised over the width, is within half of chi^2's 95% point of its maximum.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

_DROP = 1.9207294  # half the 95% point of chi^2 with one degree of freedom
_LAPSE = 0.001
_WIDTHS = np.geomspace(0.01, 0.5, 30)  # of d50: what is steeper or flatter the counts do not tell apart


@dataclass(frozen=True)
class Transition:
    """`d50` with its 95% interval, and the width of the transition; all in dims."""

    d50: float
    interval: tuple[float, float]
    width: float

    def at(self, success: float) -> float:
        """The number of dims at which that share of codes is read right."""
        return self.d50 + self.width * float(ndtri(success))


def transition(dims: np.ndarray, right: np.ndarray, trials: np.ndarray) -> Transition | None:
    """The fit to `right` of `trials` codes at each of `dims`; None where all or none were read, and d50 lies outside what was measured."""
    dims, right, trials = (np.asarray(values, dtype=float) for values in (dims, right, trials))
    if not (right * 2 < trials).any() or not (right * 2 > trials).any():
        return None

    grid = np.geomspace(dims.min() / 2, dims.max() * 2, 80)
    lack, _ = _profile(grid, dims, right, trials)
    near = grid[lack < lack.min() + 4 * _DROP]
    step = grid[1] / grid[0]
    grid = np.geomspace(near[0] / step, near[-1] * step, 150)
    lack, widths = _profile(grid, dims, right, trials)
    best = int(lack.argmin())
    inside = np.flatnonzero(lack <= lack[best] + _DROP)
    return Transition(float(grid[best]), (float(grid[inside[0]]), float(grid[inside[-1]])), float(widths[best]))


def _profile(grid: np.ndarray, dims: np.ndarray, right: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least negative log-likelihood at each d50 of the grid, and the width that has it."""
    widths = grid[:, None] * _WIDTHS
    z = (dims - grid[:, None, None]) / widths[..., None]
    chance = _LAPSE + (1 - 2 * _LAPSE) * ndtr(z)
    lack = -(right * np.log(chance) + (trials - right) * np.log1p(-chance)).sum(-1)
    best = lack.argmin(1)[:, None]
    return np.take_along_axis(lack, best, 1)[:, 0], np.take_along_axis(widths, best, 1)[:, 0]
