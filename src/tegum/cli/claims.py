"""Claims in words: one line a claim, one line for many."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from tegum.store import Claim

_COLOURS = {"holds": "green", "refuted": "red", "undecided": "yellow"}


def told_claim(claim: "Claim") -> dict[str, Any]:
    """A claim as JSON values, with its verdict."""
    return claim.to_dict() | {"verdict": claim.verdict, "as_recorded": claim.as_recorded}


def verdict_line(claim: "Claim") -> str:
    """A claim as one line: its verdict (in colour on a terminal), the one on record where that differs, and what was measured."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    verdict = f"{claim.verdict:9}" if plain else typer.style(f"{claim.verdict:9}", fg=_COLOURS[claim.verdict])
    told = "" if claim.as_recorded else f" (on record: {claim.on_record})"
    interval = "" if claim.interval is None else f" [{_number(claim.interval[0])}, {_number(claim.interval[1])}]"
    return f"{verdict}{told} {claim.statement}: {_number(claim.estimate)}{interval}, expected {_expected(claim)}"


def summary(claims: "Sequence[Claim]", failures: int) -> str:
    """How many claims hold, and what differs from the record, in one line."""
    told = ["no claims judged"]
    if claims:
        counts = [f"{count} {verdict}" for verdict in _COLOURS if (count := sum(claim.verdict == verdict for claim in claims))]
        differ = sum(not claim.as_recorded for claim in claims)
        told = [f"{len(claims)} claims: {', '.join(counts)}", f"{differ} not as on record" if differ else "all as on record"]
    return "; ".join([*told, *([f"{failures} failure{'s' * (failures > 1)}"] if failures else [])])


def _expected(claim: "Claim") -> str:
    if isinstance(claim.expected, tuple):
        low, high = claim.expected
        text = f">= {_number(low)}" if high is None else f"<= {_number(high)}" if low is None else f"{_number(low)} to {_number(high)}"
    else:
        text = _number(claim.expected)
    return text + (f" ± {_number(claim.tolerance)}" if claim.tolerance else "")


def _number(value: float | None) -> str:
    return str(value) if isinstance(value, bool) or value is None else f"{value:.5g}"
