"""A test for superposition, held against data of which the answer is known: false alarms, power, and what another statistic would do.

A layer is in superposition if its activations are sums of more sparse features than it has dims. Data without it may be Gaussian, of another
elliptical law, or sums of as many sparse features as dims. `tegum.auditing.superposition_test` asks whether directions have structure that no
elliptical law has, and whether the best complete basis leaves interactions of three and four features; here each is held against 199 data sets of
the null itself, drawn anew, so that the level of the test proper is seen. (For rows whose law is not known, an audit draws its references from the
basis that it fits; cells with how="fitted" do so, also of a basis at right angles seen through noise, whose features are independent still. Noise
on a slanted basis is another matter: whitening turns the basis, and some structure is left.)

The other statistic is what an overcomplete dictionary gains over a complete one on held-out rows, which is what one would first think of. More
directions are nearer to any data, so what matters is a difference of gains, small beside what two trainings differ by, and it moves with all that
data sets differ in. Held against references of its own law, which nobody has for a layer, it sees .83 to .95 of twice overcomplete data sets and .19
of those with a quarter more features, and calls .24 of complete bases superposition when every row has a scale of its own.

Set before the run: the level, .05, and the least power, .9, at twice as many features as dims. Left out are signed features of which a quarter is on:
their fourth cumulant is 1 and they have no third, and in trials one data set of five was told.

The levels first had intervals each of its own, of the normal law. One run (100 data sets, 99 references) gave .15 false alarms of complete bases at
16 dims and 1,000 rows, the next (200 and 199) .015 there and .005 at 8 dims: outside, in either direction. Of fifteen claims at 95% each one or
more fall outside in half of all runs; so the intervals are exact and of all levels together.
"""

import math
from collections.abc import Iterable
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, PositiveInt, field_validator

from tegum import figures
from tegum.auditing.against_nulls import LEVEL, SMALL, statistics, superposition_test
from tegum.decoders import OMP
from tegum.decoders._base import Values
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.auditing._known_laws import COMPLETE, CONTAMINATED, ELLIPTICAL, NOISY, OVERCOMPLETE, SLIGHT, known
from tegum.learning import sparse_coding
from tegum.learning.metrics import explained_variance

AT_ONCE = 20  # data sets a cell
_TRAINED = 0.75  # of the rows that a gain is measured on
_PASSES = 6
_SEEDS = 1_000_000
# laws of which some data sets are tested as an audit tests its own, and the place of their codes in `Params.codes`
_FITTED = (ELLIPTICAL[1], 1), (COMPLETE, 0), (COMPLETE, 1), (NOISY, 1), (OVERCOMPLETE, 0), (OVERCOMPLETE, 1)


