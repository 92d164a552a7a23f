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
    """`curves` (name -> (features on, dims)) as dashed lines; `points` as mappings decoder, k, d, low and high, a symbol a decoder.

    Points have the colour of the curve of their name, or grey where there is none, and the legend names every decoder that has points. Both axes are
    logarithmic. `marks` and `levels` are references.
    """
    figure, everything = go.Figure(), list(points)
    colours = dict(zip(curves, cycle(SERIES)))
    for name, (k, d) in curves.items():
        figure.add_scatter(
            x=array(k), y=array(d), mode="lines", name=name, line={"color": colours[name], "width": 2, "dash": "dash"},
            hovertemplate="%{x} on: %{y:.1f} dims",
        )  # fmt: skip
    for place, name in enumerate(dict.fromkeys(point["decoder"] for point in everything)):
        own = [point for point in everything if point["decoder"] == name]
        figure.add_scatter(
            x=[point["k"] for point in own], y=[point["d"] for point in own], mode="markers", name=f"{name}, measured",
            marker={"color": colours.get(name, INK), "size": 8, "symbol": SYMBOLS[place % len(SYMBOLS)] + ("" if name in colours else "-open")},
            error_y={
                "type": "data", "symmetric": False, "array": [point["high"] - point["d"] for point in own],
                "arrayminus": [point["d"] - point["low"] for point in own],
            },
            hovertemplate="%{y:.1f} dims",
        )  # fmt: skip
    add_references(figure, levels=levels, marks=marks)
    across = [float(x) for k, _ in curves.values() for x in array(k)] + [float(point["k"]) for point in everything]
    up = [float(y) for _, d in curves.values() for y in array(d)] + [float(point["d"]) for point in everything]
    figure.update_xaxes(title_text="features on, k", **log_axis(across or [1.0]))
    figure.update_yaxes(title_text="dims d", **log_axis(up or [1.0]))
    return finished(figure, caption, height=460, showlegend=True)
