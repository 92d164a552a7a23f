"""Recoverability maps: counts of a world that obeys the laws get every claim, others refute theirs; the plan; and a small run from end to end."""

import numpy as np
import pytest
from scipy.special import ndtr

from tegum.capacity.laws import LAWS
from tegum.capacity.measured_needs import need_of
from tegum.capacity.transition import transition
from tegum.experiments import Row, Rows
from tegum.experiments.codes.recoverability_map import STEPS, WHOLE, RecoverabilityMap

EXPERIMENT = RecoverabilityMap()
PARAMS = RecoverabilityMap.presets["quick"]
STEPS_DIMS = {
    "matching pursuit, 2 steps": 0.6,
    "matching pursuit, 4 steps": 0.45,
    "matching pursuit, k steps": 0.38,
    "OMP": 0.36,
    "subspace pursuit": 0.34,
}


def world(grows=0.0, **factors):
    """Rows in which half are read at the law's dims, times a factor by decoder, times (k/4)^grows."""
    rows = []
    for cell in EXPERIMENT.cells(PARAMS):
        law = LAWS.get(cell.decoder)
        d50 = float((law or LAWS["top-k"]).dims(cell.n_features, cell.n_active, 0.5, 0.0)) * STEPS_DIMS.get(cell.decoder, 1.0)
        d50 *= factors.get(cell.decoder, 1.0) * (cell.n_active / 4) ** (grows if cell.decoder in ("top-k", "basis pursuit") else 0.0)
        dims = np.unique(np.round(d50 * np.array([0.7, 0.85, 0.95, 1.05, 1.2, 1.4])).astype(int))
        right = np.round(400 * ndtr((dims / d50 - 1) / 0.15)).astype(int)
        found = {"right": right, "trials": np.full(len(dims), 400), "seconds": np.ones(len(dims))}
        rows.append(Row(dims=dims, stopped="precise", dictionary="gaussian", **found).of(cell))
    return Rows(PARAMS, tuple(rows))


def verdicts(rows):
    return {claim.statement: claim.verdict for claim in EXPERIMENT.claims(rows)}


def test_every_claim_holds_in_a_world_of_the_laws():
    found = verdicts(world())
    assert len(found) == 12
    assert set(found.values()) == {"holds"}


@pytest.mark.parametrize(
    ("change", "refuted"),
    [
        ({"top-k": 1.15}, "at which top-k reads half"),
        ({"lasso": 1.15}, "at which lasso reads half"),
        ({"AMP": 0.85}, "at which AMP reads half"),
        ({"basis pursuit": 0.85}, "at which basis pursuit reads half"),
        ({"Bayes-AMP": 1.5}, "basis pursuit needs more dims than Bayes-AMP"),
        ({"matching pursuit, 4 steps": 2.0}, "2 steps needs more dims than matching pursuit, 4 steps"),
        ({"matching pursuit, k steps": 0.2}, "k steps needs more dims than basis pursuit"),
        ({"grows": 0.2}, "dims that top-k needs grow"),
        ({"grows": -0.2}, "dims that basis pursuit needs grow"),
    ],
)
def test_other_counts_refute_it(change, refuted):
    [verdict] = [verdict for statement, verdict in verdicts(world(**change)).items() if refuted in statement]
    assert verdict == "refuted"


def test_the_paper_preset_is_what_was_planned():
    cells = EXPERIMENT.cells(RecoverabilityMap.presets["paper"])
    large = [cell for cell in cells if cell.n_features == 2**20]
    assert {cell.decoder for cell in large} == set(STEPS)
    assert {cell.n_active for cell in large} == {4, 16, 64}
    assert {cell.n_features for cell in cells if cell.decoder in WHOLE} == {2**8, 2**12}
    assert len({cell.n_active for cell in cells if cell.n_features == 2**16}) == 9


def test_a_small_run_has_claims_and_figures(tmp_path):
    params = RecoverabilityMap.Params(
        n_features=(64,), n_active=(1, 2, 4), decoders=("top-k", "Bayes-AMP"), budget=64, look=16, ladder=(8, 32), precision=0.1
    )
    cells = EXPERIMENT.cells(params)
    rows = Rows(params, tuple(EXPERIMENT.run(cell, params).of(cell) for cell in cells))
    assert [need_of(row).fit is not None for row in rows].count(True) >= 5
    assert len(list(EXPERIMENT.figures(rows))) == 3
    assert list(EXPERIMENT.claims(rows))
    assert all(row.dims.max() <= params.most_dims for row in rows)


def test_a_need_beyond_the_map_is_shown_as_no_point():
    row = Row(dims=np.array([512, 1024]), right=np.array([0, 3]), trials=np.array([16, 16]), seconds=np.ones(2), stopped="above")
    assert need_of(row).fit is None
    assert transition(row.dims, row.right, row.trials) is None
