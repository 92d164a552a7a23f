"""Where N directions in d dims with k on fall among the laws of decoders: the table, and the map around that point."""

from typing import TYPE_CHECKING

from tegum import figures
from tegum.capacity.capacity_table import theory_table
from tegum.capacity.law_curves import law_curves

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

NAMES = "threshold 1/2", "top-k", "linear probes, top-k", "basis pursuit, signed", "basis pursuit", "Bayes-AMP"
FEWEST = 4  # features that laws are asked of
DRAWN = "threshold 1/2", "top-k", "basis pursuit, signed", "basis pursuit", "Bayes-AMP"


def laws_at(n_features: int, n_active: int, n_dims: int) -> "pd.DataFrame":
    """`tegum.capacity.table` for the decoders of `NAMES`; without lines where laws do not speak: of a few features, or more than half on."""
    import pandas as pd

    if n_features < FEWEST or 2 * n_active > n_features:
        return pd.DataFrame(columns=["decoder", "dims_50", "dims_99", "dims_per_bit", "marginal_dims", "active", "success"])
    return theory_table(n_features, n_active, n_dims, 0.0, NAMES)


def laws_around(n_features: int, n_active: int, n_dims: int) -> "Figure":
    """Dims over features on, from an eighth to eight times as many, with the point that is asked about."""
    curves = law_curves(n_features, n_active, (*DRAWN, "(one dim a bit)"))
    return figures.law_map(
        curves, marks={f"k = {n_active:,}": float(n_active)}, levels={f"{n_dims:,} dims": float(n_dims)},
        caption=f"Dims at which a decoder reads half of all codes, over how many of {n_features:,} features are on, for directions at random and "
        "codes of 0 and 1: it reads where the crossing of the dotted lines is above its curve.",
    )  # fmt: skip
