"""What is drawn of linear access: the fewest dims over k and over N, and errors over dims."""

from collections.abc import Iterable

import numpy as np

from tegum import figures, theory
from tegum.experiments import Row, Rows


def pictures(rows: Rows) -> Iterable["figures.Figure"]:
    """Dims over k with the bounds; dims over N with the law; errors, at worst and on average, over dims."""
    params, eps = rows.params, rows.params.eps
    most, some = max(params.n_features), params.some_active
    dims = rows.where(part="dims")
    draws = f"means of {params.draws} sets of random directions, {params.more_draws} where they read themselves, bars from the fewest to the most"
    fine = np.geomspace(min(params.n_active), max(params.n_active), 60)
    whole = np.arange(min(params.n_active), max(params.n_active) + 1)
    yield figures.lines(
        [_point(row) for row in dims if row.n_features == most and row.n_active in params.n_active], "k", "d", "kind", colour_title="",
        error=("low", "high"), log_x=True, log_y=True, x_title="active features k", y_title="fewest dims d",
        curves={
            "random ones: enough": (whole, theory.random_access_dims(most, whole, eps)),
            "no A, no B below": (whole, theory.access_dims_bound(most, whole, eps)),
            "l1, theory": (fine, theory.lasso_dims(most, fine, signed=True)),
            "k ln(N/k)": (fine, fine * np.log(most / fine)),
        },
        caption=f"The fewest dims in which linear probes read every feature within {eps:g} for every code with k of {most:,} features on ({draws}; "
        "made directions: one set), and from which l1 reads half of the codes (bars: 95%). Dashed: the union bound for random directions, the rank "
        "bound for all, l1's law.",
    )  # fmt: skip
    n = np.geomspace(min(params.n_features), most, 60)
    yield figures.lines(
        [_point(row) for row in dims if row.n_active == some and row.kind != "l1"], "n", "d", "kind", colour_title="",
        error=("low", "high"), log_x=True, log_y=True, x_title="features N", y_title="fewest dims d",
        curves={
            "law of the best probes": (n, theory.best_probe_dims(n, some, eps)),
            "no A, no B below": (n, theory.access_dims_bound(n, some, eps)),
            "l1, theory": (n, theory.lasso_dims(n, some, signed=True)),
        },
        caption=f"The same over N, {some} features on. The law is of a typical feature: l1's for (k/eps - 1)^2 = {(some / eps - 1) ** 2:.0f} "
        "features, but for that number itself. The worst of N takes a little more.",
    )  # fmt: skip
    found = rows.where(part="errors")
    d = np.geomspace(min(row.n_dims for row in found), max(row.n_dims for row in found), 80)
    yield figures.lines(
        [point for row in found for point in _errors(row)], "d", "error", "which", colour_title="", error=("low", "high"), log_x=True,
        x_title="dims d", y_title="reading error", levels={"allowed": eps},
        curves={
            "law of the best probes": (d, theory.best_probe_error(most, d, some)),
            "no A, no B below": (d, theory.access_error_bound(most, d, some)),
        },
        caption=f"How far readings are off, {some} of {most:,} features on: at worst over all codes, and the largest of a code's errors on average "
        f"over {params.codes} random codes with values +-1 (means of {params.draws} sets of random directions; made directions: one set). The "
        "probe 0 is never off by more than 1. The best probes make interference alike, so that with them an average code is nearly as bad as "
        "any. The law is of a typical feature's worst case.",
    )  # fmt: skip


def _point(row: Row) -> dict:
    low, high = row.interval if row.kind == "l1" else (row.dims.min(), row.dims.max())
    return {"k": row.n_active, "n": row.n_features, "kind": row.kind, "d": np.mean(row.dims), "low": low, "high": high}


def _errors(row: Row) -> Iterable[dict]:
    names = {
        "itself": "directions as probes, worst", "best": "best probes, worst", "made": "made directions, worst",
        "itself_typical": "directions as probes, average", "best_typical": "best probes, average",
    }  # fmt: skip
    for name, which in names.items():
        values = row[name]
        yield {"d": row.n_dims, "which": which, "error": values.mean(), "low": values.min(), "high": values.max()}
