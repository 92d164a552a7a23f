"""Decoders side by side: from how many dims on each reads k active features out of N, and what it must be told for that.

Codes with k of N features on at 1, through random directions; a code counts as read when every coordinate is right after rounding. Each decoder is
measured on the same grid of dims, and at a few more beside the point where it reads half of the codes. A fresh dictionary is drawn for every few
codes, since the theory's chance is over both. Three of the decoders also read through other dictionaries: directions of length 1, of random signs,
and the two subsampled Hadamard transforms, which are never written down.

Held against `tegum.theory`: l1 against the exact chance by conic intrinsic volumes, dimension by dimension; the one-step decoders against their
integrals; Bayes-AMP against its state evolution, whose threshold is a limit for large N.

Settled after a first look at 512 and at 1,024 features: that thresholds count as one within half a transition's width; the lapse rate of the fit;
that top-k reads through a Hadamard dictionary, which is a tight frame, with fewer dims than through others; and that only directions of one length
are held against each other, for Gaussian ones of unequal lengths need a few dims more.
"""

from collections.abc import Iterable
from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from tegum import figures, theory
from tegum.capacity.laws import LAWS
from tegum.capacity.panel import PANEL
from tegum.capacity.transition import Transition, transition
from tegum.capacity.trials import DICTIONARIES, Count, Setting
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.codes._middles import SAME
from tegum.experiments.codes._middles import ratio as ratio_of

ELSEWHERE = ("top-k", "basis pursuit", "Bayes-AMP")  # who reads through the other dictionaries too
GROUPS = {
    "One look or two": ("threshold 1/2", "Bayes threshold", "top-k", "linear probes, top-k", "matching pursuit, 2 steps"),
    "Greedy": ("matching pursuit, 4 steps", "matching pursuit, k steps", "OMP", "subspace pursuit", "CoSaMP", "NIHT"),
    "l1": ("basis pursuit, signed", "basis pursuit", "basis pursuit, in [0, 1]", "lasso", "AMP"),
    "The prior known": ("Bayes-AMP, k unknown", "Bayes-AMP", "VAMP"),
}
NEAR = 0.5  # of a transition's width: within it a finite-size threshold is not told from another


