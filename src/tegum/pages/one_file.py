"""A page that is one file: styles, plotly's script (some 5 MB) and figures are inside, and its policy lets nothing else run or load."""

from collections.abc import Sequence
from html import escape

from tegum.pages.parts import MARK, THEME, asset, leave


def one_file(title: str, body: str, contents: Sequence[tuple[str, str]] = (), *, style: str = "") -> str:
    """The HTML: `body` goes into `main` as it is, so its words must be escaped; `contents` are (anchor, words) for the side."""
    from plotly.offline import get_plotlyjs

    scripts = get_plotlyjs(), asset("page.js")
    policy = (
        f"default-src 'none'; script-src {' '.join(map(leave, scripts))}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    items = "".join(f'<li><a href="#{anchor}"><span class="nid"></span><span>{escape(words)}</span></a></li>' for anchor, words in contents)
    return "".join([
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n',
        f"<title>{escape(title)}</title>\n<style>\n{asset('page.css')}{style}</style>\n<script>{scripts[0]}</script>\n</head>\n<body>\n",
        f'<div class="frame">\n<nav aria-label="Contents"><div class="brand"><a href="#top">{MARK}<span>tegum</span></a>{THEME}</div>',
        f"<ol>{items}</ol></nav>\n<main>\n{body}</main>\n</div>\n<script>{scripts[1]}</script>\n</body>\n</html>\n",
    ])  # fmt: skip
