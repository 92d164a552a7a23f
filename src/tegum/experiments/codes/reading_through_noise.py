"""Reading through noise: how many dims each rule needs as x gets noisier, where each loses its lead, and what no number of dims makes up for.

x is a sum of k of N directions of length 1, with noise of standard deviation s in every dim. More dims make directions more nearly orthogonal, but
a direction still meets noise of s: with dims without end each feature is seen as z + s g, and a rule reads what it can read of that. So every rule
has a noise beyond which it never reads half of the codes, and its dims run off to infinity there. Found:

- a threshold of 1/2 ends first, where N normals pass 1/(2s): 1/2 / sqrt(2 ln N) or so. The best threshold ends a quarter later, and Bayes-AMP, which
  ends up seeing each feature by itself too, ends there with it. Top-k compares features with each other, and ends last;
- so the order without noise does not last. l1 is ahead of OMP at first, and loses that lead early: a penalty that keeps noise out shrinks what it
  lets in, and both errors are paid in dims. Later it loses to plain top-k too. Bayes-AMP is first for long, and bears less than top-k in the end: it
  is told k as an average, top-k as a number;
- told nothing of the noise, l1 fits it. Basis pursuit reads better with more dims, then worse, and nothing at d = N/2, where just as many features as
  there are dims explain all of x, noise too; beyond, nothing fits x, least squares averages the noise, and it reads again: a double descent, in a
  decoder, and theory has its course.

Settled after a first look: tolerances in transition widths (1: what one code needs differs from what another needs by so much, and laws are of large
N), so the ratio of dims is claimed besides: with 16 of 4,096 features on it is within .07 of 1 up to noise of .1, and 1.24 for the lasso at .15; and
that levels count where theory has three quarters of the codes read from some number of dims, since nearer its end a rule rises too slowly.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveInt

from tegum import figures, theory
from tegum.capacity.transition import Transition
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.codes import _noisy_readings as readings
from tegum.experiments.codes._middles import JOINED, WIDE, deviation, mean_ratio, ratio
from tegum.experiments.codes._noisy_readings import ONE_LOOK
from tegum.experiments.codes._noisy_rules import RULES, noise_borne

SEARCHING = ("OMP", "subspace pursuit", "CoSaMP", "basis pursuit", "AMP", "lasso")
BEARING = (*ONE_LOOK, "OMP", "lasso", "Bayes-AMP")  # whose noise is measured at many dims
AHEAD = 1e-9  # noise, below which a lead is none
LOUD = 0.1  # noise from which on Bayes-AMP's lead is asked about
TENTH = 0.1  # of the dims
FEW, MOST = 1 / 3, 0.5  # shares of codes: at d = N/2 basis pursuit reads fewer than the first, on both sides more than the second
RECORD: dict[tuple[str, int], dict[str, Any]] = {
    ("lasso", 512): {
        "on_record": "undecided",
        "record_reason": "8 of 512 features are few: the lasso needs 8 to 13% fewer dims there, and 3 to 7% fewer with 16 of 4,096",
    }
}


class ReadingThroughNoise(Experiment):
    """The 50% point over the noise, the noise borne over dims, and what basis pursuit makes of more dims."""

    id = "B11"
    title = "Reading through noise: who needs how many dims, and who loses the lead where"
    source = "Bayati & Montanari 2012; Donoho, Maleki & Montanari 2011 (noise sensitivity); Krzakala et al. 2012; Shannon 1948"

    class Params(Experiment.Params):
        """Sizes and levels of noise; trials of a search (fewer where decoding is slow) and of a point; the small case in which noise is fitted."""

        n_features: Annotated[int, Field(ge=64)] = 4096
        n_active: Annotated[int, Field(ge=2)] = 16
        noise: tuple[NonNegativeFloat, ...] = (0.0, 0.02, 0.05, 0.08, 0.1, 0.12, 0.14, 0.15)
        budget: PositiveInt = 768
        slow_budget: PositiveInt = 384
        dims_per_feature: tuple[Annotated[float, Field(gt=0)], ...] = (0.25, 0.5, 1.0, 2.0)
        points: PositiveInt = 128
        fitted_features: Annotated[int, Field(ge=64)] = 256
        fitted_noise: Annotated[float, Field(gt=0)] = 0.1
        fitted_codes: PositiveInt = 96

    presets = {
        "quick": Params(
            n_features=512, n_active=8, noise=(0.0, 0.05, 0.1, 0.15), budget=256, slow_budget=224,
            dims_per_feature=(0.5, 2.0, 4.0), points=48, fitted_features=128, fitted_codes=16,
        ),
        "paper": Params(),
    }  # fmt: skip

    def cells(self, params: Params) -> list[Cell]:
        """A rule at a noise; a rule at a number of dims; two rules that fit noise, more and less; and theory's courses."""
        n, k = params.n_features, params.n_active
        if 2 * k > n:
            raise ValueError(f"n_active is {k}, but at most half of the {n} features may be on")
        levels = sorted(set(params.noise))
        if len(levels) < 2 or levels[-1] < LOUD:
            raise ValueError(f"noise is {params.noise}; claims compare two levels at least, one of them {LOUD:g} or more")
        dims = sorted({round(part * n) for part in params.dims_per_feature})
        return [
            *(Cell(part="needs", rule=name, noise_std=s) for name in RULES for s in levels),
            *(Cell(part="bears", rule=name, n_dims=d) for name in BEARING for d in dims),
            *(Cell(part="fits", rule=name) for name in ("basis pursuit", "lasso")),
            *(Cell(part="theory", rule=name) for name, rule in RULES.items() if rule.law is not None),
        ]

    def run(self, cell: Cell, params: Params) -> Row:
        """One of these."""
        n, k = params.n_features, params.n_active
        if cell.part == "theory":
            return readings.course(cell, n, k, max(*params.noise, 0.1))
        if cell.part == "needs":
            return readings.needs(cell, n, k, params.seed, params.slow_budget if cell.rule in readings.SLOW else params.budget)
        if cell.part == "bears":
            return readings.bears(cell, n, k, params.seed, params.points)
        return readings.fits(cell, params.fitted_features, params.fitted_noise, params.seed, params.fitted_codes)

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Measured against theory; nobody below Shannon's limit; who loses the lead to whom; noise fitted."""
        yield from _against_theory(rows)
        yield from _limit(rows)
        yield from _leads(rows)
        yield from _fitted(rows)

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Dims over noise, twice; the lead; noise over dims; noise fitted."""
        params = rows.params
        n, k = params.n_features, params.n_active
        what = f"{k} of {n:,} features on, directions of length 1"
        ends = {name: noise_borne(name, n, k) for name in ONE_LOOK}
        fine = np.linspace(1e-3, 1.1 * ends["top-k"], 60)
        shannon = {"Shannon's limit": (fine, np.asarray(theory.noisy_dims(n, k, fine)))}
        for title, names, marks in (
            ("One look, and message passing told the noise", (*ONE_LOOK, "Bayes-AMP"), {name.split()[0]: s for name, s in ends.items()}),
            ("Searching", SEARCHING, {}),
        ):
            beyond = " Dotted, upright: from that noise on no number of dims is enough for one look." if marks else ""
            yield figures.lines(
                _needs_table(rows, names), "noise", "d50", "rule", colour_title="", error=("low", "high"), log_y=True,
                x_title="noise s in each dim", y_title="dims at which half are read", curves=_courses(rows, names) | shannon, marks=marks,
                caption=f"{title}: the dims from which half of the codes are read, over the noise ({what}; bars: 95% intervals by likelihood). "
                f"Dashed: theory.{beyond}",
            )  # fmt: skip
        yield figures.lines(
            _ratios(rows, ("top-k", "OMP", "subspace pursuit", "basis pursuit", "AMP", "lasso")), "noise", "d50", "rule", colour_title="",
            error=("low", "high"), log_y=True, x_title="noise s in each dim", y_title="dims, over those of Bayes-AMP", levels={"": 1.0},
            caption=f"Who is ahead of whom: the dims that half of the codes need over those of Bayes-AMP ({what}; bars: {JOINED}).",
        )  # fmt: skip
        dims = [round(part * n) for part in params.dims_per_feature]
        yield figures.lines(
            _borne_table(rows), "d", "noise", "rule", colour_title="", error=("low", "high"), log_x=True,
            x_title="dims d", y_title="noise through which half are read", curves=_courses(rows, BEARING, within=(min(dims), max(dims))),
            caption=f"The noise that each rule bears, over dims ({what}; {len(readings.AROUND)} levels of noise of {params.points} codes each; bars: "
            f"95% intervals by likelihood). Dashed: theory; with dims without end {', '.join(f'{s:.3f} ({name})' for name, s in ends.items())}.",
        )  # fmt: skip
        fits = list(rows.where(part="fits"))
        yield figures.lines(
            [point for row in fits for point in _shares(row)], "d", "success", "rule", colour_title="", error=("low", "high"), log_x=True,
            x_title="dims d", y_title="share of codes read right", marks={"d = N/2": params.fitted_features / 2},
            curves={f"{row.rule}, theory": (row.course, row.law) for row in fits},
            caption=f"More dims can be too many: basis pursuit, which fits noise, and the lasso at its best penalty ({readings.FITTED_ACTIVE} of "
            f"{params.fitted_features} features on, noise {params.fitted_noise:g}, {params.fitted_codes} codes a point; bars: Wilson, 95%). Dashed: "
            "state evolution.",
        )  # fmt: skip


def _against_theory(rows: Rows) -> Iterator[Claim]:
    """Each rule's largest deviation from its law, in widths: of the dims that it needs, and of the noise that it bears."""
    for name in (name for name, rule in RULES.items() if rule.law is not None):
        needs = [(row.noise_std, readings.dims_needed(row), row.law) for row in rows.where(part="needs", rule=name)]
        yield from _worst(f"{name} needs the dims that theory says, at every noise", needs, "noise")
        yield _in_dims(name, [(fit, law) for s, fit, law in needs if s <= LOUD and fit is not None], rows.params.n_features)
        bears = [(row.n_dims, readings.quiet_needed(row), 1 / row.law) for row in rows.where(part="bears", rule=name)]
        yield from _worst(f"{name} bears the noise that theory says, at every number of dims", bears, "dims")


