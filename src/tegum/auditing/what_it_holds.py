"""What could it hold? Directions by themselves: how near they come to each other, what that guarantees, what laws say of so many in so few dims.

Guarantees (coherence, the Babel function, the worst case of linear probes) are of every code and speak of a few features on. What random sets of
features do to each other, and the laws of decoders, are of typical codes, and speak of many more. Beside each number stands that of as many
directions at random.

Source: Tropp 2004, 'Greed is good'; Welch 1974; Garg, Kleinberg & Peng (linear access); the laws' own sources are in `tegum.capacity`.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tegum import theory
from tegum.auditing import _hold_capacity, _hold_figures
from tegum.auditing._answer import Answer, Finding
from tegum.auditing._hold_babel import Babel, babel, gram_of, largest_others, one_table, worst_errors
from tegum.auditing._hold_crowd import Interference, interference_of_sets
from tegum.checks import check_number, check_seed
from tegum.dictionaries.uniform_sphere import spherical
from tegum.geometry import CosineHistogram, cosine_histogram, welch_bound
from tegum.geometry._directions import unit
from tegum.shapes import Float

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Babel", "Interference", "babel", "holding", "interference_of_sets"]

QUESTION = "What could it hold?"
OURS, RANDOM = "dictionary", "random directions"
_MOST_READ = 1024  # features on up to which worst cases are worked out
_ASSUMED = (
    "Only directions count, not their lengths: a feature's length goes with its code.",
    (
        "Interference, and the laws, are of codes whose features are on at random, independently, and all at 1. Where features meet more often than "
        "by chance, or some are much stronger, reading is harder than they say."
    ),
    (
        "The laws are of directions at random. Where cosines are wider than theirs, one look and OMP read fewer at once (half as many in experiment "
        "C8), and l1 as many."
    ),
    "Guarantees and worst cases are of any code with so many on, its values within [-1, 1]; the worst case is exact, to rounding in float32.",
)


@dataclass(frozen=True, eq=False)
class _Table:
    """What is measured of one table."""

    cosines: CosineHistogram
    babel: Babel
    crowd: Interference | None
    direct: Float[Tensor, " features"]
    least_squares: Float[Tensor, " features"]
    sure: int


def holding(directions: Tensor, n_active: int | float, *, seed: int = 0, progress: bool | None = None) -> Answer:  # noqa: PYI041
    """What `directions` (features, dims) could hold with `n_active` of them on: guarantees, interference and laws, beside a random table.

    `n_active` may be a mean number; it is rounded. Directions of length 0 are left out and counted. In blocks, on one thread some 4 s for 4,096
    directions of 384 dims, 15 s for 16,384 of 512. Raises ValueError for tables of another shape, numbers that are not finite, and n_active that is
    not above 0.
    """
    table = one_table(directions)
    check_number("n_active", n_active, zero=False)
    check_seed(seed)
    U = unit(table).float()
    there = U.any(1).nonzero()[:, 0]
    U = U[there]
    n, dims = U.shape
    lost = len(table) - n
    if not n:
        words = f"Nothing: all {lost:,} directions have length 0."
        return Answer(QUESTION, words, (_finding("directions", 0, "directions that are not 0"), _finding("left_out", lost, "of length 0")))
    k = max(1, min(round(n_active), n))
    ours, random = (_measured(T, k, seed, progress) for T in (U, spherical(n, dims, seed).dense()))
    laws = _hold_capacity.laws_at(n, k, dims)
    both = {OURS: ours, RANDOM: random}
    drawn = [
        _hold_figures.cosines({name: one.cosines for name, one in both.items()}, n, dims),
        _hold_figures.babel_curves({name: one.babel for name, one in both.items()}, n, dims, k),
    ] if n > 1 else []  # fmt: skip
    crowds = {name: one.crowd for name, one in both.items() if one.crowd is not None}
    drawn += [_hold_figures.interference(crowds)] if crowds else []
    drawn += [_hold_capacity.laws_around(n, k, dims)] if len(laws) else []
    tables = {
        "measures": _measures(ours, random, n, dims, k),
        "guarantees": _guarantees(ours, random),
        "nearest pairs": _pairs(ours.babel, there),
    }
    tables |= {"interference": _crowds(ours.crowd, random.crowd)} if ours.crowd and random.crowd else {}
    tables |= {"laws": laws} if len(laws) else {}
    return Answer(
        question=QUESTION, verdict=_verdict(ours, random, laws, n, dims, k, lost), findings=tuple(_findings(ours, laws, n, dims, k, lost)),
        tables=tables, figures=tuple(drawn), assumed=_ASSUMED,
    )  # fmt: skip


def _measured(U: Float[Tensor, "features dims"], k: int, seed: int, progress: bool | None) -> _Table:  # noqa: FBT001
    n, read = len(U), min(k, _MOST_READ)
    found = babel(U, read, progress=progress)
    probes = U @ torch.linalg.pinv(gram_of(U), hermitian=True).float()
    others = largest_others(probes, U, min(read, n - 1), progress)[0]
    return _Table(
        cosines=cosine_histogram(U), babel=found, crowd=interference_of_sets(U, k, seed=seed) if k < n else None,
        direct=worst_errors(found.others, read), least_squares=worst_errors(others, read), sure=_sure(found),
    )  # fmt: skip


def _sure(found: Babel) -> int:
    """The largest k at which one look along each direction, at its best length, is off by less than 1/2 at worst: a threshold reads any code."""
    for k in range(1, found.others.shape[1] + 1):
        if float(worst_errors(found.others, k).max()) >= 0.5 - 1e-6:
            return k - 1
    return len(found.there)


def _findings(ours: _Table, laws: "pd.DataFrame", n: int, dims: int, k: int, lost: int) -> list[Finding]:
    rms, read = float(ours.cosines.rms), min(k, _MOST_READ)
    found = [
        _finding("directions", n, "directions that are not 0"),
        _finding("left_out", lost, "directions of length 0, left out"),
        _finding("copies", ours.babel.copies, "directions that are another's copy, or its opposite, to rounding"),
        _finding("directions_per_dim", n / dims, "directions for each dim"),
        _finding("coherence", ours.babel.coherence, "the largest |cosine| of two"),
        _finding("welch_bound", welch_bound(n, dims), "what the coherence of so many is at least"),
        _finding("welch_gap", ours.babel.coherence - welch_bound(n, dims), "coherence above that bound"),
        _finding("rms_cosine", rms, f"root mean square cosine of all pairs; of directions at random 1/sqrt(d), {dims**-0.5:.4f}"),
        _finding("equivalent_dims", 1 / rms**2 if rms else None, "in so many dims directions at random would have that root mean square cosine"),
        _finding("guaranteed_active", ours.babel.guaranteed, "features on up to which every code is read by OMP and l1, by the Babel function"),
        _finding("guaranteed_by_coherence", ours.babel.by_coherence, "the same by the coherence alone"),
        _finding("linear_active", ours.sure, "features on up to which a threshold on one linear look per feature reads every code"),
        _finding("linear_error", float(ours.direct.max()), f"how far the worst reading along a direction (best length) is off, {read:,} on"),
        _finding("linear_error_least_squares", float(ours.least_squares.max()), "the same, by the probes of least squares"),
        _finding("linear_error_bound", float(theory.access_error_bound(n, dims, read)), "the same: no directions and probes whatever have less"),
    ]  # fmt: skip
    if (crowd := ours.crowd) is not None:
        found += [
            _finding("interference_rms", crowd.rms, f"root mean square reading of a feature that is off, {k:,} others on at random"),
            _finding("interference_spread", crowd.spread, "the same, each feature's mean reading taken away, as a bias does"),
            _finding("interference_rms_random", crowd.normal_std, "both of directions at random: sqrt(k/d)"),
            Finding("interference_false", crowd.false_share, *crowd.false_interval, "the share of readings above 1/2"),
        ]
    return found + [
        _finding(
            f"active_{row['decoder']}",
            row["active"],
            "features on up to which it reads half of all codes, by its law for directions at random",
        )
        for row in laws.to_dict(orient="records")
        if not math.isnan(row["active"])
    ]


def _verdict(ours: _Table, random: _Table, laws: "pd.DataFrame", n: int, dims: int, k: int, lost: int) -> str:
    left = f" ({lost:,} of length 0 are left out)" if lost else ""
    if n == 1:
        return f"One direction in {dims:,} dims{left}: whatever is on it can be read."
    copies = f" {ours.babel.copies:,} of them are copies of another, which no decoder can tell apart." if ours.babel.copies else ""
    near = (
        f"{n:,} directions in {dims:,} dims{left} come as near as a cosine of {ours.babel.coherence:.3f} ({random.babel.coherence:.3f} among as many "
        f"at random, {welch_bound(n, dims):.3f} at the least), so guarantees for every code end at {ours.babel.guaranteed:,} on.{copies}"
    )
    if not len(laws):
        return f"{near} Of {k:,} on of so few, laws do not speak."
    reach = {row["decoder"]: int(row["active"]) for row in laws.to_dict(orient="records") if not math.isnan(row["active"])}
    one, many, most = (reach[name] for name in ("top-k", "basis pursuit", "Bayes-AMP"))
    where = "one look reads them" if k <= one else "recovery reads them, one look does not" if k <= many else "only Bayes-AMP reads them"
    where = "none of these reads them" if k > max(many, most) else where
    crowd = ""
    if ours.crowd:
        link = "but" if ours.crowd.spread > ours.crowd.normal_std else "and"
        crowd = f"; {link} these interfere by {ours.crowd.spread:.3f} where random ones do by {ours.crowd.normal_std:.3f}"
    return (
        f"{near} Directions at random are read (half of all typical codes) up to {one:,} on by one look (top-k), {many:,} by l1, {most:,} by "
        f"Bayes-AMP. With {k:,} on {where}{crowd}."
    )


def _measures(ours: _Table, random: _Table, n: int, dims: int, k: int) -> "pd.DataFrame":
    import pandas as pd

    read = min(k, _MOST_READ)
    best = float(theory.best_probe_error(n, dims, read)) if n > 1 else 0.0
    lines = [
        ("coherence", lambda one: one.babel.coherence, welch_bound(n, dims), "at least (Welch)"),
        ("root mean square cosine", lambda one: float(one.cosines.rms), dims**-0.5, "at random, exactly"),
        ("mean cosine", lambda one: float(one.cosines.mean), 0.0, "at random, exactly"),
        *((f"|cosine| that {share:.1%} are below", lambda one, share=share: _below(one.cosines, share), _chance(dims, share), "at random, exactly")
          for share in (0.5, 0.99, 0.999)),
        ("every code is read up to k", lambda one: one.babel.guaranteed, None, ""),
        ("every code by one linear look up to k", lambda one: one.sure, None, ""),
        (f"mu_1({read})", lambda one: float(one.babel.values[min(read, n - 1) - 1]) if n > 1 else 0.0, None, ""),
        (f"worst linear reading, {read} on", lambda one: float(one.direct.max()), float(theory.access_error_bound(n, dims, read)), "at least"),
        (f"typical worst linear reading, {read} on", lambda one: float(one.direct.median()), best, "best probes of random directions, typically"),
        (f"worst by least squares, {read} on", lambda one: float(one.least_squares.max()), None, ""),
    ]  # fmt: skip
    return pd.DataFrame([
        {"measure": name, OURS: float(of(ours)), RANDOM: float(of(random)), "reference": reference, "of what": what}
        for name, of, reference, what in lines
    ])  # fmt: skip


def _guarantees(ours: _Table, random: _Table) -> "pd.DataFrame":
    import pandas as pd

    most = min(len(ours.babel.values), len(random.babel.values))
    ks = np.unique(np.round(np.geomspace(1, most, 24))).astype(int) if most else np.zeros(0, int)
    both = {OURS: ours.babel, RANDOM: random.babel}
    columns = {f"mu_1, {name}": one.values.numpy()[ks - 1] for name, one in both.items()}
    errors = {f"worst linear reading, {name}": [float(worst_errors(one.others, int(k)).max()) for k in ks] for name, one in both.items()}
    return pd.DataFrame({"k": ks} | columns | errors)


def _crowds(ours: Interference, random: Interference) -> "pd.DataFrame":
    frame = ours.to_dataframe().rename(columns={"share": "share below", "interference": OURS, "normal": "N(0, k/d)"})
    frame.insert(2, RANDOM, random.quantiles)
    return frame


def _pairs(found: Babel, there: Tensor) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {"feature": there[found.pairs[:, 0]].numpy(), "other": there[found.pairs[:, 1]].numpy(), "cosine": found.cosines.double().numpy()}
    )


def _below(found: CosineHistogram, share: float) -> float:
    """The |cosine| that a share of the pairs is below: the histogram folded, right to one bin."""
    half = len(found.counts) // 2
    folded = found.counts[half:] + found.counts[:half].flip(0)
    total = folded.cumsum(0).double()
    if not float(total[-1]):
        return 0.0
    wanted = share * total[-1]
    place = min(int(torch.searchsorted(total, wanted)), half - 1)
    inside = float((wanted - (total[place] - folded[place])) / folded[place].clamp(min=1))
    return float(found.edges[half + place] + inside * (found.edges[1] - found.edges[0]))


def _chance(dims: int, share: float) -> float:
    return float(theory.cosine_quantile(dims, 1 - share)) if dims > 1 else 1.0


def _finding(name: str, value: Any, words: str) -> Finding:
    return Finding(name, value, words=words)
