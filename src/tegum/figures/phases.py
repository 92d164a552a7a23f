"""Phase diagrams: what was trained, what the theory says, and where they differ, side by side.

As in Elhage et al. 2022, 'Superposition as a phase change'.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tegum.figures._inputs import array, panel_titles
from tegum.figures._panels import WIDTH, Margins, grid
from tegum.figures._theme import AT_RIGHT, DASHES, DIVERGING, INK, MUTED_FILL, SEQUENTIAL, SERIES, finished, log_axis

_KINDS = (MUTED_FILL, *SERIES)


def phase_diagram(
    trained: Any, theory: Any = None, x: Any = None, y: Any = None, *, categories: Sequence[str] | None = None, difference: bool = True,
    x_title: str = "density p", y_title: str = "relative importance", log_x: bool = True, log_y: bool = True,
    value_title: str = "value", curves: Mapping[str, tuple[Any, Any]] | None = None, titles: Any = None, caption: str = "",
) -> go.Figure:  # fmt: skip
    """Heat maps of (len(y), len(x)): trained, theory where given, and (`difference`) where the two differ.

    With `categories` the arrays hold indices into them (or the words themselves) and are drawn in distinct colours with a legend,
    the first in grey; without, they hold numbers. `curves` are boundaries, drawn on every panel. Raises ValueError when a shape or
    a category is wrong.
    """
    columns, rows = array(x).astype(float), array(y).astype(float)
    maps = [_indices(values, categories) for values in (trained, theory) if values is not None]
    for values in maps:
        if values.shape != (len(rows), len(columns)):
            raise ValueError(f"a map has shape {values.shape} but y and x have {len(rows)} and {len(columns)} values")
    differ = difference and len(maps) == 2
    names = panel_titles(titles or _titles(maps, categories, differ=differ), len(maps) + differ)
    margins = Margins(left=64, right=16 if categories else 92, top=62 + 26 * bool(curves and categories), gap_x=24)
    side = min(400, (WIDTH - margins.left - margins.right - (len(names) - 1) * margins.gap_x) // len(names))
    figure = grid(names, len(names), (side, side), margins)
    at_x, at_y = _edges(columns, log=log_x), _edges(rows, log=log_y)
    scales = _category_scale(categories) if categories else {"coloraxis": "coloraxis"}
    words = None if categories is None else np.array(list(categories), dtype=object)
    for panel, values in enumerate(maps, 1):
        figure.add_heatmap(z=values, x=at_x, y=at_y, **scales, **_hover(values, words), row=1, col=panel)
    if differ:
        figure.add_heatmap(x=at_x, y=at_y, **_difference(maps, words), row=1, col=3)
    for place, name in enumerate(categories or ()):
        figure.add_scatter(
            x=[None], y=[None], mode="markers", name=name, marker={"symbol": "square", "size": 12, "color": _KINDS[place % len(_KINDS)]}
        )
    _add_boundaries(figure, curves or {}, len(names))
    figure.update_xaxes(
        title_text=x_title,
        **(log_axis(columns) if log_x else {}),
        range=_range(at_x, log=log_x),
        showgrid=False,
        zeroline=False,
        mirror=True,
    )
    figure.update_yaxes(
        **(log_axis(rows) if log_y else {}),
        range=_range(at_y, log=log_y),
        showgrid=False,
        zeroline=False,
        mirror=True,
        showticklabels=False,
    )
    figure.update_yaxes(title_text=y_title, showticklabels=True, col=1)
    bar = {"title": {"text": value_title}, **AT_RIGHT}
    legend = {"y": 1 + 34 / side, "yanchor": "bottom"}
    return finished(
        figure,
        caption,
        legend=legend,
        coloraxis={"colorscale": SEQUENTIAL, "colorbar": bar},
    )


def _titles(maps: list[np.ndarray], categories: Sequence[str] | None, *, differ: bool) -> list[str]:
    third = []
    if differ:
        third = ["where they differ" if categories else f"trained − theory (±{np.nanmax(np.abs(maps[0] - maps[1]), initial=0.0):.2g})"]
    return [*("trained", "theory")[: len(maps)], *third]


def _add_boundaries(figure: go.Figure, curves: Mapping[str, tuple[Any, Any]], panels: int) -> None:
    """Near-black dashes on a pale halo, which show on every colour of a map; the legend's own sample is grey, for it lies on the page."""
    for dash, (name, (x, y)) in zip(cycle(DASHES), curves.items()):
        line = {"x": array(x), "y": array(y), "mode": "lines", "hoverinfo": "skip", "showlegend": False, "legendgroup": name}
        for panel in range(1, panels + 1):
            figure.add_scatter(**line, line={"color": "rgba(255,255,255,0.6)", "width": 4}, row=1, col=panel)
            figure.add_scatter(**line, line={"color": "#1c1f24", "width": 1.6, "dash": dash}, row=1, col=panel)
        figure.add_scatter(x=[None], y=[None], mode="lines", name=name, legendgroup=name, line={"color": INK, "width": 1.8, "dash": dash})


