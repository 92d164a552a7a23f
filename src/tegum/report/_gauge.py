"""A claim at a glance: what was expected as a band, what was measured as a dot with its interval, on one small line.

It repeats the numbers beside it, so it is hidden from screen readers.
"""

import math

from tegum.store import Claim

_WIDTH, _HEIGHT, _PAD = 150, 22, 7


def gauge(claim: Claim) -> str:
    """Inline SVG; empty for yes-or-no claims and where nothing finite is to be shown."""
    if isinstance(claim.expected, bool) or not math.isfinite(claim.estimate):
        return ""
    ends = [e for e in (*claim.bounds, *(claim.interval or ()), claim.estimate) if math.isfinite(e)]
    low, high = min(ends), max(ends)
    slack = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = low - slack, high + slack

    def at(x: float) -> float:
        return round(_PAD + (_WIDTH - 2 * _PAD) * (min(max(x, low), high) - low) / (high - low), 1)

    left, right = at(claim.bounds[0]), at(claim.bounds[1])
    wide = max(right - left, 2.0)
    middle = _HEIGHT / 2
    shapes = [
        f'<line class="rail" x1="{_PAD}" x2="{_WIDTH - _PAD}" y1="{middle}" y2="{middle}"/>',
        f'<rect class="band" x="{round((left + right - wide) / 2, 1)}" y="4" width="{round(wide, 1)}" height="{_HEIGHT - 8}" rx="2"/>',
    ]
    if claim.interval is not None:
        shapes.append(f'<line class="reach" x1="{at(claim.interval[0])}" x2="{at(claim.interval[1])}" y1="{middle}" y2="{middle}"/>')
    shapes.append(f'<circle class="dot" cx="{at(claim.estimate)}" cy="{middle}" r="4"/>')
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg class="gauge" {size} aria-hidden="true">{"".join(shapes)}</svg>'