def _in_dims(name: str, found: list[tuple[Transition, float]], n: int) -> Claim:
    """The mean over levels of the dims needed over the law's: what widths hide, for they are a third of the dims where there is noise."""
    mean, interval = mean_ratio(found) if found else (np.nan, (np.nan, np.nan))
    return Claim(
        f"through noise of up to {LOUD:g} {name} needs within a tenth the dims that theory says: ratio, mean over levels",
        mean,
        interval=interval,
        expected=1.0,
        tolerance=TENTH,
        **RECORD.get((name, n), {}),
        reason="a round number: laws are of large N and k, and tell dims to a few hundredths there (paper) and to a tenth at 8 of 512 features",
    )


def _worst(statement: str, found: list[tuple[float, Transition | None, float]], where: str) -> Iterator[Claim]:
    """Of (place, what was measured, what theory says) the one that is furthest off."""
    there = [(place, *deviation(fit, law)) for place, fit, law in found if fit is not None]
    if there:
        place, middle, interval = max(there, key=lambda one: one[1])
        yield Claim(
            f"{statement}: largest deviation, at {where} {place:g}, in widths of the transition", middle, interval=interval, expected=(None, WIDE),
            reason="one width: what one code needs differs from what another needs by so much, and laws are of large N; 95% interval by likelihood",
        )  # fmt: skip


