"""A claim is a statistic: an estimate with its interval, held against what was expected before the run.

Three verdicts, because data can also fail to decide: `holds` when the whole interval lies inside what was expected, `refuted` when
the whole of it lies outside, `undecided` otherwise. The verdict on record stands in the experiment's file with its reason; only a
change of verdict is a failure, so a refuted claim, well shown, is a result.
"""

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, cast

from tegum.store.cell import plain

Verdict = Literal["holds", "refuted", "undecided"]
Range = tuple[float | None, float | None]
VERDICTS: tuple[Verdict, ...] = ("holds", "refuted", "undecided")


@dataclass(frozen=True)
class Claim:
    """One checkable statement of an experiment.

    Parameters
    ----------
    statement
        The claim in words, with its condition ("at density .02 the best model opposes the two features").
    estimate
        What was measured: a bool, or a number (numpy and torch scalars too). NaN decides nothing.
    expected
        True or False, a number, or a range (lo, hi) with None for an open end.
    tolerance
        Widens `expected` on both sides, in the estimate's units; set before the run. None is 0.
    interval
        (lo, hi) for the estimate, such as a 95 % confidence interval; None when the estimate is exact.
    reason
        Where the tolerance and the interval come from; a claim with either (a tolerance above 0) needs it.
    source
        The paper, section or equation that makes the claim.
    on_record
        The verdict that this claim is known to have; one other than `holds` needs `record_reason`.
    """

    statement: str
    estimate: bool | float
    _: KW_ONLY
    expected: bool | float | Range
    tolerance: float | None = None
    interval: tuple[float, float] | None = None
    reason: str = ""
    source: str = ""
    on_record: Verdict = "holds"
    record_reason: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.statement, str) or not self.statement.strip():
            raise ValueError(f"a claim needs a statement in words, not {self.statement!r}")
        object.__setattr__(self, "estimate", self._scalar("estimate", self.estimate))
        object.__setattr__(self, "expected", self._expectation())
        if self.tolerance is not None:
            object.__setattr__(self, "tolerance", self._number("tolerance", self.tolerance))
            if not (0 <= cast("float", self.tolerance) < math.inf):
                raise self._error(f"tolerance is {self.tolerance}; it must be a number from 0 up")
        if self.interval is not None:
            object.__setattr__(self, "interval", self._pair("interval", self.interval))
        if isinstance(self.expected, bool):
            if not isinstance(self.estimate, bool) and not math.isnan(self.estimate):
                raise self._error(f"estimate is {self.estimate} but expected is {self.expected}: compare a bool with a bool")
            if self.interval is not None or self.tolerance:
                raise self._error("a yes-or-no claim has neither tolerance nor interval")
        elif isinstance(self.estimate, bool):
            raise self._error(f"estimate is {self.estimate} but expected is {self.expected}: compare a number with a number")
        if (self.tolerance or self.interval is not None) and not (isinstance(self.reason, str) and self.reason.strip()):
            given = "an interval" if self.interval is not None else f"a tolerance of {self.tolerance:g}"
            raise self._error(f"{given} needs its reason: where it comes from")
        if self.on_record not in VERDICTS:
            raise self._error(f"on_record is {self.on_record!r}; it is one of {', '.join(VERDICTS)}")
        if self.on_record != "holds" and not self.record_reason:
            raise self._error(f"a verdict on record of {self.on_record!r} needs its record_reason")

    @property
    def bounds(self) -> tuple[float, float]:
        """What is allowed, tolerance included; for a yes-or-no claim 1 is True and 0 is False."""
        low, high = self.expected if isinstance(self.expected, tuple) else (float(self.expected), float(self.expected))
        slack = self.tolerance or 0.0
        return (-math.inf if low is None else low - slack, math.inf if high is None else high + slack)

    @property
    def verdict(self) -> Verdict:
        """`holds`, `refuted` or `undecided`; without an interval the estimate alone decides."""
        low, high = self.interval or (float(self.estimate), float(self.estimate))
        least, most = self.bounds
        if any(math.isnan(number) for number in (float(self.estimate), low, high)):
            return "undecided"
        if least <= low and high <= most:
            return "holds"
        return "refuted" if high < least or low > most else "undecided"

    @property
    def as_recorded(self) -> bool:
        """True when the verdict is the one on record; a claim of which this is False is a failure."""
        return self.verdict == self.on_record

    def to_dict(self) -> dict[str, Any]:
        """The claim's fields as plain JSON values; `Claim.from_dict` reads them back."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "_"}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Claim":
        """The claim that `to_dict` wrote. Raises ValueError for fields unknown here."""
        unknown = [name for name in saved if name not in cls.__dataclass_fields__ or name == "_"]
        if unknown:
            raise ValueError(f"a saved claim has the fields {', '.join(map(repr, unknown))}, which this tegum does not know: upgrade it")
        return cls(**saved)

    def __str__(self) -> str:
        told = "" if self.as_recorded else f" (on record: {self.on_record})"
        return f"{self.verdict}{told}: {self.statement}"

    def _expectation(self) -> Any:
        if isinstance(self.expected, (tuple, list)):
            low, high = self._pair("expected", self.expected, open_ends=True)
            if low is None and high is None:
                raise self._error("expected is (None, None), which refutes nothing")
            return low, high
        expected = self._scalar("expected", self.expected)
        if not isinstance(expected, bool) and math.isnan(expected):
            raise self._error("expected is NaN")
        return expected

    def _pair(self, name: str, pair: Any, *, open_ends: bool = False) -> tuple[Any, Any]:
        if not hasattr(pair, "__len__") or len(pair) != 2:
            raise self._error(f"{name} is {pair!r}; it must be a pair (lo, hi)")
        low, high = (None if open_ends and end is None else self._number(name, end) for end in pair)
        if low is not None and high is not None and low > high:
            raise self._error(f"{name} is ({low}, {high}): its low end is above its high end")
        if open_ends and any(end is not None and math.isnan(end) for end in (low, high)):
            raise self._error(f"{name} is ({low}, {high}), which has NaN in it")
        return low, high

    def _number(self, name: str, value: Any) -> float:
        number = self._scalar(name, value)
        if isinstance(number, bool):
            raise self._error(f"{name} is {number}; it must be a number")
        return number

    def _scalar(self, name: str, value: Any) -> bool | float:
        try:
            value = plain(value)
        except ValueError as error:
            raise self._error(f"{name} is of type {type(value).__name__}; it must be a bool or a number") from error
        if isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return float(value)
        raise self._error(f"{name} is {value!r}; it must be a bool or a number")

    def _error(self, why: str) -> ValueError:
        return ValueError(f"claim {self.statement!r}: {why}")
