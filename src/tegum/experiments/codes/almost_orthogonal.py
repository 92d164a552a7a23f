"""Almost orthogonal directions: how many fit into d dims with every |cosine| below eps, drawn at random, searched for, and made.

The cosine of two random directions has standard deviation 1/sqrt(d), and reaches eps with a chance P that falls as exp(-eps^2 d / 2). That is
why exp(c eps^2 d) directions fit into d dims, with a c that the lemma of Johnson and Lindenstrauss leaves open. What is found of it:

- random directions keep clear of each other as long as there are some 1/sqrt(P) of them: exp(eps^2 d / 4). That all are clear has chance
  exp(-pairs P), so that what the union bound gives as a half is 61% in truth;
- taken in order, each where there is room, 1/P at least are found (Gilbert): exp(eps^2 d / 2). A search through t candidates keeps
  ln(1 + tP) / P, as if what kept ones exclude overlapped by chance alone: patience pays by its logarithm;
- so both have c below 1, as measured. That says how they grow, not what exists: whether any packing has c = 1 for large d is not known, for
  Kabatjanskii and Levenstein's bound is above it at every eps, by 9% at least, and by (1 + ln(4 / eps^2)) / 4 times at small ones;
- at small sizes there is better: 176 equiangular lines in 22 dims at .2, which is Welch's bound, where as many random ones have .75. Lines
  moved apart by descent come much nearer to the bound than to chance, at any number of them.

Exponents need room: at eps = .1, a search is sure to find 181 directions in the 768 dims of GPT-2 small, fewer than a basis has, and in the
12,288 of GPT-3 10^28.

Settled after a first look: the law of the search, and that it is within a tenth where eps^2 d is largest.
"""

import math
from collections.abc import Iterable
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from scipy.stats import beta, norm, t

from tegum import figures, theory
from tegum.dictionaries.alltop_gabor import gabor
from tegum.dictionaries.equiangular_frames import equiangular
from tegum.dictionaries.low_coherence import grassmannian
from tegum.dictionaries.random_signs import rademacher
from tegum.dictionaries.uniform_sphere import spherical
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.codes import _random_packings as packings
from tegum.experiments.codes._packing_growth import growth_claims, growth_figure, growth_points
from tegum.geometry import coherence

SURE = 1e-3  # the chance that a right law is refuted by one of its cells
SUCCESS = (0.1, 0.5, 0.9)  # of the union bound, where the law of the largest |cosine| is tried
BEYOND = (0.1, 0.01, 0.001)  # chances of |cosine|, where its law is tried
EDGES = np.linspace(-6, 6, 97)  # of cosines times sqrt(d)
SEEN = 3.0  # times ln 2: pairs that are expected to clash before a set is taken to have none
STREAMS = (768, 4096, 12288)
MOST = 1e12  # directions that are drawn

Unit = Annotated[float, Field(gt=0, lt=1)]


