"""Fields on the plane: round receptive fields over a map of the unit square, so that the regions they cut can be seen with what they are worth.

As in Hinton, McClelland & Rumelhart 1986, 'Distributed representations', figures on coarse coding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tegum.figures._inputs import array, instances_of, panel_titles
from tegum.figures._panels import WIDTH, Margins, balanced, grid, place
from tegum.figures._theme import AT_RIGHT, SEQUENTIAL, finished

_RING = np.linspace(0, 2 * np.pi, 73)
_PALE, _DARK = "rgba(255,255,255,0.55)", "#1c1f24"


def plane_fields(
    maps: Any, centres: Any = None, radii: Any = None, points: Any = None, titles: Any = None, *,
    value_title: str = "value", value_range: tuple[float, float] | None = None, caption: str = "",
) -> go.Figure:  # fmt: skip
    """Maps of the unit square, a panel each, with the circles of fields on them and points marked by crosses.

    `maps` are (side, side) or (panels, side, side), row by row from y = 0; `centres` (units, 2) or (panels, units, 2) with a radius a panel;
    `points` (points, 2), on every panel. Raises ValueError on other shapes.
    """
    shades = instances_of(maps, 2, "maps")
    fields = [] if centres is None else _fields(centres, radii, len(shades))
    marks = None if points is None else array(points).astype(float)
    if marks is not None and (marks.ndim != 2 or marks.shape[1] != 2):
        raise ValueError(f"points have shape {marks.shape}; they are (points, 2)")
    columns = balanced(len(shades), 2)[1]
    margins = Margins(left=52, right=92, gap_x=24)
    side = min(400, (WIDTH - margins.left - margins.right - (columns - 1) * margins.gap_x) // columns)
    figure = grid(panel_titles(titles, len(shades)), columns, (side, side), margins)
    for panel, values in enumerate(shades):
        row, col = place(panel, columns)
        at_x, at_y = ((np.arange(count) + 0.5) / count for count in values.shape[::-1])
        hover = "x %{x:.3f}, y %{y:.3f}<br>%{z:.3g}<extra></extra>"
        figure.add_heatmap(z=values, x=at_x, y=at_y, coloraxis="coloraxis", hovertemplate=hover, row=row, col=col)
        if fields:
            x, y = _circles(*fields[panel])
            line = {"color": _PALE, "width": 1}
            figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False, row=row, col=col)
        if marks is not None:
            for colour, size in ((_DARK, 15), ("#ffffff", 11)):  # a cross on a cross, which shows on any shade
                marker = {"symbol": "x-thin", "size": size, "line": {"color": colour, "width": 5 if size > 11 else 2}}
                figure.add_scatter(
                    x=marks[:, 0], y=marks[:, 1], mode="markers", marker=marker, hoverinfo="skip", showlegend=False, row=row, col=col
                )
        first = col == 1
        figure.update_yaxes(
            title_text="y" if first else None, showticklabels=first, scaleanchor="x" if panel == 0 else f"x{panel + 1}", row=row, col=col
        )
    figure.update_xaxes(title_text="x")
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(range=[0, 1], tickvals=[0, 0.5, 1], showgrid=False, zeroline=False, mirror=True)
    ends = {} if value_range is None else {"cmin": value_range[0], "cmax": value_range[1]}
    return finished(figure, caption, coloraxis={"colorscale": SEQUENTIAL, "colorbar": {"title": {"text": value_title}, **AT_RIGHT}, **ends})


def _fields(centres: Any, radii: Any, panels: int) -> list[tuple[np.ndarray, float]]:
    found = [array(part).astype(float) for part in (centres if isinstance(centres, Sequence) else instances_of(centres, 2, "centres"))]
    sizes = np.atleast_1d(array(radii)).astype(float) if radii is not None else np.empty(0)
    if len(found) != panels or sizes.shape != (panels,) or any(part.ndim != 2 or part.shape[1] != 2 for part in found):
        shapes = ", ".join(str(part.shape) for part in found)
        raise ValueError(f"{panels} maps need as many radii and arrays of centres (units, 2); given were {len(sizes)} radii and {shapes}")
    return list(zip(found, sizes.tolist(), strict=True))


def _circles(centres: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """One line for all of them, broken between circles."""
    gap = np.full((len(centres), 1), np.nan)
    x = np.hstack([centres[:, :1] + radius * np.cos(_RING), gap])
    y = np.hstack([centres[:, 1:] + radius * np.sin(_RING), gap])
    return x.ravel().astype(np.float32), y.ravel().astype(np.float32)
