"""The course of training: the loss above, other traces beneath it on the same axis of steps, with dates marked across both."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tegum.figures._inputs import array
from tegum.figures._theme import INK, MUTED, SERIES, finished, log_axis


def over_training(
    steps: Any, loss: Any, traces: Mapping[str, Any], *, dates: Any = (), drops: Any = (), marks: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None, y_title: str = "", log_x: bool = False, caption: str = "",
) -> go.Figure:  # fmt: skip
    """`loss` (times,) above, and beneath it every trace: name -> (times,), or (times, lines) that share a colour.

    `dates` are steps marked by a line through both panels, `drops` steps marked on the loss, `marks` dates with names, `levels` horizontal
    references of the lower panel. On a log axis step 0 stands at 1. Raises ValueError when a trace is not as long as `steps`.
    """
    at, curve = array(steps).astype(float), array(loss).astype(float)
    at = np.maximum(at, 1) if log_x else at
    series = {name: array(values).astype(np.float32) for name, values in traces.items()}
    for name, values in {"loss": curve, **series}.items():
        if len(values) != len(at):
            raise ValueError(f"{name} has {len(values)} moments but there are {len(at)} steps")
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.36, 0.64])
    for place, (name, values) in enumerate(series.items()):
        lines = values[:, None] if values.ndim == 1 else values
        width = 2 if values.ndim == 1 else 1.1
        for number, line in enumerate(lines.T):
            figure.add_scatter(
                x=at.astype(np.float32), y=line, name=name, legendgroup=name, showlegend=number == 0 and bool(name), mode="lines",
                line={"color": SERIES[place % len(SERIES)], "width": width}, hovertemplate="step %{x:.0f}: %{y:.3f}", row=2, col=1,
            )  # fmt: skip
    figure.add_scatter(
        x=at.astype(np.float32), y=curve.astype(np.float32), mode="lines", line={"color": INK, "width": 1.8}, showlegend=False,
        hovertemplate="step %{x:.0f}: %{y:.4g}<extra>loss</extra>", row=1, col=1,
    )  # fmt: skip
    add_dates(figure, dates, marks, at, rows=(1, 2), log=log_x)
    if len(array(drops)):
        figure.add_scatter(
            x=array(drops), y=np.interp(array(drops), at, curve), mode="markers", name="loss drop", showlegend=True,
            marker={"symbol": "triangle-down", "size": 11, "color": SERIES[1]}, hovertemplate="step %{x:.0f}", row=1, col=1,
        )  # fmt: skip
    add_levels(figure, levels, row=2)
    figure.update_yaxes(title_text="loss", **loss_axis(curve), row=1, col=1)
    figure.update_yaxes(title_text=y_title, row=2, col=1)
    figure.update_xaxes(step_axis(at, log=log_x))
    figure.update_xaxes(title_text="step", row=2, col=1)
    return finished(figure, caption, height=520, margin={"l": 64, "r": 16, "t": 44, "b": 48})


def add_dates(
    figure: go.Figure, dates: Any, marks: Mapping[str, float] | None, steps: np.ndarray, *, rows: tuple[int, ...], log: bool
) -> None:  # fmt: skip
    """Thin lines at `dates`, dotted ones at `marks` with their names in the first of the panels, each a little lower than the one before."""
    for row in rows:
        place: Any = {"row": row, "col": 1, "exclude_empty_subplots": False}
        for step in array(dates).ravel():
            figure.add_vline(x=float(step), line={"color": MUTED, "width": 1}, layer="below", **place)
        for step in (marks or {}).values():
            figure.add_vline(x=float(step), line={"color": INK, "width": 1.2, "dash": "dot"}, **place)
    for number, (name, step) in enumerate((marks or {}).items()):
        late = step**2 > max(1, steps[0]) * steps[-1] if log else 2 * step > steps[-1]
        figure.add_annotation(
            x=np.log10(step) if log else step, y=1, yref="y domain", text=name, showarrow=False, font={"size": 11, "color": INK},
            xanchor="right" if late else "left", yanchor="top", xshift=-4 if late else 4, yshift=-15 * (number % 4), row=rows[0], col=1,
        )  # fmt: skip


def add_levels(figure: go.Figure, levels: Mapping[str, float] | None, *, row: int) -> None:
    """Horizontal references in one of several panels, with their names at its right end."""
    for name, value in (levels or {}).items():
        place: Any = {"row": row, "col": 1, "exclude_empty_subplots": False}
        words = {
            "text": name,
            "textposition": "end",
            "xanchor": "right",
            "yanchor": "bottom",
            "font": {"size": 11, "color": INK},
            "padding": 3,
        }
        figure.add_hline(y=float(value), line={"color": INK, "width": 1.2, "dash": "dot"}, label=words, **place)


def step_axis(steps: np.ndarray, *, log: bool) -> dict[str, Any]:
    """From the first step to the last; on a log axis step 0 stands at 1."""
    first, last = float(steps[0]), float(steps[-1])
    return {**log_axis([max(1, first), last]), "range": [np.log10(max(1, first)), np.log10(last)]} if log else {"range": [first, last]}


def loss_axis(loss: np.ndarray) -> dict[str, Any]:
    """Logarithmic where the loss falls to a quarter and less. The range is set, or a dot that moves along the curve would move the axis."""
    low, high = float(loss.min()), float(loss.max())
    log = high >= 4 * low > 0
    ends = np.log10([low, high]) if log else np.array([low, high])
    room = 0.08 * max(ends[1] - ends[0], 1e-9)
    return {"range": [ends[0] - room, ends[1] + room]} | (log_axis(loss) if log else {})
