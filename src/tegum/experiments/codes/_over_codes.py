"""What codes drawn independently say together: deviations from a law, ratios of means, and shares, each with the spread over codes as its error."""

import math

import numpy as np
from scipy.stats import t as student

from tegum.experiments._intervals import wilson
from tegum.shapes import Float, Int

SURE = 1e-3  # the chance that a right law is refuted by one of the numbers that it is held against
Estimate = tuple[float, tuple[float, float]]  # and its 95% interval


def deviation(values: Float[np.ndarray, "codes ..."], law: np.ndarray | np.floating | float) -> np.ndarray:
    """|mean - law| in standard errors over codes; where all codes agree it is 0 at the law, and infinite elsewhere."""
    off = np.abs(values.mean(0) - law)
    error = values.std(0, ddof=1) / math.sqrt(len(values))
    at_law = off <= 1e-9 * np.abs(law) + 1e-15
    return np.where(at_law, 0.0, np.where(error > 0, off / np.where(error > 0, error, 1.0), np.inf))


def limit(codes: int, numbers: int) -> float:
    """What the largest of that many deviations exceeds with chance `SURE` at most, by Student's law."""
    return float(student.isf(SURE / 2 / numbers, codes - 1))


def interval(values: Float[np.ndarray, " codes"], numbers: int = 1) -> Estimate:
    """The mean, with its interval as one of so many (Bonferroni)."""
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    reach = error * float(student.isf(0.025 / numbers, len(values) - 1))
    return mean, (mean - reach, mean + reach)


def ratio(over: Float[np.ndarray, " codes"], under: Float[np.ndarray, " codes"], power: float = 1.0, numbers: int = 1) -> Estimate:
    """(mean of `over` / mean of `under`)^power, the two from different codes, with its interval on the log scale as one of so many."""
    errors = [part.std(ddof=1) / math.sqrt(len(part)) / part.mean() for part in (over, under)]
    reach = float(abs(power) * math.hypot(*errors) * student.isf(0.025 / numbers, min(len(over), len(under)) - 1))
    found = float((over.mean() / under.mean()) ** power)
    return found, (found * math.exp(-reach), found * math.exp(reach))


def share(right: Int[np.ndarray, " codes"], total: Int[np.ndarray, " codes"]) -> Estimate:
    """The share of what was right, with the wider of Wilson's interval and that by its spread over codes, cut to [0, 1]; NaN of nothing."""
    some = int(total.sum())
    if some == 0:
        return math.nan, (math.nan, math.nan)
    found, (low, high) = wilson(int(right.sum()), some)
    used = np.flatnonzero(total)
    if len(used) > 1:
        spread = math.sqrt(len(used) / (len(used) - 1) * float(((right - found * total)[used] ** 2).sum())) / some
        reach = spread * float(student.isf(0.025, len(used) - 1))
        low, high = min(low, found - reach), max(high, found + reach)
    return found, (max(low, 0.0), min(high, 1.0))