def _limit(rows: Rows) -> Iterator[Claim]:
    """Nobody reads from fewer dims than Shannon's limit."""
    n, k = rows.params.n_features, rows.params.n_active
    found = [
        (fit.interval[0] / limit, fit.d50 / limit, fit.interval[1] / limit, row)
        for row in rows.where(part="needs")
        if row.noise_std and (fit := readings.dims_needed(row)) is not None and (limit := float(theory.noisy_dims(n, k, row.noise_std)))
    ]
    low, times, high, row = min(found, key=lambda one: one[1])
    yield Claim(
        f"nobody reads half of the codes from fewer dims than Shannon's limit: the nearest, {row.rule} through noise of {row.noise_std:g}, over it",
        times, interval=(low, high), expected=(1.0, None), source="Shannon 1948", reason="95% interval by likelihood",
    )  # fmt: skip


def _leads(rows: Rows) -> Iterator[Claim]:
    """Who is ahead of whom, and where that ends."""
    place, interval = readings.crossing(*_lead(rows, "lasso", "OMP"))
    laws = {name: rows.at(part="theory", rule=name) for name in ("lasso", "top-k")}
    ahead = np.log(laws["top-k"].dims) - np.log(laws["lasso"].dims)
    later, _ = readings.crossing(laws["lasso"].noise, ahead, np.zeros_like(ahead))
    yield Claim(
        "the lasso at its best penalty loses its lead over OMP before the noise at which theory has it lose that over top-k: at noise", place,
        interval=interval, expected=(AHEAD, later), reason=f"on straight lines between levels, and so for the 95% band; {JOINED}",
    )  # fmt: skip
    loud = rows.where(part="needs")
    fits = {(row.rule, row.noise_std): fit for row in loud if row.noise_std >= LOUD and (fit := readings.dims_needed(row)) is not None}
    others = [
        (ratio(fit, fits["Bayes-AMP", s]), name, s) for (name, s), fit in fits.items() if name != "Bayes-AMP" and ("Bayes-AMP", s) in fits
    ]
    if others:
        (times, interval), name, s = min(others)
        yield Claim(
            f"through noise of {LOUD:g} and more, nobody needs fewer dims than Bayes-AMP: the next, {name} at {s:g}, over it", times,
            interval=interval, expected=(1.0, None), reason=JOINED,
        )  # fmt: skip
    bears = {(row.rule, row.n_dims): fit for row in rows.where(part="bears") if (fit := readings.quiet_needed(row)) is not None}
    for one, other, pick, when in (
        ("lasso", "top-k", min, "few"), ("top-k", "lasso", max, "many"), ("top-k", "Bayes-AMP", max, "many"),
    ):  # fmt: skip
        both = [d for name, d in bears if name == one and (other, d) in bears]
        if both:
            d = pick(both)
            times, interval = ratio(bears[other, d], bears[one, d])  # of 1 / noise
            statement = f"with {when} dims ({d:,}), {one} bears more noise than {other}: ratio"
            yield Claim(statement, times, interval=interval, expected=(1.0, None), reason=JOINED)


