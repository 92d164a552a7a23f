"""How many rows the test for superposition needs, and whether the p values that an audit gives hold their level where rows are few.

C4 holds the test against nulls that are known. Here it is run as an audit runs it, with references drawn from the basis that it fits to each data
set, from 10 rows a dim on. A basis is found only from some rows a dim on, more of them the more features are on and the more dims there are; below
that what the climb finds is noise, which leaves the interactions of true features. The test therefore looks whether what a basis explains survives on
rows that it was not fitted to, and says nothing where less than a quarter does. That quarter was set after a trial in which .004 to .013 survived
where the basis was not found, and .29 to 1 where it was; the claims are about the level, which was set before.
"""

from collections.abc import Iterable

import numpy as np
from pydantic import PositiveInt

from tegum import figures
from tegum.auditing.against_nulls import FOUND, LEVEL, superposition_test
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.auditing._known_laws import COMPLETE, OVERCOMPLETE, known

AT_ONCE = 5  # data sets a cell


class RowsForATest(Experiment):
    """Complete and twice overcomplete data sets by dims, rows and features on, tested as an audit does."""

    id = "T3"
    title = "How many rows the test for superposition needs"
    source = "tegum's own test; C4"
    version = 2  # rows that are alike count once

    class Params(Experiment.Params):
        """(dims, rows, features on) of the complete basis, as many on of twice the features; data sets of each; references of each data set."""

        sizes: tuple[tuple[PositiveInt, PositiveInt, PositiveInt], ...] = (
            (16, 160, 4), (16, 500, 4), (16, 2_000, 4), (64, 640, 16), (64, 2_000, 16), (128, 2_048, 32),
        )  # fmt: skip
        sets: PositiveInt = 10
        references: PositiveInt = 19

    presets = {"quick": Params(sizes=((8, 80, 2), (8, 1_000, 2), (48, 480, 12)), sets=5), "paper": Params()}

    def cells(self, params: Params) -> list[Cell]:
        """Some data sets at a time, the largest first."""
        return [
            Cell(law=law, n_dims=d, n_samples=n, n_active=k, first=first, sets=min(AT_ONCE, params.sets - first))
            for d, n, k in sorted(params.sizes, key=lambda size: -size[0] * size[1])
            for law in (COMPLETE, OVERCOMPLETE)
            for first in range(0, params.sets, AT_ONCE)
        ]

    def run(self, cell: Cell, params: Params) -> Row:
        """p values and what survives."""
        tests = [
            superposition_test(
                known(cell.law, "uniform", cell.n_dims, cell.n_active, cell.n_samples, params.seed * 1_000_000 + number),
                references=params.references, seed=number, progress=False,
            )
            for number in range(cell.first, cell.first + cell.sets)
        ]  # fmt: skip
        return Row(
            p=np.array([test.p_value for test in tests]),
            survives=np.array([test.survives for test in tests]),
            z_left=np.array([test.z_left for test in tests]),
            superposed=np.array([float(test.superposed) for test in tests]),
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """The level over all sizes; no alarm where no basis is found; power where one is."""
        alarms = np.concatenate([row.p <= LEVEL for row in rows if row.law == COMPLETE])
        share, bounds = wilson(int(alarms.sum()), len(alarms))
        yield Claim(
            f"complete bases of all sizes have p ≤ .05 in at most .05 of {len(alarms)} data sets", share, expected=(0, LEVEL),
            tolerance=1.96 * float(np.sqrt(LEVEL * (1 - LEVEL) / len(alarms))),
            reason=f"1.96 binomial standard errors at the level; Wilson's interval is {bounds[0]:.3f} to {bounds[1]:.3f}",
        )  # fmt: skip
        for d, n, k in rows.params.sizes:
            seen, survives = (_gathered(rows, OVERCOMPLETE, d, n, k, name) for name in ("superposed", "survives"))
            if np.median(survives) >= 2 * FOUND:
                share, bounds = wilson(int(seen.sum()), len(seen))
                yield Claim(
                    f"twice overcomplete, {d} dims, {n:,} rows, {k} on, where most of a basis survives: superposition is said in at least .9", share,
                    expected=(0.9, 1), reason=f"of {len(seen)} data sets; Wilson's interval is {bounds[0]:.3f} to {bounds[1]:.3f}",
                )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """What survives, and what is called superposition."""
        lines = []
        for d, n, k in rows.params.sizes:
            for law in (COMPLETE, OVERCOMPLETE):
                p, called, survives, left = (_gathered(rows, law, d, n, k, name) for name in ("p", "superposed", "survives", "z_left"))
                lines.append({
                    "data": law, "dims": d, "rows": n, "on": k, "rows a dim": n / d, "survives": float(np.median(survives)),
                    "standard errors left": float(np.median(left)), "p ≤ .05": float((p <= LEVEL).mean()),
                    "called superposition": float(called.mean()),
                })  # fmt: skip
        yield figures.number_table(
            lines, list(lines[0]),
            {"rows": ",", "rows a dim": ",.0f", "survives": ".3f", "standard errors left": ".1f", "p ≤ .05": ".2f", "called superposition": ".2f"},
            caption="The test as an audit runs it: references are drawn from the basis that is fitted to each data set "
            f"({rows.params.references} of each, {rows.params.sets} data sets). Median share of what a basis explains that survives on other rows "
            f"(below {FOUND} nothing is called superposition), and standard errors left.",
        )  # fmt: skip


def _gathered(rows: Rows, law: str, d: int, n: int, k: int, name: str) -> np.ndarray:
    return np.concatenate([row[name] for row in rows if (row.law, row.n_dims, row.n_samples, row.n_active) == (law, d, n, k)])
