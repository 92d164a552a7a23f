"""Feature directions as arrows, in the plane and in space.

As in Elhage et al. 2022, 'Demonstrating superposition' and 'The geometry of superposition'.
"""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from tegum.figures._inputs import array, instances_of, panel_titles
from tegum.figures._panels import WIDTH, Margins, balanced, grid, place
from tegum.figures._theme import BLUE, FAINT, SCENE_RULE, STRENGTH, add_colour_bar, colours_of, finished

_SHADES = 24  # arrows of one shade are one trace, so a thousand arrows stay light


def directions_2d(W: Any, colour: Any = None, titles: Any = None, *, colour_title: str = "importance", caption: str = "") -> go.Figure:
    """Arrows from the origin, one a feature, in the unit circle; one panel an instance, equal aspect.

    W is (features, 2) or (instances, features, 2); `colour` (features,) or (instances, features), for example the importance of
    each. Raises ValueError on other shapes.
    """
    weights, shades = _weights(W, 2), _shades(colour, W)
    count = len(weights)
    names = panel_titles(titles, count)
    columns = balanced(count, 6)[1]
    margins = Margins(left=48, right=84 if shades is not None else 12, gap_x=14, gap_y=64)
    side = min(330, (WIDTH - margins.left - margins.right - (columns - 1) * margins.gap_x) // columns)
    figure = grid(names, columns, (side, side), margins)
    reach = 1.12 * max(1.0, float(np.abs(weights).max(initial=1.0)))
    ring = np.linspace(0, 2 * np.pi, 97)
    for i, w in enumerate(weights):
        row, col = place(i, columns)
        figure.add_scatter(
            x=np.cos(ring),
            y=np.sin(ring),
            mode="lines",
            line={"color": FAINT, "width": 1.2},
            hoverinfo="skip",
            showlegend=False,
            row=row,
            col=col,
        )
        for shade, rows in _groups(shades, i, len(w)):
            figure.add_scatter(**_arrows(w, rows), **_painted(shades, w[rows], shade), showlegend=False, row=row, col=col)
        last_row, first_column = i + columns >= count, i % columns == 0
        figure.update_xaxes(title_text="hidden unit 1" if last_row else None, range=[-reach, reach], tickvals=[-1, 0, 1], row=row, col=col)
        figure.update_yaxes(
            title_text="hidden unit 2" if first_column else None, range=[-reach, reach], tickvals=[-1, 0, 1], row=row, col=col
        )
        figure.update_yaxes(showticklabels=first_column, scaleanchor="x" if i == 0 else f"x{i + 1}", row=row, col=col)
    figure.update_xaxes(showline=False, ticks="")
    figure.update_yaxes(showline=False, ticks="")
    _legend(figure, shades, colour_title)
    return finished(figure, caption)


def directions_3d(W: Any, colour: Any = None, titles: Any = None, *, colour_title: str = "importance", caption: str = "") -> go.Figure:
    """Rays from the origin to each feature's direction, in a sphere drawn as three great circles; to be turned with the pointer.

    W is (features, 3) or (instances, features, 3); `colour` as in `directions_2d`. Raises ValueError on other shapes and beyond 8
    instances, as a browser keeps few 3-D scenes alive.
    """
    weights, shades = _weights(W, 3), _shades(colour, W)
    count = len(weights)
    if count > 8:
        raise ValueError(f"W has {count} instances; a page can show 8 scenes in space at most")
    names = panel_titles(titles, count)
    columns = balanced(count, 3)[1]
    margins = Margins(left=4, right=84 if shades is not None else 4, bottom=8, gap_x=8, gap_y=40)
    side = min(440, (WIDTH - margins.left - margins.right - (columns - 1) * margins.gap_x) // columns)
    figure = grid(names, columns, (side, side), margins, kind="scene")
    ring = np.linspace(0, 2 * np.pi, 73)
    zero = np.zeros_like(ring)
    for i, w in enumerate(weights):
        row, col = place(i, columns)
        for circle in ((np.cos(ring), np.sin(ring), zero), (np.cos(ring), zero, np.sin(ring)), (zero, np.cos(ring), np.sin(ring))):
            line = {"color": SCENE_RULE, "width": 1.5}
            figure.add_scatter3d(
                x=circle[0], y=circle[1], z=circle[2], mode="lines", line=line, hoverinfo="skip", showlegend=False, row=row, col=col
            )
        for shade, rows in _groups(shades, i, len(w)):
            figure.add_scatter3d(**_rays(w, rows), **_painted(shades, w[rows], shade, flat=False), showlegend=False, row=row, col=col)
    axis = {"tickvals": [-1, 0, 1]}
    axes = {f"{name}axis": axis | {"title": {"text": f"hidden unit {k + 1}", "font": {"size": 12}}} for k, name in enumerate("xyz")}
    figure.update_scenes(
        {"aspectmode": "cube", "camera": {"eye": {"x": 1.85, "y": 1.45, "z": 1.0}, "center": {"x": 0, "y": 0, "z": -0.12}}} | axes
    )
    _legend(figure, shades, colour_title, spatial=True)
    return finished(figure, caption)


def _weights(W: Any, dims: int) -> np.ndarray:
    weights = instances_of(W, 2, "W")
    if weights.shape[-1] != dims:
        raise ValueError(f"W has {weights.shape[-1]} dims; this figure draws {dims}")
    return weights


def _shades(colour: Any, W: Any) -> np.ndarray | None:
    if colour is None:
        return None
    shape = instances_of(W, 2, "W").shape[:2]
    shades = array(colour).astype(float)
    if shades.shape not in (shape, shape[1:]):
        raise ValueError(f"colour has shape {shades.shape} but W has {shape[0]} instances of {shape[1]} features")
    return np.broadcast_to(shades, shape)


def _groups(shades: np.ndarray | None, instance: int, features: int) -> list[tuple[float, np.ndarray]]:
    """Features by shade in [0, 1]."""
    if shades is None:
        return [(0.0, np.arange(features))]
    low, high = float(shades.min()), float(shades.max())
    level = np.zeros(features) if high == low else np.round((shades[instance] - low) / (high - low) * (_SHADES - 1)) / (_SHADES - 1)
    return [(float(value), np.flatnonzero(level == value)) for value in np.unique(level)]


def _strokes(w: np.ndarray, rows: np.ndarray) -> np.ndarray:
    strokes = np.full((len(rows), 3, w.shape[1]), np.nan, dtype=np.float32)
    strokes[:, 0], strokes[:, 1] = 0, w[rows]
    return strokes.reshape(-1, w.shape[1])


def _arrows(w: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    x, y = _strokes(w, rows).T
    label = np.repeat(rows, 3)
    return {
        "x": x,
        "y": y,
        "mode": "lines+markers",
        "customdata": label,
        "hovertemplate": "feature %{customdata}: (%{x:.3f}, %{y:.3f})<extra></extra>",
    }


def _rays(w: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    x, y, z = _strokes(w, rows).T
    words = "feature %{customdata}: (%{x:.3f}, %{y:.3f}, %{z:.3f})<extra></extra>"
    return {"x": x, "y": y, "z": z, "mode": "lines+markers", "customdata": np.repeat(rows, 3), "hovertemplate": words}


def _painted(shades: np.ndarray | None, w: np.ndarray, shade: float, *, flat: bool = True) -> dict[str, Any]:
    """Colour and heads of the arrows to `w`; a head is never longer than its arrow, or a feature that is not there would look like one."""
    stroke = BLUE if shades is None else colours_of(STRENGTH, [shade])[0]
    heads = np.clip(40 * np.linalg.norm(w, axis=1), 3, 10) if flat else np.full(len(w), 5)
    marker: dict[str, Any] = {
        "size": np.column_stack([0 * heads, heads, 0 * heads]).ravel(),
        "line": {"width": 0},
        "color": stroke,
        "opacity": 1,
    }
    if flat:
        marker |= {"symbol": "arrow", "angleref": "previous"}
    return {"line": {"color": stroke, "width": 2 if flat else 5}, "marker": marker}


def _legend(figure: go.Figure, shades: np.ndarray | None, title: str, *, spatial: bool = False) -> None:
    if shades is not None:
        add_colour_bar(figure, STRENGTH, (float(shades.min()), float(shades.max())), {"title": {"text": title}}, spatial=spatial)
