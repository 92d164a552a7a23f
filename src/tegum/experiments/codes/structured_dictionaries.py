"""Structured dictionaries: a million directions that nobody writes down read like random ones.

A subsampled randomised Hadamard transform is a dictionary that is never stored: N directions of length 1 in d dims, made of signs and of d rows
of a matrix that is known by heart. Correlating x with all of them takes N log N additions. If decoders read through it as through independent
Gaussian directions (universality, Donoho & Tanner 2009), then what theory says of those holds for it too, and experiments with N = 2^20 features
need no gigabytes.

Three things are measured: what decoders need through five kinds of directions, against spherical ones; at large N, where a table would not fit,
what they need through Hadamard directions alone, against theory; and what reading takes there, in memory and in time.

One look sees a difference, and theory says which: the blocks of a Hadamard dictionary are tight frames, whose interference has the variance of
random directions less its part within a frame, so top-k needs 1 / (1 + d/N) times the dims.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from tegum import figures
from tegum.capacity.laws import LAWS
from tegum.capacity.measured_needs import need_of
from tegum.capacity.needs import Rule, measure_need
from tegum.capacity.panel import PANEL
from tegum.capacity.transition import Transition
from tegum.capacity.trials import DICTIONARIES, Setting
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments.codes._middles import JOINED, SAME, ratio

PLAIN = "spherical"  # of the others' length, and independent
LARGE = "hadamard, in blocks"
LOOKING = ("top-k", "matching pursuit, 2 steps", "matching pursuit, 4 steps", "matching pursuit, k steps", "OMP")
NEAR = 0.5  # of a transition's width: within it a finite-size threshold is not told from another, as in T2
NUMBERS_A_FEATURE = 64  # bytes that a feature may take at most: some arrays of N numbers, whatever d is
_PROBE = """
import json, resource, sys, time
import tegum
n, d, codes = map(int, sys.argv[1:])
def read(n):
    D = tegum.dictionaries.hadamard(n_features=n, n_dims=d, seed=0)
    x = D.encode(tegum.features.ExactlyK(n_features=n, n_active=8).sample(codes, seed=0))
    begin = time.process_time()
    tegum.decode(D, x, tegum.decoders.TopK(n_active=8), progress=False)
    return time.process_time() - begin
