"""The test for superposition, piece by piece against brute force, and on data of which the answer is known.

Data sets are seeded. Where a p value decides, the statement says how sure it is; levels and power over hundreds of data sets are C4's.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tegum.activations import load
from tegum.auditing._complete_basis import complete_basis
from tegum.auditing._independent_rows import independent_rows
from tegum.auditing._interactions import _common, _different, interactions, totals
from tegum.auditing._whitening import whitened
from tegum.auditing.against_nulls import LEAST_ROWS, answer, share, statistics, superposition, superposition_test
from tegum.experiments.auditing._known_laws import CONTAMINATED, known


def rows(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


@given(st.lists(st.floats(-3, 3, allow_nan=False), min_size=4, max_size=7))
def test_power_sums_give_the_sums_over_different_indices(values):
    sums = [torch.tensor([sum(v**k for v in values)], dtype=torch.float64) for k in (1, 2, 3, 4)]
    third, fourth = _different(*sums)
    for told, order in ((third, 3), (fourth, 4)):
        brute = math.factorial(order) * sum(math.prod(some) for some in itertools.combinations(values, order))
        assert float(told) == pytest.approx(brute, abs=1e-8 * (1 + sum(abs(v) for v in values) ** order))


def test_interactions_are_squares_of_joint_moments_without_their_bias():
    p = rows(40, 5)
    found = interactions(p)
    n = len(p)
    for told, order in ((found.third, 3), (found.fourth, 4)):
        brute = 0.0
        for some in itertools.permutations(range(5), order):
            products = p[:, list(some)].double().prod(1)
            brute += float(products.sum() ** 2 - products.square().sum()) / (n * (n - 1))
        assert told == pytest.approx(brute, rel=1e-4, abs=1e-4)


def test_a_product_of_factors_is_explained_by_a_common_factor_and_nothing_else_is():
    c = torch.tensor([0.8, -0.5, 0.6, 0.7, 0.4, 0.9, -0.6, 0.5], dtype=torch.float64)
    # signs whose product over any three coordinates has mean c_i c_j c_k: each is right with a chance that a common sign decides
    s = torch.sign(rows(200_000, 1, seed=1) + 0.3)
    p = torch.where(torch.rand(200_000, 8, generator=torch.Generator().manual_seed(2)) < (1 + c.float() * s) / 2, 1.0, -1.0)
    third = float(s.mean()) ** 2 * 6 * _elementary(c.square(), 3)
    assert _common(p, 3) == pytest.approx(third, rel=0.1)  # a sum of squares of 56 moments, each known to 1/sqrt(200,000)
    assert _common(rows(20_000, 8, seed=3), 3) < 3 * 8 / 20_000 * 6  # eight factors fitted to noise of 1/n a moment, six orders each


def _elementary(values, order):
    return sum(math.prod(float(v) for v in some) for some in itertools.combinations(values, order))


def test_the_whole_structure_of_uniform_directions_is_nothing_within_its_standard_error():
    x = rows(3_000, 8, seed=5)
    y = x / x.norm(dim=1, keepdim=True) * 8**0.5
    third, fourth, third_error, fourth_error = totals(y)
    assert abs(third) < 4 * third_error
    assert abs(fourth) < 4 * fourth_error
    e = np.array([np.mean([float(a @ b) ** 3 for a, b in itertools.combinations(y[:40].double(), 2)])])
    assert totals(y[:40])[0] == pytest.approx(e[0], rel=1e-4)


def test_standard_errors_of_uniform_directions_are_those_that_data_sets_show():
    told, found = [], []
    for seed in range(60):
        x = rows(400, 6, seed=seed)
        third, fourth, *errors = totals(x / x.norm(dim=1, keepdim=True) * 6**0.5)
        told.append(errors)
        found.append((third, fourth))
    seen = np.std(found, axis=0)
    assert seen == pytest.approx(
        np.array(told[0]), rel=4 / math.sqrt(2 * 60)
    )  # a standard deviation of 60 numbers, to four standard errors


def test_directions_know_neither_covariance_nor_scale():
    x = rows(2_000, 5)
    turn = torch.randn(5, 5, generator=torch.Generator().manual_seed(9))
    scales = rows(2_000, 1, seed=4).exp()
    one, other = whitened(x).rows, whitened((x * scales) @ turn).rows
    # the same directions up to a rotation: the scale moves the centre, which is known to 1/sqrt(n), and nothing else
    gram, turned = one @ one.T, other @ other.T
    assert float((gram - turned).square().mean().sqrt() / gram.square().mean().sqrt()) < 3 / math.sqrt(2_000)
    assert torch.allclose(other.square().sum(1), torch.full((2_000,), 5.0), atol=1e-3)
    assert torch.allclose(other.T @ other / 2_000, torch.eye(5), atol=1e-3)


def test_a_complete_basis_is_found():
    z = torch.from_numpy(np.random.default_rng(0).laplace(size=(20_000, 6))).float() * (rows(20_000, 6, seed=3) > 0.5)
    mixing = torch.linalg.qr(rows(6, 6, seed=2)).Q
    whole = whitened(z @ mixing)
    basis, contrast = complete_basis(whole.rows, whole.gaussian_fourth, 4, 0)
    found = torch.nn.functional.normalize((basis @ whole.whiten.float()), dim=1) @ mixing.T
    assert float(found.abs().max(1).values.min()) > 0.99
    assert contrast > 0


def test_rows_without_a_feature_do_not_count():
    """They are one point, which has no direction; as many more of them as one likes change nothing."""
    x = known("overcomplete", "uniform", 8, 1, 2_000, seed=2)
    assert int((x == 0).all(1).sum()) > 500
    first = superposition_test(x, references=19, progress=False)
    more = superposition_test(torch.cat([x, torch.zeros(3_000, 8)]), references=19, progress=False)
    assert first.rows == more.rows < 1_500
    assert torch.equal(first.complete, more.complete)
    assert first.superposed


@pytest.mark.parametrize("law", ["Gaussian", "Student t, 3 degrees"])
def test_elliptical_laws_are_not_called_superposition(law):
    test = superposition_test(known(law, "none", 8, 0, 1_500, seed=3), references=19, progress=False)
    assert test.p_value > 0.05  # one seed of a test at the level of .05
    assert not test.superposed
    assert math.isnan(test.share_left) or test.p_elliptical <= 0.05


@pytest.mark.parametrize("law", ["complete", *CONTAMINATED[:3]])
def test_complete_bases_leave_no_share_even_where_scale_and_count_make_their_features_dependent(law):
    told = statistics(known(law, "uniform", 8, 2, 2_000, seed=11))
    assert told["z_structure"] > 10  # there is structure
    assert abs(share(told["left"], told["explained"])) < 0.02


@pytest.mark.parametrize(("values", "k"), [("uniform", 1), ("uniform", 4), ("signed", 4), ("binary", 4)])
def test_twice_as_many_sparse_features_as_dims_are_seen(values, k):
    test = superposition_test(known("overcomplete", values, 16, k, 3_000, seed=7), references=19, starts=4, progress=False)
    assert test.p_value == pytest.approx(0.05)
    assert test.superposed
    assert test.share_left > 0.07
    assert test.z_left > 5 * max(1.0, float(test.complete.max()))
    assert "superposition" in repr(test)


def test_noise_and_rates_that_differ_on_a_complete_basis_leave_too_little_to_be_called_superposition():
    """Their p values are small: they are no null. What is left of them is not much, and the verdict says so."""
    test = superposition_test(known("complete, noise .02", "uniform", 16, 4, 3_000, seed=3), references=19, starts=4, progress=False)
    assert test.p_value == pytest.approx(0.05)
    assert not test.superposed
    assert answer(test, {}).verdict.startswith("Undecided")
    assert "undecided" in repr(test)


def test_heavy_values_of_few_features_are_seen():
    """Log-normal values, one of 32 features on: a few rows would make up the moments, were rows not brought to one length."""
    on = torch.rand(4_000, 32, generator=torch.Generator().manual_seed(3)) < 1 / 32
    x = torch.where(on, rows(4_000, 32, seed=4).exp(), 0) @ torch.nn.functional.normalize(rows(32, 16, seed=5))
    test = superposition_test(x, references=19, starts=4, progress=False)
    assert test.superposed
    assert test.share_left > 0.2


@pytest.mark.parametrize("k", [1, 4])
def test_patterns_of_a_binary_complete_basis_are_no_superposition(k):
    """Each of some hundred patterns counts once, so that those of many features have more weight than they come with."""
    test = superposition_test(known("complete", "binary", 16, k, 4_000, seed=5), references=19, starts=4, progress=False)
    assert test.rows < 4_000
    assert test.p_complete > 0.05
    assert not test.superposed


def test_neurons_that_depend_on_each_other_are_called_superposition():
    """A limit that docs/audit.md tells of: rectified Gaussians are a complete basis, and leave some tenth."""
    x = (rows(3_000, 16, seed=1) @ rows(16, 16, seed=2)).relu()
    neurons = superposition_test(x, references=19, starts=2, progress=False)
    assert neurons.p_value == pytest.approx(0.05)
    assert 0.05 < neurons.share_left < 0.15


def test_few_dims_are_undecided_and_not_said_to_have_a_complete_basis():
    four = superposition_test(known("overcomplete", "uniform", 4, 1, 2_000, seed=1), references=19, progress=False)
    assert not four.testable
    assert "5 such dims" in answer(four, {}).verdict
    five = superposition_test(known("overcomplete", "uniform", 5, 1, 3_000, seed=1), references=19, progress=False)
    assert five.p_value == pytest.approx(0.05)
    assert "no complete basis" in answer(five, {}).verdict


def test_the_result_depends_on_nothing_but_rows_and_seed_and_steps_can_be_kept():
    x = known("overcomplete", "uniform", 6, 2, 800, seed=1)
    kept = {}

    def keep(step, compute):
        if step not in kept:
            kept[step] = compute()
        return kept[step]

    first = superposition_test(x, references=12, keep=keep, progress=False)
    calls = dict(kept)
    again = superposition_test(x, references=12, keep=keep, progress=False)
    alone = superposition_test(x, references=12, progress=False)
    assert kept == calls
    assert len(calls) == 2 + 2 * 2  # what survives, the observed, and two steps of at most ten draws a law
    for other in (again, alone):
        assert torch.equal(first.complete, other.complete)
        assert first.z_left == other.z_left


def test_statistics_are_those_of_the_test():
    x = known("overcomplete", "uniform", 6, 2, 800, seed=1)
    test, told = superposition_test(x, references=19, progress=False), statistics(x)
    assert told["z_left"] == test.z_left
    assert told["z_structure"] == test.z_structure
    assert told["explained"] == test.explained
    assert share(told["left"], test.explained) == test.share_left


def test_too_few_rows_and_constant_rows_are_said_and_not_tested():
    few = superposition_test(rows(LEAST_ROWS * 6 - 1, 6))
    assert not few.testable
    assert math.isnan(few.p_value)
    assert not few.superposed
    assert "too few" in repr(few)
    constant = superposition_test(torch.full((500, 6), 3.1))
    assert constant.rank == 0
    assert not constant.testable
    told = answer(constant, {})
    assert "nothing to test" in told.verdict
    assert "48 rows" not in told.verdict
    assert str(few.rank) in answer(few, {}).verdict


def test_rows_that_vary_in_fewer_dims_are_tested_in_these():
    x = known("overcomplete", "uniform", 6, 2, 1_000, seed=1)
    test = superposition_test(torch.cat([x, x[:, :2]], dim=1), references=19, progress=False)
    assert test.rank == 6
    assert test.p_value == pytest.approx(0.05)


def test_bad_rows_are_refused():
    with pytest.raises(ValueError, match=r"shape \(9, 3\).*must be rows of finite floating-point numbers"):
        superposition_test(torch.full((9, 3), math.nan))


def test_documents_are_spread_and_rows_that_are_alike_count_once():
    x = rows(60, 3)
    x[10:20] = x[0]
    picked, told = independent_rows(load(x), 1_000, 0)
    assert told == {"looked_at": 60, "alike": 10, "rows": 50, "documents": 0}
    assert len(picked.unique(dim=0)) == 50
    few, told = independent_rows(load(x), 5, 0)
    assert len(few) == 5


def test_one_row_of_each_document_comes_before_the_second_of_any(tmp_path):
    import tegum

    class Words(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(1_000, 4)

        def forward(self, input_ids):
            return self.table(input_ids)

    batches = [{"input_ids": torch.arange(40).reshape(4, 10) + 40 * i, "documents": torch.arange(4) + 4 * i} for i in range(5)]
    acts = tegum.activations.capture(Words(), "table", batches, tmp_path / "acts", progress=False)
    _, told = independent_rows(acts, 20, 0)
    assert told["rows"] == 20
    assert told["documents"] == 20


def test_the_answer_says_what_was_found_and_draws_it():
    x = load(known("overcomplete", "uniform", 12, 3, 2_000, seed=7))
    told = superposition(x, references=19, progress=False)
    names = [found.name for found in told.findings]
    assert told.verdict.startswith("Superposition")
    assert {"p_value", "p_elliptical", "p_complete", "share_left"} <= set(names)
    assert len(told.figures) == 1
    assert told.assumed
    assert type(told).from_json(told.to_json()).verdict == told.verdict


def test_too_few_draws_decide_nothing():
    test = superposition_test(known("overcomplete", "uniform", 8, 2, 2_000, seed=7), references=9, progress=False)
    assert test.p_value == pytest.approx(0.1)
    assert not test.superposed
    assert answer(test, {}).verdict.startswith("Undecided")


def test_too_few_rows_to_find_a_basis_are_said_and_call_nothing_superposition():
    """16 of 64 complete features on, 10 rows a dim: what the climb finds is noise, and it leaves interactions of true features."""
    test = superposition_test(known("complete", "uniform", 64, 16, 640, seed=0), references=19, progress=False)
    assert test.z_left > 10
    assert test.survives < 0.1
    assert math.isnan(test.p_complete)
    assert math.isnan(test.p_value)
    assert not test.superposed
    assert "too few" in answer(test, {}).verdict
    enough = superposition_test(known("complete", "uniform", 8, 2, 2_000, seed=0), references=19, progress=False)
    assert enough.survives > 0.8
