"""Neural decoders: how many layers a feed-forward network needs to read what matched filters can not.

A matched filter looks at a superposition once. l1 and message passing look again and again, each time at what is left of it, and read several
times as many features from as many dims. A transformer has no time to iterate to the end, but it has layers: what do L of them read? Here
networks of each depth are trained on fresh codes, k of N features on at 1, each for a dictionary of its own; a code counts as read when every feature
is right.

Five kinds are unrolled iterations, which differ in one thing at a time: what is trained is two or three numbers a layer, or a table too. Perceptrons
know neither the dictionary nor an algorithm. Beside the measurements stands a theory without anything trained: state evolution says how much noise
is left after each look, so how many dims L layers need at least (`tegum.learning.depth_law`), down to l1's curve and to that of Bayes-AMP.

What is found: the second layer is worth the most, and brings every kind below the best one-step reader. Four layers read more than a bit a dim.
Trained networks find the theory's: from a start with no memory of the residual before, training brings Onsager's coefficient close to 1, and L
trained layers need the dims that state evolution says of L steps. Free tables find the inverse of the dictionary, and little more. Perceptrons with a
hidden layer read what no linear map with a threshold can, but it takes them 10^5 numbers and as many codes, and message passing of as many layers, a
handful of numbers, reads far more.

Settled after a first look, not before: that trained AMP is held between two laws, for its step is trained too; that the best perceptron, not
every one, is held against top-k; 2,000 steps for perceptrons at quick; at paper 200 steps a depth and dims up to 216 for perceptrons, which in 172 or
fewer did not all reach half of the codes; and where soft thresholds begin, for from a lower start those for 38 dims and fewer learnt to read nothing,
which bent the fits: 16 layers of trained AMP were then .67 of a width off state evolution, where .5 is allowed.
"""

import math
from collections.abc import Callable, Iterable
from functools import cache
from operator import neg, pos
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from tegum import figures, theory
from tegum.capacity.transition import Transition, transition
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.codes._middles import ratio
from tegum.experiments.codes._neural_training import ALISTA, AMP, BAYES, ISTA, LISTA, READ, UNROLLED, UNTRAINED, perceptron, unrolled
from tegum.features.exactly_k import ExactlyK
from tegum.learning import depth_dims, depth_success

LAWS = {BAYES: "posterior", UNTRAINED: "posterior", AMP: "soft"}
COMPARED, TABLES_COMPARED = (1, 2, 4), (1, 2)  # layers that claims speak of
NEAR = 0.5  # of a transition's width: within it a finite-size threshold is not told from another
ONE = "95% interval by likelihood"
BOTH = "95% intervals by likelihood, joined as independent"

Ratio = tuple[float, tuple[float, float]]
NOWHERE = math.nan, (math.nan, math.nan)


