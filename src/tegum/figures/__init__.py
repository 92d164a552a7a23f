"""Figures from arrays and tables: plotly objects that a notebook, the report and a web page draw alike.

One subject a file. Arrays are numpy, torch or nested lists; tables are data frames, mappings of columns, or anything with `to_dataframe()`.
Every function takes `caption`, which says how the thing was measured and with how many trials, and keeps it in `layout.meta["caption"]`.
Reference material has one spelling everywhere: `curves` are dashed lines (name -> (x, y)), `levels` are horizontal, `marks` are vertical.
"""

from tegum.figures.bars import bars
from tegum.figures.directions import directions_2d, directions_3d
from tegum.figures.feature_bars import feature_bars
from tegum.figures.gram import gram
from tegum.figures.histogram import histogram
from tegum.figures.intervals import intervals
from tegum.figures.lines import lines
from tegum.figures.phase_diagram import phase_diagram

__all__ = ["bars", "directions_2d", "directions_3d", "feature_bars", "gram", "histogram", "intervals", "lines", "phase_diagram"]
