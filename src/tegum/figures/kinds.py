"""Things of several kinds along a quantity that is swept: where each stands, and which share each kind has.

As in Elhage et al. 2022, 'The Geometry of Superposition': the dimensionality of features against their sparsity, by the polytope that they are in.
Kinds have one colour in all figures that are given the same order of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tegum.figures._inputs import table
from tegum.figures._theme import INK, MUTED, SERIES, finished, log_axis

_COLOURS = (*SERIES, "#999933", "#882255", "#44AA99", "#661100")  # kinds can be many: four of Tol 2021, 'Colour schemes', muted
_ROWS = 90  # over the range of y: things within one are a row of dots
_DOTS = 9  # in the widest row of a column, which has the width that the nearest column leaves
_TICKS = 16  # columns that can each have their number below
_LINE = 18  # px between the names of two levels


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
    kind_of = frame[kind].map(list(kinds).index).to_numpy(int)
    dots = _dots(frame[x].to_numpy(float), frame[y].to_numpy(float), kind_of, top / _ROWS)
    figure = go.Figure()
    for place, name in enumerate(kinds):
        ours = dots["kind"] == place
        if ours.any():
            figure.add_scatter(
                x=dots["at"][ours], y=dots["y"][ours], mode="markers", name=name, customdata=np.stack([dots["x"], dots["count"]], axis=1)[ours],
                marker={"size": 4.5, "color": kind_colour(place, name, other), "line": {"width": 0}},
                hovertemplate=f"{name}: %{{customdata[1]}} near %{{y:.3f}}<br>at %{{customdata[0]:.4g}}<extra></extra>",
            )  # fmt: skip
    height, margin = 520, {"l": 56, "r": 150, "t": 56, "b": 52}
    _name_levels(figure, levels or {}, _LINE * top / (height - margin["t"] - margin["b"]))
    columns = sorted(frame[x].unique())
    ticks = {"tickvals": columns, "ticktext": [f"{value:.3g}" for value in columns]} if len(columns) <= _TICKS else {}
    figure.update_xaxes(title_text=x_title or x, **log_axis(frame[x]) | ticks, tickfont={"size": 11}, tickangle=0)
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
    return MUTED if name == other else _COLOURS[place % len(_COLOURS)]


def _known(found: Any, kinds: Sequence[str]) -> None:
    strange = sorted(set(found) - set(kinds))
    if strange:
        raise ValueError(f"{strange[0]!r} is none of the kinds {', '.join(kinds)}")


def _dots(x: np.ndarray, y: np.ndarray, kind: np.ndarray, step: float) -> dict[str, np.ndarray]:
    """An entry a dot: where it stands (`at`, `y`), its column's x, its kind, and how many things of that kind its row has."""
    columns, column = np.unique(x, return_inverse=True)
    keys = np.stack([column, np.floor(y / step), kind], axis=1).astype(np.int64)
    cells, cell, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    rows, row = np.unique(cells[:, :2], axis=0, return_inverse=True)
    most = np.zeros(len(columns))
    np.maximum.at(most, rows[:, 0], np.bincount(row.ravel(), count, len(rows)))
    dots = np.ceil(_DOTS * count / most[cells[:, 0]]).astype(int)
    of_row = np.bincount(row.ravel(), dots, len(rows))
    each, its_row = np.repeat(np.arange(len(cells)), dots), np.repeat(row.ravel(), dots)
    offset = np.arange(len(each)) - (np.cumsum(of_row) - of_row)[its_row] - (of_row[its_row] - 1) / 2
    apart = np.diff(np.log(columns)).min(initial=0.12)
    where = columns[cells[each, 0]]
    return {
        "at": where * np.exp(offset * 0.8 * apart / _DOTS), "y": (np.bincount(cell.ravel(), y, len(cells)) / count)[each], "x": where,
        "kind": cells[each, 2], "count": count[each],
    }  # fmt: skip


def _name_levels(figure: go.Figure, levels: Mapping[str, float], apart: float) -> None:
    """Dotted lines, their names at the right; names of near lines are pushed down so that both can be read."""
    at = np.inf
    for name, value in sorted(levels.items(), key=lambda level: -level[1]):
        figure.add_hline(y=value, line={"color": INK, "width": 1, "dash": "dot"}, layer="below")
        at = min(value, at - apart)
        figure.add_annotation(
            x=1, xref="paper", xanchor="left", xshift=8, y=at, text=name, showarrow=False, font={"size": 12, "color": INK}
        )
