"""A map of laws: from how many dims on each reads, over how many features are on, with what was measured at some of them."""

from collections.abc import Iterable, Mapping
from itertools import cycle
from typing import Any

import plotly.graph_objects as go

from tegum.figures._inputs import array
from tegum.figures._theme import INK, SERIES, SYMBOLS, add_references, finished, log_axis


def law_map(
    curves: Mapping[str, tuple[Any, Any]], points: Iterable[Mapping[str, Any]] = (), *,
    marks: Mapping[str, float] | None = None, levels: Mapping[str, float] | None = None, caption: str = "",
) -> go.Figure:  # fmt: skip
    """`curves` (name -> (features on, dims)) as dashed lines, each named at its right end; `points` as mappings decoder, k, d, low and high.

    A point has the colour of the curve of its name, or grey where there is none. Both axes are logarithmic. `marks` and `levels` are references.
    """
    figure, everything = go.Figure(), list(points)
    colours = dict(zip(curves, cycle(SERIES)))
    for name, (k, d) in curves.items():
        figure.add_scatter(
            x=array(k), y=array(d), mode="lines", name=name, line={"color": colours[name], "width": 2, "dash": "dash"},
            hovertemplate="%{x} on: %{y:.1f} dims",
        )  # fmt: skip
    for place, point in enumerate(everything):
        colour = colours.get(point["decoder"], INK)
        figure.add_scatter(
            x=[point["k"]], y=[point["d"]], mode="markers", name=f"{point['decoder']}, measured", showlegend=False,
            marker={"color": colour, "size": 8, "symbol": SYMBOLS[place % len(SYMBOLS)]},
            error_y={"type": "data", "symmetric": False, "array": [point["high"] - point["d"]], "arrayminus": [point["d"] - point["low"]]},
            hovertemplate="%{y:.1f} dims",
        )  # fmt: skip
    add_references(figure, levels=levels, marks=marks)
    across = [float(x) for k, _ in curves.values() for x in array(k)] + [float(point["k"]) for point in everything]
    up = [float(y) for _, d in curves.values() for y in array(d)] + [float(point["d"]) for point in everything]
    figure.update_xaxes(title_text="features on, k", **log_axis(across or [1.0]))
    figure.update_yaxes(title_text="dims d", **log_axis(up or [1.0]))
    return finished(figure, caption, height=460, showlegend=True)
