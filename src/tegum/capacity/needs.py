"""Needs: how many dims a decoder needs, measured with trials spent where they tell most.

A search first brackets the point where half of the codes are read, by looks of a few trials that stride up or down from a guess; then it looks
where the fit of the transition (`transition.py`) is least sure of its 50% and its 99% point: below the middle, close to it, and towards the
upper end. It stops by a rule that is stated before: after a whole turn of these, as soon as both 95% intervals are as narrow as asked for, or where
trials run out, which the result says.

A search that stops when it likes what it sees is sure of itself too often: it ends early where luck made the counts agree. Hence the whole turns. Of
searches in simulated worlds (80 each of three, normal in d) 94 to 95 in a hundred had the true 50% point within their interval, 96 to 99 the 99%
point; middles were .1 to .3% low.

Every look adds trials by their numbers, so that a search that is run again gives the same counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest

from tegum.capacity.transition import Transition, transition
from tegum.capacity.trials import Setting
from tegum.checks import check_count, check_number
from tegum.decoders import Decoder
from tegum.results import Result
from tegum.shapes import Int

if TYPE_CHECKING:
    import pandas as pd

_STRIDE, _FASTER = 1.25, 1.4  # from the guess; each further stride is longer
_FIRST = 16  # trials of a look that brackets
_PLACES = (-0.9, 0.3, 1.8)  # widths from the middle: for the slope, the middle whatever the bend, and the upper end
_SOFT = 0.5  # dims: below it a fit is as good as whole dims let it be


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When to stop: half of the 95% interval within `precision` of the 50% point and `precision_99` of the 99% point, or `budget` trials.

    `most_dims` is never exceeded, `look` the trials of a look. Raises ValueError for what is no positive number.
    """

    precision: float = 0.03
    precision_99: float = 0.1
    budget: int = 512
    look: int = 64
    most_dims: int = 1 << 14

    def __post_init__(self) -> None:
        """Check every field."""
        check_number("precision", self.precision, zero=False)
        check_number("precision_99", self.precision_99, zero=False)
        for name in ("budget", "look", "most_dims"):
            check_count(name, getattr(self, name))

    def met(self, fit: Transition) -> bool:
        """Whether the fit is as sure as asked for."""
        return all(
            high < np.inf and (high - low) / 2 <= max(part * fit.at(share), _SOFT)
            for share, part in ((0.5, self.precision), (0.99, self.precision_99))
            for low, high in [fit.interval_at(share)]
        )