def _fitted(rows: Rows) -> Iterator[Claim]:
    """Basis pursuit: good, bad, good again; the lasso is not."""
    for rule, part, expected, words in (
        ("basis pursuit", 0.25, (MOST, None), "from N/4 dims, through noise, basis pursuit reads more than half of the codes"),
        ("basis pursuit", 0.5, (None, FEW), "from N/2 dims it reads fewer than a third: it fits the noise"),
        ("basis pursuit", 0.875, (MOST, None), "from 7/8 N dims it reads more than half again: nothing fits x any more"),
        ("lasso", 0.5, (MOST, None), "from N/2 dims the lasso at its best penalty reads more than half"),
    ):
        row = rows.at(part="fits", rule=rule)
        at = int(np.abs(row.dims - part * rows.params.fitted_features).argmin())
        share, interval = wilson(row.right[at], row.trials[at])
        yield Claim(f"{words}: share", share, interval=interval, expected=expected, source="Bayati & Montanari 2012", reason="Wilson, 95%")


def _lead(rows: Rows, one: str, other: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Over the noise, the logarithm of how many times the dims of `one` `other` needs, and half its 95% interval. Without noise the lasso is l1."""
    noise, ahead, spread = [], [], []
    for s in sorted({row.noise_std for row in rows.where(part="needs")}):
        pair = [rows.where(part="needs", rule="basis pursuit" if name == "lasso" and not s else name, noise_std=s) for name in (one, other)]
        first, second = (readings.dims_needed(found[0]) if len(found) else None for found in pair)
        if first is not None and second is not None:
            times, interval = ratio(second, first)
            noise.append(s)
            ahead.append(np.log(times))
            spread.append(np.log(interval[1] / times))
    return np.array(noise), np.array(ahead), np.array(spread)


def _needs_table(rows: Rows, names: Iterable[str]) -> list[dict]:
    found = [(row, readings.dims_needed(row)) for row in rows.where(part="needs") if row.rule in names]
    return [
        {"rule": row.rule, "noise": row.noise_std, "d50": fit.d50, "low": fit.interval[0], "high": fit.interval[1]}
        for row, fit in found if fit is not None
    ]  # fmt: skip


def _ratios(rows: Rows, names: Iterable[str]) -> list[dict]:
    return [
        {"rule": name, "noise": s, "d50": np.exp(middle), "low": np.exp(middle - reach), "high": np.exp(middle + reach)}
        for name in names for s, middle, reach in zip(*_lead(rows, "Bayes-AMP", name), strict=True) if name != "lasso" or s
    ]  # fmt: skip


def _borne_table(rows: Rows) -> list[dict]:
    found = [(row, readings.quiet_needed(row)) for row in rows.where(part="bears")]
    return [
        {"rule": row.rule, "d": row.n_dims, "noise": 1 / fit.d50, "low": 1 / fit.interval[1], "high": 1 / fit.interval[0]}
        for row, fit in found if fit is not None
    ]  # fmt: skip


def _shares(row: Row) -> Iterator[dict]:
    for d, right, trials in zip(row.dims, row.right, row.trials, strict=True):
        share, (low, high) = wilson(right, trials)
        yield {"rule": row.rule, "d": int(d), "success": share, "low": low, "high": high}


def _courses(rows: Rows, names: Iterable[str], within: tuple[float, float] | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Theory's dims over noise, as far as they are looked at; or the noise over dims, if these are `within` two."""
    curves = {}
    for row in rows.where(part="theory"):
        if row.rule in names:
            low, high = within or (0, readings.FAR * rows.params.n_features)
            there = (low <= row.dims) & (row.dims <= high)
            course = (row.noise[there], row.dims[there])
            curves[f"{row.rule}, theory"] = course[::-1] if within else course
    return curves
