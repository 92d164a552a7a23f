"""Metrics are their formulas, tell apart what tools of the field call alike, and find features whatever their order."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, r2_score

from tegum.features import SparseCodes
from tegum.learning import metrics

X = torch.randn(200, 6, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 2, 1, 1, 0.5, 0.1]) + 4
Y = 0.8 * X + 0.1 * torch.randn(200, 6, generator=torch.Generator().manual_seed(1))


def test_explained_variance_is_what_scikit_learn_calls_r2_weighted_by_variance():
    assert metrics.explained_variance(X, Y) == pytest.approx(r2_score(X, Y, multioutput="variance_weighted"), abs=1e-6)


def test_the_three_explained_variances_are_three():
    """A constant error is none to the centred one; a row near the mean weighs on the legacy one as much as any other."""
    off = X + 1.0
    assert metrics.explained_variance_centred(X, off) == pytest.approx(1, abs=1e-6)
    assert metrics.explained_variance(X, off) < 0.9
    x = torch.tensor([[1.0, 0], [-1.0, 0], [0.1, 0], [-0.1, 0]])
    y = x + torch.tensor([[0.0, 0.1]])
    assert metrics.explained_variance(x, y) == pytest.approx(1 - 0.04 / 2.02)
    assert metrics.explained_variance_legacy(x, y) == pytest.approx(np.mean([1 - 0.01, 1 - 0.01, 0, 0]), abs=1e-6)


def test_a_perfect_reconstruction_a_mean_and_a_constant():
    assert metrics.explained_variance(X, X) == 1
    assert metrics.explained_variance(X, X.mean(0).expand_as(X)) == pytest.approx(0, abs=1e-6)
    assert np.isnan(metrics.explained_variance(torch.ones(3, 2), torch.ones(3, 2)))
    assert metrics.mean_cosine(X, 0.5 * X) == pytest.approx(1)
    assert metrics.norm_ratio(X, 0.5 * X) == pytest.approx(0.5)


def test_shrinkage_is_the_factor_that_undoes_it():
    g = metrics.shrinkage(X, Y)
    best = min(np.linspace(0.5, 1.2, 701), key=lambda factor: float((Y / factor - X).square().sum()))
    assert g == pytest.approx(best, abs=1e-3)
    assert metrics.shrinkage(X, 0.7 * X) == pytest.approx(0.7)


def test_counts_of_codes_are_the_same_for_lists_and_tables():
    z = SparseCodes(torch.tensor([[0, 3, -1], [3, 1, 2]]), torch.tensor([[1.0, 0.0, 0.0], [2.0, 1.0, -1.0]]), 5)
    for codes in (z, z.dense()):
        assert metrics.mean_l0(codes) == 2
        assert metrics.firing_rates(codes).tolist() == [0.5, 0.5, 0.5, 0.5, 0.0]
        assert metrics.dead_share(codes) == pytest.approx(0.2)


@given(seed=st.integers(0, 1000), true=st.integers(1, 5), found=st.integers(1, 5))
def test_the_assignment_is_the_best_of_all(seed, true, found):
    scores = torch.from_numpy(np.random.default_rng(seed).normal(size=(true, found)))
    matched = metrics.match(scores)
    few, many = min(true, found), max(true, found)
    table = scores.numpy() if true <= found else scores.numpy().T
    best = max(sum(table[i, p[i]] for i in range(few)) for p in permutations(range(many), few))
    assert float(matched.score.sum()) == pytest.approx(best)
    assert (matched.found >= 0).sum() == few


def test_directions_and_codes_are_found_whatever_their_order_and_scale_but_not_their_sign():
    generator = torch.Generator().manual_seed(0)
    D, order = torch.randn(7, 20, generator=generator), torch.randperm(7, generator=generator)
    found = torch.cat([3 * D[order], torch.randn(4, 20, generator=generator)])
    matched = metrics.matched_directions(D, found)
    assert matched.mean == pytest.approx(1)
    assert order[matched.found].tolist() == list(range(7))
    assert metrics.matched_directions(D, -D).mean < 0.5
    z = torch.rand(500, 7, generator=generator)
    assert metrics.matched_codes(z, 2 * z[:, order] + 1).mean == pytest.approx(1)
    assert metrics.matched_codes(z, torch.ones(500, 7)).mean == pytest.approx(0, abs=1e-9)


def test_fewer_found_than_true_leaves_true_ones_without_a_partner():
    matched = metrics.matched_directions(torch.eye(4), torch.eye(4)[:3])
    assert sorted(matched.found.tolist()) == [-1, 0, 1, 2]
    assert matched.mean == pytest.approx(0.75)
    assert "mean 0.75" in repr(matched)
    assert len(matched.to_dataframe()) == 4


def test_one_to_one_scores_are_those_of_scikit_learn_once_features_are_paired():
    rng = np.random.default_rng(0)
    true, noise = rng.random((300, 5)) < 0.3, rng.random((300, 5)) < 0.1
    found = torch.from_numpy(true ^ noise)[:, [2, 0, 4, 1, 3]]
    scores = metrics.one_to_one_scores(torch.from_numpy(true), found)
    assert scores.f1 == pytest.approx(f1_score(true, true ^ noise, average="micro"))
    extra = metrics.one_to_one_scores(torch.from_numpy(true), torch.cat([found, torch.ones(300, 1, dtype=torch.bool)], dim=1))
    assert extra.recall == scores.recall
    assert extra.precision < scores.precision


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: metrics.explained_variance(X, Y[:5]), r"shape \(200, 6\), its reconstruction \(5, 6\)"),
        (lambda: metrics.explained_variance(X[:0], Y[:0]), "there are no rows"),
        (lambda: metrics.matched_directions(X, Y[:, :3]), "true directions have 6 dims, found ones 3"),
        (lambda: metrics.matched_codes(X, Y[:5]), "200 rows of true codes and 5 of found ones"),
    ],
)
def test_what_does_not_go_together_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()