class NeuralDecoders(Experiment):
    """Codes read right over the number of dims, a kind of network at a time, at every depth."""

    id = "B12"
    version = 2
    title = "Neural decoders: how many layers read what one look can not"
    source = (
        "Gadzinski, 'When Numbers Are Bits', on the dense superposition hypothesis; Gregor & LeCun 2010; Borgerding, Schniter & Rangan 2017; "
        "Liu, Chen, Wang & Yin 2019; Celentano, Montanari & Wu 2020"
    )

    class Params(Experiment.Params):
        """Sizes; through how many dims, and perceptrons; depths, of trained tables too; widths of perceptrons; steps of training, a depth each."""

        n_features: Annotated[int, Field(ge=16)] = 512
        n_active: PositiveInt = 8
        dims: tuple[PositiveInt, ...] = (29, 32, 35, 38, 42, 46, 51, 58, 67, 80, 100, 130, 165, 210)
        wide_dims: tuple[PositiveInt, ...] = (68, 86, 108, 136, 172, 216)
        depths: tuple[PositiveInt, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
        table_depths: tuple[PositiveInt, ...] = (1, 2, 3, 4, 6)
        hidden: tuple[tuple[PositiveInt, ...], ...] = ((), (512,), (1024,), (512, 512), (512, 512, 512))
        steps: PositiveInt = 200
        table_steps: PositiveInt = 300
        wide_steps: PositiveInt = 5000
        batch_size: PositiveInt = 64
        samples: PositiveInt = 2000
        copies: PositiveInt = 1

    presets = {
        "quick": Params(
            n_features=256, n_active=6, dims=(20, 23, 26, 30, 35, 41, 50, 62, 80, 105, 140), wide_dims=(45, 60, 80, 110),
            depths=(1, 2, 3, 4, 6, 8), table_depths=(1, 2, 3, 4), hidden=((), (256,)), steps=40, table_steps=100, wide_steps=2000,
            samples=600,
        ),
        "paper": Params(copies=3),
    }  # fmt: skip

    def cells(self, params: Params) -> list[Cell]:
        """One a kind of network, for one dictionary of each number of dims; perceptrons, which take most of the time, for the first copy alone."""
        if params.n_active >= params.n_features:
            raise ValueError(f"n_active is {params.n_active}, but there are {params.n_features} features to choose from")
        _refuse_what_claims_lack(params)
        unrolled_ones = [Cell(reader=reader, copy=copy) for copy in range(params.copies) for reader in (UNTRAINED, *UNROLLED)]
        return [*unrolled_ones, *(Cell(reader=reader, copy=0) for reader in perceptrons(params))]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train, depth after depth or once, and count at every depth."""
        features = ExactlyK(n_features=params.n_features, n_active=params.n_active)
        hidden, seed = perceptrons(params).get(cell.reader), params.seed + cell.copy
        told = {"batch_size": params.batch_size, "samples": params.samples, "seed": seed}
        if hidden is not None:
            return perceptron(hidden, features, params.wide_dims, steps=params.wide_steps, **told)
        free = cell.reader == LISTA
        depths, steps = (params.table_depths, params.table_steps) if free else (params.depths, params.steps)
        return unrolled(cell.reader, features, params.dims, depths, steps=steps, **told)

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """What a layer is worth; theory; what memory, tables and perceptrons add."""
        params = rows.params
        n, k = params.n_features, params.n_active
        needs = Needs(rows)
        top, l1, bits = float(theory.topk_dims(n, k)), float(theory.lasso_dims(n, k)), float(theory.subset_bits(n, k))
        for kind in (BAYES, AMP, ISTA):
            ratio, interval, depth = most((*needs.ratio((kind, 2 * d), (kind, d)), d) for d in params.depths if 2 * d in params.depths)
            yield Claim(
                f"{kind}: each doubling of the depth does with fewer dims: largest ratio, from {depth} layers to {2 * depth}", ratio,
                interval=interval, expected=(None, 1.0), reason=BOTH,
            )  # fmt: skip
        ratio, interval = most(needs.over((kind, 2), top) for kind in UNROLLED)
        yield Claim(
            f"two layers of any unrolled kind need fewer dims than top-k, the best one-step reader, which is told k ({top:.0f}): largest ratio",
            ratio, interval=interval, expected=(None, 1.0), reason=ONE,
        )  # fmt: skip
        ratio, interval = needs.over((BAYES, 4), bits)
        yield Claim(
            f"{BAYES}: four layers read more than a bit a dim: dims a bit", ratio, interval=interval, expected=(None, 1.0), reason=ONE
        )
        yield from _law_claims(needs)
        last = max(params.depths)
        ratio, interval = needs.over((BAYES, last), l1)
        yield Claim(
            f"{BAYES}: {last} layers come within a tenth of the dims that l1 needs when it is iterated to the end: ratio", ratio,
            interval=interval, expected=(None, 1.1), reason=ONE,
        )  # fmt: skip
        ratio, interval = needs.ratio((ISTA, last), (AMP, last))
        yield Claim(
            f"without the memory of message passing {last} layers need more dims: ratio of ISTA's to AMP's", ratio, interval=interval,
            expected=(1.0, None), reason=BOTH,
        )  # fmt: skip
        for kind in (BAYES, AMP):
            memory, interval = mean_memory(rows, kind)
            yield Claim(
                f"{kind}: training brings the memory from 0, where it begins, close to Onsager's coefficient, 1: mean over layers", memory,
                interval=interval, expected=(0.5, 1.5), source="Donoho, Maleki & Montanari 2009",
                reason="nearer to 1 than to 0, or to 2; the interval is 2 standard errors over networks",
            )  # fmt: skip
        yield from _table_claims(needs)
        yield from _perceptron_claims(needs, top, l1)

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Dims a bit by depth and by trained numbers; what theory says; success over dims; the memory that is learnt."""
        params = rows.params
        n, k = params.n_features, params.n_active
        bits = float(theory.subset_bits(n, k))
        bars = "Bars: 95% intervals by likelihood."
        levels = {
            "top-k": float(theory.topk_dims(n, k)) / bits,
            "l1, iterated to the end": float(theory.lasso_dims(n, k)) / bits,
            "Bayes-AMP, to the end": float(theory.bayes_dims(n, k)) / bits,
        }
        layers = range(1, max(params.depths) + 1)
        curves = {}
        for denoiser, name in (("posterior", "best of L steps"), ("soft", "best L thresholds")):
            law = np.array(law_of(n, k, tuple(layers), denoiser))
            curves[f"{name}, theory"] = (law[:, 0], law[:, 1] / bits)
        points = _points(rows, bits)
        yield figures.lines(
            [point for point in points if point["square"] and point["kind"] != UNTRAINED], "depth", "dims", "kind", colour_title="",
            error=("low", "high"), log_x=True, log_y=True, levels=levels, curves=dict(list(curves.items())[:1]), x_title="layers",
            y_title="dims a bit",
            caption=f"Dims at which half of the codes are read, over the {bits:.1f} bits of a code: {k} of {n} features on, "
            f"{params.samples * params.copies:,} codes a point ({params.samples:,} for perceptrons). Perceptrons have hidden layers "
            f"as wide as there are features, and {params.wide_steps:,} steps of training with {params.batch_size} codes. {bars}",
        )  # fmt: skip
        yield figures.lines(
            [point for point in points if point["kind"] != UNTRAINED], "parameters", "dims", "kind", colour_title="", error=("low", "high"),
            log_x=True, log_y=True, levels=levels, x_title="trained numbers", y_title="dims a bit",
            caption=f"The same over how many numbers are trained, where there is about a dim a bit. Unrolled kinds are given the {n} directions "
            f"besides. {bars}",
        )  # fmt: skip
        yield figures.lines(
            [point for point in points if point["kind"] in LAWS], "depth", "dims", "kind", colour_title="", error=("low", "high"), log_x=True,
            log_y=True, curves=curves, x_title="layers", y_title="dims a bit",
            caption=f"Message passing of L layers, trained and as theory has it, and what state evolution says of the best thresholds. {bars}",
        )  # fmt: skip
        shown = [depth for depth in params.depths if depth in (1, 2, 3, 4, 8, 16)]
        fine = np.append(np.geomspace(min(params.dims), max(params.dims), 150), np.nan)  # which ends a line
        theirs = [np.append(depth_success(fine[:-1], n, k, depth), np.nan) for depth in shown]
        yield figures.lines(
            _shares(rows, BAYES, shown), "d", "success", "depth", colour_title="layers:", error=("low", "high"), log_x=True, x_title="dims d",
            y_title="share of codes read right", curves={"theory": (np.tile(fine, len(shown)), np.concatenate(theirs))},
            caption=f"{BAYES}: success over the number of dims, by depth. Bars: Wilson, 95%. Dashed: state evolution.",
        )  # fmt: skip
        learnt = [
            {"layer": layer, "memory": float(np.mean(column)), "kind": kind}
            for kind in (BAYES, AMP)
            for layer, column in enumerate(memories(rows, kind).T, start=1)
        ]
        yield figures.lines(
            learnt, "layer", "memory", "kind", colour_title="", levels={"Onsager's coefficient": 1.0, "where training begins": 0.0},
            x_title="hidden layer", y_title="memory of the residual before",
            caption=f"What training makes of the memory in networks of {max(params.depths)} layers: mean over those for dims at which fewer layers "
            f"do not read {READ:.0%} of the codes.",
        )  # fmt: skip


def _refuse_what_claims_lack(params: NeuralDecoders.Params) -> None:
    """Raise ValueError for depths and perceptrons without which there is nothing to hold a claim against: before training, not after."""
    for name, depths, needed in (("depths", params.depths, COMPARED), ("table_depths", params.table_depths, TABLES_COMPARED)):
        missing = [str(depth) for depth in needed if depth not in depths]
        if missing:
            raise ValueError(f"{name} are {depths}: claims compare {', '.join(map(str, needed))} layers; missing: {', '.join(missing)}")
    layers = sorted({len(widths) + 1 for widths in params.hidden if widths})
    if not layers:
        raise ValueError(
            f"hidden is {params.hidden}: claims need a perceptron with a hidden layer, such as ({params.n_features},), and it is missing"
        )
    if not set(layers) & set(params.depths):
        raise ValueError(
            f"perceptrons have {' or '.join(map(str, layers))} layers and are held against {BAYES}, of as many, but depths are {params.depths}: "
            "one of the two is missing"
        )


def perceptrons(params: NeuralDecoders.Params) -> dict[str, tuple[int, ...]]:
    """The widths of each perceptron's hidden layers, by its name."""
    return {f"perceptron, hidden: {' + '.join(map(str, widths)) or 'none'}": widths for widths in params.hidden}


class Needs:
    """At how many dims each reader of each depth reads half of the codes, over all copies; `fits` has None where that was not seen."""

    def __init__(self, rows: Rows) -> None:
        self.params = rows.params
        self.fits: dict[tuple[str, int], Transition | None] = {}
        for reader in dict.fromkeys(row.reader for row in rows):
            mine = [row for row in rows if row.reader == reader]
            for place, depth in enumerate(mine[0].depths):
                dims, right = (np.concatenate(parts) for parts in zip(*((row.dims, row.right[place]) for row in mine), strict=True))
                seen = right >= 0
                self.fits[reader, int(depth)] = transition(dims[seen], right[seen], np.full(seen.sum(), self.params.samples))

    def over(self, one: tuple[str, int], dims: float) -> Ratio:
        """How many times `dims` it needs."""
        fit = self.fits[one]
        return NOWHERE if fit is None else (fit.d50 / dims, (fit.interval[0] / dims, fit.interval[1] / dims))

    def ratio(self, one: tuple[str, int], other: tuple[str, int]) -> Ratio:
        """How many times the dims of `other` `one` needs."""
        first, second = self.fits[one], self.fits[other]
        if first is None or second is None:
            return NOWHERE
        return ratio(first, second)

    def off(self, kind: str, depth: int, law: float) -> Ratio:
        """By how many widths of its transition it needs more than `law`."""
        fit = self.fits[kind, depth]
        if fit is None:
            return NOWHERE
        low, high = fit.interval
        return (fit.d50 - law) / fit.width, ((low - law) / fit.width, (high - law) / fit.width)


def most(found: Iterable[tuple], of: Callable[[float], float] = pos) -> tuple:
    """The one of the largest first number (or `of` that); one that is not known, if there is any."""
    return max(found, key=lambda one: math.inf if math.isnan(one[0]) else of(one[0]))


@cache
def law_of(n: int, k: int, depths: tuple[int, ...], denoiser: str) -> list[tuple[int, float]]:
    """Each depth, and the dims at which state evolution has half of the codes read."""
    return list(zip(depths, np.asarray(depth_dims(n, k, depths, denoiser=denoiser)).tolist(), strict=True))


def memories(rows: Rows, kind: str) -> np.ndarray:
    """The memory of every layer of the deepest networks, a line a network."""
    found = np.concatenate([row.memory for row in rows if row.reader == kind])
    return found[~np.isnan(found).any(1)]


def mean_memory(rows: Rows, kind: str) -> Ratio:
    """The mean over layers, and 2 standard errors over networks."""
    means = memories(rows, kind).mean(1)
    error = 2 * float(means.std(ddof=1)) / math.sqrt(len(means))
    return float(means.mean()), (float(means.mean()) - error, float(means.mean()) + error)


def _law_claims(needs: Needs) -> Iterable[Claim]:
    """Dims against those of state evolution, in widths of the transition, at the depth where they are farthest off."""
    n, k = needs.params.n_features, needs.params.n_active
    best, soft = (law_of(n, k, needs.params.depths, denoiser) for denoiser in ("posterior", "soft"))
    reason = f"{NEAR:g} of a width: the law is of large N and k, and correlations share the length of x; {ONE}"
    for kind in (UNTRAINED, BAYES):
        off, interval, depth = most(((*needs.off(kind, d, law), d) for d, law in best), abs)
        yield Claim(
            f"{kind}: L layers need the dims that state evolution says of the best L: largest deviation in widths of the transition, of {depth}", off,
            interval=interval, expected=0.0, tolerance=NEAR, source="Celentano, Montanari & Wu 2020", reason=reason,
        )  # fmt: skip
    off, interval, depth = most((*needs.off(AMP, d, law), d) for d, law in soft)
    yield Claim(
        f"{AMP}: L layers need no more dims than state evolution says of the best L thresholds: most, in widths of the transition, of {depth}", off,
        interval=interval, expected=(None, 0.0), tolerance=NEAR, source="Donoho, Maleki & Montanari 2009", reason=reason,
    )  # fmt: skip
    off, interval, depth, kind = most(((*needs.off(kind, d, law), d, kind) for kind in (AMP, ISTA) for d, law in best), neg)
    yield Claim(
        f"no trained thresholds need fewer dims than state evolution says of the best L: least, in its transition's widths, {kind} of depth {depth}",
        off, interval=interval, expected=(0.0, None), tolerance=NEAR, source="Celentano, Montanari & Wu 2020", reason=reason,
    )  # fmt: skip


def _table_claims(needs: Needs) -> Iterable[Claim]:
    """What the inverse gains at once, and that nothing linear gains more."""
    plain = needs.fits[ISTA, 1]
    ratio, interval = needs.ratio((ALISTA, 1), (ISTA, 1))
    law, near = (math.inf, 0.0) if plain is None else (1 / (1 + plain.d50 / needs.params.n_features), NEAR * plain.width / plain.d50)
    yield Claim(
        "one layer through the inverse of the dictionary needs 1 / (1 + d/N) of the dims that one through the dictionary does: ratio", ratio,
        interval=interval, expected=law, tolerance=near, source="Liu, Chen, Wang & Yin 2019; Welch 1974",
        reason=f"interference has (1 - d/N) of its variance in a tight frame; {NEAR:g} of a width; {BOTH}",
    )  # fmt: skip
    single = [(LISTA, 1), *((name, 1) for name, hidden in perceptrons(needs.params).items() if not hidden)]
    ratio, interval = most((needs.ratio(one, (ALISTA, 1)) for one in single), neg)
    inverse = needs.fits[ALISTA, 1]
    yield Claim(
        "one layer, whatever is trained in it, needs as many dims as one through the inverse: least ratio", ratio, interval=interval,
        expected=(1.0, None), tolerance=0.0 if inverse is None else NEAR * inverse.width / inverse.d50,
        reason=f"no linear map has less error (Kay 1993, ch. 12), but thresholds of their own gain a little; {NEAR:g} of a width; {BOTH}",
    )  # fmt: skip


def _perceptron_claims(needs: Needs, top: float, l1: float) -> Iterable[Claim]:
    """Between one step and l1, and message passing of as many layers."""
    deep = {name: len(hidden) + 1 for name, hidden in perceptrons(needs.params).items() if hidden}
    ratio, interval = most((needs.over(one, top) for one in deep.items()), neg)
    yield Claim(
        f"the best perceptron with a hidden layer needs fewer dims than top-k, which is told k ({top:.0f}): ratio", ratio, interval=interval,
        expected=(None, 1.0), reason=ONE,
    )  # fmt: skip
    ratio, interval = most((needs.ratio(one, (ALISTA, 1)) for one in deep.items()), neg)
    yield Claim(
        "the best perceptron with a hidden layer needs fewer dims than one layer through the inverse, the best linear map with a threshold: ratio",
        ratio, interval=interval, expected=(None, 1.0), reason=BOTH,
    )  # fmt: skip
    ratio, interval = most(
        (needs.ratio((name, depth), (BAYES, depth)) for name, depth in deep.items() if depth in needs.params.depths), neg
    )
    yield Claim(
        f"every perceptron needs more dims than {BAYES} of as many layers: least ratio", ratio, interval=interval, expected=(1.0, None),
        reason=BOTH,
    )  # fmt: skip
    ratio, interval = most((needs.over(one, l1) for one in deep.items()), neg)
    yield Claim(
        f"every perceptron needs more dims than l1 that is iterated to the end ({l1:.1f}): least ratio", ratio, interval=interval,
        expected=(1.0, None), reason=ONE,
    )  # fmt: skip


def _points(rows: Rows, bits: float) -> list[dict]:
    """A line a reader and depth: dims a bit with their interval, and how many numbers are trained for about a dim a bit."""
    needs, wide = Needs(rows), perceptrons(rows.params)
    points = []
    for (reader, depth), fit in needs.fits.items():
        if fit is None:
            continue
        row = next(row for row in rows if row.reader == reader)
        place = list(row.depths).index(depth)
        seen = np.flatnonzero(row.right[place] >= 0)
        nearest = seen[np.abs(row.dims[seen] - bits).argmin()]
        low, high = fit.interval
        points.append({
            "kind": "perceptron" if reader in wide else reader, "depth": depth, "dims": fit.d50 / bits, "low": low / bits, "high": high / bits,
            "parameters": int(row.parameters[place, nearest]), "square": set(wide.get(reader, ())) <= {rows.params.n_features},
        })  # fmt: skip
    return points


def _shares(rows: Rows, kind: str, depths: Iterable[int]) -> list[dict]:
    """The share of codes read right at each number of dims that was measured."""
    mine = [row for row in rows if row.reader == kind]
    points = []
    for depth in depths:
        place = list(mine[0].depths).index(depth)
        for at, d in enumerate(mine[0].dims):
            counts = [int(row.right[place, at]) for row in mine if row.right[place, at] >= 0]
            if counts:
                share, (low, high) = wilson(sum(counts), len(counts) * rows.params.samples)
                points.append({"d": int(d), "success": share, "low": low, "high": high, "depth": depth})
    return points
