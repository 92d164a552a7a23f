"""Estimates with their intervals, one a line: what a table of numbers hides."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from tegum.figures._inputs import table
from tegum.figures._theme import SERIES, SYMBOLS, add_references, finished, log_axis


def intervals(
    data: Any, label: str, estimate: str, low: str, high: str, colour: str | None = None, *,
    x_title: str | None = None, y_title: str | None = None,
    log_x: bool = False, marks: Mapping[str, float] | None = None, caption: str = "",
) -> go.Figure:  # fmt: skip
    """A dot and its interval for each row of a table, in the table's order from the top; `colour` is a column that tells groups apart.

    `marks` are vertical references, such as the value a theory gives. Raises ValueError when a column is missing.
    """
    frame = table(data, label, estimate, low, high, colour)
    groups = [("", frame)] if colour is None else [(str(name), part) for name, part in frame.groupby(colour, sort=False)]
    figure = go.Figure()
    for place, (name, part) in enumerate(groups):
        middle = part[estimate].to_numpy(dtype=float)
        reach = {"array": part[high].to_numpy(dtype=float) - middle, "arrayminus": middle - part[low].to_numpy(dtype=float)}
        paint = SERIES[place % len(SERIES)]
        figure.add_scatter(
            x=middle, y=part[label].astype(str).to_numpy(), mode="markers", orientation="h", name=name or estimate,
            hovertemplate="%{y}: %{x:.4g}",
            marker={"size": 9, "color": paint, "symbol": SYMBOLS[place % len(SYMBOLS)]},
            error_x={"type": "data", "symmetric": False, "thickness": 1.8, "width": 0, "color": paint, **reach},
        )  # fmt: skip
    add_references(figure, marks=marks)
    order = frame[label].astype(str).drop_duplicates().tolist()
    figure.update_xaxes(title_text=x_title or estimate, zeroline=False, **(log_axis(frame[[low, high]]) if log_x else {}))
    figure.update_yaxes(title_text=y_title or label, type="category", categoryorder="array", categoryarray=order[::-1], showgrid=False)
    return finished(figure, caption, height=120 + 26 * len(order), showlegend=colour is not None, scattermode="group", scattergap=0.5)
