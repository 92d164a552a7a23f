"""Feature directions in the plane, told apart by the group that a feature belongs to: rays from the origin, one colour and head a group."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from tegum.figures._inputs import array, instances_of, panel_titles
from tegum.figures._panels import WIDTH, Margins, balanced, grid, place
from tegum.figures._theme import FAINT, SERIES, SYMBOLS, finished


def grouped_directions(W: Any, groups: Any, titles: Any = None, *, columns: int = 4, caption: str = "") -> go.Figure:
    """Rays in the unit circle, one panel an instance in rows of at most `columns`, equal aspect.

    W is (features, 2) or (instances, features, 2), `groups` (features,). Raises ValueError on other shapes.
    """
    weights = instances_of(W, 2, "W")
    if weights.shape[-1] != 2:
        raise ValueError(f"W has {weights.shape[-1]} dims; this figure draws 2")
    count, kinds = len(weights), by_group(groups, weights.shape[1])
    names = panel_titles(titles, count)
    columns = balanced(count, columns)[1]
    margins = Margins(left=48, right=12, top=60, gap_x=16, gap_y=50)
    side = min(260, (WIDTH - margins.left - margins.right - (columns - 1) * margins.gap_x) // columns)
    figure = grid(names, columns, (side, side), margins)
    reach = ray_reach(weights)
    for i, w in enumerate(weights):
        row, col = place(i, columns)
        figure.add_scatter(**RING, row=row, col=col)
        for number, (kind, rows) in enumerate(kinds.items()):
            x, y = rays(w[None], rows)[0].T.round(3)
            figure.add_scatter(x=x, y=y, **ray_style(number, kind, rows), showlegend=i == 0 and bool(kind), row=row, col=col)
        last_row, first_column = i + columns >= count, i % columns == 0
        figure.update_xaxes(ray_axis(reach), title_text="first coordinate" if last_row else None, showticklabels=last_row, row=row, col=col)
        figure.update_yaxes(
            ray_axis(reach), title_text="second coordinate" if first_column else None, showticklabels=first_column,
            scaleanchor="x" if i == 0 else f"x{i + 1}", row=row, col=col,
        )  # fmt: skip
    inner = figure.layout.height - margins.top - margins.bottom
    return finished(figure, caption, legend={"y": 1 + 26 / inner})


def by_group(groups: Any, features: int) -> dict[str, np.ndarray]:
    """Group -> its features, in the order in which groups first appear; one nameless group where `groups` is None."""
    names = [""] * features if groups is None else [str(name) for name in array(groups).tolist()]
    if len(names) != features:
        raise ValueError(f"{len(names)} groups were given for {features} features")
    return {name: np.flatnonzero([other == name for other in names]) for name in dict.fromkeys(names)}


def rays(W: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(..., features, 2) as strokes (..., 3 for each of `rows`, 2): the origin, the direction, a gap."""
    strokes = np.full((*W.shape[:-2], len(rows), 3, 2), np.nan)
    strokes[..., 0, :], strokes[..., 1, :] = 0, W[..., rows, :]
    return strokes.reshape(*W.shape[:-2], 3 * len(rows), 2)


def ray_style(number: int, kind: str, rows: np.ndarray) -> dict[str, Any]:
    """How the strokes of the `number`-th group look, with heads at their ends."""
    colour = SERIES[number % len(SERIES)]
    heads = {"color": colour, "symbol": SYMBOLS[number % len(SYMBOLS)], "size": [0, 9, 0] * len(rows), "opacity": 1, "line": {"width": 0}}
    return {
        "name": kind, "legendgroup": kind, "mode": "lines+markers", "line": {"color": colour, "width": 2}, "marker": heads,
        "customdata": rows.repeat(3).tolist(), "hovertemplate": "feature %{customdata}: (%{x:.3f}, %{y:.3f})<extra></extra>",
    }  # fmt: skip


def ray_axis(reach: float) -> dict[str, Any]:
    """An axis of a panel with directions in it."""
    return {"range": [-reach, reach], "tickvals": [-1, 0, 1], "showline": False, "ticks": "", "constrain": "domain"}


def ray_reach(W: np.ndarray) -> float:
    """How far the axes go: a little beyond the unit circle, or beyond the longest direction."""
    return 1.12 * max(1.0, float(np.abs(W).max(initial=1.0)))


_ANGLES = np.linspace(0, 2 * np.pi, 97)
RING = {
    "x": np.cos(_ANGLES).round(3), "y": np.sin(_ANGLES).round(3), "mode": "lines", "line": {"color": FAINT, "width": 1.2}, "hoverinfo": "skip",
    "showlegend": False,
}  # fmt: skip
