"""The page: a `Report` as one HTML text, every word escaped.

Its Content-Security-Policy forbids everything outside the folder. A page opened from disk has no origin, so `'self'` alone would
shut out the plotly.min.js beside it in some browsers: the scheme `file:` is allowed for scripts as well. The page's own script is
allowed by its hash, which leaves any script that slipped in through a title or an error without leave to run; styles are inline
because plotly writes them so.
"""

from collections.abc import Iterable
from html import escape

from tegum.pages import MARK, THEME, asset, drawing, leave
from tegum.pages.words import inline, prose, setting, size
from tegum.report._claims import claims_table, tally
from tegum.report._parts import Download, Drawing, Failed, Other, Report, Section


def page(report: Report) -> str:
    """The HTML of `report`; it wants plotly.min.js beside it."""
    style, script = asset("page.css"), asset("page.js")
    policy = (
        f"default-src 'none'; script-src 'self' file: {leave(script)}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return "".join([
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n',
        f"<title>tegum report</title>\n<style>\n{style}</style>\n",
        '<script src="plotly.min.js" defer></script>\n' if any(section.figures for section in report.sections) else "",
        '</head>\n<body>\n<a class="skip" href="#claims">Skip to the claims</a>\n',
        f'<div class="frame">\n{_navigation(report)}<main>\n{_head(report)}{_index(report)}',
        *map(_section, report.sections),
        _waiting(report),
        f"</main>\n</div>\n<script>{script}</script>\n</body>\n</html>\n",
    ])  # fmt: skip


def _navigation(report: Report) -> str:
    items = "".join(
        f'<li><a href="#{section.anchor}"><span class="nid">{escape(section.id)}</span><span>{escape(section.title)}</span>'
        f"{_dots(section)}</a></li>"
        for section in report.sections
    )
    return (
        f'<nav aria-label="Contents"><div class="brand"><a href="#top">{MARK}<span>tegum</span></a>{THEME}</div>'
        f'<ol><li><a href="#claims"><span class="nid">\u2211</span><span>All claims</span></a></li>{items}</ol></nav>\n'
    )


def _dots(section: Section) -> str:
    marks = "".join(
        f'<i class="{claim.verdict if claim.as_recorded else claim.verdict + " changed"}"></i>' for claim in section.claims[:24]
    )
    return f'<span class="dots" aria-hidden="true">{marks}</span>' if marks else ""


def _head(report: Report) -> str:
    facts = "".join(f"<span>{escape(label)} {escape(words)}</span>" for label, words in report.facts.items())
    return (
        '<header id="top"><h1>What the experiments found</h1>'
        "<p class='lede'>Every claim is a statement that a run could refute: its estimate and interval stand against what was expected, "
        f"within a tolerance set before the run.</p><p class='facts'>{facts}</p></header>\n"
    )


def _index(report: Report) -> str:
    pairs = [(section, claim) for section in report.sections for claim in section.claims]
    if not pairs:
        empty = "No claim has been judged yet." if report.sections else "Nothing has been run yet."
        return (
            f'<section id="claims" class="empty"><h2>All claims</h2><p>{empty} Run every experiment at its quick preset with</p>'
            f"{_command(report.command)}</section>\n"
        )
    search = (
        '<label class="search"><span class="hidden">Search claims</span>'
        '<input type="search" id="search" placeholder="Search claims, sources, experiments" autocomplete="off"></label>'
    )
    count = '<p class="count" id="count" role="status" aria-live="polite"></p>'
    return (
        f'<section id="claims"><h2>All claims</h2>{tally(claim for _, claim in pairs)}<div class="tools">{search}{count}</div>'
        f"{claims_table(pairs, index=True)}<p class='none' id='none' hidden>No claim matches.</p>{_downloads(report.downloads)}</section>\n"
    )


def _section(section: Section) -> str:
    number = f'<span class="eid">{escape(section.id)}</span>' if section.id else ""
    source = f'<p class="source">{inline(section.source)}</p>' if section.source else ""
    parts = [
        f'<section class="experiment" id="{section.anchor}" aria-labelledby="{section.anchor}-title">',
        f'<h2 id="{section.anchor}-title">{number}{escape(section.title)}</h2>{source}{_unfinished(section)}',
        f'<div class="prose">{prose(section.introduction)}</div>' if section.introduction else "",
        *(_figure(one, f"{section.anchor}-figure-{place}") for place, one in enumerate(section.figures, 1)),
        f"<h3>Claims</h3>{claims_table([(section, c) for c in section.claims])}" if section.claims else "",
        _failures(section.failures),
        f"<h3>How it was run</h3>{_command(section.command)}{_facts(section)}{_downloads(section.downloads)}</section>\n",
    ]
    return "".join(parts)


def _unfinished(section: Section) -> str:
    if section.state == "finished" and section.done == section.total:
        return ""
    judged = "" if section.claims else " Claims are judged once every cell has one."
    words = f"{section.done} of {section.total} cells have a row; the run is {section.state}.{judged}"
    return f'<p class="notice">{escape(words)} The command below does what is left.</p>'


def _figure(one: Drawing, anchor: str) -> str:
    return drawing(one.json, anchor, one.caption, one.height, one.width)


def _failures(failures: tuple[Failed, ...]) -> str:
    if not failures:
        return ""
    items = "".join(
        f"<li><p><b>{escape(f.what)}</b> <span class='kind'>{escape(f.kind)}</span></p><p class='error'>{escape(f.message)}</p>"
        + (f"<details><summary>Traceback</summary><pre>{escape(f.traceback)}</pre></details>" if f.traceback else "")
        + "</li>"
        for f in failures
    )
    return f'<h3>What failed</h3><ul class="failures">{items}</ul>'


def _facts(section: Section) -> str:
    settings = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(setting(v))}</dd></div>" for k, v in section.parameters.items())
    told = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in section.facts.items())
    others = "".join(map(_other, section.others))
    amiss = " open" if any(other.failures or other.differs for other in section.others) else ""
    also = (
        f'<details{amiss}><summary>Other settings in the store ({len(section.others)})</summary><ul class="others">{others}</ul></details>'
    )
    return (
        (f'<h4>Parameters</h4><dl class="settings">{settings}</dl>' if settings else "")
        + (f'<h4>Run</h4><dl class="told">{told}</dl>' if told else "")
        + (also if others else "")
    )


def _other(other: Other) -> str:
    amiss = ' class="amiss"' if other.failures or other.differs else ""
    return f"<li{amiss}><code>{escape(other.setting)}</code>: {escape(other.told)}</li>"


def _command(command: str) -> str:
    if not command:
        return ""
    return (
        f'<div class="command"><code>{escape(command)}</code>'
        '<button type="button" class="copy" aria-label="Copy the command">Copy</button></div>'
    )


def _downloads(downloads: Iterable[Download]) -> str:
    links = "".join(
        f'<a href="{escape(d.href, quote=True)}" download>{escape(d.label)} <small>{size(d.size)}</small></a>' for d in downloads
    )
    return f'<p class="downloads">{links}</p>' if links else ""


def _waiting(report: Report) -> str:
    if not report.waiting:
        return ""
    rows = "".join(
        f'<li><span class="nid">{escape(identifier)}</span><span>{escape(title)}</span><code>{escape(command)}</code></li>'
        for identifier, title, command in report.waiting
    )
    return f'<section class="waiting" id="waiting"><h2>Not run yet</h2><ul>{rows}</ul></section>\n'
