"""Transition: how many dims a decoder needs, from counts of successes at several numbers of dims.

The chance of success rises as Phi(z), z = ((d / d50)^bend - 1) / (bend width): with bend 1 a normal law in d, which is the limit law of l1
(Amelunxen, Lotz, McCoy & Tropp 2014); with bend 0 one in ln d, and with -1 one in 1/d: success of thresholds is that of their worst feature, and
rises steeply at first and then slowly. By theory's curves at N = 1,024 and 65,536 (k = 8, 16) 0 suits top-k and -1 a threshold at 1/2. Two
outcomes in ten thousand are taken to be by chance, either way (a lapse rate, Wichmann & Hill 2001): a decoder that loses a code far above its
threshold would else be said to have its threshold there.

A law with bend -1 never reaches some chances: from dims without end it reads Phi(1/width) of the codes, which is what noise makes of a threshold.
Its number of dims for more than that is inf.

Fitted by maximum likelihood over all three, middle and width on a grid that is laid finer where they are likely. The interval of a number of dims is
what it takes where the likelihood is within half of chi^2's 95% point of its maximum (the profile likelihood's): not knowing the bend is part of it.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri

_DROP = 1.9207294  # half the 95% point of chi^2 with one degree of freedom
_LAPSE = 0.0002
_STEEPEST, _FLATTEST = 0.005, 6.0  # widths, as shares of d50
_BENDS = (1.0, 0.0, -1.0)
_MIDDLES, _WIDTHS = 60, 36  # of a grid, which is laid three times


@dataclass(frozen=True)
class Transition:
    """`d50` with its 95% interval, and the width of the transition there, one standard deviation; in dims."""

    d50: float
    interval: tuple[float, float]
    width: float
    bend: float
    likely: np.ndarray = field(repr=False, compare=False)  # (d50, width / d50, bend), as likely as the interval allows

    def at(self, success: float) -> float:
        """The number of dims at which that share of codes is read right; inf if it never is."""
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

    middles = np.geomspace(dims.min() / 2, dims.max() * 2, _MIDDLES)
    widths = np.geomspace(_STEEPEST, _FLATTEST, _WIDTHS)
    lack = _lack(middles, widths, dims, right, trials)
    for finer_widths in (False, True):  # between middles far apart nothing is known of a steep width
        near = lack < lack.min() + 4 * _DROP
        middles = _finer(middles[near.any((0, 2))], middles, _MIDDLES)
        widths = _finer(widths[near.any((0, 1))], widths, _WIDTHS) if finer_widths else widths
        lack = _lack(middles, widths, dims, right, trials)
    bends, rows, columns = np.nonzero(lack <= lack.min() + _DROP)
    likely = np.stack((middles[rows], widths[columns], np.array(_BENDS)[bends]), 1)
    d50, width, bend = likely[lack[bends, rows, columns].argmin()]
    return Transition(float(d50), (float(likely[:, 0].min()), float(likely[:, 0].max())), float(d50 * width), float(bend), likely)


def _finer(near: np.ndarray, grid: np.ndarray, size: int) -> np.ndarray:
    """A grid over what is near, and a step beyond."""
    step = grid[1] / grid[0]
    return np.geomspace(near[0] / step, near[-1] * step, size)


def _lack(middles: np.ndarray, widths: np.ndarray, dims: np.ndarray, right: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """The negative log-likelihood of every bend, d50 and width."""
    found = []
    for bend in _BENDS:
        chance = _LAPSE + (1 - 2 * _LAPSE) * _chance(dims, middles[:, None, None], widths[:, None], bend)
        found.append(-(right * np.log(chance) + (trials - right) * np.log1p(-chance)).sum(-1))
    return np.array(found)


def _chance(dims: np.ndarray, d50: np.ndarray | float, width: np.ndarray | float, bend: float) -> np.ndarray:
    ratio = dims / d50
    return ndtr((np.log(ratio) if bend == 0 else (ratio**bend - 1) / bend) / width)


def _quantile(fits: np.ndarray, success: float) -> np.ndarray:
    """Dims of that success; 0 where a law is above it from the first dim on, inf where it never comes there."""
    d50, width, bend = fits.T
    reach = width * float(ndtri(success))
    power = np.maximum(1 + bend * reach, 0.0)
    with np.errstate(divide="ignore"):
        return d50 * np.where(bend == 0, np.exp(reach), power ** (1 / np.where(bend == 0, 1.0, bend)))
