"""A number for each name: ranks, shares, counts."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from tegum.figures._inputs import table
from tegum.figures._theme import SERIES, add_references, finished, log_axis


def bars(
    data: Any, label: str, value: str, colour: str | None = None, *, x_title: str | None = None, y_title: str | None = None,
    log_x: bool = False, marks: Mapping[str, float] | None = None, caption: str = "",
) -> go.Figure:  # fmt: skip
    """Horizontal bars of column `value`, one a row of the table and in its order from the top, so that long names can be read.

    Rows that share a label stand side by side, told apart by column `colour`. `marks` are vertical references. Raises ValueError
    when a column is missing.
    """
    frame = table(data, label, value, colour)
    groups = [("", frame)] if colour is None else [(str(name), part) for name, part in frame.groupby(colour, sort=False)]
    figure = go.Figure()
    for place, (name, part) in enumerate(groups):
        figure.add_bar(
            x=part[value].to_numpy(dtype=float), y=part[label].astype(str).to_numpy(), orientation="h", name=name or value,
            marker={"color": SERIES[place % len(SERIES)], "line": {"width": 0}}, hovertemplate="%{y}: %{x:.4g}",
        )  # fmt: skip
    add_references(figure, marks=marks)
    order = frame[label].astype(str).drop_duplicates().tolist()
    figure.update_xaxes(title_text=x_title or value, **(log_axis(frame[value]) if log_x else {}))
    figure.update_yaxes(title_text=y_title or label, type="category", categoryorder="array", categoryarray=order[::-1], showgrid=False)
    return finished(figure, caption, height=110 + (14 + 12 * len(groups)) * len(order), showlegend=colour is not None, barmode="group")
