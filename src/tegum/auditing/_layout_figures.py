"""The figures of how a layer is laid out: variance, basis, dims of features, firing, meetings, what coordinates carry."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from torch import Tensor

from tegum import figures
from tegum.auditing._layout_basis import BasisTest
from tegum.auditing._layout_meetings import Meetings
from tegum.auditing._layout_neurons import Polysemanticity

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_OWN, _TURNED = "the layer's own", "turned at random"


def variance(shares: Tensor, rows: int, effective: float, marks: dict[str, float]) -> "Figure":
    """How much of the variance the first principal components hold; `shares` are cumulative."""
    lines = {"components": np.arange(1, len(shares) + 1), "share": shares.numpy()}
    return figures.lines(
        lines, "components", "share", log_x=True, mode="lines", x_title="principal components", y_title="share of the variance", marks=marks,
        caption=f"Principal components of {rows:,} rows in {len(shares):,} dims; {effective:.1f} effective dims, (sum of eigenvalues)^2 / sum of "
        "their squares.",
    )  # fmt: skip


def basis(test: BasisTest) -> "Figure":
    """Kurtosis in the layer's own basis beside that after rotations, as an excess over their mean."""
    lines = []
    for name, one in test.named.items():
        middle = float(one.rotated.mean())
        own, *turned = (100 * (x / middle - 1) for x in (one.observed, *np.quantile(one.rotated.numpy(), [0.5, 0.025, 0.975])))
        lines.append({"kurtosis": name, "basis": _OWN, "excess": own, "low": own, "high": own})
        lines.append({"kurtosis": name, "basis": _TURNED, **dict(zip(("excess", "low", "high"), turned, strict=True))})
    count = len(test.rows.rotated)
    ranks = ", ".join(f"{name} {one.p_value:.2g}" for name, one in test.named.items())
    return figures.intervals(
        lines, "kurtosis", "excess", "low", "high", "basis", x_title="kurtosis above that of an average rotation, %", y_title=" ",
        marks={"": 0.0},
        caption=f"Kurtosis of {test.n_rows:,} rows in the layer's own basis and after {count} random rotations (median and middle 95%): of a row "
        "over its coordinates, as it is; of a coordinate over rows, made of length 1 about their mean. Two-sided rank p-values, at least "
        f"{2 / (count + 1):.2g}: {ranks}.",
    )  # fmt: skip


def dimensionality(D: Tensor, random: Tensor, dims: int) -> "Figure":
    """Feature dimensionality, beside that of as many directions at random."""
    edges = np.linspace(
        0, max(float(D.max()), float(random.max()), 1.25 * min(1.0, dims / len(D))) * 1.0001, 81
    )  # room for a name at the mark
    counts = {name: np.histogram(values.numpy(), edges)[0] for name, values in (("dictionary", D), ("random directions", random))}
    return figures.histogram(
        edges, counts, x_title="feature dimensionality D_i, dims", marks={"d/N, the fair share": dims / len(D)},
        caption=f"Dims that each of {len(D):,} unit directions gets, 1 / sum_j cos^2. Together {float(D.double().sum()):.1f} of {dims:,}; random "
        f"directions {float(random.double().sum()):.1f}.",
    )  # fmt: skip


def firing(found: Meetings) -> "Figure":
    """How often features are on."""
    rates = found.rates[found.fired > 0].log10().numpy()
    edges = np.linspace(np.floor(rates.min() * 4) / 4, 0, 61)
    dead = int((found.fired == 0).sum())
    return figures.histogram(
        edges, {"features": np.histogram(np.clip(rates, edges[0], 0), edges)[0]}, x_title="log10 of the share of rows that a feature is on in",
        caption=f"{len(rates):,} features over {found.rows:,} rows, {found.l0:.3g} on in a row; {dead:,} more are on in none.",
    )  # fmt: skip


def meetings(found: Meetings) -> "Figure":
    """How much more often than chance features meet."""
    return figures.histogram(
        found.edges.numpy(), {"pairs": found.lifts.numpy()}, x_title="log2 of meetings over those by chance", log_y=True, marks={"chance": 0.0},
        caption=f"{found.pairs:,} pairs of features that chance would bring together five times or more in {found.paired_rows:,} rows: "
        f"{found.twice:.1%} meet more than twice as often, {found.half:.1%} less than half as often. Pairs beyond the ends stand at them.",
    )  # fmt: skip


def carried(found: Polysemanticity, n: int, *, by_energy: bool) -> "Figure":
    """How many features each coordinate carries."""
    values = np.sort(found.features.numpy())[::-1]
    table = pd.DataFrame({"rank": np.arange(1, len(values) + 1), "features": values})
    weight = "squared weights times mean square codes" if by_energy else "squared weights"
    return figures.lines(
        table, "rank", "features", mode="lines", log_y=True, x_title="coordinate, by rank", y_title="features that it carries",
        levels={f"turned at random, {found.rotated:,.0f}": found.rotated} if found.rotated > 0 else None,
        caption=f"Of {n:,} features how many each of {len(values):,} coordinates carries: participation ratio of {weight}. The line is the mean over "
        "coordinates after random rotations.",
    )  # fmt: skip