class IsItSuperposition(Experiment):
    """Data sets of every law, with the statistics of the test, and for some the gain of a second dictionary."""

    id = "C4"
    title = "Is it superposition? A test that knows when it is not"
    source = "seeds 000 and 001: more features than dims; Tyler 1987; Comon 1994; Sejdinovic et al. 2013"
    version = 2  # rows that are alike count once

    class Params(Experiment.Params):
        """(dims, rows, data sets of a law, references of a null); codes: (values, how many on); rows for the gain, 0 for none, and codes a row."""

        sizes: tuple[tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt], ...] = (
            (16, 5_000, 200, 199),
            (16, 1_000, 200, 199),
            (8, 2_000, 200, 199),
            (32, 20_000, 40, 39),
        )
        codes: tuple[tuple[str, PositiveInt], ...] = (("uniform", 2), ("uniform", 4), ("uniform", 8), ("signed", 4))
        spot: tuple[tuple[str, PositiveInt], ...] = (("uniform", 4),)
        contaminated: tuple[str, ...] = (*CONTAMINATED, *SLIGHT)
        gain_rows: Annotated[int, Field(ge=0)] = 1_000
        gain_active: PositiveInt = 4
        fitted: Annotated[int, Field(ge=0)] = 20

        @field_validator("contaminated")
        @classmethod
        def _known(cls, laws: tuple[str, ...]) -> tuple[str, ...]:
            for law in laws:
                if law not in (*CONTAMINATED, *SLIGHT):
                    raise ValueError(f"there is no law {law!r}; there are {', '.join((*CONTAMINATED, *SLIGHT))}")
            return laws

    presets = {
        "quick": Params(
            sizes=((12, 2_000, 40, 39),),
            codes=(("uniform", 2), ("signed", 3)),
            contaminated=(CONTAMINATED[0], SLIGHT[0]),
            gain_rows=0,
            fitted=0,
        ),
        "paper": Params(),
    }

    def cells(self, params: Params) -> list[Cell]:
        """Some data sets of a law at a time. Data sets numbered from `sets` on are the references."""
        cells = []
        for place, (d, n, sets, references) in enumerate(params.sizes):
            codes = params.codes if place == 0 else params.spot
            several = [(law, "none", 0, sets + references * (law == ELLIPTICAL[0])) for law in ELLIPTICAL]
            several += [(COMPLETE, values, k, sets + references) for values, k in codes]
            several += [(OVERCOMPLETE, values, k, sets) for values, k in codes]
            if place == 0:
                several += [(law, *params.codes[min(1, len(params.codes) - 1)], _fewer(sets)) for law in params.contaminated]
            for law, values, k, total in several:
                cells += [
                    Cell(
                        law=law,
                        values=values,
                        n_active=k,
                        n_dims=d,
                        n_samples=n,
                        first=first,
                        sets=min(AT_ONCE, total - first),
                        how="shared",
                    )
                    for first in range(0, total, AT_ONCE)
                ]
        if params.fitted:
            d, n = params.sizes[0][:2]
            for law, place in _FITTED:
                values, k = ("none", 0) if law in ELLIPTICAL else params.codes[min(place, len(params.codes) - 1)]
                cells += [
                    Cell(law=law, values=values, n_active=k, n_dims=d, n_samples=n, first=first, sets=min(AT_ONCE, params.fitted - first),
                         how="fitted")
                    for first in range(0, params.fitted, AT_ONCE)
                ]  # fmt: skip
        return cells

    def run(self, cell: Cell, params: Params) -> Row:
        """The statistics of each data set, or p values with references of its own."""
        found: dict[str, list[float]] = {}
        for number in range(cell.first, cell.first + cell.sets):
            x = known(cell.law, cell.values, cell.n_dims, cell.n_active, cell.n_samples, params.seed * _SEEDS + number)
            if cell.how == "fitted":
                test = superposition_test(x, references=19, seed=number, progress=False)
                told = {"p_elliptical": test.p_elliptical, "p_complete": test.p_complete, "superposed": float(test.superposed)}
            else:
                told = statistics(x, seed=number)
                if params.gain_rows and (cell.n_dims, cell.n_samples) == params.sizes[0][:2]:
                    told["gain"] = _gain(x[: params.gain_rows], params.gain_active, number)
            for name, value in told.items():
                found.setdefault(name, []).append(value)
        return Row(**{name: np.array(values) for name, values in found.items()})

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """The level, the power, by size and codes; what a gain would do; own references."""
        levels = sum(len(ELLIPTICAL) + len(rows.params.spot if place else rows.params.codes) for place in range(len(rows.params.sizes)))
        for place, size in enumerate(rows.params.sizes):
            d, n, sets, references = size
            where = f"{d} dims, {n:,} rows"
            for law in ELLIPTICAL:
                p, _ = p_values(rows, size, law, "none", 0)
                yield _level(f"{law}, {where}: false alarms against elliptical laws at the level of {LEVEL}", p, references, levels)
            for values, k in rows.params.codes if place == 0 else rows.params.spot:
                codes = f"{values} features, {k} on, {where}"
                elliptical, complete = p_values(rows, size, COMPLETE, values, k)
                yield _level(
                    f"complete basis, {codes}: false alarms against complete bases at the level of {LEVEL}", complete, references, levels
                )
                elliptical, complete = p_values(rows, size, OVERCOMPLETE, values, k)
                seen = int((np.maximum(elliptical, complete) <= LEVEL).sum())
                share, bounds = wilson(seen, sets)
                yield Claim(
                    f"twice overcomplete, {codes}: superposition is seen in at least .9 of data sets", share, expected=(0.9, 1),
                    reason=f"of {sets} data sets; Wilson's 95% interval is {bounds[0]:.3f} to {bounds[1]:.3f}",
                )  # fmt: skip
        if rows.params.gain_rows:
            yield self._gained(rows)
        if rows.params.fitted:
            yield from self._fitted(rows)

    def _gained(self, rows: Rows) -> Claim:
        size = rows.params.sizes[0]
        powers = [float(np.mean(_gain_p(rows, size, values, k) <= LEVEL)) for values, k in rows.params.codes]
        return Claim(
            "what an overcomplete dictionary gains on held-out rows sees less than .9 of data sets, at the median of the codes",
            float(np.median(powers)), expected=(0, 0.9), reason="set after a trial of two data sets a law, in which gains were alike", tolerance=0.0,
        )  # fmt: skip

    def _fitted(self, rows: Rows) -> Iterable[Claim]:
        for law, k in dict.fromkeys((row.law, row.n_active) for row in rows if row.how == "fitted"):
            mine = [row for row in rows if (row.how, row.law, row.n_active) == ("fitted", law, k)]
            over = law == OVERCOMPLETE
            called = np.concatenate([row.superposed if over else np.maximum(row.p_elliptical, row.p_complete) <= LEVEL for row in mine])
            seen, bounds = wilson(int(called.sum()), len(called))
            slack = 1.96 * math.sqrt(LEVEL * (1 - LEVEL) / len(called))
            yield Claim(
                f"tested as an audit does, with 19 references from the basis fitted to each data set, {law}{f', {k} on' if k else ''}: "
                f"{'superposition is said in at least .9' if over else 'p is at most .05 in at most .05'}",
                seen, expected=(0.9, 1.0) if over else (0.0, LEVEL), tolerance=0.0 if over else slack,
                reason=f"1.96 binomial standard errors of {len(called)} data sets at the level; Wilson's 95% interval is {bounds[0]:.3f} to "
                f"{bounds[1]:.3f}",
            )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Shares of alarms; shares left; the table."""
        lines = list(_table(rows))
        yield figures.intervals(
            lines, "data", "share seen", "low", "high", "kind", x_title="share of data sets with p ≤ .05",
            marks={"the level": LEVEL, "asked of power": 0.9},
            caption="Shares with Wilson's 95% intervals. Each p value is the larger of two: against Gaussian data sets, and against as many complete "
            f"bases of the same codes ({', '.join(f'{size[3]} in {size[0]} dims from {size[1]:,} rows' for size in rows.params.sizes)}).",
        )  # fmt: skip
        names = {
            "elliptical": "elliptical p ≤ .05", "complete": "complete p ≤ .05", "share seen": "both p ≤ .05", "called": "and 7% left",
            "gain": "gain p ≤ .05",
        }  # fmt: skip
        columns = ["data", "sets", *names.values(), "left"]
        formats = {"sets": ",", "left": ".1%"} | dict.fromkeys(names.values(), ".3f")
        yield figures.number_table(
            [{names.get(name, name): value for name, value in line.items()} for line in lines], columns, formats,
            caption="Shares of data sets with p ≤ .05 by each half of the test, by both, by both with more than 7% left, which an audit calls "
            "superposition, and by what a second dictionary gains; the median share of structure that the best complete basis leaves. Noise is in "
            "units of features' values.",
        )  # fmt: skip


def p_values(rows: Rows, size: tuple[int, ...], law: str, values: str, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Against elliptical laws and against complete bases of the same codes, whose references are data sets that are never tested."""
    sets = size[2]
    mine = _gathered(rows, size, law, values, k)
    structure = _gathered(rows, size, ELLIPTICAL[0], "none", 0)["z_structure"][sets:]
    elliptical = _ranked(mine["z_structure"][:sets], structure)
    if not k:
        return elliptical, np.full(len(elliptical), math.nan)
    return elliptical, _ranked(mine["z_left"][:sets], _gathered(rows, size, COMPLETE, values, k)["z_left"][sets:])


