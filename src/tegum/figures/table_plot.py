"""A table of numbers, where people look a value up rather than follow a curve."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from tegum.figures._inputs import table
from tegum.figures._theme import FAINT, finished

_LINE, _HEAD = 25, 52  # pixels: a line, and a head of three


def number_table(data: Any, columns: Sequence[str], formats: Mapping[str, str] | None = None, *, caption: str = "") -> go.Figure:
    """The `columns` of a table, a line a row, in its order; what a line has in common with the one above in the first column is left out.

    `formats` maps a column to a format such as ",.0f"; a number that is not known (nan) is left blank. Raises ValueError when a column is missing.
    """
    frame, formats = table(data, *columns), formats or {}
    words = [[_written(value, formats.get(name, "")) for value in frame[name]] for name in columns]
    words[0] = [word if i == 0 or word != words[0][i - 1] else "" for i, word in enumerate(words[0])]
    widths = [max(map(len, [*column, *name.split()])) + 2 for name, column in zip(columns, words, strict=True)]
    sides = ["left" if frame[name].dtype.kind in "OUS" else "right" for name in columns]
    plain = {"fill": {"color": "rgba(0,0,0,0)"}, "line": {"color": FAINT, "width": 1}, "align": sides}
    figure = go.Figure(
        go.Table(
            columnwidth=widths,
            header={"values": [f"<b>{name}</b>" for name in columns], "height": _HEAD, "font": {"size": 11}, **plain},
            cells={"values": words, "height": _LINE, **plain},
        )
    )
    return finished(figure, caption, height=_HEAD + _LINE * len(frame) + 60, margin={"l": 8, "r": 8, "t": 16, "b": 16})


def _written(value: Any, written: str) -> str:
    return "" if value is None or value != value else format(value, written)  # noqa: PLR0124 - nan is not itself
