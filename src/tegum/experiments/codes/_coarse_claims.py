"""Coarse codes against what is promised of them: laws of the plane, the best size of fields, inner products, and sets in one sum."""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np

from tegum import theory
from tegum.experiments import Claim, Row, Rows
from tegum.experiments.codes._over_codes import SURE, Estimate, deviation, interval, limit, ratio, share
from tegum.shapes import Bool

DENSE = 8  # fields over a position, from which on few positions lie in none, and circles look like lines
CROWD = 3  # members, from which on a set is a crowd: of two, next neighbours are read by luck
MORE = 0.05  # of all sets, from which on more are read
FREE = 0.5  # lone circles a code, from which on their mean over codes is near normal
COUNTED = 20  # shared fields of all pairs at a distance in a code, from which on their mean is near normal
WAYS = {"by one look": "look", "by solving": "solve"}
PDP = "Hinton, McClelland & Rumelhart 1986, on coarse coding"
NOTES = "Hinton, lecture notes of CSC321, 18, limitations of coarse coding"
HALF = "95%: the wider of Wilson's interval and that by dictionaries; a half parts what is mostly read from what is not"


def of_the_plane(rows: Rows) -> Iterable[Claim]:
    """Changes along lines, crossings, areas and distances against their laws; errors; which size is best, and against local codes."""
    params, plane, lines = rows.params, rows.where(part="plane"), rows.where(part="lines")
    off = [deviation(row.rate, np.asarray(theory.code_changes(max(params.units), params.radii, row.n_axes))).max() for row in lines]
    words = "a line changes its code 2 n kappa r^(k-1) / (1 + 2r)^k times a length, on 1, 2 and 3 axes"
    yield _law(words, off, params.codes, len(params.radii), PDP)
    found: dict[str, list[float]] = {name: [] for name in ("joined", "free", "area", "square")}
    for row in plane:
        n, r = row.n_units, row.radius
        inside, sides = theory.circle_crossings(n, r)
        joined, area = 1 + inside + sides / 2, theory.same_code_area(n, r)
        for name, law in (("joined", joined), ("area", area), ("square", area * theory.same_code_distance(n, r) ** 2)):
            found[name].append(float(deviation(getattr(row, name), law)))
        free, (least, most) = row.regions - row.joined, (float(bound - joined) for bound in theory.circle_regions(n, r))
        if least >= FREE:
            found["free"].append(float(deviation(free, min(max(float(free.mean()), least), most))))
    for name, words, source in (
        ("joined", "circles cross each other and the square's sides as often as Poincare's formula says", "Santalo 1976, ch. 7"),
        (
            "free",
            "clusters of circles that touch nothing else, a region each, number as many as lone circles to these and half of the rest",
            "",
        ),
        ("area", "the positions with one code fill the integral of (1 - 2 p (1 - overlap))^n", ""),
        ("square", "two positions with one code lie as far apart as by that chance", ""),
    ):
        if found[name]:
            yield _law(words, found[name], params.codes, 1, source)
    yield from _errors(plane)
    yield from _best_size(plane)


def of_inner_products(rows: Rows) -> Iterable[Claim]:
    """Their mean and spread at each distance."""
    params = rows.params
    off: dict[str, list[float]] = {"is the lens that two discs share": [], "spreads as the count of shared fields does": []}
    for row in rows.where(part="products"):
        law = np.asarray(theory.disc_overlap(row.distance, row.radius))
        square = law**2 + np.asarray(theory.overlap_spread(row.distance, params.side_units, row.radius)) ** 2
        told = row.pairs * params.side_units * float(theory.field_chance(row.radius)) * law >= COUNTED
        for name, values, wanted in zip(off, row.moments.transpose(1, 0, 2), (law, square), strict=True):
            off[name] += deviation(values[:, told], wanted[told]).tolist()
    for name, values in off.items():
        yield _law(f"the inner product of two codes {name}, at every distance with {COUNTED} shared fields", values, params.codes, 1, PDP)


