"""A set of strings: a small run gets its claims, each is refuted by readings that it does not fit, and the rates are those of brute force."""

from itertools import product

import numpy as np
import pytest

from tegum.experiments import Row, Rows
from tegum.experiments.codes.set_of_strings import SetOfStrings, error_rates, p_value, shared_errors

PARAMS = SetOfStrings.Params(n_dims=(200, 400), dims_per_member=(4, 10), sets=30, others=100)
EXPERIMENT = SetOfStrings()
COLUMNS = (
    "n_active",
    "member_mean",
    "member_square",
    "other_mean",
    "other_square",
    "missed",
    "wrong",
    "bits",
    "equal_wrong",
    "equal_bits",
    "small_bits",
    "small_wrong",
)


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
        ("wrong", lambda x: x * 1.5, "others read above|Bloom filters made for as many"),
        ("equal_wrong", lambda x: x + 0.2, "Bloom filters of as many bits"),
        ("small_wrong", lambda x: x * 1.3, "Bloom filters made for as many"),
        ("missed", lambda x: x * 1.5, "members read below"),
        ("wrong", np.zeros_like, "others read above|Bloom filters of as many bits|Bloom filters made for"),
        ("missed", np.zeros_like, "members read below"),
        ("bits", lambda x: x / 100, "such a Bloom filter"),
    ],
)
def test_other_readings_refute_their_claims_and_no_others(measured, column, change, refuted):
    found = {what for what, verdict in verdicts(measured, **{column: change}).items() if verdict != "holds"}
    assert all(what.startswith(tuple(refuted.split("|"))) for what in found)
    assert all(any(what.startswith(claim) for what in found) for claim in refuted.split("|"))


@pytest.mark.parametrize(("n_dims", "n_active"), [(4, 2), (3, 3), (5, 2)])
def test_the_rates_are_those_of_all_signs(n_dims, n_active):
    signs = np.array(list(product((-1, 1), repeat=n_dims * n_active)))
    members, other = signs.reshape(-1, n_active, n_dims), np.ones(n_dims)  # whose own signs may be taken as 1
    wrong, missed = error_rates(n_dims, n_active)
    assert np.mean((members.sum(1) * other).sum(1) > n_dims / 2) == pytest.approx(wrong, abs=1e-12)
    with_it = members[:, 1:].sum(1) + other
    assert np.mean((with_it * other).sum(1) <= n_dims / 2) == pytest.approx(missed, abs=1e-12)


def sets_of_signs(n_dims, n_active, n_sets, n_others, seed=0):
    """Shares of errors of each set, others' and members', by plain products."""
    rng = np.random.default_rng(seed)
    members, others = (1.0 - 2 * rng.integers(0, 2, (n_sets, n, n_dims)) for n in (n_active, n_others))
    total = members.sum(1)[:, :, None]
    return (others @ total > n_dims / 2).mean((1, 2)), (members @ total <= n_dims / 2).mean((1, 2))


@pytest.mark.parametrize(("n_dims", "n_active"), [(17, 8), (33, 6), (65, 16)])
def test_counts_of_errors_vary_as_their_correlation_says(n_dims, n_active):
    """Variances of 4,000 counts are right to 2.2%, more where counts are few and uneven; odd dims, for no sum of signs is half of them."""
    found = sets_of_signs(n_dims, n_active, 4000, 40)
    for shares, number, rate, shared in zip(
        found, (40, n_active), error_rates(n_dims, n_active), shared_errors(n_dims, n_active), strict=True
    ):
        assert shares.var() * number / (rate * (1 - rate)) == pytest.approx(1 + (number - 1) * shared, rel=0.15)


def test_right_counts_get_small_p_values_as_seldom_as_they_should():
    """300 worlds of 20 sets: a tenth of them below .1, to 4 standard errors of 1.7% and the steps of whole counts."""
    shares = sets_of_signs(33, 8, 6000, 30, seed=1)
    for of_sets, number, rate, shared in zip(shares, (30, 8), error_rates(33, 8), shared_errors(33, 8), strict=True):
        values = np.array([p_value(some, number, rate, shared) for some in of_sets.reshape(300, 20)])
        assert 0.03 < (values < 0.1).mean() < 0.17


def test_p_values_are_those_of_a_binomial_law_without_correlation():
    assert p_value(np.zeros(10), 5, 0.1, 0.0) == pytest.approx(2 * 0.9**50)
    assert p_value(np.full(10, 0.2), 5, 0.2, 0.0) == 1.0
    assert p_value(np.zeros(60), 300, 41.37 / 18000, 0.0) < 1e-15
    assert p_value(np.array([1.0, 0.0]), 1, 0.5, 0.5) == 1.0
    assert p_value(np.zeros(10), 2, 0.25, 1.0) == pytest.approx(2 * 0.75**10, rel=0.01)  # two of a set are always alike
    assert shared_errors(33, 2)[1] == pytest.approx(1.0)  # as two members alone are, whose readings are one product
    assert p_value(np.zeros(10), 5, 0.0, 0.0) == 1.0


def test_a_set_that_never_gives_a_false_positive_is_refuted_where_a_few_would_be_expected():
    """400 sets that should err 460 times, or 12; where 5 are expected none is no surprise."""
    assert p_value(np.zeros(400), 500, 460 / 200000, 1e-4) < 1e-6
    assert p_value(np.zeros(400), 500, 12 / 200000, 0.0) < 1e-4
    assert p_value(np.zeros(400), 500, 5 / 200000, 0.0) == pytest.approx(2 * np.exp(-5), rel=0.01)


def test_the_figures_are_drawn(measured):
    rows = Rows(PARAMS, [row.of(cell) for cell, row in measured])
    assert len(list(EXPERIMENT.figures(rows))) == 3


def test_few_members_in_many_dims_have_filters_too():
    params = SetOfStrings.Params(n_dims=(4096,), dims_per_member=(1024,), sets=10, others=20)
    [cell] = EXPERIMENT.cells(params)
    assert EXPERIMENT.run(cell, params).equal_wrong.sum() == 0
