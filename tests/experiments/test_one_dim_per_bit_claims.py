"""Why one dim per bit: counts of a world that obeys the cone get every claim, others refute theirs; and a small run from end to end."""

from functools import cache

import numpy as np
import pytest

from tegum import theory
from tegum.experiments import Row, Rows
from tegum.experiments.codes import one_dim_per_bit
from tegum.experiments.codes.one_dim_per_bit import OneDimPerBit, bayes_ratio, crossing

EXPERIMENT = OneDimPerBit()
PARAMS = OneDimPerBit.Params(sizes=((256, 4), (256, 16)), trials=400)


@cache
def chance(dims, n, k, signed):
    return theory.l1_success(np.array(dims), n, k, signed=signed, trials=4_000).probability


def world(shift=0, kind="", seed=0):
    """Rows in which codes are read by the exact chance, `shift` dims away from where they should be for one kind."""
    rng, rows = np.random.default_rng(seed), []
    for cell in EXPERIMENT.cells(PARAMS):
        signed = cell.kind == "signed"
        middle, width = (float(law(cell.n_features, cell.n_active, signed=signed)) for law in (theory.lasso_dims, theory.lasso_width))
        dims = np.unique(np.round(middle + width * np.array(PARAMS.places)).astype(int))
        seen = dims - (shift if cell.kind == kind else 0)
        right = rng.binomial(PARAMS.trials, chance(tuple(seen.tolist()), cell.n_features, cell.n_active, signed))
        rows.append(Row(dims=dims, right=right, trials=PARAMS.trials, dictionary="gaussian").of(cell))
    return Rows(PARAMS, tuple(rows))


def verdicts(rows):
    return {claim.statement: claim.verdict for claim in EXPERIMENT.claims(rows)}


def test_every_claim_holds_where_the_cone_decides():
    found = verdicts(world())
    assert len(found) == 10
    assert set(found.values()) == {"holds"}


@pytest.mark.parametrize("kind", ["signed", "non-negative"])
def test_three_dims_more_than_the_cone_says_refute_its_law(kind):
    refuted = [statement for statement, verdict in verdicts(world(3, kind)).items() if verdict == "refuted"]
    assert [kind in statement for statement in refuted] == [True]


def test_needs_above_the_bits_refute_that_they_never_are():
    found = verdicts(world(12, "signed"))
    [verdict] = [verdict for statement, verdict in found.items() if "never exceed the bits" in statement]
    assert verdict == "refuted"


@pytest.mark.parametrize(
    ("name", "other", "refuted"),
    [
        ("crossing", lambda *, signed: 17.0, 2),
        ("_ratio", lambda r, signed=False: 0.9 + 0 * np.asarray(r), 2),
    ],
)
def test_another_curve_refutes_what_is_said_of_the_ratio(monkeypatch, name, other, refuted):
    monkeypatch.setattr(one_dim_per_bit, name, other)
    if name == "_ratio":
        monkeypatch.setattr(one_dim_per_bit, "crossing", lambda *, signed: 15.0 if signed else 19.0)
    assert list(verdicts(world()).values()).count("refuted") == refuted


def test_the_crossings_are_where_the_finite_curve_crosses_for_many_features_on():
    for signed in (False, True):
        r = crossing(signed=signed)
        k = 10**6
        n = round(k * np.exp(r))
        assert theory.lasso_dims(n, k, signed=signed) / theory.subset_bits(n, k) == pytest.approx(1, rel=1e-5)


def test_the_ratio_of_bayes_amp_is_that_of_its_dims_for_many_features_on():
    for r in (2.0, 6.0):
        k = 10**6
        n = round(k * np.exp(r))
        assert bayes_ratio(np.array(r)) == pytest.approx(theory.bayes_dims(n, k) / theory.subset_bits(n, k), rel=1e-4)


def test_a_small_run_has_claims_and_figures():
    params = OneDimPerBit.Params(sizes=((64, 2),), trials=32)
    rows = Rows(params, tuple(EXPERIMENT.run(cell, params).of(cell) for cell in EXPERIMENT.cells(params)))
    assert len(list(EXPERIMENT.claims(rows))) == 10
    assert len(list(EXPERIMENT.figures(rows))) == 5


def test_more_than_half_on_is_refused():
    with pytest.raises(ValueError, match="60 of 100 features are more than half"):
        EXPERIMENT.cells(OneDimPerBit.Params(sizes=((100, 60),)))