def of_sets(rows: Rows) -> Iterable[Claim]:
    """One look needs members a diameter apart, solving needs codes of their own; so each has its best size of fields; random directions.

    Next neighbours on the grid, along its sides and across, count as no near pair: they make one peak of two places, and are read by luck.
    """
    pairs, sets, params = rows.where(part="pairs"), rows.where(part="sets"), rows.params
    crowd = (np.array(params.sizes) >= CROWD)[:, None]

    def near(row: Row) -> np.ndarray:
        return row.owned & ((row.distance > 1.5 / params.side) & (row.distance <= 1.5 * row.radius))[:, None]

    most, least = (0.5, None), (None, 0.5)
    for what, of, expected, chosen in (
        (
            "most pairs with codes of their own that are a diameter apart and more",
            pairs,
            most,
            lambda row: row.owned & (row.distance >= 2 * row.radius)[:, None],
        ),
        ("few pairs with codes of their own that are from two grid steps to three quarters of a diameter apart", pairs, least, near),
        (
            f"most sets of {CROWD} and more with codes of their own that are all a diameter apart",
            sets,
            most,
            lambda row: row.owned & ~row.near & crowd,
        ),
        (f"few sets of {CROWD} and more of which two are nearer than a diameter", sets, least, lambda row: row.near & crowd),
    ):
        found, between = _share(of, "look", chosen)
        yield Claim(f"one look reads {what}: share", found, interval=between, expected=expected, source=NOTES, reason=HALF)
    found, between = _share(sets, "solve", lambda row: row.owned)
    yield Claim(
        "solving reads nearly all sets whose members have codes of their own: share", found, interval=between, expected=(0.9, None), source=NOTES,
        reason="95%: the wider of Wilson's interval and that by dictionaries; nearly all is nine in ten",
    )  # fmt: skip
    found, between = _share(pairs, "solve", near)
    yield Claim(
        "solving, too, needs members a diameter apart: share of the pairs from two grid steps to three quarters of one apart that it reads", found,
        interval=between, expected=least, reason=HALF, on_record="refuted",
        record_reason="a sum tells how many members lie in each field; and since the overlap has a corner at distance 0, codes of near positions "
        "differ by the root of their distance: enough for the least sum of weights to find both, from two grid steps on",
    )  # fmt: skip
    yield from _sizes_that_hold_most(rows)


def share_read(row: Row, way: str, chosen: Bool[np.ndarray, "..."]) -> Estimate:
    """Of the sets chosen, the share that was read in that way, and its interval."""
    return _share([row], way, lambda row: np.broadcast_to(chosen, row.owned.shape))


def _share(rows: Iterable[Row], way: str, chosen: Callable[[Row], np.ndarray]) -> Estimate:
    """The share read of the sets chosen in all rows; dictionaries of one number count as one, for their fields are drawn alike."""
    right, total = 0, 0
    for row in rows:
        read = getattr(row, way)
        some = chosen(row)[:, :, : read.shape[2]]
        right, total = right + (some & read).sum((1, 2)), total + some.sum((1, 2))
    return share(np.asarray(right), np.asarray(total))


def _sizes_that_hold_most(rows: Rows) -> Iterable[Claim]:
    sizes, radii = np.array(rows.params.sizes), sorted(rows.params.field_radii)
    small, large = (rows.at(part="sets", radius=r) for r in (radii[0], radii[-1]))
    for way, k, more, less, words in (
        ("look", CROWD, small, large, "one look reads more sets through the smallest fields than through the largest"),
        ("solve", sizes.max(), large, small, "solving reads more sets through the largest fields than through the smallest"),
    ):
        place = int(np.argmin(np.abs(sizes - k)))
        gain, between = interval((getattr(more, way).astype(float) - getattr(less, way))[:, place].mean(1))
        yield Claim(
            f"{words}: difference of the shares of {sizes[place]} positions", gain, interval=between, expected=(MORE, None),
            reason="95% by dictionaries, the same sets through both; one set in twenty is more",
        )  # fmt: skip
    crowds = {r: rows.at(part="sets", radius=r).look[:, sizes >= CROWD].mean((1, 2)) for r in radii}
    best = max(radii, key=lambda r: crowds[r].mean())
    gain, between = interval(rows.at(part="random sets").look[:, sizes >= CROWD].mean((1, 2)) - crowds[best], len(radii))
    yield Claim(
        f"one look reads more sets of {CROWD} and more through random directions than through fields of any size (radius {best:g} is best): "
        "difference of shares", gain, interval=between, expected=(MORE, None),
        reason="95% by dictionaries, for all radii at once (Bonferroni); one set in twenty is more",
    )  # fmt: skip


