"""Small multiples: equal panels in a neat grid, measured in pixels so that their aspect holds on every page."""

import math
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

WIDTH = 860  # px that a figure may take in the reading column of a page


@dataclass(frozen=True)
class Margins:
    """Pixels around the grid and between its panels."""

    left: int = 56
    right: int = 16
    top: int = 34
    bottom: int = 52
    gap_x: int = 22
    gap_y: int = 56


def balanced(count: int, most: int) -> tuple[int, int]:
    """(rows, columns) for `count` panels with at most `most` in a row, the last row as full as can be."""
    rows = math.ceil(count / most)
    return rows, math.ceil(count / rows)


def grid(titles: list[str], columns: int, size: tuple[int, int], margins: Margins = Margins(), kind: str = "xy") -> go.Figure:
    """A figure of `len(titles)` panels of `size` (width, height) px, filled row by row; its width and height follow."""
    rows = math.ceil(len(titles) / columns)
    inner_x, inner_y = columns * size[0] + (columns - 1) * margins.gap_x, rows * size[1] + (rows - 1) * margins.gap_y
    specs = [[{"type": kind} if r * columns + c < len(titles) else None for c in range(columns)] for r in range(rows)]
    figure = make_subplots(
        rows=rows, cols=columns, subplot_titles=titles, specs=specs,
        horizontal_spacing=margins.gap_x / inner_x, vertical_spacing=margins.gap_y / inner_y,
    )  # fmt: skip
    figure.update_annotations(font={"size": 13})
    return figure.update_layout(
        width=inner_x + margins.left + margins.right,
        height=inner_y + margins.top + margins.bottom,
        margin={"l": margins.left, "r": margins.right, "t": margins.top, "b": margins.bottom},
    )


def place(index: int, columns: int) -> tuple[int, int]:
    """Row and column of the panel at `index`, as plotly counts them."""
    return index // columns + 1, index % columns + 1
