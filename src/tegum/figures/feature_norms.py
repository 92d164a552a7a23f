"""How strongly each feature is represented, and whether it shares its direction (Elhage et al. 2022, 'Demonstrating superposition')."""

from typing import Any

import plotly.graph_objects as go

from tegum.figures._inputs import instances_of, panel_titles
from tegum.figures._panels import WIDTH, Margins, balanced, grid, place
from tegum.figures._theme import SHARING, add_colour_bar, colours_of, finished


def feature_bars(norms: Any, superposition: Any, titles: Any = None, *, caption: str = "") -> go.Figure:
    """Horizontal bars of |W_i|, one a feature and one panel an instance, coloured by superposition.

    Superposition of feature i is sum_{j != i} (unit(W_i) . W_j)^2. Both are (features,) or (instances, features), as
    `tegum.geometry.superposition` gives them; colours run from 0, a dimension of one's own, to 1 and beyond. Raises ValueError when
    the shapes differ.
    """
    lengths, shared = instances_of(norms, 1, "norms"), instances_of(superposition, 1, "superposition")
    if lengths.shape != shared.shape:
        raise ValueError(f"norms has shape {lengths.shape} but superposition has {shared.shape}")
    count, features = lengths.shape
    names = panel_titles(titles, count)
    columns = balanced(count, 7)[1]
    margins = Margins(right=84)
    side = min(400, (WIDTH - margins.left - margins.right - (columns - 1) * margins.gap_x) // columns)
    figure = grid(names, columns, (side, min(420, max(120, 16 * features))), margins)
    for i in range(count):
        row, col = place(i, columns)
        figure.add_bar(
            x=lengths[i], y=list(range(features)), orientation="h",
            marker={"color": colours_of(SHARING, shared[i]), "line": {"width": 0}},
            customdata=shared[i], hovertemplate="feature %{y}<br>norm %{x:.3f}<br>superposition %{customdata:.3f}<extra></extra>",
            showlegend=False, row=row, col=col,
        )  # fmt: skip
        last_row, first_column = i + columns >= count, i % columns == 0
        figure.update_xaxes(title_text="norm |W<sub>i</sub>|" if last_row else None, row=row, col=col)
        figure.update_yaxes(title_text="feature (index)" if first_column else None, showticklabels=first_column, row=row, col=col)
    figure.update_xaxes(range=[0, max(1.05, 1.05 * float(lengths.max(initial=1.0)))], nticks=4)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(bargap=0.2)
    bar = {"title": {"text": "superposition"}, "tickvals": [0, 0.5, 1], "ticktext": ["0", "0.5", "≥ 1"]}
    add_colour_bar(figure, SHARING, (0.0, 1.0), bar)
    return finished(figure, caption)
