"""Coarse codes in pictures: fields and what they cut, the size of fields, inner products, and sums of codes read."""

from collections.abc import Iterable

import numpy as np

from tegum import figures, theory
from tegum.experiments import Row, Rows
from tegum.experiments.codes._coarse_claims import WAYS, share_read
from tegum.experiments.codes._over_codes import interval

RADIUS = "radius of a field"


def pictures_of_the_plane(rows: Rows) -> Iterable["figures.Figure"]:
    """Fields with the error at each position; regions, errors and changes of code over the radius."""
    params, drawn = rows.params, rows.at(part="pictures")
    told = zip(drawn.radii, drawn.regions, drawn.error, strict=True)
    yield figures.plane_fields(
        drawn.errors, list(drawn.centres), drawn.radii, value_range=(0, 0.15), value_title="distance to what is read",
        titles=[f"radius {r:g}: {regions} regions, error {error**0.5:.3f}" for r, regions, error in told],
        caption=f"{len(drawn.centres[0])} fields at random, small and large. Shade: how far each position lies from where its code is read, the "
        "middle of all positions with that code (.15 and more: yellow); the error is the root mean square of that.",
    )  # fmt: skip
    shown = sorted(params.units)
    shown = sorted({shown[0], shown[len(shown) // 2], shown[-1]})
    fine = np.geomspace(min(params.radii), max(params.radii), 120)
    table = [
        {"n": row.n_units, "r": row.radius, "regions": row.regions.mean(), "rms": mean**0.5, "low": max(low, 0) ** 0.5, "high": high**0.5}
        for row in rows.where(part="plane")
        if row.n_units in shown
        for mean, (low, high) in [interval(row.error)]
    ]
    yield figures.lines(
        table, "r", "regions", "n", colour_title="units", log_x=True, log_y=True, x_title=RADIUS, y_title="regions of the square",
        curves={f"law, {n} units": (fine, np.asarray(theory.circle_regions(n, fine)[0])) for n in shown},
        caption=f"Regions that fields cut the unit square into, counted exactly, mean of {params.codes} codes. Dashed: 1 + V + B/2 and the lone "
        "circles, of the expected crossings V of circles in the square and B with its sides.",
    )  # fmt: skip
    yield figures.lines(
        table, "r", "rms", "n", colour_title="units", error=("low", "high"), log_x=True, log_y=True, x_title=RADIUS, y_title="error",
        levels={f"a unit a place, {shown[-1]} units": float(theory.local_code_error(shown[-1]))},
        curves={f"floor, {n} units": (fine, np.asarray(theory.coarse_error_floor(n, fine))) for n in shown},
        caption=f"Root mean square distance of a position from where its code is read; {params.codes} codes a point, bars: 95%. Dashed: what no "
        "reading goes below. Dotted: the best that as many units do if each stands for a place of its own.",
    )  # fmt: skip
    most, axes = max(params.units), {1: "1 axis", 2: "2 axes", 3: "3 axes"}
    lines = [
        {"axes": axes[row.n_axes], "r": r, "changes": rate}
        for row in rows.where(part="lines")
        for r, rate in zip(params.radii, row.rate.mean(0), strict=True)
    ]
    yield figures.lines(
        lines, "r", "changes", "axes", colour_title="", log_x=True, log_y=True, x_title=RADIUS, y_title="changes of code a length",
        marks={"1/2": 0.5}, curves={f"law, {words}": (fine, np.asarray(theory.code_changes(most, fine, k))) for k, words in axes.items()},
        caption=f"Accuracy: how often the code of {most} units changes along a straight line, {params.lines} lines in each of {params.codes} codes. "
        "Dashed: 2 n kappa r^(k-1) / (1 + 2r)^k on k axes.",
    )  # fmt: skip


def pictures_of_the_sums(rows: Rows) -> Iterable["figures.Figure"]:
    """Inner products over distance; a sum of codes read at every place; pairs over their distance; sets over their size."""
    params, drawn = rows.params, rows.at(part="pictures")
    points = [
        {"r": row.radius, "distance": at, "mean": mean, "low": mean - spread, "high": mean + spread}
        for row in rows.where(part="products")
        for at, mean, square in zip(row.distance, *row.moments.mean(0), strict=True)
        if at <= 0.75 and abs(at * params.side - round(at * params.side)) < 1e-6
        for spread in [max(square - mean**2, 0.0) ** 0.5]
    ]
    near = np.linspace(0, 0.75, 151)
    yield figures.lines(
        points, "distance", "mean", "r", colour_title="radius", error=("low", "high"),
        x_title="distance of two positions", y_title="inner product",
        curves={f"lens, radius {r:g}": (near, np.asarray(theory.disc_overlap(near, r))) for r in params.field_radii},
        caption=f"Inner products of the codes of two positions, {params.side_units} fields: the mean of all pairs of a {params.side} x {params.side} "
        f"grid at a distance, {params.codes} codes; bars: the standard deviation of one pair. Dashed: the lens that two discs share.",
    )  # fmt: skip
    yield figures.plane_fields(
        drawn.read, points=drawn.members, titles=[f"radius {r:g}" for r in drawn.sizes], value_title="inner product with the sum",
        caption=f"The sum of the codes of {len(drawn.members)} positions (crosses), read at every place: 600 fields of either size. Small fields "
        "keep near members apart; large ones see each member through more fields.",
    )  # fmt: skip
    radii = sorted(params.field_radii)
    several = (*((r, "by one look") for r in radii), (radii[-1], "by solving"))
    pairs = [
        {"who": f"{who}, radius {r:g}", "x": at / (2 * r), "share": share, "low": low, "high": high}
        for r, who in several
        for row in [rows.at(part="pairs", radius=r)]
        for place, at in enumerate(row.distance)
        for share, (low, high) in [share_read(row, WAYS[who], row.owned & _only(place, row))]
        if np.isfinite(share)
    ]
    yield figures.lines(
        pairs, "x", "share", "who", colour_title="", error=("low", "high"), marks={"one diameter": 1.0},
        x_title="distance of the two, in diameters of a field", y_title="share of pairs read",
        caption="Two positions in one sum, each with a code of its own, read by one look (the two places most alike to the sum) or by solving "
        f"(basis pursuit): {params.side_units} units, {params.dictionaries} dictionaries, {params.sets} pairs a point in each ({params.solved} by "
        "solving). Bars: 95%.",
    )  # fmt: skip
    for who, way in WAYS.items():
        yield _sets_over_their_size(rows, who, way)


def _sets_over_their_size(rows: Rows, who: str, way: str) -> "figures.Figure":
    params, fields = rows.params, rows.where(part="sets")
    points = [
        {"code": f"radius {row.radius:g}" if row.part == "sets" else "random directions", "k": k, "share": share, "low": low, "high": high}
        for row in (*fields, rows.at(part="random sets"))
        for place, k in enumerate(params.sizes)
        for share, (low, high) in [share_read(row, way, _only(place, row))]
    ]
    k = np.geomspace(1, max(params.sizes), 80)
    law = {
        f"law, radius {row.radius:g}": (k, row.own.mean() ** k * (theory.apart_chance(k, 2 * row.radius) if way == "look" else 1.0))
        for row in fields
    }
    words = (
        "each has a code that no other place has"
        + (", and no two are nearer than a diameter" if way == "look" else "")
        + "; others by luck"
    )
    return figures.lines(
        points, "k", "share", "code", colour_title="", error=("low", "high"), log_x=True, x_title="positions in the sum",
        y_title=f"share of sets read {who}", curves=law,
        caption=f"Sets of random places, of {params.side**2} on a grid, read {who}: {params.side_units} units, {params.dictionaries} dictionaries, "
        f"{params.sets if way == 'look' else params.solved} sets a point in each; bars: 95%. Dashed: the chance that {words}.",
    )  # fmt: skip


def _only(place: int, row: Row) -> np.ndarray:
    """Which sets are of the kind at `place`."""
    return (np.arange(row.owned.shape[1]) == place)[:, None]
