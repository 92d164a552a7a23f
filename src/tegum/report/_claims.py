"""Claims as a table that stands a claim's estimate beside what was expected, and as totals that filter it."""

from collections.abc import Iterable, Sequence
from html import escape

from tegum.pages.words import expectation, inline, number
from tegum.report._gauge import gauge
from tegum.report._parts import Section
from tegum.store import Claim
from tegum.store.claim import VERDICTS

_COLUMNS = (("Verdict", "verdict"), ("Claim", "claim"), ("Measured", "num"), ("Expected", "num"), ("", "glance"))
_ICONS = {"holds": "\u2713", "refuted": "\u2715", "undecided": "?"}


def claims_table(pairs: Sequence[tuple[Section, Claim]], *, index: bool = False) -> str:
    """A table of claims; as the `index` of a report it names each claim's experiment and takes part in filter and search."""
    head = "".join(f'<th scope="col" class="{kind}">{word}</th>' for word, kind in _COLUMNS)
    rows = "".join(_row(section, claim, index=index) for section, claim in pairs)
    name = ' id="claims-table"' if index else ""
    return f'<table class="claims"{name}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def tally(claims: Iterable[Claim]) -> str:
    """Totals, each a button that shows its claims alone."""
    found = list(claims)
    totals = [("all", "claims", len(found), "")]
    totals += [(v, "hold" if v == "holds" else v, sum(c.verdict == v for c in found), _ICONS[v]) for v in VERDICTS]
    changed = sum(not c.as_recorded for c in found)
    totals += [("changed", "differ from the record", changed, "!")] if changed else []
    buttons = "".join(
        f'<button type="button" class="total {key}" data-filter="{key}" aria-pressed="{"true" if key == "all" else "false"}">'
        f"<b>{count}</b> <span>{f'<i aria-hidden=true>{icon}</i> ' if icon else ''}{word}</span></button>"
        for key, word, count, icon in totals
    )
    return f'<div class="tally" role="group" aria-label="Show claims by verdict">{buttons}</div>'


def verdict_badge(verdict: str) -> str:
    """Icon and word: colour alone says nothing."""
    return f'<span class="badge {escape(verdict, quote=True)}"><i aria-hidden="true">{_ICONS.get(verdict, "")}</i> {escape(verdict)}</span>'


def _row(section: Section, claim: Claim, *, index: bool) -> str:
    kept = "" if claim.as_recorded else " changed"
    words = f"{section.id} {section.title} {claim.statement} {claim.source} {claim.reason} {claim.verdict}".lower()
    told = f' data-verdict="{escape(claim.verdict)}" data-words="{escape(words, quote=True)}"' if index else ""
    cells = (
        f'<td class="verdict">{verdict_badge(claim.verdict)}{_record(claim)}</td>'
        f'<td class="claim"><p class="statement">{inline(claim.statement)}</p>{_notes(section, claim, index=index)}</td>'
        f'<td class="num" data-label="measured"><span class="value">{number(claim.estimate)}</span>{_interval(claim)}</td>'
        f'<td class="num" data-label="expected"><span class="value">{expectation(claim.expected)}</span>{_tolerance(claim)}</td>'
        f'<td class="glance">{gauge(claim)}</td>'
    )
    return f'<tr class="{escape(claim.verdict, quote=True)}{kept}"{told}>{cells}</tr>'


def _record(claim: Claim) -> str:
    if claim.as_recorded:
        return "<small>as on record</small>"
    return f'<small class="differs">! on record: {escape(claim.on_record)}</small>'


def _notes(section: Section, claim: Claim, *, index: bool) -> str:
    home = f'<a href="#{section.anchor}">{escape(section.id or section.name)}</a>' if index else ""
    source = f"<span>{inline(claim.source or section.source)}</span>" if index or claim.source else ""
    first = f'<p class="from">{" · ".join(x for x in (home, source) if x)}</p>' if home or source else ""
    reason = _reason(claim, folded=index) if claim.reason else ""
    record = (
        f'<p class="reason"><b>On record as {escape(claim.on_record)}.</b> {inline(claim.record_reason)}</p>' if claim.record_reason else ""
    )
    return first + reason + record


def _reason(claim: Claim, *, folded: bool) -> str:
    """Why this tolerance, or what the number means; folded in the index, which would be twice as long with it."""
    name = "Tolerance" if claim.tolerance or claim.interval is not None else "Reason"
    if folded:
        return f'<details class="reason"><summary>{name.lower()}</summary>{inline(claim.reason)}</details>'
    return f'<p class="reason"><b>{name}.</b> {inline(claim.reason)}</p>'


def _interval(claim: Claim) -> str:
    if claim.interval is None:
        return ""
    return f"<small>[{number(claim.interval[0])}, {number(claim.interval[1])}]</small>"


def _tolerance(claim: Claim) -> str:
    return f"<small>\u00b1 {number(claim.tolerance)}</small>" if claim.tolerance else ""
