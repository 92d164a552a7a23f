"""Intervals that several experiments put around a share."""

from scipy.stats import binomtest


def wilson(successes: int, trials: int) -> tuple[float, tuple[float, float]]:
    """The share of successes and its Wilson 95% interval (Wilson 1927), which holds for few trials and for shares of 0 and 1 too."""
    share = binomtest(int(successes), int(trials))
    interval = share.proportion_ci(method="wilson")
    return float(share.statistic), (float(interval.low), float(interval.high))
