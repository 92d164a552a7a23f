"""Recoverability maps: which codes a decoder reads, features on against dims, after the figure of Gadzinski, *When Numbers Are Bits*."""

import math
from itertools import cycle
from typing import Any

import plotly.graph_objects as go

from tegum.figures._inputs import table
from tegum.figures._panels import WIDTH, Margins, balanced, grid, place
from tegum.figures._theme import AT_RIGHT, BLUE, COLORBAR, DASHES, INK, MUTED, VERMILION, finished, log_axis

_READ = ((0.0, VERMILION), (0.5, "#c8c6c2"), (1.0, BLUE))
_NEEDS = {"half read": ("d50", "low_50", "high_50", INK, 2.2), "99% read": ("d99", "low_99", "high_99", MUTED, 1.6)}


def recovery_maps(
    points: Any, needs: Any = None, curves: Any = None, *, columns: int | None = None, height: int = 230, caption: str = ""
) -> go.Figure:
    """A panel a value of column `panel`, in the order of `points`: dims over features on, both logarithmic; two or four in a row.

    `points` has columns panel, n_active, n_dims and share (0 red, 1 blue): what was measured. `needs` has panel, n_active, d50, low_50, high_50, d99,
    low_99, high_99: solid lines with bars. `curves` has panel, name, n_active, n_dims: dashed references, one dash a name. Raises ValueError when a
    column is missing.
    """
    seen = table(points, "panel", "n_active", "n_dims", "share")
    panels = list(dict.fromkeys(seen["panel"]))
    _, across = balanced(len(panels), columns or (2 if len(panels) <= 4 else 4))
    margins = Margins(left=62, right=74, top=58 if needs is not None or curves is not None else 34)
    width = (WIDTH - margins.left - margins.right - (across - 1) * margins.gap_x) // across
    figure = grid([str(panel) for panel in panels], across, (width, height), margins)
    for number, panel in enumerate(panels):
        row, column = place(number, across)
        at = {"row": row, "col": column}
        here = seen[seen["panel"] == panel]
        figure.add_scatter(
            x=here["n_active"], y=here["n_dims"], mode="markers", name="codes read", showlegend=False, customdata=here["share"],
            marker={"color": here["share"], "coloraxis": "coloraxis", "size": 6.5, "line": {"width": 0}},
            hovertemplate="%{x} on, %{y} dims: %{customdata:.0%} read", **at,
        )  # fmt: skip
        _draw_needs(figure, needs, panel, first=number == 0, at=at)
        _draw_curves(figure, curves, panel, at=at)
    figure.update_xaxes(**log_axis(seen["n_active"]) | {"dtick": None, "tickvals": [4**power for power in range(10)]})
    figure.update_yaxes(**log_axis(seen["n_dims"]), range=_span(seen["n_dims"]))
    for number in range(len(panels)):
        row, column = place(number, across)
        figure.update_xaxes(title_text="features on, k" if number + across >= len(panels) else "", row=row, col=column)
        figure.update_yaxes(title_text="dims d" if column == 1 else "", showticklabels=column == 1, row=row, col=column)
    bar = COLORBAR | AT_RIGHT | {"title": {"text": "share read", "side": "right"}, "tickformat": ".0%"}
    axis = {"colorscale": [list(stop) for stop in _READ], "cmin": 0, "cmax": 1, "colorbar": bar}
    return finished(figure, caption, coloraxis=axis, legend={"y": 1.0, "yref": "container", "yanchor": "top"})


def _draw_needs(figure: go.Figure, needs: Any, panel: Any, *, first: bool, at: dict[str, int]) -> None:
    if needs is None:
        return
    frame = table(needs, "panel", "n_active", *(name for names in _NEEDS.values() for name in names[:3]))
    here = frame.loc[frame["panel"] == panel].sort_values(by="n_active")
    for name, (middle, low, high, colour, width) in _NEEDS.items():
        bars = {"type": "data", "symmetric": False, "array": here[high] - here[middle], "arrayminus": here[middle] - here[low]}
        figure.add_scatter(
            x=here["n_active"], y=here[middle], error_y=bars | {"thickness": 1.2, "width": 2}, mode="lines", name=name, legendgroup=name,
            showlegend=first, line={"color": colour, "width": width}, hovertemplate="%{x} on: %{y:.1f} dims", **at,
        )  # fmt: skip


def _draw_curves(figure: go.Figure, curves: Any, panel: Any, *, at: dict[str, int]) -> None:
    if curves is None:
        return
    frame = table(curves, "panel", "name", "n_active", "n_dims")
    dashes = dict(zip(dict.fromkeys(frame["name"]), cycle(DASHES)))
    known = {getattr(trace, "name", None) for trace in figure.select_traces()}  # a panel may lack a curve that a later one has
    for name, part in frame[frame["panel"] == panel].groupby("name", sort=False):
        figure.add_scatter(
            x=part["n_active"], y=part["n_dims"], mode="lines", name=str(name), legendgroup=str(name), showlegend=str(name) not in known,
            line={"color": INK, "width": 1.6, "dash": dashes[name]}, hoverinfo="skip", **at,
        )  # fmt: skip


def _span(values: Any) -> list[float]:
    """The ends of a logarithmic axis a little beyond the values: references may lie far outside."""
    return [math.log10(float(values.min())) - 0.06, math.log10(float(values.max())) + 0.06]
