"""Transition: how many dims a decoder needs, from counts of successes at several numbers of dims.

The chance of success rises as Phi(z), z = ((d / d50)^bend - 1) / (bend width): with bend 1 a normal law in d, which is the limit law of l1
(Amelunxen, Lotz, McCoy & Tropp 2014); with bend 0 one in ln d, and with -1 one in 1/d: success of thresholds is that of their worst feature, and
rises steeply at first and then slowly. By theory's curves at N = 1,024 and 65,536 (k = 8, 16) 0 suits top-k and -1 a threshold at 1/2. One
outcome in a thousand is taken to be by chance, either way (a lapse rate, Wichmann & Hill 2001): a decoder that loses a code far above its
threshold would else be said to have its threshold there.

Fitted by maximum likelihood over all three. The interval of a number of dims is what it takes where the likelihood is within half of chi^2's 95%
point of its maximum (the profile likelihood's): not knowing the bend is part of it.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri

_DROP = 1.9207294  # half the 95% point of chi^2 with one degree of freedom
_LAPSE = 0.001
_WIDTHS = np.geomspace(0.01, 0.5, 30)  # shares of d50: what is steeper or flatter the counts do not tell apart
_BENDS = (1.0, 0.0, -1.0)
_LEAST = 1e-3  # of (d / d50)^bend: a law in 1/d reaches some chances nowhere


@dataclass(frozen=True)
class Transition:
    """`d50` with its 95% interval, and the width of the transition there, one standard deviation; in dims."""

    d50: float
    interval: tuple[float, float]
    width: float
    bend: float
    likely: np.ndarray = field(repr=False, compare=False)  # (d50, width / d50, bend), as likely as the interval allows

    def at(self, success: float) -> float:
        """The number of dims at which that share of codes is read right."""
        return float(_quantile(np.array([[self.d50, self.width / self.d50, self.bend]]), success)[0])

    def interval_at(self, success: float) -> tuple[float, float]:
        """The 95% interval of `at`."""
        found = _quantile(self.likely, success)
        return float(found.min()), float(found.max())

    def chance(self, dims: np.ndarray) -> np.ndarray:
        """The share of codes that the fit says are read right from so many dims."""
        return _chance(np.asarray(dims, dtype=float), self.d50, self.width / self.d50, self.bend)


def transition(dims: np.ndarray, right: np.ndarray, trials: np.ndarray) -> Transition | None:
    """The fit to `right` of `trials` codes at each of `dims`; None where all or none were read, and d50 lies outside what was measured."""
    dims, right, trials = (np.asarray(values, dtype=float) for values in (dims, right, trials))
    if not (right * 2 < trials).any() or not (right * 2 > trials).any():
        return None

    grid = np.geomspace(dims.min() / 2, dims.max() * 2, 60)
    best = np.min([_lack(grid, bend, dims, right, trials).min(1) for bend in _BENDS], axis=0)
    near = grid[best < best.min() + 4 * _DROP]
    step = grid[1] / grid[0]
    grid = np.geomspace(near[0] / step, near[-1] * step, 80)
    lack = np.array([_lack(grid, bend, dims, right, trials) for bend in _BENDS])
    bends, rows, columns = np.nonzero(lack <= lack.min() + _DROP)
    likely = np.stack((grid[rows], _WIDTHS[columns], np.array(_BENDS)[bends]), 1)
    d50, width, bend = likely[lack[bends, rows, columns].argmin()]
    return Transition(float(d50), (float(likely[:, 0].min()), float(likely[:, 0].max())), float(d50 * width), float(bend), likely)


def _lack(grid: np.ndarray, bend: float, dims: np.ndarray, right: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """The negative log-likelihood at each d50 of the grid (rows) and each width."""
    chance = _LAPSE + (1 - 2 * _LAPSE) * _chance(dims, grid[:, None, None], _WIDTHS[:, None], bend)
    return -(right * np.log(chance) + (trials - right) * np.log1p(-chance)).sum(-1)


def _chance(dims: np.ndarray, d50: np.ndarray | float, width: np.ndarray | float, bend: float) -> np.ndarray:
    ratio = dims / d50
    return ndtr((np.log(ratio) if bend == 0 else (ratio**bend - 1) / bend) / width)


def _quantile(fits: np.ndarray, success: float) -> np.ndarray:
    d50, width, bend = fits.T
    reach = width * float(ndtri(success))
    power = np.maximum(1 + bend * reach, _LEAST)
    return d50 * np.where(bend == 0, np.exp(reach), power ** (1 / np.where(bend == 0, 1.0, bend)))
