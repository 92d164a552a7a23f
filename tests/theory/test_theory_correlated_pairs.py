"""Correlated pairs and principal components: against BFGS, random linear models, and each other where two families cost the same."""

import pytest
import torch

from tegum.features import Anticorrelated, Bernoulli
from tegum.theory import best_linear_loss, collapse_border, covariance, expected_loss, optimal_loss, pair_minima, three_pairs


def test_the_covariance_of_a_pair_that_is_on_together():
    p = 0.3
    found = covariance(three_pairs(p))
    assert found[0, :3].tolist() == pytest.approx([p / 3 - p**2 / 4, p / 4 - p**2 / 4, 0], abs=1e-15)


@pytest.mark.parametrize("p", [0.05, 0.6])
def test_the_best_linear_model_of_three_pairs_by_hand(p):
    """Kept: the sums of two pairs. Lost: the sum of the third, variance p/3 + p/4 - p^2/2 along a unit vector, and three differences, p/12 each."""
    assert best_linear_loss(three_pairs(p), 2, "sum") == pytest.approx((7 / 12 - p / 2) * p + p / 4, rel=1e-12)
    assert best_linear_loss(three_pairs(p), 2) == pytest.approx(best_linear_loss(three_pairs(p), 2, "sum") / 6, rel=1e-15)


@pytest.mark.parametrize(
    "features", [Bernoulli(n_features=5, density=[0.1, 0.9, 0.3, 0.2, 0.5]), Anticorrelated(n_features=6, n_sets=2, density=0.8)]
)
def test_principal_components_cost_that_and_nothing_linear_costs_less(features):
    axes = torch.linalg.eigh(covariance(features)).eigenvectors
    W = axes[:, -2:]
    b = features.mean() - W @ (W.mT @ features.mean())
    least = best_linear_loss(features, 2)
    assert float(expected_loss(W, b, features, model="linear")) == pytest.approx(least, rel=1e-12)
    generator = torch.Generator().manual_seed(0)
    near = W + 0.1 * torch.randn(200, *W.shape, dtype=torch.float64, generator=generator)
    mean = features.mean()
    biases = mean - (near @ (near.mT @ mean[:, None]))[..., 0]
    assert float(expected_loss(near, biases, features, model="linear").min()) > least


def test_as_many_dims_as_features_lose_nothing():
    assert best_linear_loss(three_pairs(0.2), 6) == 0


@pytest.mark.parametrize(("density", "collapsed"), [(0.04, [0, 1, 2, 3, 3, 3]), (0.6, [3, 3, 3, 3, 3, 3])])
def test_each_start_leads_to_a_minimum_that_bfgs_does_not_improve(density, collapsed):
    found = pair_minima(density)
    assert found.collapsed.tolist() == collapsed
    least = int(found.loss.argmin())
    alone = optimal_loss(three_pairs(density), 2, starts=0, initial=[(found.W[least], found.b[least])])
    # a gain of 1e-10 a round ends one, slopes of 1e-8 the other
    assert float(found.loss[least]) == pytest.approx(alone.loss, rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("density", [0.04, 0.1, 0.3, 0.6])
def test_no_random_start_finds_a_better_minimum(density):
    assert float(pair_minima(density).loss.min()) <= optimal_loss(three_pairs(density), 2, starts=24, seed=1).loss * (1 + 1e-6)


@pytest.mark.parametrize(("collapsed", "density"), [(0, 0.0713272), (1, 0.1409380), (2, 0.3936228)])
def test_on_either_side_of_a_border_another_family_costs_less(collapsed, density):
    border = collapse_border(collapsed)
    assert border == pytest.approx(density, abs=1e-6)
    for side, fewer_cost_less in ((0.98, True), (1.02, False)):
        loss = pair_minima(border * side).loss
        assert (float(loss[collapsed]) < float(loss[collapsed + 1])) is fewer_cost_less
    at = pair_minima(border)
    assert at.collapsed[collapsed : collapsed + 2].tolist() == [collapsed, collapsed + 1]
    assert float(at.loss[collapsed]) == pytest.approx(float(at.loss[collapsed + 1]), rel=1e-7)


@pytest.mark.parametrize("collapsed", [-1, 3])
def test_there_is_no_border_beyond_none_and_all(collapsed):
    with pytest.raises(ValueError, match="0, 1 and 2"):
        collapse_border(collapsed)
