"""Paired intervals: sums by groups of rows, resampled together, so that what two readers make of the same rows is compared on the same rows.

Rows of one document are alike, so whole documents are drawn again, not rows (the cluster bootstrap; Davison & Hinkley 1997, sec. 3.8). Documents
are shared out at random among at most 256 groups, which on average changes no variance and keeps what is stored small. With few groups the
percentile interval is too narrow by about sqrt(g / (g - 1)) times Student's quantile over the normal one, and is widened by that (the expanded
percentile interval of Hesterberg 2015, 'What teachers should know about the bootstrap').
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.stats import norm, t
from torch import Tensor

from tegum.shapes import Float, Int

GROUPS = 256
_RESAMPLED = 2_000
_LEVEL = 0.95
Totals = np.ndarray | np.floating  # of each resample, or of the rows as they are
Statistic = Callable[..., Totals]


def groups_of(documents: Int[Tensor, " rows"], seed: int = 0) -> Int[Tensor, " rows"]:
    """The group of each row, counted from 0: rows of a document share one, and groups hold as many documents, but for one more or less."""
    numbers, place = documents.unique(return_inverse=True)
    shuffled = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(seed))
    return (shuffled % GROUPS)[place]


def summed(values: Float[Tensor, " rows"], groups: Int[Tensor, " as_many"]) -> list[float]:
    """The sum of each group, to seven digits, which is what a float32 has."""
    sums = torch.zeros(int(groups.max()) + 1, dtype=torch.float64).index_add(0, groups, values.double())
    return [float(f"{value:.7g}") for value in sums.tolist()]


@dataclass(frozen=True)
class Estimate:
    """A number and its 95% interval; `low` and `high` are nan where there is one group."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Such as .71 (.70 to .72), with as many digits as show how wide the interval is."""
        if not np.isfinite(self.high - self.low):
            return share(self.value)
        width = self.high - self.low
        digits = int(np.clip(np.ceil(-np.log10(width / 3)), 2, 4)) if width > 0 else 4
        return f"{share(self.value, digits)} ({share(self.low, digits)} to {share(self.high, digits)})"


@dataclass(frozen=True)
class Resampled:
    """Draws of so many groups with replacement, the same for every statistic that is asked of it."""

    n_groups: int
    seed: int = 0

    @cached_property
    def times(self) -> np.ndarray:
        """How often each group is drawn, (2,000, groups)."""
        n = self.n_groups
        return np.random.default_rng(self.seed).multinomial(n, np.full(n, 1 / n), size=_RESAMPLED).astype(float)

    def estimate(self, statistic: Statistic, *sums: list[float] | np.ndarray) -> Estimate:
        """`statistic` of the totals of `sums` (one number a group each), and its interval."""
        told = [np.asarray(one, dtype=float) for one in sums]
        with np.errstate(invalid="ignore", divide="ignore"):
            value = float(statistic(*(one.sum() for one in told)))
            if self.n_groups < 2:
                return Estimate(value, float("nan"), float("nan"))
            drawn = np.asarray(statistic(*(self.times @ one for one in told)))
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.quantile(drawn, self._ends) if len(drawn) else (float("nan"), float("nan"))
        return Estimate(value, float(low), float(high))

    @property
    def _ends(self) -> tuple[float, float]:
        n = self.n_groups
        wide = np.sqrt(n / (n - 1)) * t.ppf((1 - _LEVEL) / 2, n - 1)
        return float(norm.cdf(wide)), float(norm.cdf(-wide))


def explained(error: Totals, spread: Totals) -> Totals:
    """1 - sum |x - y|^2 / sum |x - mean x|^2, as `tegum.learning.metrics.explained_variance`."""
    return 1 - error / spread


def gained(error: Totals, other: Totals, spread: Totals) -> Totals:
    """How much more variance the one with `error` explains than the `other`."""
    return (other - error) / spread


def ratio(top: Totals, bottom: Totals) -> Totals:
    """A ratio of sums, such as a mean."""
    return top / bottom


def share(value: float, digits: int = 3) -> str:
    """A number in words; below 1 as .71."""
    told = f"{value:.{digits}f}"
    return told.replace("0.", ".", 1) if abs(float(told)) < 1 else told
