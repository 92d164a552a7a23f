"""T3: claims can be refuted, and a small run finds where rows are too few."""

import numpy as np
import pytest

from tegum.experiments import Row, Rows
from tegum.experiments.auditing._known_laws import COMPLETE
from tegum.experiments.auditing.rows_for_a_test import RowsForATest

PARAMS = RowsForATest.Params(sizes=((8, 500, 2),), sets=10)


def made(complete, overcomplete, survives=0.9):
    rows = []
    for cell in RowsForATest().cells(PARAMS):
        p = complete if cell.law == COMPLETE else overcomplete
        told = {"p": p, "survives": survives, "z_left": 0.0, "superposed": float(p <= 0.05)}
        rows.append(Row(**{name: np.full(cell.sets, value) for name, value in told.items()}).of(cell))
    return Rows(PARAMS, rows)


@pytest.mark.parametrize(
    ("complete", "overcomplete", "verdicts"),
    [(1.0, 0.05, ["holds", "holds"]), (0.05, 0.05, ["refuted", "holds"]), (1.0, 0.5, ["holds", "refuted"])],
)
def test_alarms_and_blindness_are_refuted(complete, overcomplete, verdicts):
    assert [claim.verdict for claim in RowsForATest().claims(made(complete, overcomplete))] == verdicts


def test_power_is_claimed_where_a_basis_is_found_alone():
    assert len(list(RowsForATest().claims(made(1.0, 1.0, survives=0.1)))) == 1
    assert len(list(RowsForATest().figures(made(1.0, 1.0)))) == 1


def test_a_small_run_says_where_rows_are_too_few():
    params = RowsForATest.Params(sizes=((48, 480, 12),), sets=1)
    experiment = RowsForATest()
    row = experiment.run(experiment.cells(params)[0], params)
    assert row.survives[0] < 0.25
    assert np.isnan(row.p[0])
    assert not row.superposed[0]
