"""Which features meet: the matrix of inner products W W^T with the bias beside it.

As in Elhage et al. 2022, 'Demonstrating superposition'. Rows of W are feature directions, so the matrix of features by features is
W W^T; the paper, whose W maps features to neurons, calls it W^T W.
"""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from tegum.figures._inputs import instances_of, panel_titles
from tegum.figures._panels import WIDTH, Margins, balanced, grid, place
from tegum.figures._theme import AT_RIGHT, DIVERGING, finished


def gram(W: Any, b: Any = None, titles: Any = None, *, caption: str = "") -> go.Figure:
    """Heat maps of W W^T, one an instance, with the bias b as a column at the right of each.

    Colours run from -1 to 1, and zero is the page. W is (features, dims) or (instances, features, dims); b, where given, the same
    without dims. Values beyond +-1 take the end colour and keep their number under the pointer. Raises ValueError when the shapes
    do not agree.
    """
    weights = instances_of(W, 2, "W")
    biases = None if b is None else instances_of(b, 1, "b")
    if biases is not None and biases.shape != weights.shape[:2]:
        raise ValueError(f"b has shape {biases.shape} but W has {weights.shape[0]} instances of {weights.shape[1]} features")
    count, features = weights.shape[:2]
    names = panel_titles(titles, count)
    columns = balanced(count, 5)[1]
    margins = Margins(right=84)
    side = min(360, (WIDTH - margins.left - margins.right - (columns - 1) * margins.gap_x) // columns)
    figure = grid(names, columns, (side, round(side * features / (features + 1.6 * _bias_width(features)))), margins)
    bias_at, ticks = features - 0.5 + 1.1 * _bias_width(features), _ticks(features)
    for i, w in enumerate(weights):
        row, col = place(i, columns)
        figure.add_heatmap(
            z=w @ w.T,
            coloraxis="coloraxis",
            hovertemplate="W<sub>%{y}</sub>·W<sub>%{x}</sub> = %{z:.3f}<extra></extra>",
            row=row,
            col=col,
        )
        if biases is not None:
            half = 0.5 * _bias_width(features)
            figure.add_heatmap(
                z=biases[i][:, None], x=[bias_at - half, bias_at + half], coloraxis="coloraxis",
                hovertemplate="b<sub>%{y}</sub> = %{z:.3f}<extra></extra>", row=row, col=col,
            )  # fmt: skip
        last_row, first_column = i + columns >= count, i % columns == 0
        shown = {
            "tickvals": [*ticks, bias_at] if biases is not None else ticks,
            "ticktext": [*map(str, ticks), "b"] if biases is not None else None,
        }
        figure.update_xaxes(title_text="feature (index)" if last_row else None, showgrid=False, zeroline=False, **shown, row=row, col=col)
        figure.update_yaxes(
            title_text="feature (index)" if first_column else None, showticklabels=first_column, tickvals=ticks, row=row, col=col
        )
    figure.update_xaxes(mirror=True)
    figure.update_yaxes(autorange="reversed", showgrid=False, zeroline=False, mirror=True)
    bar = {
        "title": {"text": "W<sub>i</sub>·W<sub>j</sub> and b<sub>i</sub>"},
        "tickvals": [-1, -0.5, 0, 0.5, 1],
        **AT_RIGHT,
    }
    scale = {"colorscale": DIVERGING, "cmin": -1, "cmax": 1, "cmid": 0, "colorbar": bar}
    return finished(figure, caption, coloraxis=scale)


def _bias_width(features: int) -> float:
    return max(1.0, features / 16)


def _ticks(features: int) -> list[int]:
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if features / s <= 6)
    return np.arange(0, features, step).tolist()