def _errors(plane: Rows) -> Iterable[Claim]:
    """The floor; and that accuracy, changes of code a length, is one over the error where fields are many."""
    times_changes = []
    for row in plane:
        n, r = row.n_units, row.radius
        if n * theory.field_chance(r) >= DENSE:
            times_changes.append(interval(row.error * float(theory.code_changes(n, r)) ** 2, len(plane)))
    over_floor = min(float((row.error / row.area).min()) for row in plane) * 2 * math.pi
    yield Claim(
        "no reading beats the floor, area / (2 pi): the least mean square error over it, of all codes", over_floor, expected=(1.0, None)
    )
    if times_changes:
        found, between = max(times_changes)
        yield Claim(
            f"where {DENSE} fields and more hold a position, accuracy is one over the error: the largest mean square of error times changes a length",
            found, interval=between, expected=(None, 3.0), source=PDP,
            reason="3: half of 6 / c^2, the mean square distance of two positions that no random line parts; 95% over codes (Bonferroni)",
        )  # fmt: skip


def _best_size(plane: Rows) -> Iterable[Claim]:
    """Half the square's side; and the best local code, with many units and with few."""
    radii, units = sorted({row.radius for row in plane}), sorted({row.n_units for row in plane})
    best = min(radii, key=lambda r: abs(math.log(2 * r)))
    smaller = list(pairwise(radii[: radii.index(best) + 1]))
    larger = [(r, best) for r in radii[-1:] if r > best]
    for steps, words, source in ((smaller, "smaller fields", PDP), (larger, "fields larger than the plane", NOTES)):
        if not steps:
            continue
        rows = {r: plane.at(n_units=units[-1], radius=r) for step in steps for r in step}
        fewer = min(ratio(rows[better].regions, rows[worse].regions, numbers=len(steps)) for worse, better in steps)
        worse = min(ratio(rows[worse].error, rows[better].error, 0.5, len(steps)) for worse, better in steps)
        for what, (found, between) in ((f"cut fewer regions than those of radius {best:g}", fewer), ("are read worse", worse)):
            yield Claim(
                f"{words} {what}, with {units[-1]} units: the least ratio, step by step", found, interval=between, expected=(1.0, None),
                source=source, reason="95% over codes, for all steps at once (Bonferroni)",
            )  # fmt: skip
    for n, expected, words in (
        (units[-1], (None, 1.0), "many fields at random tell a position better than as many units with a place each"),
        (units[0], (1.0, None), "few fields at random tell it worse"),
    ):
        mean, (low, high) = interval(plane.at(n_units=n, radius=best).error)
        local = float(theory.local_code_error(n))
        yield Claim(
            f"{words}: error of {n} units of radius {best:g} over that of the best local code", mean**0.5 / local,
            interval=(max(low, 0.0) ** 0.5 / local, high**0.5 / local), expected=expected, source=PDP, reason="95% over codes",
        )  # fmt: skip


def _law(words: str, off: list[float], codes: int, means: int, source: str) -> Claim:
    """The largest of the deviations `off`, each of which is the largest of so many means."""
    numbers = means * len(off)
    return Claim(
        f"{words}: largest deviation", max(off), expected=(None, limit(codes, numbers)), source=source,
        reason=f"in standard errors over {codes} codes, of {numbers} means; by Student's law a right one is above once in {round(1 / SURE):,}",
    )  # fmt: skip
