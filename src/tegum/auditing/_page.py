"""The page of an audit: its verdicts first, then a section a question with findings, figures, tables and what was assumed. Every word is escaped."""

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from tegum.auditing._answer import Answer, Finding
from tegum.pages import drawing, one_file
from tegum.pages.words import inline, number, seconds, span

if TYPE_CHECKING:
    import pandas as pd

_FIRST = 10  # findings
_MOST = 40  # lines of a table; the rest is in the JSON
_CONTEXT = ("before", "token", "after")


def page(facts: Mapping[str, Any], answers: Mapping[str, Answer]) -> str:
    """The HTML of an audit."""
    what = str(facts["name"]) if facts["site"] in ("", "activations", facts["name"]) else f"{facts['site']} of {facts['name']}"
    told = [f"{facts['rows']:,} activations of {facts['n_dims']} dims"]
    told += [f"{facts['left_out']:,} that are not finite left out"] if facts["left_out"] else []
    if facts["n_features"]:
        on = f", {number(facts['l0'])} on in a row" if facts.get("l0") else ""
        told.append(f"{facts['dictionary']}: {facts['n_features']:,} features{on}")
    told += [f"seed {facts['seed']}", f"took {seconds(facts['took'])}"]
    cards = "".join(
        f'<a class="card" href="#{name}"><b>{escape(one.question)}</b><span>{inline(one.verdict)}</span></a>'
        for name, one in answers.items()
    )
    head = (
        f'<header id="top"><h1>{escape(what)}</h1><p class="facts">{"".join(f"<span>{escape(part)}</span>" for part in told)}</p></header>\n'
        f'<section class="cards" id="verdicts">{cards}</section>\n'
    )
    sections = "".join(_section(name, one) for name, one in answers.items())
    contents = [("verdicts", "In short"), *((name, one.question) for name, one in answers.items())]
    return one_file(f"Audit of {what}", head + sections, contents, style=_STYLE)


def _section(name: str, one: Answer) -> str:
    figures = "".join(
        drawing(
            figure.to_json() or "", f"{name}-figure-{place}", str((figure.layout.meta or {}).get("caption", "")),
            int(figure.layout.height or 400), figure.layout.width and int(figure.layout.width),
        )
        for place, figure in enumerate(one.figures, 1)
    )  # fmt: skip
    tables = "".join(_table(title, table) for title, table in one.tables.items())
    assumed = f"<h3>What was assumed</h3><ul>{''.join(f'<li>{inline(line)}</li>' for line in one.assumed)}</ul>" if one.assumed else ""
    return (
        f'<section class="experiment" id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{escape(one.question)}</h2>'
        f'<div class="prose"><p>{inline(one.verdict)}</p></div>{_findings(one.findings)}{figures}{tables}{assumed}</section>\n'
    )


def _findings(findings: tuple[Finding, ...]) -> str:
    """The first at once, the rest on demand."""
    shown = _lines(findings[:_FIRST])
    rest = findings[_FIRST:]
    return shown + (f"<details><summary>{len(rest)} more findings</summary>{_lines(rest)}</details>" if rest else "")


def _lines(findings: tuple[Finding, ...]) -> str:
    if not findings:
        return ""
    lines = "".join(
        f"<tr><td>{escape(found.name.replace('_', ' '))}</td><td><b>{_cell(found.value)}</b></td><td>{_interval(found)}</td>"
        f'<td class="words">{inline(found.words)}</td></tr>'
        for found in findings
    )
    return (
        '<div class="scroller"><table class="numbers findings"><thead><tr><th scope="col">finding</th><th scope="col">value</th>'
        f'<th scope="col">95%</th><th scope="col" class="words"></th></tr></thead><tbody>{lines}</tbody></table></div>'
    )


def _interval(found: Finding) -> str:
    ends = [end for end in (found.low, found.high) if end is not None and not math.isnan(end)]
    return escape(span(found.low, found.high)) if len(ends) == 2 else ""


def _table(title: str, table: "pd.DataFrame") -> str:
    if set(_CONTEXT) <= set(table.columns):
        return _contexts(table)
    texts = {name for name in table.columns if table[name].dtype.kind not in "biuf"}
    head = "".join(f'<th scope="col"{_side(name, texts)}>{escape(str(name).replace("_", " "))}</th>' for name in table.columns)
    lines = "".join(
        "<tr>" + "".join(f"<td{_side(name, texts)}>{_cell(value)}</td>" for name, value in zip(table.columns, line, strict=True)) + "</tr>"
        for line in table.head(_MOST).itertuples(index=False)
    )
    more = f"<p><small>{_MOST} of {len(table):,} lines; the JSON has all.</small></p>" if len(table) > _MOST else ""
    return (
        f"<details><summary>{escape(title)} ({len(table):,} line{'s'[: len(table) != 1]})</summary>"
        f'<div class="scroller"><table class="numbers"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>{more}</details>'
    )


def _contexts(table: "pd.DataFrame") -> str:
    parts = []
    for feature, own in table.groupby("feature", sort=False):
        lines = "".join(
            f"<li><small>{number(line['value'])}</small> <span>{escape(str(line['before']))} <mark>{escape(str(line['token']))}</mark> "
            f"{escape(str(line['after']))}</span></li>"
            for line in own.to_dict(orient="records")
        )
        parts.append(f'<h4>Feature {feature}</h4><ol class="contexts">{lines}</ol>')
    return "".join(parts)


def _side(name: Any, texts: set[Any]) -> str:
    return ' class="text"' if name in texts else ""


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, (list, tuple, dict)):
        return escape(str(value))
    return escape(number(value))


_STYLE = """
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(360px, 1fr)); gap: 14px; }
main > .cards { margin-bottom: 64px; }
.card { display: block; border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; color: inherit; text-decoration: none; }
.card:hover { border-color: var(--link); }
.card b { display: block; font: 600 18px/1.3 var(--serif); margin-bottom: 6px; }
.card span { font-size: 14.5px; line-height: 1.5; color: var(--soft); }
.findings { margin-top: 18px; }
.findings td:first-child { white-space: normal; min-width: 150px; }
.contexts { padding-left: 0; list-style: none; font-size: 14.5px; line-height: 1.5; }
.contexts li { display: grid; grid-template-columns: 60px 1fr; padding: 4px 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.contexts mark { background: var(--holds-wash); color: var(--holds); font-weight: 600; padding: 0 3px; border-radius: 3px; }
"""
