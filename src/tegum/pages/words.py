"""Numbers, ranges, times and docstrings as a page says them."""

import html
import math
import re
from typing import Any

from tegum.store.progress import span as time_span

_MINUS, _TIMES = "\u2212", "\u00d7"
_SUPERSCRIPTS = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


def number(value: Any) -> str:
    """Four significant digits and a true minus sign; yes and no for bools."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    x = float(value)
    if math.isnan(x):
        return "not a number"
    if math.isinf(x):
        return "\u221e" if x > 0 else f"{_MINUS}\u221e"
    if x != 0 and not 1e-3 <= abs(x) < 1e6:
        digits, _, power = f"{x:.2e}".partition("e")
        digits = digits.rstrip("0").rstrip(".")
        return f"{digits}\u202f{_TIMES}\u202f10{str(int(power)).translate(_SUPERSCRIPTS)}".replace("-", _MINUS)
    places = 0 if x == 0 else max(0, 3 - math.floor(math.log10(abs(x))))
    text = f"{x:,.{places}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", _MINUS).replace(",", "\u202f")


def span(low: float | None, high: float | None) -> str:
    """A range with its open ends in words."""
    if low is None or low == -math.inf:
        return f"at most {number(high)}"
    if high is None or high == math.inf:
        return f"at least {number(low)}"
    return f"{number(low)} to {number(high)}"


def expectation(expected: Any) -> str:
    """What a claim expects: yes, a number or a range."""
    return span(*expected) if isinstance(expected, (tuple, list)) else number(expected)


def seconds(duration: float) -> str:
    """A duration as a reader says it."""
    if duration < 0.001:
        return "under 1 ms"
    if duration < 1:
        return f"{1000 * duration:.0f} ms"
    if duration < 90:
        return f"{duration:.1f} s"
    return time_span(duration)


def size(count: int) -> str:
    """A file's size."""
    return f"{count} B" if count < 1000 else f"{count / 1000:.0f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


def setting(value: Any) -> str:
    """A parameter's value, as the command line takes it."""
    if isinstance(value, (list, tuple)):
        return ", ".join(setting(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def inline(text: str) -> str:
    """Escaped text in which `code` is code, *words* are stressed and addresses are links."""
    pieces = re.split(r"(`[^`\n]+`|(?<![\w*])\*(?=[^\s*])[^*`\n]*[^*`\s]\*(?![\w*])|https?://[^\s<>\"']+[^\s<>\"'.,;:)\]])", text)
    return "".join(_piece(piece) for piece in pieces)


def prose(docstring: str) -> str:
    """A docstring as paragraphs, lists (lines that begin with -) and, where indented, preformatted lines."""
    blocks = re.split(r"\n\s*\n", _dedented(docstring))
    return "".join(_block(block) for block in blocks if block.strip())


def _dedented(docstring: str) -> str:
    first, _, rest = docstring.expandtabs().strip("\n").partition("\n")
    lines = rest.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in lines)])


def _block(block: str) -> str:
    lines = block.split("\n")
    if all(line.startswith("    ") or not line for line in lines):
        return f"<pre>{html.escape(chr(10).join(line[4:] for line in lines))}</pre>"
    if lines[0].lstrip().startswith("- "):
        items = re.split(r"(?:^|\n)\s*- ", block)[1:]
        return "<ul>" + "".join(f"<li>{inline(' '.join(item.split()))}</li>" for item in items) + "</ul>"
    return f"<p>{inline(' '.join(block.split()))}</p>"


def _piece(piece: str) -> str:
    if len(piece) > 2 and piece[0] == piece[-1] == "`":
        return f"<code>{html.escape(piece[1:-1])}</code>"
    if len(piece) > 2 and piece[0] == piece[-1] == "*":
        return f"<em>{html.escape(piece[1:-1])}</em>"
    safe = html.escape(piece)
    return f'<a href="{safe}" rel="noreferrer">{safe}</a>' if piece.startswith(("http://", "https://")) else safe
