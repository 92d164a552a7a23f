"""Figures from arrays and tables: plotly objects that a notebook, the report and a web page draw alike.

One subject a file. Arrays are numpy, torch or nested lists; tables are data frames, mappings of columns, or anything with `to_dataframe()`.
Every function takes `caption`, which says how the thing was measured and with how many trials, and keeps it in `layout.meta["caption"]`.
Reference material has one spelling everywhere: `curves` are dashed lines (name -> (x, y)), `levels` are horizontal, `marks` are vertical.

Names load when first used, for plotly is slow to import and most processes draw nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tegum.figures.animation import moving_directions, moving_points
    from tegum.figures.bar_plot import bars
    from tegum.figures.capacity_map import law_map
    from tegum.figures.course import over_training
    from tegum.figures.densities import histogram
    from tegum.figures.direction_groups import grouped_directions
    from tegum.figures.directions import directions_2d, directions_3d
    from tegum.figures.feature_norms import feature_bars
    from tegum.figures.gram_matrix import gram
    from tegum.figures.interval_plot import intervals
    from tegum.figures.kinds import kinds_scatter, kinds_shares
    from tegum.figures.line_plot import lines
    from tegum.figures.phases import phase_diagram
    from tegum.figures.plane_codes import plane_fields
    from tegum.figures.portraits import part_portraits
    from tegum.figures.recovery_map import recovery_maps
    from tegum.figures.table_plot import number_table

_HOMES = {
    "Figure": "plotly.graph_objects",
    "bars": "tegum.figures.bar_plot",
    "directions_2d": "tegum.figures.directions",
    "directions_3d": "tegum.figures.directions",
    "feature_bars": "tegum.figures.feature_norms",
    "gram": "tegum.figures.gram_matrix",
    "grouped_directions": "tegum.figures.direction_groups",
    "histogram": "tegum.figures.densities",
    "intervals": "tegum.figures.interval_plot",
    "kinds_scatter": "tegum.figures.kinds",
    "kinds_shares": "tegum.figures.kinds",
    "law_map": "tegum.figures.capacity_map",
    "lines": "tegum.figures.line_plot",
    "moving_directions": "tegum.figures.animation",
    "moving_points": "tegum.figures.animation",
    "number_table": "tegum.figures.table_plot",
    "over_training": "tegum.figures.course",
    "part_portraits": "tegum.figures.portraits",
    "phase_diagram": "tegum.figures.phases",
    "plane_fields": "tegum.figures.plane_codes",
    "recovery_maps": "tegum.figures.recovery_map",
}
__all__ = [
    "Figure",
    "bars",
    "directions_2d",
    "directions_3d",
    "feature_bars",
    "gram",
    "grouped_directions",
    "histogram",
    "intervals",
    "kinds_scatter",
    "kinds_shares",
    "law_map",
    "lines",
    "moving_directions",
    "moving_points",
    "number_table",
    "over_training",
    "part_portraits",
    "phase_diagram",
    "plane_fields",
    "recovery_maps",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tegum.figures' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