read(1024)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seconds = min(read(n) for _ in range(2))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([1024 * (after - before), 1024 * after, seconds]))
"""


class StructuredDictionaries(Experiment):
    """Needs through five kinds of directions; needs through Hadamard directions at large N; memory and time there."""

    id = "B10"
    title = "Structured dictionaries: directions that are never stored read like random ones"
    source = "Donoho & Tanner 2009, 'Observed universality of phase transitions'; Ailon & Chazelle 2009 (the transform)"

    class Params(Experiment.Params):
        """The size at which kinds are compared, and by whom; large sizes, and by whom; sizes whose cost is measured, and the dims there.

        Beyond `whole_up_to` features only those look that take the largest correlations: the others hold many arrays of N numbers.
        """

        n_features: Annotated[int, Field(ge=64)] = 4096
        n_active: PositiveInt = 16
        decoders: tuple[str, ...] = ("top-k", "OMP", "basis pursuit", "Bayes-AMP")
        large: tuple[PositiveInt, ...] = (2**18, 2**20, 2**22, 2**24)
        large_active: PositiveInt = 16
        large_decoders: tuple[str, ...] = ("top-k", "matching pursuit, k steps", "Bayes-AMP")
        whole_up_to: PositiveInt = 2**20
        sizes: tuple[PositiveInt, ...] = (2**18, 2**20, 2**22, 2**24)
        n_dims: PositiveInt = 512
        codes: PositiveInt = 16
        budget: PositiveInt = 4096
        large_budget: PositiveInt = 512

    presets = {
        "quick": Params(
            n_features=1024, n_active=8, decoders=("top-k", "OMP", "Bayes-AMP"), large=(2**18,), large_decoders=("top-k", "OMP"),
            sizes=(2**16, 2**20), codes=8, budget=4096, large_budget=192,
        ),
        "paper": Params(),
    }  # fmt: skip

    def cells(self, params: Params) -> list[Cell]:
        """A kind and a decoder; a large size and a decoder; a size whose cost is measured."""
        for name in (*params.decoders, *params.large_decoders):
            if name not in PANEL:
                raise ValueError(f"there is no decoder {name!r} in the panel; it has {', '.join(PANEL)}")
        for n, k in ((params.n_features, params.n_active), *((n, params.large_active) for n in params.large)):
            if 2 * k > n:
                raise ValueError(f"{k:,} features on are more than half of {n:,}")
        kinds = [
            Cell(part="kinds", dictionary=kind, decoder=name, n_features=params.n_features)
            for kind in DICTIONARIES
            for name in params.decoders
        ]
        large = [
            Cell(part="large", dictionary=LARGE, decoder=name, n_features=n)
            for n in params.large
            for name in params.large_decoders
            if name in LOOKING or n <= params.whole_up_to
        ]
        return kinds + large + [Cell(part="cost", dictionary=LARGE, decoder="top-k", n_features=n) for n in params.sizes]

    def run(self, cell: Cell, params: Params) -> Row:
        """A search, or a probe in a process of its own, whose high-water mark is its alone."""
        if cell.part == "cost":
            told = [sys.executable, "-c", _PROBE, *map(str, (cell.n_features, params.n_dims, params.codes))]
            more, peak, seconds = json.loads(subprocess.run(told, capture_output=True, text=True, check=True).stdout)  # noqa: S603 - our own
            return Row(bytes=int(more), peak=int(peak), seconds=seconds / params.codes)
        k, budget = (params.n_active, params.budget) if cell.part == "kinds" else (params.large_active, params.large_budget)
        setting = Setting(n_features=cell.n_features, n_active=k, dictionary=cell.dictionary, seed=params.seed)
        law = LAWS.get(cell.decoder, LAWS["AMP"])
        rule = Rule(budget=budget, precision=0.012, precision_99=0.1, look=64 if cell.part == "kinds" else 32)
        need = measure_need(setting, PANEL[cell.decoder](cell.n_features, k, 0.0), float(law.dims(cell.n_features, k, 0.5, 0.0)), rule)
        return Row(dims=need.dims, right=need.right, trials=need.trials, seconds=need.seconds, stopped=need.stopped)

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """One transition for all kinds; theory at large N; memory and time that do not grow with d N."""
        yield from _kinds(rows)
        yield from _large(rows)
        yield from _cost(rows)

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Ratios by kind; success at the largest N; what it costs."""
        params = rows.params
        ratios = [
            {"decoder": name, "kind": kind, "ratio": times, "low": low, "high": high}
            for name in params.decoders for kind in DICTIONARIES if kind != PLAIN
            for times, (low, high) in [ratio_of(rows, name, kind)]
        ]  # fmt: skip
        yield figures.intervals(
            ratios, "decoder", "ratio", "low", "high", "kind", marks={"spherical": 1.0}, x_title="dims needed, over those through spherical "
            "directions",
            y_title=" ", log_x=True,
            caption=f"What decoders need through five kinds of directions, {params.n_active} of {params.n_features:,} features on. Bars: 95% "
            f"intervals by likelihood.",
        )  # fmt: skip
        n = max(params.large)
        here = [row for row in rows if row.part == "large" and row.n_features == n]
        points, curves = [], {}
        for row in here:
            table = need_of(row).to_dataframe()
            points += [{"decoder": row.decoder, **line} for line in table.to_dict(orient="records")]
            law = LAWS.get(row.decoder)
            if law is not None and law.success is not None and row.decoder != "Bayes-AMP":
                fine = np.geomspace(table["n_dims"].min(), table["n_dims"].max(), 80)
                curves[f"{row.decoder}, theory"] = (fine, law.success(fine, n, params.large_active, 0.0))
        yield figures.lines(
            points, "n_dims", "share", "decoder", colour_title="", error=("low", "high"), mode="markers", log_x=True, curves=curves,
            x_title="dims d", y_title="share of codes read right",
            caption=f"{params.large_active} of {n:,} features on, through Hadamard directions: a table of them would take "
            f"{_table_bytes(n, 1000):.0f} GB for "
            "1,000 dims. Bars: Wilson, 95%; dashed: theory of independent Gaussian directions.",
        )  # fmt: skip
        sizes = np.array(sorted(params.sizes), dtype=float)
        cost = [{"n": row.n_features, "gigabytes": row.peak / 1e9} for row in rows if row.part == "cost"]
        yield figures.lines(
            cost, "n", "gigabytes", log_x=True, log_y=True, x_title="features N", y_title="GB at the peak",
            curves={f"a table of {params.n_dims} dims": (sizes, [_table_bytes(int(size), params.n_dims) for size in sizes])},
            caption=f"Memory of a process that takes the top-k of {params.codes} codes through {params.n_dims} dims, by its high-water mark "
            f"(most of it Python and "
            "torch); dashed: a table of directions alone.",
        )  # fmt: skip
        yield figures.lines(
            [{"n": row.n_features, "seconds": row.seconds} for row in rows if row.part == "cost"], "n", "seconds", log_x=True, log_y=True,
            x_title="features N", y_title="processor seconds a code",
            caption=f"Time of the same top-k, the better of two runs of {params.codes} codes.",
        )  # fmt: skip


