"""Dated events in the course of training, and whether they meet faster falls of the loss than chance would have it.

Everything is counted in moments, the equally spaced recordings of a run. What is the same in all runs (falls and events are both denser early) is
no meeting: chance is therefore what the events of one run find in the loss of *another* run at the same moments. If events and falls have nothing
to do with each other, it does not matter with whose falls a run's events are paired, so exchanging the runs' losses at random gives an exact
test (a permutation test; Good 2005, *Permutation, Parametric and Bootstrap Tests of Hypotheses*, ch. 3). Shifting the events in time, as is done
for stationary series, would break the common course too, and find meetings that are not there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tegum.shapes import Bool, Float


def across(trace: Float[np.ndarray, "times ..."], reach: int) -> Float[np.ndarray, "times ..."]:
    """trace[t + reach] - trace[t - reach]; 0 where that leaves the recording."""
    change = np.zeros(trace.shape)
    change[reach : len(trace) - reach] = trace[2 * reach :] - trace[: len(trace) - 2 * reach]
    return change


def jumps(levels: Float[np.ndarray, "times ..."], reach: int, least: float) -> Bool[np.ndarray, "times ..."]:
    """Where a trace goes from one plateau to another.

    It changes by `least` or more within `reach` on either side, by no less than at any other moment within twice that, and stays within half of
    the change from 3 to 1 times `reach` before and after.
    """
    change = np.abs(across(levels, reach))
    flat = np.maximum(_spread(levels, -3 * reach, -reach), _spread(levels, reach, 3 * reach))
    return (change >= least) & _peaks(change, 2 * reach) & (flat <= change / 2)


def drops(loss: Float[np.ndarray, "times runs"], reach: int) -> Bool[np.ndarray, "times runs"]:
    """Where the loss falls faster than before and after.

    The fall of ln loss within `reach` on either side, less the mean of the two such falls next to it, is no less than at any other moment within
    twice `reach`, and more than 3 standard deviations above 0 (1.4826 times the median of its magnitude over the run, so that drops do not count
    in what they are held against).
    """
    fall = -across(np.log(loss), reach)
    inner = slice(3 * reach, len(loss) - 3 * reach)
    excess = np.zeros(fall.shape)
    excess[inner] = fall[inner] - (fall[reach : len(loss) - 5 * reach] + fall[5 * reach : len(loss) - reach]) / 2
    noise = 1.4826 * np.median(np.abs(excess[inner]), axis=0)
    return (excess > 3 * noise) & _peaks(excess, 2 * reach)


def merged(events: Bool[np.ndarray, "times features"], sizes: Float[np.ndarray, "times features"], reach: int) -> list[int]:
    """Moments of a run's events: those of all features, none further than `reach` from the next of the same event, at their mean by size."""
    moments, features = np.nonzero(events)
    found: list[int] = []
    if not len(moments):
        return found
    for group in np.split(np.arange(len(moments)), np.flatnonzero(np.diff(moments) > reach) + 1):
        weight = sizes[moments[group], features[group]]
        found.append(round(float(np.average(moments[group], weights=weight))))
    return found


def near(moments: list[int], times: int, reach: int) -> Bool[np.ndarray, " times"]:
    """True within `reach` of any of the moments."""
    close = np.zeros(times, dtype=bool)
    for moment in moments:
        close[max(0, moment - reach) : moment + reach + 1] = True
    return close


@dataclass(frozen=True)
class Meeting:
    """What the events of each run find in each run's loss: `found` (runs with events, runs with losses), and what `own` is divided by."""

    found: Float[np.ndarray, "runs runs"]
    total: Float[np.ndarray, " runs"]

    @property
    def share(self) -> float:
        """Found in their own runs, of all."""
        return float(_ratio(np.trace(self.found), self.total.sum()))

    @property
    def by_chance(self) -> Float[np.ndarray, " runs"]:
        """The mean over all other runs of what each run's events find there."""
        return (self.found.sum(1) - np.diagonal(self.found)) / max(1, len(self.found) - 1)

    def shuffled(self, times: int, seed: int) -> Float[np.ndarray, " times"]:
        """`share` with the runs' losses exchanged at random."""
        runs = np.arange(len(self.found))
        exchanged = np.random.default_rng(seed).permuted(np.tile(runs, (times, 1)), axis=1)
        return _ratio(self.found[runs, exchanged].sum(1), self.total.sum())

    def mean(self, times: int, seed: int) -> tuple[float, tuple[float, float]]:
        """`share` with a 95% bootstrap interval over runs."""
        return _bootstrapped(np.diagonal(self.found), self.total, times, seed)

    def p_value(self, times: int, seed: int) -> float:
        """The chance of a share as large, (1 + exchanges that reach it) / (1 + exchanges); NaN without events."""
        if not self.total.sum():
            return float("nan")
        return float((1 + (self.shuffled(times, seed) >= self.share - 1e-12).sum()) / (1 + times))

    def excess(self, times: int, seed: int) -> tuple[float, tuple[float, float]]:
        """`share` less that by chance, with a 95% bootstrap interval over runs."""
        own = np.diagonal(self.found) - self.by_chance
        return _bootstrapped(own, self.total, times, seed)

    def factor(self, times: int, seed: int) -> tuple[float, tuple[float, float]]:
        """What is found over what chance finds, with a 95% bootstrap interval over runs."""
        return _bootstrapped(np.diagonal(self.found), self.by_chance, times, seed)


def _bootstrapped(upper: np.ndarray, lower: np.ndarray, times: int, seed: int) -> tuple[float, tuple[float, float]]:
    """sum(upper) / sum(lower) and its percentile interval when runs are drawn again with replacement."""
    some = np.random.default_rng(seed).integers(len(upper), size=(times, len(upper)))
    ratios = _ratio(upper[some].sum(1), lower[some].sum(1))
    known = ratios[np.isfinite(ratios)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (np.nan, np.nan)
    return float(_ratio(upper.sum(), lower.sum())), (float(low), float(high))


def _ratio(upper: Any, lower: Any) -> np.ndarray:
    """NaN where `lower` is 0."""
    return np.divide(upper, lower, out=np.full(np.shape(upper), np.nan), where=np.not_equal(lower, 0))


def _peaks(size: np.ndarray, reach: int) -> np.ndarray:
    """No value within `reach` is larger; of equal neighbours the first."""
    from scipy.ndimage import maximum_filter1d

    highest = size == maximum_filter1d(size, 2 * reach + 1, axis=0)
    highest[1:] &= size[1:] != size[:-1]
    return highest


def _spread(trace: np.ndarray, first: int, last: int) -> np.ndarray:
    """Largest less smallest over moments t + first to t + last; infinite where that leaves the recording."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    width = last - first + 1
    centred = maximum_filter1d(trace, width, axis=0) - minimum_filter1d(trace, width, axis=0)
    middle = first + width // 2
    spread = np.full(trace.shape, np.inf)
    begin, end = max(0, -first), len(trace) - max(0, last)
    spread[begin:end] = centred[begin + middle : end + middle]
    return spread