def _gain_p(rows: Rows, size: tuple[int, ...], values: str, k: int, law: str = OVERCOMPLETE) -> np.ndarray:
    """The largest p value of a gain, over nulls: a gain must be above that of all of them."""
    sets = size[2]
    mine = _gathered(rows, size, law, values, k)["gain"][:sets]
    nulls = [_gathered(rows, size, ELLIPTICAL[0], "none", 0)["gain"][sets:], _gathered(rows, size, COMPLETE, values, k)["gain"][sets:]]
    return np.max([_ranked(mine, null) for null in nulls], axis=0)


def _gathered(rows: Rows, size: tuple[int, ...], law: str, values: str, k: int) -> dict[str, np.ndarray]:
    mine = [
        row for row in rows if (row.how, row.n_dims, row.n_samples, row.law, row.values, row.n_active) == ("shared", *size[:2], law, values, k)
    ]  # fmt: skip
    mine.sort(key=lambda row: row.first)
    return {
        name: np.concatenate([row[name] for row in mine])
        for name in ("explained", "left", "z_structure", "z_left", "gain")
        if name in mine[0]
    }


def _fewer(sets: int) -> int:
    return (sets + 1) // 2


def _ranked(observed: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    return (1 + (drawn >= observed[:, None]).sum(1)) / (1 + len(drawn))


def _level(statement: str, p: np.ndarray, references: int, levels: int) -> Claim:
    """The share of p at most .05, which is beta-binomial where all data sets share their references."""
    from scipy.stats import betabinom

    above = math.floor(LEVEL * (references + 1) + 1e-9)  # so many of the references, or fewer, are at or above what has p at most .05
    law = betabinom(len(p), above, references + 1 - above)
    low, high = (float(law.ppf(tail)) / len(p) for tail in (0.025 / levels, 1 - 0.025 / levels))
    share, bounds = wilson(int((p <= LEVEL).sum()), len(p))
    return Claim(
        statement, share, expected=(low, high),
        reason=f"where {len(p)} data sets share {references} references their number is beta-binomial; 95% for all {levels} levels together "
        f"(Bonferroni); Wilson's interval of the share is {bounds[0]:.3f} to {bounds[1]:.3f}",
    )  # fmt: skip


def _table(rows: Rows) -> Iterable[dict]:
    for place, size in enumerate(rows.params.sizes):
        d, n, sets, _ = size
        codes = rows.params.codes if place == 0 else rows.params.spot
        several = [(law, "none", 0) for law in ELLIPTICAL]
        several += [(law, *code) for law in (COMPLETE, OVERCOMPLETE) for code in codes]
        if place == 0:
            several += [(law, *rows.params.codes[min(1, len(rows.params.codes) - 1)]) for law in rows.params.contaminated]
        for law, values, k in several:
            elliptical, complete = p_values(rows, size, law, values, k)
            whole = elliptical if not k else np.maximum(elliptical, complete)
            mine = _gathered(rows, size, law, values, k)
            left = (mine["left"] / (mine["left"] + mine["explained"]))[:sets]
            share, bounds = wilson(int((whole <= LEVEL).sum()), len(whole))
            kind = (
                "twice overcomplete"
                if law == OVERCOMPLETE
                else law
                if law in (*SLIGHT,)
                else "no superposition"
                if law in (*ELLIPTICAL, COMPLETE)
                else "complete, but no null"
            )
            yield {
                "data": f"{law}{f', {values}, {k} on' if k else ''} ({d} dims, {n:,} rows)", "dims": d, "rows": n, "sets": len(whole), "kind": kind,
                "share seen": share, "low": bounds[0], "high": bounds[1], "elliptical": float((elliptical <= LEVEL).mean()),
                "complete": float((complete <= LEVEL).mean()) if k else math.nan,
                "left": float(np.median(left)) if k else math.nan, "called": float(((whole <= LEVEL) & (left > SMALL)).mean()) if k else math.nan,
                "gain": float((_gain_p(rows, size, values, k, law) <= LEVEL).mean()) if k and "gain" in mine else math.nan,
            }  # fmt: skip


def _gain(x: torch.Tensor, n_active: int, seed: int) -> float:
    """Held-out explained variance of twice as many directions as dims, less that of as many, at the same number of codes."""
    train = x[: int(len(x) * _TRAINED)]
    rest = x[len(train) :]
    explained = []
    for m in (x.shape[1], 2 * x.shape[1]):
        found = sparse_coding(
            train, m, OMP(n_active=n_active, values=Values.SIGNED), directions="mod", passes=_PASSES, batch_size=min(500, len(train)), seed=seed,
            held_out=0.0, progress=False,
        )  # fmt: skip
        explained.append(explained_variance(rest, found(rest)))
    return explained[1] - explained[0]
