"""One quantity against another, a line for each value of a third."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from tegum.figures._inputs import array, table
from tegum.figures._theme import SERIES, SYMBOLS, add_references, finished, log_axis


def lines(
    data: Any, x: str, y: str, colour: str | None = None, *,
    error: tuple[str, str] | None = None, log_x: bool = False, log_y: bool = False,
    x_title: str | None = None, y_title: str | None = None, colour_title: str | None = None,
    curves: Mapping[str, tuple[Any, Any]] | None = None,
    levels: Mapping[str, float] | None = None, marks: Mapping[str, float] | None = None, mode: str = "lines+markers", span: Any = None,
    caption: str = "",
) -> go.Figure:  # fmt: skip
    """Column `y` against column `x` of a table, sorted by x, with a line a value of column `colour`; `mode` "lines" or "markers" draws those alone.

    `error` names two columns with the lower and upper end of an interval. `span` holds x besides the table's that a log axis is for. `curves`,
    `levels` and `marks` are references; a curve "NAME, theory" (or another word) has the colour of the line NAME. Raises ValueError when a column
    is missing.
    """
    frame = table(data, x, y, colour, *(error or ()))
    groups = [("", frame)] if colour is None else [(str(name), part) for name, part in frame.groupby(colour, sort=True)]
    figure = go.Figure()
    for place, (name, part) in enumerate(groups):
        ordered = part.sort_values(x)
        middle = ordered[y].to_numpy(dtype=float)
        bars = None
        if error is not None:
            low, high = (ordered[column].to_numpy(dtype=float) for column in error)
            bars = {"type": "data", "symmetric": False, "array": high - middle, "arrayminus": middle - low, "thickness": 1.2, "width": 3}
        style = {"color": SERIES[place % len(SERIES)], "width": 2}
        figure.add_scatter(
            x=ordered[x].to_numpy(), y=middle, error_y=bars, mode=mode,
            name=f"{colour if colour_title is None else colour_title} {name}".strip() if colour else y,
            line=style, marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 7}, hovertemplate="%{x:.4g}: %{y:.4g}",
        )  # fmt: skip
    add_references(figure, curves, levels, marks, {name: SERIES[place % len(SERIES)] for place, (name, _) in enumerate(groups)})
    figure.update_xaxes(title_text=x_title or x, **(log_axis([*frame[x], *(() if span is None else span)]) if log_x else {}))
    figure.update_yaxes(
        title_text=y_title or y, **(log_axis([*frame[y], *(v for _, ys in (curves or {}).values() for v in array(ys))]) if log_y else {})
    )
    return finished(figure, caption, showlegend=colour is not None or bool(curves))
