"""The look of every figure: the plotly template `tegum`, its colours and its scales.

Colours are those of Okabe & Ito, *Color Universal Design* (2008), told apart under every common colour-vision deficiency; series
also differ in dash and marker. Backgrounds are transparent and text is a grey that reads on white (4.5:1) and on near-black
(4.3:1), so one figure serves light and dark pages; a page that knows its mode may sharpen the template's greys. The diverging scale
fades to nothing at zero, the page showing through, and its ends, blue and vermilion, differ in hue and in lightness.
"""

import math
from itertools import cycle
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from plotly.colors import sample_colorscale

from tegum.figures._inputs import array

Scale = tuple[tuple[float, str], ...]

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
DASHES = ("dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross")
INK = "#767b82"
MUTED = "#8d939b"
MUTED_FILL = "rgba(141,147,155,0.35)"
FAINT = "rgba(127,132,140,0.28)"

# negative vermilion, positive blue, zero the page itself
DIVERGING = (
    (0.0, "rgba(190,74,0,1)"),
    (0.25, "rgba(213,94,0,0.62)"),
    (0.5, "rgba(128,128,128,0)"),
    (0.75, "rgba(0,114,178,0.62)"),
    (1.0, "rgba(0,96,165,1)"),
)
# from a feature with a dimension of its own (blue) to one that shares (orange); lightness rises throughout, and both ends show on any page
SHARING = ((0.0, BLUE), (0.5, "#979a93"), (1.0, ORANGE))
# how much something matters, for thin strokes: cividis ends in colours that vanish on one page or the other
STRENGTH = ((0.0, "#a9b0b8"), (0.5, "#5a95bd"), (1.0, BLUE))
SEQUENTIAL = "Cividis"

_AXIS = {
    "showline": True,
    "linecolor": FAINT,
    "gridcolor": FAINT,
    "zerolinecolor": FAINT,
    "zerolinewidth": 1,
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": FAINT,
    "automargin": True,
    "title": {"standoff": 8},
    "exponentformat": "power",
    "minor": {"ticks": ""},
}
# lines in space are opaque: WebGL drops faint ones
SCENE_RULE = "#9aa1a9"
_SCENE_AXIS = {
    "gridcolor": SCENE_RULE,
    "linecolor": SCENE_RULE,
    "zerolinecolor": SCENE_RULE,
    "gridwidth": 1,
    "tickfont": {"size": 10},
    "showbackground": False,
    "showspikes": False,
}
COLORBAR = {"thickness": 10, "outlinewidth": 0, "ticklen": 3, "tickcolor": FAINT, "title": {"side": "right"}, "exponentformat": "power"}
# a colour bar flush with the right edge, whatever the panels' width
AT_RIGHT = {"xref": "container", "x": 0.995, "xanchor": "right"}

TEMPLATE = go.layout.Template(
    layout={
        "colorway": SERIES,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {
            "family": "ui-sans-serif, system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif",
            "size": 13,
            "color": INK,
        },
        "margin": {"l": 56, "r": 16, "t": 28, "b": 48},
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "scene": {f"{axis}axis": _SCENE_AXIS for axis in "xyz"} | {"bgcolor": "rgba(0,0,0,0)"},
        "coloraxis": {"colorbar": COLORBAR},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        "hoverlabel": {"font": {"size": 12}},
        "bargap": 0.25,
        "height": 400,
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": MUTED, "activecolor": BLUE},
    },
    data={"heatmap": [{"colorbar": COLORBAR}]},
)
pio.templates["tegum"] = TEMPLATE


def finished(figure: go.Figure, caption: str, **layout: Any) -> go.Figure:
    """`figure` under the template, with its caption. One that sets no width fills what it is given."""
    return figure.update_layout(template="tegum", meta={"caption": caption}, **layout)


def add_references(figure: go.Figure, curves: Any = None, levels: Any = None, marks: Any = None, colours: Any = None) -> None:
    """Draw reference `curves` (name -> (x, y)), horizontal `levels` and vertical `marks` (name -> value) in dashes of the text's grey.

    A curve that is called like a series of `colours` (name -> colour), with ", theory" or another word behind it, has that colour.
    """
    for dash, (name, (x, y)) in zip(cycle(DASHES), (curves or {}).items()):
        own = (colours or {}).get(name.rpartition(", ")[0])
        style = {"color": own or INK, "width": 1.8, "dash": DASHES[0] if own else dash}
        figure.add_scatter(x=array(x), y=array(y), name=name, mode="lines", line=style)
    line, words = {"color": INK, "width": 1.2, "dash": "dot"}, {"font": {"size": 11, "color": INK}, "padding": 3, "textangle": 0}
    for name, value in (levels or {}).items():
        figure.add_hline(
            y=float(value), line=line, label={"text": name, "textposition": "start", "xanchor": "left", "yanchor": "bottom", **words}
        )
    for name, value in (marks or {}).items():
        figure.add_vline(
            x=float(value), line=line, label={"text": name, "textposition": "end", "xanchor": "left", "yanchor": "top", **words}
        )


def colours_of(scale: Scale, values: Any) -> list[Any]:
    """The colours of `values` on a scale that runs from 0 to 1; what lies beyond takes the end's colour."""
    return list(sample_colorscale([list(stop) for stop in scale], np.clip(array(values), 0, 1).tolist()))


def add_colour_bar(figure: go.Figure, scale: Scale, ends: tuple[float, float], bar: dict[str, Any], *, spatial: bool = False) -> None:
    """A colour bar of its own, for strokes and bars that carry plain colours."""
    title = bar["title"] | {"side": "right"}
    marker = {"color": [0], "colorscale": scale, "cmin": ends[0], "cmax": ends[1], "colorbar": COLORBAR | AT_RIGHT | bar | {"title": title}}
    blank = {"x": [None], "y": [None], "mode": "markers", "marker": marker | {"showscale": True}, "showlegend": False, "hoverinfo": "skip"}
    figure.add_trace(go.Scatter3d(z=[None], **blank) if spatial else go.Scatter(**blank))


def log_axis(values: Any) -> dict[str, Any]:
    """A log axis for `values`: a label a decade, or 1, 2, 5 (and 1.5, 3, 7) where decades are few; plain decimals while they stay short."""
    found = array(values).astype(float)
    positive = found[(found > 0) & np.isfinite(found)]
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 10.0)
    axis = {"type": "log", "exponentformat": "none" if low >= 1e-4 and high <= 1e5 else "power"}
    if high >= 30 * low:
        return axis | {"dtick": 1}
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    digits = ("1", "1.5", "2", "3", "5", "7") if high < 8 * low else ("1", "2", "5")
    return axis | {"tickvals": [float(f"{digit}e{decade}") for decade in decades for digit in digits]}
