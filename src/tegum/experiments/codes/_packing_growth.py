"""How packings grow with eps^2 d: random sets by their first clashes, searches by what they keep; exponents, and the constant of the lemma."""

import math
from collections.abc import Iterable

import numpy as np

from tegum import figures, theory
from tegum.experiments import Claim, Row, Rows
from tegum.experiments.codes._random_packings import even, found_tail

FROM = 3.5  # eps^2 d from which exponents are fitted
LEMMA = "Chaudhari & Hundia, 'how neural networks think at scale', by Johnson & Lindenstrauss's lemma: n >= C log k / eps^2"


def growth_points(rows: Rows) -> tuple[list[dict], list[dict]]:
    """n against eps^2 d: of random sets that are clear in half of all cases, by their clashes, and of searches. `error` is that of ln n."""
    clashes, searches = [], []
    for row in rows.where(kind="clash"):
        tail, seen = found_tail(row.clashes, row.most)
        clashes.append(_point(row, "random") | {"n": float(even(tail)), "error": 0.5 / math.sqrt(seen)})
    for row in rows.where(kind="search"):
        mean = float(row.kept.mean())
        searches.append(_point(row, "in order") | {"n": mean, "error": float(row.kept.std(ddof=1)) / math.sqrt(len(row.kept)) / mean})
    return clashes, searches


def _point(row: Row, how: str) -> dict:
    return {"x": row.eps**2 * row.n_dims, "eps": row.eps, "d": row.n_dims, "how": f"{how}, eps = {row.eps:g}"}


def _slope(points: list[dict]) -> tuple[float, float]:
    """The slope of ln n over eps^2 d by least squares, and its standard error."""
    x, y, error = (np.array([point[name] for point in points]) for name in ("x", "n", "error"))
    pull = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    return float(pull @ np.log(y)), float(np.sqrt(pull**2 @ error**2))


def growth_claims(rows: Rows) -> Iterable[Claim]:
    """The exponents, and the constant of the lemma: of random sets and of searches, not of the best sets that there are."""
    clashes, searches = growth_points(rows)
    for what, points, least in (("random sets", clashes, 0.25), ("searches in order", searches, 0.5)):
        slopes = {}
        for eps in sorted({point["eps"] for point in points}):
            few = [point for point in points if point["eps"] == eps and point["x"] >= FROM]
            if len(few) < 2:
                continue
            slope, error = slopes[eps] = _slope(few)
            most, why = 0.5, "searches double it"
            if points is searches:
                most, why = float(theory.kabatjanskii_levenstein_exponent(eps)) / eps**2, "no packing grows faster"
            yield Claim(
                f"ln n of {what} grows as c eps^2 d with c above {least:g}, at eps = {eps:g} up to {max(p['x'] for p in few):.0f}: c", slope,
                interval=(slope - 1.96 * error, slope + 1.96 * error), expected=(least, most), source=LEMMA,
                reason=f"{least:g} as d grows, and powers of d add to it; {why}; 95%, by least squares",
            )  # fmt: skip
        yield Claim(
            f"the lemma's constant for {what}, d eps^2 / ln k: largest", max(point["x"] / math.log(point["n"]) for point in points),
            expected=(None, 1 / least), source=LEMMA, reason=f"{1 / least:g} is reached from below, as d grows",
        )  # fmt: skip
        if points is searches and slopes:
            slope, error = max(slopes.values())
            yield Claim(
                "searches in order grow as exp(c eps^2 d) with c below 1: largest c", slope,
                interval=(slope - 1.96 * error, slope + 1.96 * error), expected=(None, 1.0), source="Gilbert 1952",
                reason="a search in order finds 1/P or so, which is exp(eps^2 d / 2) but for powers of d: they add to c, and less than a half where "
                "exponents are fitted. That says nothing of what exists; 95%, by least squares",
            )  # fmt: skip


def growth_figure(rows: Rows, eps: float) -> "figures.Figure":
    """n over d at one eps: measured, by law, and at most."""
    params, points = rows.params, []
    for found, how in zip(growth_points(rows), ("random sets", "search in order"), strict=True):
        for point in (point for point in found if point["eps"] == eps):
            reach = math.exp(1.96 * point["error"])
            points.append({"d": point["d"], "n": point["n"], "low": point["n"] / reach, "high": point["n"] * reach, "how": how})
    d = np.arange(min(point["d"] for point in points), max(point["d"] for point in points) + 1)
    tail, bound = theory.cosine_tail(d, eps), np.exp(np.minimum(theory.log_packing_bound(d, eps), 700))
    shown = bound < 1e4 * max(point["n"] for point in points)
    return figures.lines(
        points, "d", "n", "how", colour_title="", error=("low", "high"), log_y=True, x_title="dims d", y_title=f"directions with |cos| < {eps:g}",
        curves={
            "pairs P = ln 2": (d, even(tail)), "1/P": (d, 1 / tail), "ln(1 + tP) / P": (d, math.log1p(params.patience) / tail),
            "no more than": (d[shown], bound[shown]),
        },
        caption=f"How many directions with every |cosine| below {eps:g}: random sets that are clear in half of all cases ({params.draws} draws), and "
        f"what a search in order keeps of {params.patience:g} / P candidates (mean of {params.repeats}). Bars: 95%. 'No more than': the best of "
        "Welch's bounds.",
    )  # fmt: skip
