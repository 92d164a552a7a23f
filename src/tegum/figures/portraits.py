"""The parts that networks fall into, each drawn as it looks along its two longest axes: vertices, and lines between those that see each other.

As the graphs of Elhage et al. 2022, 'The Geometry of Superposition', which show what polytopes features form at each sparsity.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tegum.figures._inputs import array, panel_titles
from tegum.figures._panels import WIDTH, Margins, balanced, grid, place
from tegum.figures._theme import finished
from tegum.figures.kinds import kind_colour

_STRENGTHS = (
    (0.05, 0.2, 0.7, 0.45),
    (0.2, 0.5, 1.1, 0.6),
    (0.5, np.inf, 2.0, 0.9),
)  # of interference: from, to; width and opacity of the line
_TURN = np.array([[0.5, 0.75**0.5], [-(0.75**0.5), 0.5]])  # by 60 degrees, so that digons stand side by side

Part = tuple[str, Any]


def part_portraits(
    networks: Sequence[Sequence[Part]], kinds: Sequence[str], *, other: str = "", titles: Any = None, caption: str = ""
) -> go.Figure:
    """One panel a network, whose parts are (kind, directions (features, dims)), the largest first.

    Lines join features with (unit(W_i) . W_j)^2 of .05 and more, the thicker the more. `kinds` is the order of colours, `other` the one in grey.
    Raises ValueError for a kind that is not among them.
    """
    drawn = [sorted(((kind, array(W).astype(float)) for kind, W in parts), key=lambda part: -len(part[1])) for parts in networks]
    strange = sorted({kind for parts in drawn for kind, _ in parts} - set(kinds))
    if strange:
        raise ValueError(f"{strange[0]!r} is none of the kinds {', '.join(kinds)}")
    names = panel_titles(titles, len(drawn))
    columns = balanced(len(drawn), 3)[1]
    margins = Margins(left=8, right=8, top=64, bottom=8, gap_x=16, gap_y=40)
    side = min(400, (WIDTH - margins.left - margins.right - (columns - 1) * margins.gap_x) // columns)
    sizes = [[_size(len(W)) for _, W in parts] for parts in drawn]
    across = max(map(_across, sizes))
    down = max(_down(each, across) for each in sizes)
    height = round(side * down / across)
    figure = grid(names, columns, (side, height), margins)
    shown: set[str] = set()
    for panel, parts in enumerate(drawn):
        row, col = place(panel, columns)
        centres = _shelves(sizes[panel], across)
        for order, kind in enumerate(kinds):
            ours = [
                (_portrait(W) * 0.42 * _size(len(W)) + centre, W) for (name, W), centre in zip(parts, centres, strict=True) if name == kind
            ]
            if ours:
                _draw(figure, ours, kind, kind_colour(order, kind, other), row, col, legend=kind not in shown)
                shown.add(kind)
        figure.update_yaxes(scaleanchor="x" if panel == 0 else f"x{panel + 1}", row=row, col=col)
    figure.update_xaxes(visible=False, range=[0, across])
    figure.update_yaxes(visible=False, range=[down, 0])
    return finished(figure, caption, showlegend=True, legend={"y": 1 + 30 / height, "itemsizing": "constant"})


def _draw(
    figure: go.Figure, parts: list[tuple[np.ndarray, np.ndarray]], kind: str, colour: str, row: int, col: int, *, legend: bool
) -> None:
    for low, high, width, opacity in _STRENGTHS:
        lines = [_links(points, W, low, high) for points, W in parts]
        x, y = np.concatenate(lines).T
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"width": width, "color": colour},
            opacity=opacity,
            hoverinfo="skip",
            showlegend=False,
            row=row,
            col=col,
        )
    points = np.concatenate([points for points, _ in parts])
    sizes = np.repeat([len(W) for _, W in parts], [len(W) for _, W in parts])
    figure.add_scatter(
        x=points[:, 0], y=points[:, 1], mode="markers", marker={"size": 4.5, "color": colour}, name=kind, legendgroup=kind, showlegend=legend,
        customdata=sizes, hovertemplate=f"{kind}, %{{customdata}} features<extra></extra>", row=row, col=col,
    )  # fmt: skip


def _size(features: int) -> float:
    return float(np.sqrt(features + 0.2))


def _portrait(W: np.ndarray) -> np.ndarray:
    """The unit directions along their two longest axes, (features, 2), a little turned."""
    U = W / np.linalg.norm(W, axis=1, keepdims=True)
    left, lengths, _ = np.linalg.svd(U, full_matrices=False)
    flat = np.pad(left * lengths, ((0, 0), (0, 2)))[:, :2]
    return flat / np.linalg.norm(flat, axis=1).max() @ _TURN


def _links(points: np.ndarray, W: np.ndarray, low: float, high: float) -> np.ndarray:
    """Line segments, apart by NaN, between features whose interference is in [low, high)."""
    seen = (W @ W.T / np.linalg.norm(W, axis=1, keepdims=True)) ** 2
    i, j = np.triu(np.maximum(seen, seen.T), 1).nonzero()
    strength = np.maximum(seen, seen.T)[i, j]
    i, j = i[(strength >= low) & (strength < high)], j[(strength >= low) & (strength < high)]
    return np.stack([points[i], points[j], np.full((len(i), 2), np.nan)], 1).reshape(-1, 2)


def _across(sizes: list[float]) -> float:
    """The side of a square that has room for squares of these sizes on shelves."""
    across = max(1.0, float(np.linalg.norm(sizes)))
    while _down(sizes, across) > across:
        across *= 1.03
    return across


def _down(sizes: list[float], across: float) -> float:
    """How far down the shelves reach."""
    return max((y + size / 2 for (_, y), size in zip(_shelves(sizes, across), sizes, strict=True)), default=1.0)


def _shelves(sizes: list[float], across: float) -> np.ndarray:
    """Centres of squares of these sizes, put side by side, row under row, from the top left."""
    centres, x, y, high = [], 0.0, 0.0, 0.0
    for size in sizes:
        if x and x + size > across:
            x, y, high = 0.0, y + high, 0.0
        centres.append((x + size / 2, y + size / 2))
        x, high = x + size, max(high, size)
    return np.array(centres).reshape(-1, 2)
