"""A set of strings: a small run gets its claims, each is refuted by readings that it does not fit, and the rates are those of brute force."""

from itertools import product

import numpy as np
import pytest

from tegum.experiments import Row, Rows
from tegum.experiments.codes.set_of_strings import SetOfStrings, error_rates

PARAMS = SetOfStrings.Params(n_dims=(64, 200), dims_per_member=(4, 10), sets=30, others=100)
EXPERIMENT = SetOfStrings()
COLUMNS = "n_active", "member_mean", "member_square", "other_mean", "other_square", "missed", "wrong", "bits"


@pytest.fixture(scope="module")
def measured():
    return [(cell, EXPERIMENT.run(cell, PARAMS)) for cell in EXPERIMENT.cells(PARAMS)]


def verdicts(measured, **changed):
    rows = [Row(**{name: changed.get(name, lambda x: x)(getattr(row, name)) for name in COLUMNS}).of(cell) for cell, row in measured]
    return {claim.statement.split(":")[0]: claim.verdict for claim in EXPERIMENT.claims(Rows(PARAMS, rows))}


def test_a_small_run_gets_every_claim(measured):
    assert set(verdicts(measured).values()) == {"holds"}


@pytest.mark.parametrize(
    ("column", "change", "refuted"),
    [
        ("member_mean", lambda x: x + 0.3, "members read 1"),
        ("other_mean", lambda x: x + 0.05, "other strings read 0"),
        ("member_square", lambda x: x * 1.15, "the variance of what members"),
        ("other_square", lambda x: x * 1.15, "the variance of what others"),
        ("wrong", lambda x: x * 1.5, "others read above"),
        ("missed", lambda x: x * 1.5, "members read below"),
        ("bits", lambda x: x / 100, "a Bloom filter"),
    ],
)
def test_other_readings_refute_their_claim_alone(measured, column, change, refuted):
    found = {what for what, verdict in verdicts(measured, **{column: change}).items() if verdict != "holds"}
    assert len(found) == 1
    assert next(iter(found)).startswith(refuted)


@pytest.mark.parametrize(("n_dims", "n_active"), [(4, 2), (3, 3), (5, 2)])
def test_the_rates_are_those_of_all_signs(n_dims, n_active):
    signs = np.array(list(product((-1, 1), repeat=n_dims * n_active)))
    members, other = signs.reshape(-1, n_active, n_dims), np.ones(n_dims)  # whose own signs may be taken as 1
    wrong, missed = error_rates(n_dims, n_active)
    assert np.mean((members.sum(1) * other).sum(1) > n_dims / 2) == pytest.approx(wrong, abs=1e-12)
    with_it = members[:, 1:].sum(1) + other
    assert np.mean((with_it * other).sum(1) <= n_dims / 2) == pytest.approx(missed, abs=1e-12)


def test_the_figures_are_drawn(measured):
    rows = Rows(PARAMS, [row.of(cell) for cell, row in measured])
    assert len(list(EXPERIMENT.figures(rows))) == 3