@dataclass(frozen=True, eq=False)
class Need(Result):
    """`right` of `trials` codes were read at each of `dims`, ascending; `fit` their transition, None where it lies outside what was looked at.

    `seconds` is what decoding a code took at each, `stopped` why the search ended: precise, budget, "above" the most dims, or "below" one.
    """

    dims: Int[np.ndarray, " looks"]
    right: Int[np.ndarray, " looks"]
    trials: Int[np.ndarray, " looks"]
    seconds: np.ndarray
    fit: Transition | None
    stopped: str

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a number of dims, with the share read and its Wilson 95% interval."""
        import pandas as pd

        shares = [binomtest(int(right), int(trials)) for right, trials in zip(self.right, self.trials, strict=True)]
        intervals = [share.proportion_ci(method="wilson") for share in shares]
        return pd.DataFrame(
            {
                "n_dims": self.dims,
                "right": self.right,
                "trials": self.trials,
                "share": [share.statistic for share in shares],
                "low": [interval.low for interval in intervals],
                "high": [interval.high for interval in intervals],
                "seconds": self.seconds,
            }
        )

    def __repr__(self) -> str:
        if self.fit is None:
            return f"Need({self.stopped} what was looked at, d = {self.dims.min():,} to {self.dims.max():,}, {self.trials.sum():,} trials)"
        (low, high), (low_99, high_99) = self.fit.interval, self.fit.interval_at(0.99)
        return (
            f"Need(50% at d = {self.fit.d50:.1f} [{low:.1f}, {high:.1f}], 99% at {self.fit.at(0.99):.1f} [{low_99:.1f}, {high_99:.1f}], "
            f"{self.trials.sum():,} trials, {self.stopped})"
        )


def measure_need(
    setting: Setting,
    decoder: Decoder,
    guess: float,
    rule: Rule | None = None,
    *,
    ladder: tuple[int, ...] = (),
    progress: Callable[[int], object] = lambda trials: None,  # noqa: ARG005
) -> Need:
    """How many dims `decoder` needs for the codes of `setting`, from about `guess` on.

    At each of the dims of `ladder` that is within a factor of 3 of the transition a first look is taken besides. `progress` is told how many trials
    were made. Raises ValueError unless `guess` is positive and finite.
    """
    check_number("guess", guess, zero=False)
    search = _Search(setting, decoder, rule or Rule(), progress)
    while not (stopped := search.bracket(guess) or search.refine()):
        pass
    fit = search.fit()
    for d in ladder:
        if d <= search.rule.most_dims and d not in search.seen and (fit is None or fit.d50 / 3 <= d <= 3 * fit.d50):
            search.look(d, _FIRST)
    return search.need(stopped)


class _Search:
    """Counts so far, by dims: right, trials, seconds."""

    def __init__(self, setting: Setting, decoder: Decoder, rule: Rule, progress: Callable[[int], object]) -> None:
        self.setting, self.decoder, self.rule, self.progress = setting, decoder, rule, progress
        self.seen: dict[int, tuple[int, int, float]] = {}

    @property
    def made(self) -> int:
        return sum(trials for _, trials, _ in self.seen.values())

    def look(self, d: int, trials: int) -> None:
        """Some more trials at d."""
        right, before, seconds = self.seen.get(d, (0, 0, 0.0))
        count = self.setting.count(self.decoder, d, before, trials)
        self.seen[d] = (right + count.right, before + trials, seconds + count.seconds)
        self.progress(self.made)

    def bracket(self, guess: float) -> str:
        """Looks on both sides of the middle; else on which side of what may be looked at it lies."""
        most, stride = self.rule.most_dims, _STRIDE
        self.look(int(np.clip(round(guess), 1, most)), _FIRST)
        while True:
            shares = {d: right / trials for d, (right, trials, _) in self.seen.items()}
            below = max((d for d, share in shares.items() if share < 0.5), default=0)
            above = min((d for d, share in shares.items() if share > 0.5 and d > below), default=most + 1)
            if below and above <= max(_STRIDE**2 * below, below + 1) and above <= most:
                return ""
            if below and above <= most:
                d = round((below * above) ** 0.5)
            elif below:
                if most in shares:
                    return "above"
                d, stride = min(most, max(round(max(shares) * stride), max(shares) + 1)), stride * _FASTER
            else:
                if 1 in shares:
                    return "below"
                d, stride = max(1, min(round(min(shares) / stride), min(shares) - 1)), stride * _FASTER
            self.look(d, _FIRST)

    def refine(self) -> str:
        """Looks about the middle, until the rule is met or the trials run out; "" where they have moved it out of what was looked at."""
        turn = 0
        while (fit := self.fit()) is not None:
            if turn and turn % len(_PLACES) == 0 and self.rule.met(fit):
                return "precise"
            left = self.rule.budget - self.made
            if left <= 0:
                return "budget"
            d = round(fit.d50 + _PLACES[turn % len(_PLACES)] * fit.width)
            self.look(int(np.clip(d, 1, self.rule.most_dims)), min(self.rule.look, left))
            turn += 1
        return ""

    def fit(self) -> Transition | None:
        """The transition of all counts."""
        dims, right, trials, _ = self._arrays()
        return transition(dims, right, trials)

    def need(self, stopped: str) -> Need:
        """What was found."""
        dims, right, trials, seconds = self._arrays()
        return Need(dims, right, trials, seconds / trials, transition(dims, right, trials), stopped)

    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        dims = sorted(self.seen)
        right, trials, seconds = (np.array([self.seen[d][i] for d in dims]) for i in range(3))
        return np.array(dims), right, trials, seconds