class DecodersSideBySide(Experiment):
    """Success over the number of dims, a decoder and a dictionary at a time."""

    version = 2
    id = "T2"
    title = "Decoders side by side: who reads k of N features, from how many dims on"
    source = (
        "Gadzinski, 'When Numbers Are Bits'; Donoho & Tanner 2005; Amelunxen, Lotz, McCoy & Tropp 2014; Donoho, Maleki & Montanari 2009"
    )

    class Params(Experiment.Params):
        """How many features, how many of them on, through how many dims; codes a point, points beside the transition."""

        n_features: Annotated[int, Field(ge=16)] = 4096
        n_active: PositiveInt = 16
        dims: tuple[PositiveInt, ...] = (60, 80, 90, 100, 110, 120, 140, 160, 200, 300, 400, 500, 700, 900, 1100)
        samples: PositiveInt = 256
        refine: PositiveInt = 4

    presets = {
        "quick": Params(n_features=1024, n_active=8, dims=(35, 50, 70, 120, 220, 400, 700), samples=256, refine=2),
        "paper": Params(),
    }

    def cells(self, params: Params) -> list[Cell]:
        """One a decoder and a dictionary."""
        if params.n_active >= params.n_features:
            raise ValueError(f"n_active is {params.n_active}, but there are {params.n_features} features to choose from")
        return [Cell(decoder=name, dictionary=kind) for kind in DICTIONARIES for name in PANEL if kind == "gaussian" or name in ELSEWHERE]

    def run(self, cell: Cell, params: Params) -> Row:
        """Successes on the grid, then beside the transition."""
        decoder = PANEL[cell.decoder](params.n_features, params.n_active, 0.0)
        setting = Setting(n_features=params.n_features, n_active=params.n_active, dictionary=cell.dictionary, seed=params.seed)
        found: dict[int, Count] = {}
        for d in dict.fromkeys(params.dims):
            found[d] = setting.count(decoder, d, 0, params.samples)
        for place in range(params.refine):
            fit = _fit(found, params)
            if fit is None:
                break
            wanted = fit.d50 + fit.width * (-1, 1, 0, -0.5, 0.5)[place % 5]
            nearby = [d for d in sorted(range(1, 2 * max(found)), key=lambda d: abs(d - wanted)) if d not in found]
            found[nearby[0]] = setting.count(decoder, nearby[0], 0, params.samples)
        dims = sorted(found)
        told = ", ".join(name for name in decoder.told)
        return Row(
            dims=np.array(dims),
            right=np.array([found[d].right for d in dims]),
            seconds=np.array([found[d].seconds / params.samples for d in dims]),
            told=told,
            codes=str(decoder.values),
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Measured against theory, decoder by decoder; the order of the decoders; one transition for all dictionaries."""
        n, k = rows.params.n_features, rows.params.n_active
        for name, signed in (("basis pursuit", False), ("basis pursuit, signed", True)):
            row = rows.at(decoder=name, dictionary="gaussian")
            statistic, count = _conic_fit(row, rows.params, signed=signed)
            yield Claim(
                f"{name} reads as many codes as the conic intrinsic volumes say, at every number of dims: p-value", statistic,
                expected=(1e-3, None), source="Amelunxen, Lotz, McCoy & Tropp 2014",
                reason=f"chi^2 over {count} numbers of dims where the chance is neither 0 nor 1; a right theory falls below .001 once in a thousand",
            )  # fmt: skip
        needs = {name: fit_of(rows.at(decoder=name, dictionary="gaussian"), rows.params) for name in PANEL}
        for name, (wanted, source) in _laws(n, k).items():
            if (fit := needs.get(name)) is not None:
                yield Claim(
                    f"{name} reads half of the codes from as many dims on as theory says ({wanted:.1f})", fit.d50, interval=fit.interval,
                    expected=wanted, tolerance=NEAR * fit.width, source=source,
                    reason=f"{NEAR:g} of the transition's width ({fit.width:.1f}): the laws are of large N, or take correlations as independent; "
                    "the 95% interval is by likelihood",
                )  # fmt: skip
        yield from _order(needs)
        yield from _universality(rows)

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """What each needs; success over dims; the dictionaries."""
        params = rows.params
        what = f"{params.n_active} of {params.n_features:,} features on, {params.samples} codes a point"
        here = [row for row in rows if row.dictionary == "gaussian"]
        fits = sorted(((row, fit) for row in here if (fit := fit_of(row, params))), key=lambda pair: pair[1].d50)
        bits = float(theory.subset_bits(params.n_features, params.n_active))
        laws = _laws(params.n_features, params.n_active)
        told = [(row.decoder, "measured", fit.d50, *fit.interval) for row, fit in fits]
        told += [(row.decoder, "theory", law, law, law) for row, _ in fits if (law := laws.get(row.decoder, (None,))[0]) is not None]
        yield figures.intervals(
            [dict(zip(("decoder", "which", "d50", "low", "high"), line, strict=True)) for line in told],
            "decoder", "d50", "low", "high", "which", log_x=True, marks={"one bit a dim": bits},
            x_title="dims at which half of the codes are read", y_title="",
            caption=f"How many dims each decoder needs ({what}, Gaussian directions), the fewest first. Bars: 95% intervals by likelihood. The mark: "
            f"the {bits:.0f} bits of a set of {params.n_active}, one a dim.",
        )  # fmt: skip
        for title, names in GROUPS.items():
            yield figures.lines(
                _points([row for row in here if row.decoder in names], params), "d", "success", "decoder", colour_title="", log_x=True,
                error=("low", "high"), x_title="dims d", y_title="share of codes read right", curves=_curves(names, params),
                caption=f"{title}: success over the number of dims ({what}, Gaussian directions). Bars: Wilson, 95%. Dashed: theory.",
            )  # fmt: skip
        for name in ELSEWHERE:
            found = [row for row in rows if row.decoder == name]
            middle = next((fit.d50 for row in found if (fit := fit_of(row, params)) is not None), None)
            points = _points(found, params, by="dictionary")
            yield figures.lines(
                [point for point in points if middle is None or middle / 2 <= point["d"] <= 2 * middle] or points, "d", "success", "dictionary",
                colour_title="", error=("low", "high"), x_title="dims d", y_title="share of codes read right",
                caption=f"{name} through five kinds of directions, near its transition ({what}). Bars: Wilson, 95%.",
            )  # fmt: skip


def fit_of(row: Row, params: DecodersSideBySide.Params) -> Transition | None:
    """The transition of a saved row."""
    return transition(row.dims, row.right, np.full(len(row.dims), params.samples))


def _laws(n: int, k: int) -> dict[str, tuple[float, str]]:
    """At how many dims theory has half of the codes read, and whose theory it is."""
    return {name: (float(law.dims(n, k, 0.5, 0.0)), law.source) for name, law in LAWS.items()}


def _curves(names: Iterable[str], params: DecodersSideBySide.Params) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The chance of success by theory, where it is known at every number of dims."""
    n, k = params.n_features, params.n_active
    known = {
        "basis pursuit": theory.lasso_success,
        "basis pursuit, signed": partial(theory.lasso_success, signed=True),
        "top-k": theory.topk_success,
        "threshold 1/2": theory.threshold_success,
    }
    dims = np.geomspace(min(params.dims), max(params.dims), 200)
    return {f"{name}, theory": (dims, np.asarray(known[name](dims, n, k))) for name in names if name in known}


def _fit(found: dict[int, Count], params: DecodersSideBySide.Params) -> Transition | None:
    dims = sorted(found)
    return transition(np.array(dims), np.array([found[d].right for d in dims]), np.full(len(dims), params.samples))


def _conic_fit(row: Row, params: DecodersSideBySide.Params, *, signed: bool) -> tuple[float, int]:
    """The p-value of the counts under the exact chances, and over how many numbers of dims."""
    from scipy.stats import chi2

    chance = theory.l1_success(row.dims, params.n_features, params.n_active, signed=signed)
    expected, variance = params.samples * chance.probability, params.samples * chance.probability * (1 - chance.probability)
    variance = variance + (params.samples * chance.standard_error) ** 2
    told = (expected > 5) & (params.samples - expected > 5)
    return float(chi2.sf(np.sum((row.right - expected)[told] ** 2 / variance[told]), int(told.sum()))), int(told.sum())


def _order(needs: dict[str, Transition | None]) -> Iterable[Claim]:
    """Who needs fewer dims than whom."""
    for better, worse, least in (
        ("Bayes-AMP", "basis pursuit", 1.0),
        ("basis pursuit", "OMP", 1.0),
        ("basis pursuit", "top-k", 3.0),
        ("top-k", "threshold 1/2", 1.5),
        ("matching pursuit, 4 steps", "matching pursuit, 2 steps", 1.0),
    ):
        first, second = needs.get(better), needs.get(worse)
        if first is not None and second is not None:
            ratio, interval = ratio_of(second, first)
            yield Claim(
                f"{worse} needs more than {f'{least:g} times ' if least > 1 else ''}the dims of {better}: ratio of what they need",
                ratio, interval=interval, expected=(least, None), reason="95% intervals by likelihood, joined as independent",
            )  # fmt: skip


def _universality(rows: Rows) -> Iterable[Claim]:
    """One transition for every kind of directions of length 1; the one-step decoder sees that a Hadamard dictionary is a tight frame."""
    for name in ELSEWHERE:
        plain = fit_of(rows.at(decoder=name, dictionary="spherical"), rows.params)
        for kind in DICTIONARIES:
            other = fit_of(rows.at(decoder=name, dictionary=kind), rows.params)
            if kind in ("spherical", "gaussian") or plain is None or other is None:  # gaussian ones are of unequal lengths
                continue
            tight = name == "top-k" and kind.startswith("hadamard")
            law = ", but for a tight frame's factor 1 / (1 + d/N)" if tight else ""
            ratio, interval = ratio_of(other, plain)
            yield Claim(
                f"{name} through {kind} directions, against spherical ones, needs as many dims{law}: ratio", ratio, interval=interval,
                expected=1 / (1 + plain.d50 / rows.params.n_features) if tight else 1, tolerance=SAME,
                source="Welch 1974, for the mean square of interference" if tight else "Donoho & Tanner 2009",
                reason=f"a margin of {SAME:.0%} of the dims, less than a tight frame's gain; 95% intervals by likelihood, joined as independent",
            )  # fmt: skip


def _points(rows: Iterable[Row], params: DecodersSideBySide.Params, by: str = "decoder") -> list[dict]:
    points = []
    for row in rows:
        for d, right in zip(row.dims, row.right, strict=True):
            share, (low, high) = wilson(right, params.samples)
            points.append({"d": int(d), "success": share, "low": low, "high": high, by: row[by]})
    return points
