"""Things of several kinds along a quantity that is swept: where each stands, and which share each kind has.

As in Elhage et al. 2022, 'The Geometry of Superposition': the dimensionality of features against their sparsity, by the polytope that they are in.
Kinds have one colour in all figures that are given the same order of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tegum.figures._inputs import table
from tegum.figures._theme import INK, MUTED, SERIES, finished, log_axis

_ROWS = 90  # over the range of y: things within one are a row of dots
_DOTS = 9  # in the widest row of a column, which has the width that the nearest column leaves
_LINE = 14  # px between the names of two levels


def kinds_scatter(
    data: Any, x: str, y: str, kind: str, kinds: Sequence[str], *, other: str = "", levels: Mapping[str, float] | None = None,
    top: float = 1.0, x_title: str | None = None, y_title: str | None = None, caption: str = "",
) -> go.Figure:  # fmt: skip
    """Column `y`, from 0 to `top`, against `x` on a log axis: a column of dots at each x, as wide as there are things, in the colours of their kinds.

    Thousands of things stay light: those of a ninetieth of the range are one row, and a row has a dot for each ninth part of the most that a row of
    its column holds, but one at least of each kind. `kinds` is the order of colours, `other` the one kind in grey; `levels` are lines, named at the
    right. Raises ValueError for a kind that is not among them, or a missing column.
    """
    frame = table(data, x, y, kind)
    _known(frame[kind], kinds)
    dots = _dots(frame, x, y, kind, list(kinds), top / _ROWS)
    figure = go.Figure()
    for place, name in enumerate(kinds):
        part = dots[dots["kind"] == name]
        if len(part):
            figure.add_scatter(
                x=part["at"], y=part["y"], mode="markers", name=name, customdata=np.column_stack([part["x"], part["count"]]),
                marker={"size": 4.5, "color": kind_colour(place, name, other), "line": {"width": 0}},
                hovertemplate=f"{name}: %{{customdata[1]}} near %{{y:.3f}}<br>at %{{customdata[0]:.4g}}<extra></extra>",
            )  # fmt: skip
    height, margin = 520, {"l": 56, "r": 150, "t": 56, "b": 52}
    _name_levels(figure, levels or {}, _LINE * top / (height - margin["t"] - margin["b"]))
    figure.update_xaxes(title_text=x_title or x, **log_axis(frame[x]))
    figure.update_yaxes(title_text=y_title or y, range=[0, top], zeroline=False)
    return finished(figure, caption, height=height, margin=margin, showlegend=True, legend={"itemsizing": "constant"})


def kinds_shares(
    data: Any, x: str, kind: str, share: str, kinds: Sequence[str], *, other: str = "", totals: Sequence[str] | None = None,
    x_title: str | None = None, y_title: str | None = None, caption: str = "",
) -> go.Figure:  # fmt: skip
    """Column `share` of each `kind`, stacked over each value of `x`, equally spaced in their order in the table; `totals`, one an x, stand above.

    `kinds` is the order of colours and of the stack from below, `other` the one kind in grey. Raises ValueError as `kinds_scatter` does.
    """
    frame = table(data, x, kind, share)
    _known(frame[kind], kinds)
    order = frame[x].drop_duplicates().tolist()
    figure = go.Figure()
    for place, name in enumerate(kinds):
        part = frame[frame[kind] == name]
        if len(part):
            figure.add_bar(
                x=[order.index(value) for value in part[x]], y=part[share], name=name, hovertemplate=f"{name}: %{{y:.1%}}<extra></extra>",
                marker={"color": kind_colour(place, name, other), "line": {"width": 0}},
            )  # fmt: skip
    for place, text in enumerate(totals or ()):
        figure.add_annotation(x=place, y=1, yanchor="bottom", text=text, showarrow=False, font={"size": 11, "color": INK})
    ticks = {"tickvals": list(range(len(order))), "ticktext": [f"{value:.3g}" for value in order], "tickangle": 0}
    figure.update_xaxes(title_text=x_title or x, **ticks, showgrid=False, zeroline=False)
    figure.update_yaxes(title_text=y_title or share, range=[0, 1.07 if totals else 1], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1])
    return finished(figure, caption, height=420, barmode="stack", showlegend=True, legend={"traceorder": "normal"})


def kind_colour(place: int, name: str, other: str) -> str:
    """The colour of the kind at this place of the order; grey for `other`."""
    return MUTED if name == other else SERIES[place % len(SERIES)]


def _known(found: Any, kinds: Sequence[str]) -> None:
    strange = sorted(set(found) - set(kinds))
    if strange:
        raise ValueError(f"{strange[0]!r} is none of the kinds {', '.join(kinds)}")


def _dots(frame: pd.DataFrame, x: str, y: str, kind: str, kinds: list[str], step: float) -> pd.DataFrame:
    """Where each dot stands (`at`, y), its kind, and how many things of that kind its row has."""
    cells = pd.DataFrame(
        {"x": frame[x].to_numpy(float), "y": frame[y].to_numpy(float), "kind": frame[kind].to_numpy(), "row": np.floor(frame[y] / step)}
    )
    cells = cells.groupby(["x", "row", "kind"]).agg(y=("y", "mean"), count=("y", "size")).reset_index()
    most = cells.groupby(["x", "row"])["count"].sum().groupby("x").max()
    cells["dots"] = np.ceil(_DOTS * cells["count"] / cells["x"].map(most)).astype(int)
    cells = cells.assign(order=cells["kind"].map(kinds.index)).sort_values(["x", "row", "order"])
    dots = cells.loc[cells.index.repeat(cells["dots"])].reset_index(drop=True)
    rows = dots.groupby(["x", "row"])
    offset = rows.cumcount() - (rows["kind"].transform("size") - 1) / 2
    columns = np.log(np.unique(cells["x"]))
    apart = min(np.diff(columns).min(initial=0.12), 0.12)
    return dots.assign(at=dots["x"] * np.exp(offset * 0.8 * apart / _DOTS))


def _name_levels(figure: go.Figure, levels: Mapping[str, float], apart: float) -> None:
    """Dotted lines, their names at the right; names of near lines are pushed down so that both can be read."""
    at = np.inf
    for name, value in sorted(levels.items(), key=lambda level: -level[1]):
        figure.add_hline(y=value, line={"color": INK, "width": 1, "dash": "dot"}, layer="below")
        at = min(value, at - apart)
        figure.add_annotation(
            x=1, xref="paper", xanchor="left", xshift=8, y=at, text=name, showarrow=False, font={"size": 12, "color": INK}
        )