def ratio_of(rows: Rows, decoder: str, kind: str) -> tuple[float, tuple[float, float]]:
    """The dims that a decoder needs through one kind over those through spherical directions; the interval takes the two as independent."""
    one, other = (_fit(rows.at(part="kinds", decoder=decoder, dictionary=name)) for name in (kind, PLAIN))
    return ratio(one, other)


def _fit(row: Row) -> Transition:
    fit = need_of(row).fit
    if fit is None:
        raise ValueError(f"{row.decoder} through {row.dictionary} directions: half of the codes lie {row.stopped} what was looked at")
    return fit


def _kinds(rows: Rows) -> Iterable[Claim]:
    params = rows.params
    for name in params.decoders:
        plain = _fit(rows.at(part="kinds", decoder=name, dictionary=PLAIN))
        for kind in DICTIONARIES:
            if kind == PLAIN:
                continue
            tight = name == "top-k" and kind.startswith("hadamard")
            times, interval = ratio_of(rows, name, kind)
            yield Claim(
                f"{name} needs as many dims through {kind} directions as through spherical ones{', less a tight frame' if tight else ''}: "
                f"ratio", times,
                interval=interval, expected=1 / (1 + plain.d50 / params.n_features) if tight else 1.0, tolerance=SAME,
                reason=f"a margin of {SAME:.0%} of the dims, less than a tight frame's gain; {JOINED}",
                source="Welch 1974, for a tight frame's interference" if tight else "Donoho & Tanner 2009",
            )  # fmt: skip


def _large(rows: Rows) -> Iterable[Claim]:
    k = rows.params.large_active
    for row in rows.where(part="large"):
        law = LAWS.get(row.decoder)
        if law is None:
            continue
        fit, need = _fit(row), float(law.dims(row.n_features, k, 0.5, 0.0))
        yield Claim(
            f"{row.decoder} through Hadamard directions reads half of the codes where theory of Gaussian ones says, N = {row.n_features:,}: "
            f"ratio of dims",
            fit.d50 / need,
            interval=(fit.interval[0] / need, fit.interval[1] / need), expected=1.0,
            tolerance=NEAR * fit.width / fit.d50, reason=f"{NEAR:g} of the transition's width: a law of large sizes", source=law.source,
        )  # fmt: skip
    for n in sorted({row.n_features for row in rows.where(part="large")}):
        fits = {row.decoder: _fit(row) for row in rows.where(part="large", n_features=n)}
        for name in (name for name in fits if name not in LAWS):
            if "top-k" in fits:
                times, interval = ratio(fits[name], fits["top-k"])
                yield Claim(
                    f"{name} through Hadamard directions needs fewer dims than top-k, N = {n:,}: ratio", times, interval=interval,
                    expected=(None, 1.0), reason=JOINED,
                )  # fmt: skip


def _cost(rows: Rows) -> Iterable[Claim]:
    cost = sorted(rows.where(part="cost"), key=lambda row: row.n_features)
    most = cost[-1]
    yield Claim(
        f"a top-k through {rows.params.n_dims} dims takes a few numbers a feature, not a table: bytes a feature, N = {most.n_features:,}",
        most.bytes / most.n_features, expected=(None, float(NUMBERS_A_FEATURE)),
        reason=f"{NUMBERS_A_FEATURE} bytes are 16 numbers, whatever the dims; a table has {4 * rows.params.n_dims:,} bytes a feature",
    )  # fmt: skip
    if len(cost) > 1:
        exponent = float(np.log(cost[-1].seconds / cost[0].seconds) / np.log(cost[-1].n_features / cost[0].n_features))
        yield Claim(
            "the time of a code grows as N log N, or more slowly: exponent of N", exponent, expected=(None, 1.25),
            reason="the logarithm adds less than .1 at these sizes; the rest is for caches that no longer hold N numbers, and a machine that is "
            "shared",
        )  # fmt: skip


def _table_bytes(n: int, d: int) -> float:
    """Gigabytes of a table in float32."""
    return 4e-9 * n * d
