"""The figures of the embedding table: cosines, coordinates, dims, analogies by kind, analogies one by one."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.special import betaln

from tegum import figures, geometry
from tegum.experiments import Row, Rows
from tegum.experiments.real_models import _analogies

MEASURES = {"others": "V(c) - V(a) + V(a*)", "no_offset": "V(c) alone", "wrong_answer": "another pair's answer"}
"""Ways to answer an analogy, by their field in the row: the arithmetic, and the two easy ways that it must beat."""


def drawn(rows: Rows) -> Iterable[go.Figure]:
    """Every figure, from saved rows alone."""
    yield _cosines(rows)
    yield _kurtosis(rows)
    yield _coordinates(rows)
    yield _dimensionality(rows)
    first = rows[0]
    yield _by_category(first, rows)
    yield _one_by_one(first)


def random_density(cosine: np.ndarray, dims: int) -> np.ndarray:
    """The density of the cosine between uniformly random directions, (1 - c^2)^((d-3)/2) / B(1/2, (d-1)/2)."""
    return np.exp((dims - 3) / 2 * np.log1p(-(cosine**2)) - betaln(0.5, (dims - 1) / 2))


def _cosines(rows: Rows) -> go.Figure:
    row = rows[0]
    welch = geometry.welch_bound(row.n, row.dims)
    grid = np.linspace(-0.35, 0.35, 301)
    counted = min(rows.params.rows, row.n)
    spread = ", ".join(f"{r.treatment} {r.rms_cosine:.4f}" for r in rows)
    return figures.histogram(
        row.edges, {r.treatment: r.counts for r in rows}, log_y=True, x_title="cosine between two tokens' directions",
        curves={"random directions (exact)": (grid, random_density(grid, row.dims))},
        marks={"Welch bound": welch},
        caption=f"Cosines of all {counted * (counted - 1) // 2:,} pairs of {counted:,} of the {row.n:,} tokens, {row.dims} dims. Root mean "
        f"square over all tokens: {spread}; random directions {row.dims**-0.5:.4f}; Welch bound, the least possible, {welch:.4f}. The hump at "
        "the right is of tokens that training can hardly have met, such as [unused1]: without them and all that is not ASCII, "
        f"{row.n_in_use:,} tokens are left and the root mean square falls to {row.rms_cosine_in_use:.4f} ({row.treatment}).",
    )  # fmt: skip


def _kurtosis(rows: Rows) -> go.Figure:
    isotropic = 3 * rows[0].dims / (rows[0].dims + 2)
    lines = []
    for row in rows:
        own, *turned = (100 * (x / isotropic - 1) for x in (row.kurtosis, *np.quantile(row.kurtosis_rotated, [0.5, 0.025, 0.975])))
        lines.append({"table": row.treatment, "basis": "the model's own", "excess": own, "low": own, "high": own})
        lines.append({"table": row.treatment, "basis": "turned at random", **dict(zip(("excess", "low", "high"), turned, strict=True))})
    count = len(rows[0].kurtosis_rotated)
    ranked = ", ".join(f"{row.treatment} {row.kurtosis_p:.2g}" for row in rows)
    return figures.intervals(
        lines, "table", "excess", "low", "high", "basis", x_title="mean coordinate kurtosis above 3d/(d+2), %",
        marks={"isotropic": 0.0},
        caption=f"Mean over {rows[0].n:,} tokens, in the model's basis and after {count} Haar rotations (median and "
        f"middle 95%). Rank p-value, at least 1/{count + 1}: {ranked}.",
    )  # fmt: skip


def _coordinates(rows: Rows) -> go.Figure:
    table = pd.concat(
        pd.DataFrame({"rank": np.arange(1, row.dims + 1), "share": np.sort(row.coordinate_share)[::-1], "treatment": row.treatment})
        for row in rows
    )
    return figures.lines(
        table, "rank", "share", "treatment", log_x=True, x_title="coordinate, by rank", y_title="mean squared coordinate x d",
        colour_title=" ", levels={"even": 1.0},
        caption=f"What each of the {rows[0].dims} coordinates carries of the unit direction of a token, mean over all {rows[0].n:,} tokens: 1 if "
        "all carried the same.",
    )  # fmt: skip


def _dimensionality(rows: Rows) -> go.Figure:
    edges = np.linspace(0, 0.02, 101)
    fair = rows[0].dims / rows[0].n
    beyond = max(float((row.dimensionality > edges[-1]).mean()) for row in rows)
    total = ", ".join(f"{row.treatment} {row.sum_dimensionality:.0f}" for row in rows)
    return figures.histogram(
        edges, {row.treatment: np.histogram(row.dimensionality, edges)[0] for row in rows}, x_title="feature dimensionality D_i, dims",
        marks={"d/n, the fair share": fair},
        caption=f"Dims that each of {rows[0].n:,} tokens gets. Sum of D_i, of {rows[0].dims} there are: {total}. At most {beyond:.1%} of "
        "tokens lie beyond the right edge; the spike at the left is of tokens that training can hardly have met (median of those that are "
        f"[unused] or not ASCII: {rows[0].median_dimensionality_not_in_use:.2g}).",
    )  # fmt: skip


def _by_category(row: Row, rows: Rows) -> go.Figure:
    lines = []
    for place, category in enumerate(_analogies.CATEGORIES):
        for measure, name in MEASURES.items():
            share, spread = _analogies.hit_shares([row[measure][place]], rows.params.resamples, rows.params.seed)
            low, high = np.quantile(spread, [0.025, 0.975])
            lines.append({"kind": category, "answer": name, "share": share, "low": min(low, share), "high": max(high, share)})
    asked = row.others.shape[1] * (row.others.shape[1] - 1)
    return figures.intervals(
        lines, "kind", "share", "low", "high", "answer", x_title="share answered at rank 1",
        caption=f"{row.treatment}: {asked} analogies of each kind, every ordered pair of {row.others.shape[1]} word pairs; the words of the question "
        f"are left out. 95% bootstrap over word pairs, {rows.params.resamples:,} resamples. 'Another pair's answer' asks how often the nearest "
        "token is a wrong answer of the same kind.",
    )  # fmt: skip


def _one_by_one(row: Row) -> go.Figure:
    lines = []
    for place, pairs in enumerate(_analogies.CATEGORIES.values()):
        a, a_star = pairs[0]
        for other in (1, 2, 3):
            c, c_star = pairs[other]
            for name, ranks in (("of all tokens", row.among_all), ("words of the question left out", row.others)):
                lines.append({"analogy": f"{c} - {a} + {a_star} = {c_star}", "rank": int(ranks[place, 0, other]), "among": name})
    return figures.bars(
        lines, "analogy", "rank", "among", log_x=True, x_title="rank of the answer (1 is nearest)", y_title=" ",
        caption=f"{row.treatment}: the first word pair of each kind applied to the next three, ranks by cosine among {row.n:,} tokens.",
    )  # fmt: skip
