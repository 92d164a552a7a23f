"""50% points, measured with trials near the middle: what experiments that compare rules, noise or dictionaries need, and 99% points do not.

Half of the trials go to a search, which sees to both ends of the transition, half to two places close to its middle.
"""

from collections.abc import Iterable

import numpy as np
from scipy.stats import norm

from tegum.capacity.needs import Rule, measure_need
from tegum.capacity.transition import Transition
from tegum.capacity.trials import Setting
from tegum.decoders import Decoder
from tegum.shapes import Int

CLOSE = 0.4  # widths from the middle
PRECISION = 0.02  # at which the search may stop earlier
SAME = 0.08  # of the dims: two kinds of directions that differ by less are as good as each other; a tight frame's gain is more at our sizes
WIDE = 1.0  # widths of a transition: what one code needs differs from what another needs by so much, and laws are of large N
JOINED = "95% intervals by likelihood, joined as independent"


def counted(
    setting: Setting, decoder: Decoder, guess: float, budget: int, most_dims: int
) -> tuple[Int[np.ndarray, " looks"], Int[np.ndarray, " looks"], Int[np.ndarray, " looks"]]:
    """(dims, right, trials): of `trials` codes at each of `dims`, ascending, `right` were read."""
    need = measure_need(setting, decoder, guess, Rule(precision=PRECISION, budget=budget // 2, most_dims=most_dims))
    found = {int(d): (int(right), int(trials)) for d, right, trials in zip(need.dims, need.right, need.trials, strict=True)}
    if (fit := need.fit) is not None:
        for side in (-CLOSE, CLOSE):
            d = max(1, round(fit.d50 + side * fit.width))
            right, before = found.get(d, (0, 0))
            found[d] = (right + setting.count(decoder, d, before, budget // 4).right, before + budget // 4)
    dims = sorted(found)
    right, trials = (np.array([found[d][i] for d in dims]) for i in range(2))
    return np.array(dims), right, trials


def ratio(one: Transition, other: Transition) -> tuple[float, tuple[float, float]]:
    """How many times the 50% point of `other` that of `one` is, and the 95% interval of that."""
    times = one.d50 / other.d50
    spread = float(np.exp(np.hypot(*(np.log(fit.interval[1] / fit.interval[0]) / 2 for fit in (one, other)))))
    return times, (times / spread, times * spread)


def least_ratio(pairs: Iterable[tuple[Transition, Transition]]) -> tuple[float, tuple[float, float]]:
    """Of several ratios the one whose interval reaches lowest, and that interval: of 95% for all of them at once (Bonferroni)."""
    ratios = [ratio(*pair) for pair in pairs]
    wider = float(norm.isf(0.025 / len(ratios)) / norm.isf(0.025))
    found = [(times, (times * (low / times) ** wider, times * (high / times) ** wider)) for times, (low, high) in ratios]
    return min(found, key=lambda one: one[1][0])


def mean_ratio(pairs: Iterable[tuple[Transition, float]]) -> tuple[float, tuple[float, float]]:
    """How many times what laws say 50% points are: the geometric mean, each weighed by how sure it is, and the 95% interval of that."""
    fits, laws = zip(*pairs, strict=True)
    log_ratios = np.log([fit.d50 for fit in fits]) - np.log(laws)
    spreads = np.array([np.log(fit.interval[1] / fit.interval[0]) / 2 for fit in fits])
    weights = spreads**-2 / np.sum(spreads**-2)
    mean, spread = float(np.exp(weights @ log_ratios)), float(np.exp(np.sum(spreads**-2) ** -0.5))
    return mean, (mean / spread, mean * spread)


def deviation(fit: Transition, law: float) -> tuple[float, tuple[float, float]]:
    """|50% point - law| in widths of the transition, and its 95% interval."""
    low, there, high = ((point - law) / fit.width for point in (fit.interval[0], fit.d50, fit.interval[1]))
    return abs(there), (0.0 if low < 0 < high else min(abs(low), abs(high)), max(abs(low), abs(high)))
