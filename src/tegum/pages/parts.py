"""What pages share: the style and the script, the mark, a figure's place, and the leave that a script has to run."""

import base64
import hashlib
from html import escape
from importlib.resources import files

from tegum.pages.words import inline

MARK = (
    '<svg class="mark" viewBox="0 0 32 32" width="30" height="30" aria-hidden="true"><g stroke-width="2.4" stroke-linecap="round">'
    '<line x1="16" y1="16" x2="16" y2="3"/><line x1="16" y1="16" x2="28.4" y2="12"/><line x1="16" y1="16" x2="23.6" y2="26.5"/>'
    '<line x1="16" y1="16" x2="8.4" y2="26.5"/><line x1="16" y1="16" x2="3.6" y2="12"/></g></svg>'
)
THEME = (
    '<button type="button" class="theme" id="theme" aria-label="Switch between light and dark">'
    '<span aria-hidden="true">\u25d0</span> <span id="theme-word">Theme</span></button>'
)


def asset(name: str) -> str:
    """The text of a file beside this one: page.css, page.js."""
    return files("tegum.pages").joinpath(name).read_text(encoding="utf-8")


def leave(script: str) -> str:
    """What a Content-Security-Policy says to let an inline script run, by its hash: one that slipped in through a text has none."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def drawing(json: str, anchor: str, caption: str = "", height: int = 400, width: int | None = None) -> str:
    """The place of a figure, which page.js draws when it comes near; `json` is plotly's own."""
    size = f"width:{width}px;" if width else ""
    data = json.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    label = escape(caption or "figure", quote=True)
    below = f"<figcaption>{inline(caption)}</figcaption>" if caption else ""
    return (
        f'<figure id="{anchor}"><div class="scroller" tabindex="0" role="group" aria-label="{label}">'
        f'<div class="plot" data-figure="{anchor}-data" style="{size}height:{height}px"></div></div>{below}'
        f'<script type="application/json" id="{anchor}-data">{data}</script></figure>\n'
    )