class AlmostOrthogonal(Experiment):
    """Cosines, sets, searches and packings."""

    id = "B8"
    title = "Almost orthogonal directions: how many fit at random, searched for, and made"
    source = (
        "Elhage et al. 2022, on almost orthogonal vectors; Chaudhari & Hundia, 'how neural networks think at scale'; Welch 1974; "
        "Kabatjanskii & Levenstein 1978"
    )

    class Params(Experiment.Params):
        """Sizes of what is drawn; eps and eps^2 d of what is searched; lines that are moved apart.

        `patience` candidates to each 1/P are searched, where 1/P is `searched` or less. Sets are drawn `draws` times, searches `repeats` times.
        """

        cosine_dims: tuple[Annotated[int, Field(ge=8)], ...] = (32, 128, 512)
        cosine_features: Annotated[int, Field(ge=50)] = 4000
        set_dims: tuple[Annotated[int, Field(ge=2)], ...] = (22, 64, 256, 768)
        set_features: tuple[Annotated[int, Field(ge=8)], ...] = (32, 128, 1024)
        draws: Annotated[int, Field(ge=30)] = 500
        eps: tuple[Unit, ...] = (0.5, 0.3, 0.2)
        exponents: tuple[PositiveFloat, ...] = (2, 4, 6, 8, 10, 12, 16, 20, 24)
        patience: PositiveFloat = 30.0
        searched: PositiveInt = 1500
        repeats: Annotated[int, Field(ge=3)] = 8
        packing_dims: Annotated[int, Field(ge=3)] = 22
        packing_features: tuple[PositiveInt, ...] = (23, 30, 44, 66, 88, 120, 144, 176, 200, 242, 320)
        steps: PositiveInt = 600
        starts: PositiveInt = 4

    presets = {
        "quick": Params(
            cosine_features=1000, set_dims=(22, 64, 256), set_features=(32, 128, 512), draws=150, exponents=(2, 4, 6, 8, 12, 16), searched=400,
            repeats=6, packing_features=(23, 30, 44, 88, 120, 176, 242), steps=200, starts=1,
        ),
        "paper": Params(),
    }  # fmt: skip

    def cells(self, params: Params) -> list[Cell]:
        """Cosines and sets by size; clashes and searches by eps and dims; packings by number of lines."""
        if min(params.packing_features) <= params.packing_dims:
            raise ValueError(
                f"packing_features are {params.packing_features}: up to {params.packing_dims} lines are orthogonal in as many dims"
            )
        grown = [(eps, max(2, round(x / eps**2))) for eps in dict.fromkeys(params.eps) for x in dict.fromkeys(params.exponents)]
        grown = list(dict.fromkeys(grown))
        few = [(eps, d) for eps, d in grown if theory.cosine_tail(d, eps) * params.searched >= 1]
        return [
            *(Cell(kind="cosines", n_dims=d) for d in dict.fromkeys(params.cosine_dims)),
            *(Cell(kind="set", n_dims=d, n_features=n) for d in dict.fromkeys(params.set_dims) for n in dict.fromkeys(params.set_features)),
            *(Cell(kind="clash", eps=eps, n_dims=d) for eps, d in grown),
            *(Cell(kind="search", eps=eps, n_dims=d) for eps, d in few),
            *(Cell(kind="packing", n_features=n) for n in sorted(set(params.packing_features))),
        ]

    def run(self, cell: Cell, params: Params) -> Row:
        """One of these."""
        if cell.kind == "cosines":
            return _cosines(cell.n_dims, params)
        if cell.kind == "packing":
            return _packing(cell.n_features, params)
        if cell.kind == "set":
            n, d = cell.n_features, cell.n_dims
            draws = packings.seeds(params.seed, n, d, count=params.draws)
            return Row(random=packings.largest_cosines(spherical, n, d, draws), signs=packings.largest_cosines(rademacher, n, d, draws))
        tail, place = float(theory.cosine_tail(cell.n_dims, cell.eps)), (cell.n_dims, round(cell.eps * 1e6))
        if cell.kind == "clash":
            most = math.ceil(float(packings.even(tail / SEEN)))
            draws = packings.seeds(params.seed, *place, 1, count=params.draws)
            return Row(tail=tail, most=most, clashes=packings.first_clashes(cell.n_dims, cell.eps, most, draws))
        candidates = math.ceil(params.patience / tail)
        runs = packings.seeds(params.seed, *place, 2, count=params.repeats)
        return Row(
            tail=tail, candidates=candidates, kept=np.array([packings.search(cell.n_dims, cell.eps, candidates, run) for run in runs])
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Cosines by their law; largest ones by theirs; what a search finds; exponents and constants; what is made."""
        yield from _cosine_claims(list(rows.where(kind="cosines")), rows.params)
        yield from _law_claims(rows)
        yield from _search_claims(list(rows.where(kind="search")))
        yield from growth_claims(rows)
        yield from _packing_claims(list(rows.where(kind="packing")), rows.params.packing_dims)

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Growth with d at one eps, and with eps^2 d at each; coherence over n; the law of cosines; what residual streams hold."""
        params = rows.params
        yield growth_figure(rows, sorted(params.eps)[len(params.eps) // 2])
        clashes, searches = growth_points(rows)
        x = np.array([0.0, max(point["x"] for point in clashes)])
        yield figures.lines(
            clashes + searches, "x", "n", "how", colour_title="", log_y=True, x_title="eps^2 d", y_title="directions n",
            curves={f"exp(eps^2 d{part})": (x, np.exp(x * c)) for part, c in ((" / 4", 0.25), (" / 2", 0.5), ("", 1.0))},
            caption="All eps on one scale: random sets that are clear in half of all cases, and what a search in order keeps. As d grows their "
            "slopes are a quarter and a half, and patience raises the search by a factor; exp(eps^2 d) is steeper than both are here.",
        )  # fmt: skip
        yield _coherence_figure(rows)
        found = {row.n_dims: row.counts for row in rows.where(kind="cosines")}
        few, many = min(found), max(found)
        fine = np.linspace(-0.999 * min(6.0, few**0.5), 0.999 * min(6.0, few**0.5), 400)
        law = beta.pdf((fine / few**0.5 + 1) / 2, (few - 1) / 2, (few - 1) / 2) / (2 * few**0.5)
        yield figures.histogram(
            EDGES, {f"{d:,} dims": found[d] for d in dict.fromkeys((few, many))}, log_y=True, x_title="cosine times sqrt(d)",
            curves={f"exact law, {few} dims": (fine, law), "N(0, 1)": (EDGES, norm.pdf(EDGES))},
            caption=f"Cosines of all pairs of {params.cosine_features:,} random directions. Their standard deviation is 1/sqrt(d); the exact law, a "
            "beta distribution, has thinner tails than the normal one where dims are few.",
        )  # fmt: skip
        yield _stream_figure()


def _cosines(d: int, params: AlmostOrthogonal.Params) -> Row:
    """All cosines of one set; of random signs their mean square alone."""
    above = np.triu_indices(params.cosine_features, 1)
    (seed,) = packings.seeds(params.seed, d, count=1)
    U, S = (make(params.cosine_features, d, seed).dense().double() for make in (spherical, rademacher))
    cosines = (U @ U.T).numpy()[above]
    return Row(
        square=float((cosines**2).mean()),
        signs_square=float(((S @ S.T).numpy()[above] ** 2).mean()),
        beyond=np.array([(np.abs(cosines) >= theory.cosine_quantile(d, chance)).mean() for chance in BEYOND]),
        counts=np.histogram(cosines * d**0.5, EDGES)[0],
    )


def _packing(n: int, params: AlmostOrthogonal.Params) -> Row:
    """The largest |cosine| of n lines moved apart, and of those that are known by a formula, nan where there is none."""
    d = params.packing_dims
    found = {"optimised": grassmannian(n, d, params.seed, steps=params.steps, starts=params.starts, progress=False, dtype=torch.float64)}
    for name, make in (("equiangular", equiangular), ("gabor", gabor)):
        try:
            found[name] = make(n, d, dtype=torch.float64)
        except ValueError:  # no such size
            continue
    return Row(
        **{name: float(coherence(found[name].dense())) if name in found else math.nan for name in ("optimised", "equiangular", "gabor")}
    )


def _cosine_claims(table: list[Row], params: AlmostOrthogonal.Params) -> Iterable[Claim]:
    """Cosines of different pairs are independent two by two, so variances of their means are exact."""
    pairs = params.cosine_features * (params.cosine_features - 1) / 2
    worst = float(norm.isf(SURE / 2 / len(table)))
    how = f"the largest of {len(table)} numbers of dims, in standard errors; a right law is above once in {round(1 / SURE):,}"
    for what, name, variance in (
        ("random directions", "square", lambda d: 2 * (d - 1) / (d + 2)),
        ("directions of random signs", "signs_square", lambda d: 2 * (d - 1) / d),
    ):
        off = [abs(row.n_dims * row[name] - 1) / math.sqrt(variance(row.n_dims) / pairs) for row in table]
        yield Claim(
            f"cosines of {what} have the standard deviation 1/sqrt(d): largest deviation", max(off), expected=(None, worst), reason=how
        )
    off = [
        abs(share - chance) / math.sqrt(chance * (1 - chance) / pairs)
        for row in table
        for share, chance in zip(row.beyond, BEYOND, strict=True)
    ]
    yield Claim(
        f"|cosines| exceed the beta law's quantiles as often as they should, {', '.join(f'{chance:g}' for chance in BEYOND)}: largest deviation",
        max(off), expected=(None, float(norm.isf(SURE / 2 / len(off)))), reason=how, source="c^2 ~ Beta(1/2, (d-1)/2)",
    )  # fmt: skip


def _law_claims(rows: Rows) -> Iterable[Claim]:
    """The chance that a set is clear is exp(-pairs P), both ways round: of n given eps, of eps given n."""
    trials = rows.params.draws
    how = "the smallest of {} binomial p-values, times their number; the law is right to what Arratia, Goldstein & Gordon 1989 allow"
    for name, what in (("random", "random directions"), ("signs", "directions of random signs")):
        values = []
        for row in rows.where(kind="set"):
            for success in SUCCESS:
                n, d = row.n_features, row.n_dims
                eps = float(theory.random_coherence(n, d, success))
                tail = float(theory.cosine_tail(d, eps)) if name == "random" else packings.sign_tail(d, eps)
                values.append(packings.p_value(int((row[name] < eps).sum()), trials, *packings.clear_chance(n, tail)))
        yield Claim(
            f"sets of {what} are clear of eps with chance exp(-pairs P): p-value", min(1.0, min(values) * len(values)), expected=(SURE, None),
            reason=how.format(len(values)),
        )  # fmt: skip
    clear = [row.random < float(theory.random_coherence(row.n_features, row.n_dims, 0.5)) for row in rows.where(kind="set")]
    share, interval = wilson(int(np.sum(clear)), np.size(clear))
    yield Claim(
        "where the union bound promises half, more than half of random sets are clear, exp(-1/2) = 61% by the law: share", share,
        interval=interval, expected=(0.5, 1.0), reason="Wilson, 95%",
    )  # fmt: skip
    values = []
    for row in rows.where(kind="clash"):
        n = min(round(float(packings.even(row.tail))), row.most)
        values.append(packings.p_value(int((row.clashes >= n).sum()), trials, *packings.clear_chance(n, row.tail)))
    yield Claim(
        "half of all sets clash before as many directions as pairs P = ln 2 says: p-value", min(1.0, min(values) * len(values)),
        expected=(SURE, None), reason=how.format(len(values)),
    )  # fmt: skip


def _search_claims(table: list[Row]) -> Iterable[Claim]:
    """Between Gilbert and the bounds, and by the law of overlaps by chance."""
    spread = {id(row): float(t.isf(0.025, len(row.kept) - 1)) * row.kept.std(ddof=1) / math.sqrt(len(row.kept)) for row in table}
    sure = {id(row): -math.expm1(row.candidates * math.log1p(-row.tail)) / row.tail for row in table}
    least = min(table, key=lambda row: row.kept.mean() / sure[id(row)])
    ratio, error = least.kept.mean() / sure[id(least)], spread[id(least)] / sure[id(least)]
    yield Claim(
        "a search in order keeps as many as Gilbert's argument promises, (1 - (1 - P)^t) / P of t candidates: least ratio", ratio,
        interval=(ratio - error, ratio + error), expected=(1.0, None), source="Gilbert 1952",
        reason="95% over searches, Student's; the kept ones exclude P each at most, so the expected number rises by 1 - P times itself at least",
    )  # fmt: skip
    most = max(float(np.log(row.kept.max()) - theory.log_packing_bound(row.n_dims, row.eps)) for row in table)
    yield Claim(
        "and no more than any packing can: largest ln of the ratio", most, expected=(None, 0.0), source="Welch 1974; Sidelnikov 1974"
    )
    for eps in sorted({row.eps for row in table}):
        row = max((row for row in table if row.eps == eps), key=lambda row: row.n_dims)
        law = math.log1p(row.candidates * row.tail) / row.tail
        ratio, error = row.kept.mean() / law, spread[id(row)] / law
        yield Claim(
            f"a search for |cos| < {eps:g} in {row.n_dims} dims keeps ln(1 + tP) / P of t = {row.candidates:,} candidates: ratio", ratio,
            interval=(ratio - error, ratio + error), expected=1.0, tolerance=0.1,
            reason="a tenth: what the kept ones exclude overlaps by more than chance where dims are few; 95%, Student's",
            source="of the order of Jenssen, Joos & Perkins 2018",
        )  # fmt: skip


def _packing_claims(table: list[Row], d: int) -> Iterable[Claim]:
    """What is made lies between the bounds and chance, and where a formula is known, it is met."""
    bound = {row.n_features: float(theory.coherence_bound(row.n_features, d)) for row in table}
    chance = {row.n_features: _usual(row.n_features, d) for row in table}
    yield Claim(
        f"no lines in {d} dims beat the bounds of Welch and of the orthoplex: least ratio of the largest |cosine|",
        min(row.optimised / bound[row.n_features] for row in table), expected=(1.0, None), tolerance=1e-9, reason="rounding, in float64",
        source="Welch 1974; Conway, Hardin & Sloane 1996",
    )  # fmt: skip
    yield Claim(
        "lines moved apart are nearer to the bound than to chance, at every number of them: largest share of the way",
        max((row.optimised - bound[row.n_features]) / (chance[row.n_features] - bound[row.n_features]) for row in table), expected=(None, 0.5),
        reason="half of the way from the bound to what half of all random sets exceed",
    )  # fmt: skip
    for name, formula, source in (
        ("equiangular", lambda n: math.sqrt((n - d) / (d * (n - 1))), "Welch 1974"),
        ("gabor", lambda n: math.sqrt(2 / d), "Alltop 1980"),  # noqa: ARG005
    ):
        found = [row for row in table if not math.isnan(row[name]) and (name == "equiangular" or row.n_features > 2 * d)]
        if found:
            told = ", ".join(str(row.n_features) for row in found)
            yield Claim(
                f"{name} lines, {told} in {d} dims, have the largest |cosine| of their formula: largest deviation",
                max(abs(row[name] - formula(row.n_features)) for row in found), expected=(None, 1e-9), source=source, reason="rounding, in float64",
            )  # fmt: skip


def _usual(n: int, d: int) -> float:
    """The largest |cosine| that half of all random sets exceed."""
    return float(theory.cosine_quantile(d, 2 * math.log(2) / (n * (n - 1))))


def _stream_figure() -> "figures.Figure":
    """What theory says of the widths of language models."""
    table = [
        {"eps": eps, "n": math.exp(log_n), "how": f"{how}, {d:,} dims"}
        for d in STREAMS for how, count in (("random", theory.log_random_packing), ("in order", theory.log_greedy_packing))
        for eps in np.geomspace(0.01, 0.5, 60) if math.log(10) < (log_n := float(count(d, eps))) < math.log(MOST)
    ]  # fmt: skip
    return figures.lines(
        table, "eps", "n", "how", colour_title="", log_x=True, log_y=True, x_title="eps", y_title="directions",
        levels={f"a basis of {d:,}": d for d in (STREAMS[0], STREAMS[-1])},
        caption="How many directions keep every |cosine| below eps in residual streams of as many dims as language models have, by theory: at random "
        "(clear with chance 1/2 at least), and as many as a search in order always finds. Below a dotted line a basis of as many dims has more.",
    )  # fmt: skip


def _coherence_figure(rows: Rows) -> "figures.Figure":
    """The largest |cosine| over n, in the dims of the packings."""
    params, d, points = rows.params, rows.params.packing_dims, []
    for row in rows.where(kind="set", n_dims=d) if d in params.set_dims else ():
        for name, how in (("random", "random"), ("signs", "random signs")):
            points.append({"n": row.n_features, "largest": float(np.median(row[name])), "how": how})
    for row in rows.where(kind="packing"):
        for name, how in (("optimised", "moved apart"), ("equiangular", "equiangular"), ("gabor", "Gabor")):
            if not math.isnan(row[name]) and (name == "optimised" or row.n_features > 2 * d):
                points.append({"n": row.n_features, "largest": row[name], "how": how})
    n = np.unique(np.geomspace(d + 1, max(point["n"] for point in points), 120).round())
    return figures.lines(
        points, "n", "largest", "how", colour_title="", log_x=True, x_title="directions n", y_title="largest |cosine|",
        curves={"random, by law": (n, [_usual(int(m), d) for m in n]), "no less than": (n, theory.coherence_bound(n, d))},
        caption=f"The largest |cosine| of n directions in {d} dims: of random ones (median of {params.draws} sets), of lines moved apart from "
        f"{params.starts} random starts, of Gabor's and of equiangular ones, and the least that it can be (Welch; orthoplex).",
    )  # fmt: skip