def _indices(values: Any, categories: Sequence[str] | None) -> np.ndarray:
    found = array(values)
    if categories is None:
        return found.astype(np.float32)
    if found.dtype.kind in "UO":
        strange = sorted(set(found.ravel().tolist()) - set(categories))
        if strange:
            raise ValueError(f"{strange[0]!r} is none of the categories {', '.join(categories)}")
        return np.vectorize(list(categories).index)(found).astype(np.int64)
    if found.size and not (found.min() >= 0 and found.max() < len(categories)):
        raise ValueError(f"a map holds {found.min()} to {found.max()}, but there are {len(categories)} categories")
    return found.astype(np.int64)


def _edges(centres: np.ndarray, *, log: bool) -> np.ndarray:
    """Cell borders, midway between the centres (in the axis' own measure)."""
    at = np.log10(centres) if log else centres
    if len(at) == 1:
        edges = at[0] + np.array([-0.5, 0.5])
    else:
        middle = (at[1:] + at[:-1]) / 2
        edges = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
    return 10**edges if log else edges


def _range(edges: np.ndarray, *, log: bool) -> list[float]:
    at = np.log10(edges) if log else edges
    return [float(at.min()), float(at.max())]


def _category_scale(categories: Sequence[str]) -> dict[str, Any]:
    count = len(categories)
    stops = [(edge, _KINDS[k % len(_KINDS)]) for k in range(count) for edge in (k / count, (k + 1) / count)]
    return {"colorscale": stops, "zmin": -0.5, "zmax": count - 0.5, "showscale": False}


def _hover(values: np.ndarray, words: np.ndarray | None) -> dict[str, Any]:
    if words is None:
        return {"hovertemplate": "x %{x:.3g}<br>y %{y:.3g}<br>%{z:.3g}<extra></extra>"}
    return {"customdata": words[values], "hovertemplate": "x %{x:.3g}<br>y %{y:.3g}<br>%{customdata}<extra></extra>"}


def _difference(maps: list[np.ndarray], words: np.ndarray | None) -> dict[str, Any]:
    first, second = maps
    if words is None:
        most = float(np.nanmax(np.abs(first - second), initial=1e-12))
        return {"z": first - second, "colorscale": DIVERGING, "zmin": -most, "zmax": most, "showscale": False, **_hover(first, None)}
    told = np.where(first == second, "agree", words[first] + " where theory says " + words[second])
    scale = ((0.0, "rgba(141,147,155,0.12)"), (1.0, SERIES[3]))
    hover = {"customdata": told, "hovertemplate": "x %{x:.3g}<br>y %{y:.3g}<br>%{customdata}<extra></extra>"}
    return {"z": (first != second).astype(np.int8), "colorscale": scale, "zmin": 0, "zmax": 1, "showscale": False, **hover}
