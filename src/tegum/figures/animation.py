"""Animations over training: what a network looks like at each recorded step, with its loss beneath, a play button and a slider.

Plain plotly frames in two dims, which a notebook, the report and a web page play alike. A frame carries only what moves: the places of the marks
and the dot on the loss curve, rounded to a thousandth, so that a hundred frames of twenty marks take some 50 kB.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tegum.figures._inputs import array, panel_titles
from tegum.figures._panels import WIDTH
from tegum.figures._theme import FAINT, INK, SERIES, SYMBOLS, finished
from tegum.figures.course import add_dates, add_levels, loss_axis, step_axis
from tegum.figures.direction_groups import RING, by_group, ray_axis, ray_reach, ray_style, rays

_FRAMES = 120  # at most; evenly spaced along the axis of steps, as the slider is, so that its handle stands under the dot
_SECONDS = 10  # that a play takes from the first frame to the last
_GAP, _LOSS, _BELOW = 74, 110, 140  # px between the views and the loss, of the loss, and of its axis and the controls


@dataclass(frozen=True)
class _Marks:
    """A trace that moves: which panel it is in, and x and y at each frame, (frames, points)."""

    column: int
    x: np.ndarray
    y: np.ndarray
    style: dict[str, Any]


def moving_directions(
    W: Any, steps: Any, loss: Any, groups: Any = None, titles: Any = None, *,
    dates: Any = (), marks: Mapping[str, float] | None = None, log_x: bool = False, caption: str = "",
) -> go.Figure:  # fmt: skip
    """Rays from the origin to each feature's direction in the unit circle, over training.

    W is (times, features, 2), or (views, times, features, 2) for several projections side by side; `steps` and `loss` are (times,); `groups`
    (features,) names what each feature belongs to. `dates` are steps to be marked on the loss curve, `marks` such with names.
    Raises ValueError on other shapes.
    """
    weights = array(W).astype(float)
    weights = weights[None] if weights.ndim == 3 else weights
    if weights.ndim != 4 or weights.shape[-1] != 2:
        raise ValueError(f"W has shape {array(W).shape}; this figure needs (times, features, 2), or that with views first")
    at, curve = _course(steps, loss, weights.shape[1])
    kinds = by_group(groups, weights.shape[2])
    shown = _chosen(at, log=log_x)
    names = panel_titles(titles, len(weights))
    reach = ray_reach(weights)
    side = min(340, (WIDTH - 72 - 60 * (len(weights) - 1)) // len(weights))
    figure = _panels(names, side, at, curve, log=log_x)
    moving = []
    for column, view in enumerate(weights, 1):
        figure.add_scatter(**RING, row=1, col=column)
        for number, (kind, rows) in enumerate(kinds.items()):
            strokes = rays(view[shown], rows)
            style = ray_style(number, kind, rows) | {"showlegend": column == 1 and bool(kind)}
            moving.append(_Marks(column, strokes[..., 0], strokes[..., 1], style))
        figure.update_xaxes(ray_axis(reach), row=1, col=column)
        figure.update_yaxes(
            ray_axis(reach), showticklabels=column == 1, scaleanchor="x" if column == 1 else f"x{column}", row=1, col=column
        )
    figure.update_layout(width=72 + len(weights) * side + 60 * (len(weights) - 1), legend={"y": 1 + 26 / (side + _GAP + _LOSS)})
    add_dates(figure, dates, marks, at, rows=(2,), log=log_x)
    return _animated(figure, moving, at, curve, shown, caption)


def moving_points(
    x: Any, y: Any, steps: Any, loss: Any, groups: Any = None, *, x_title: str = "x", y_title: str = "y",
    levels: Mapping[str, float] | None = None, dates: Any = (), marks: Mapping[str, float] | None = None, log_x: bool = False,
    caption: str = "",
) -> go.Figure:  # fmt: skip
    """One mark a feature, at (x, y) over training; both are (times, features), `steps` and `loss` (times,), `groups` (features,).

    `levels` are horizontal references, `dates` steps to be marked on the loss curve, `marks` such with names. Raises ValueError
    when the shapes do not agree.
    """
    across, up = array(x).astype(float), array(y).astype(float)
    if across.ndim != 2 or across.shape != up.shape:
        raise ValueError(f"x has shape {across.shape} and y {up.shape}; both need (times, features)")
    at, curve = _course(steps, loss, len(across))
    shown = _chosen(at, log=log_x)
    figure = _panels([""], 330, at, curve, log=log_x)
    add_levels(figure, levels, row=1)
    moving = []
    for number, (kind, rows) in enumerate(by_group(groups, across.shape[1]).items()):
        heads = {"color": SERIES[number % len(SERIES)], "symbol": SYMBOLS[number % len(SYMBOLS)], "size": 10, "opacity": 0.75}
        style = {
            "name": kind, "mode": "markers", "marker": heads, "customdata": rows.tolist(), "showlegend": bool(kind),
            "hovertemplate": "feature %{customdata}: (%{x:.3f}, %{y:.3f})<extra></extra>",
        }  # fmt: skip
        moving.append(_Marks(1, across[shown][:, rows], up[shown][:, rows], style))
    figure.update_xaxes(title_text=x_title, range=_range(across), zeroline=False, row=1, col=1)
    figure.update_yaxes(title_text=y_title, range=_range(up), zeroline=False, row=1, col=1)
    add_dates(figure, dates, marks, at, rows=(2,), log=log_x)
    return _animated(figure, moving, at, curve, shown, caption)


def _course(steps: Any, loss: Any, times: int) -> tuple[np.ndarray, np.ndarray]:
    at, curve = array(steps).astype(np.int64), array(loss).astype(float)
    if at.shape != (times,) or curve.shape != (times,) or times < 2:
        raise ValueError(
            f"steps has shape {at.shape} and loss {curve.shape} but there are {times} moments; each needs one, and two at least"
        )
    return at, curve


def _chosen(at: np.ndarray, *, log: bool) -> np.ndarray:
    """Moments that become frames: evenly spaced along the axis, each once; a log axis has no place for step 0."""
    places = np.log10(np.maximum(at, 1)) if log else at.astype(float)
    wanted = np.linspace(places[0], places[-1], min(_FRAMES, len(at)))
    return np.unique(np.abs(places[None, :] - wanted[:, None]).argmin(axis=1))


def _range(values: np.ndarray) -> list[float]:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = 0.06 * max(high - low, 1e-3)
    return [low - room, high + room]


def _panels(titles: list[str], side: int, at: np.ndarray, curve: np.ndarray, *, log: bool) -> go.Figure:
    """Views side by side, the loss beneath all of them."""
    columns, inner, top = len(titles), side + _GAP + _LOSS, 64
    figure = make_subplots(
        rows=2, cols=columns, specs=[[{}] * columns, [{"colspan": columns}, *[None] * (columns - 1)]], subplot_titles=titles,
        row_heights=[side, _LOSS], vertical_spacing=_GAP / inner, horizontal_spacing=0.08,
    )  # fmt: skip
    figure.update_annotations(font={"size": 13})
    figure.add_scatter(
        x=np.maximum(at, 1) if log else at, y=[float(f"{value:.4g}") for value in curve], mode="lines", line={"color": INK, "width": 1.6},
        showlegend=False, hovertemplate="step %{x}: %{y:.4g}<extra>loss</extra>", row=2, col=1,
    )  # fmt: skip
    figure.update_xaxes(title_text="step", **step_axis(at, log=log), row=2, col=1)
    figure.update_yaxes(title_text="loss", **loss_axis(curve), nticks=4, row=2, col=1)
    return figure.update_layout(height=inner + top + _BELOW, margin={"l": 56, "r": 16, "t": top, "b": _BELOW})


def _animated(
    figure: go.Figure, moving: list[_Marks], at: np.ndarray, curve: np.ndarray, shown: np.ndarray, caption: str
) -> go.Figure:  # fmt: skip
    """Add what moves at its first frame, the frames and their controls."""
    first = sum(1 for _ in figure.select_traces())
    log = next(figure.select_xaxes(row=2, col=1)).type == "log"
    for part in moving:
        figure.add_scatter(x=_rounded(part.x[0]), y=_rounded(part.y[0]), **part.style, row=1, col=part.column)
    now = {"mode": "markers", "marker": {"color": SERIES[1], "size": 11, "line": {"width": 0}}, "showlegend": False, "hoverinfo": "skip"}
    dots = [{"x": [max(1, int(at[k])) if log else int(at[k])], "y": [float(f"{curve[k]:.4g}")]} for k in shown]
    figure.add_scatter(**dots[0], **now, row=2, col=1)
    traces = list(range(first, first + len(moving) + 1))
    figure.frames = [
        go.Frame(
            name=str(int(at[k])),
            traces=traces,
            data=[*({"x": _rounded(part.x[frame]), "y": _rounded(part.y[frame])} for part in moving), dots[frame]],
        )
        for frame, k in enumerate(shown)
    ]
    return finished(figure, caption, **_controls([int(at[k]) for k in shown]))


def _rounded(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 3) for value in values]


def _controls(steps: list[int]) -> dict[str, Any]:
    """Play, pause and a slider as wide as the axis. Buttons are light with dark words, for plotly paints one under the pointer white."""
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    pace = {"duration": round(1000 * _SECONDS / len(steps)), "redraw": False}
    play = {"fromcurrent": True, "frame": pace, "transition": {"duration": 0}}
    buttons = [
        {"label": "▶ Play", "method": "animate", "args": [None, play]},
        {"label": "❚❚ Pause", "method": "animate", "args": [[None], still]},
    ]
    menu = {
        "type": "buttons", "direction": "right", "showactive": False, "buttons": buttons, "x": 0, "xanchor": "left", "y": 0, "yanchor": "top",
        "pad": {"t": 52, "l": 0}, "bgcolor": "#eef1f5", "bordercolor": FAINT, "borderwidth": 1, "font": {"size": 12, "color": "#1c1f24"},
    }  # fmt: skip
    slider = {
        "active": 0, "x": 0, "len": 1, "y": 0, "yanchor": "top", "pad": {"t": 66, "l": 0, "r": 0, "b": 0}, "ticklen": 0, "minorticklen": 0,
        "bgcolor": FAINT, "bordercolor": FAINT, "activebgcolor": SERIES[1], "tickcolor": FAINT, "font": {"size": 11},
        "currentvalue": {"prefix": "step ", "xanchor": "right", "font": {"size": 13}, "offset": 10},
        "steps": [{"label": f"{step:,}", "method": "animate", "args": [[str(step)], still]} for step in steps],
    }  # fmt: skip
    return {"updatemenus": [menu], "sliders": [slider]}
