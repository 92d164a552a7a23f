"""Histograms as densities, with what chance would give beside them.

For example the cosines of a table of directions against N(0, 1/d) and the Welch bound.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tegum.figures._inputs import array
from tegum.figures._theme import SERIES, add_references, finished, log_axis


def histogram(
    edges: Any, counts: Any, *, x_title: str = "cosine of the angle between two directions", log_y: bool = False,
    curves: Mapping[str, tuple[Any, Any]] | None = None, marks: Mapping[str, float] | None = None, caption: str = "",
) -> go.Figure:  # fmt: skip
    """Counts in bins as a density that integrates to one.

    `edges` is (bins + 1,); `counts` is (bins,), or a mapping of names to such arrays. `curves` are reference densities, `marks`
    vertical lines such as a bound. Raises ValueError when there is not one edge more than counts.
    """
    borders = array(edges).astype(float)
    series = (
        {name: array(c).astype(float) for name, c in counts.items()}
        if isinstance(counts, Mapping)
        else {"measured": array(counts).astype(float)}
    )
    figure = go.Figure()
    densities: list[float] = []
    for place, (name, count) in enumerate(series.items()):
        if borders.shape != (len(count) + 1,):
            raise ValueError(f"{name} has {len(count)} counts but {len(borders)} edges; there must be one edge more")
        density = count / (max(count.sum(), 1.0) * np.diff(borders))
        densities += density[density > 0].tolist()
        colour = SERIES[place % len(SERIES)]
        y = np.where(density > 0, density, np.nan) if log_y else density
        figure.add_scatter(
            x=borders, y=np.append(y, y[-1]), name=name, line={"shape": "hv", "width": 1.6, "color": colour}, mode="lines",
            fill=None if log_y else "tozeroy", fillcolor=_washed(colour),
            hovertemplate="from %{x:.4g}: density %{y:.4g}<extra>" + name + "</extra>",
        )  # fmt: skip
    add_references(figure, curves, marks=marks)
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(title_text="density (per unit of x)", rangemode="tozero")
    if log_y and densities:  # a reference may fall for ever: the axis ends a little under the rarest bin
        low, high = min(densities), max(densities)
        figure.update_yaxes(range=[np.log10(low) - 0.4, np.log10(high) + 0.3], **log_axis([low, high]))
    return finished(figure, caption, showlegend=len(series) + len(curves or {}) > 1)


def _washed(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"
