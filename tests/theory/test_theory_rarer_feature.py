"""The pentagon and the two digons with one feature rarer: against explicit models, BFGS, and each other where they cross."""

import math

import numpy as np
import pytest
import torch

from tegum.theory import (
    bent_pentagons,
    best_polygon,
    digon_crossings,
    expected_loss,
    one_rarer,
    optimal_loss,
    polygon,
    two_digons_loss,
)


def test_two_digons_cost_what_that_model_costs():
    density = 0.3
    pair = best_polygon(2, density)
    W, b = torch.zeros(5, 2, dtype=torch.float64), torch.full((5,), pair.bias, dtype=torch.float64)
    W[1:] = pair.norm * polygon(4)
    ratios = np.array([1.0, 3.0, 40.0])
    told = two_digons_loss(density, ratios)
    for i, ratio in enumerate(ratios):
        for loss, bias in ((told.mean, density / ratio / 2), (told.silent, -0.3)):
            b[0] = bias
            assert loss[i] == pytest.approx(float(expected_loss(W, b, one_rarer(density, ratio), reduction="sum")), abs=1e-15)


def test_at_ratio_1_the_pentagon_is_the_regular_one():
    assert float(bent_pentagons(0.05, [1.0]).loss) == pytest.approx(best_polygon(5, 0.05).loss, rel=1e-9)


def test_the_bent_pentagon_is_the_minimum_that_bfgs_finds_beside_it():
    found = bent_pentagons(0.05, [4.0])
    near = found.W[0] + 0.03 * torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    alone = optimal_loss(one_rarer(0.05, 4.0), 2, starts=0, reduction="sum", initial=[(near, found.b[0])])
    assert bool((alone.W.norm(dim=1) > 0.9).all())
    # a gain of 1e-10 a round ends one, slopes of 1e-8 the other
    assert float(found.loss) == pytest.approx(alone.loss, rel=1e-8)


def test_what_is_found_does_not_depend_on_the_ratios_before_it():
    assert bent_pentagons(0.05, (1.2, 2.2, 4.0)).loss[-1] == pytest.approx(float(bent_pentagons(0.05, [4.0]).loss), rel=1e-8)


def test_a_pentagon_ends_where_its_rare_feature_is_lost():
    lost = bent_pentagons(0.05, (7.0, 10.0, 12.0)).loss
    assert lost.isnan().tolist() == [False, True, True]


@pytest.mark.parametrize("density", [0.05, *(pytest.param(p, marks=pytest.mark.slow) for p in (0.01, 0.2))])
def test_at_the_crossings_both_cost_the_same(density):
    first, second = digon_crossings(density)
    ratios = np.array([first / 1.01, first, second, second * 1.01])
    pentagon, digons = bent_pentagons(density, ratios.tolist()).loss.numpy(), two_digons_loss(density, ratios)
    # the search ends at 1e-7 of q, a pentagon at 1e-10 of its loss
    assert pentagon[1] == pytest.approx(digons.mean[1], rel=1e-6)
    assert pentagon[2] == pytest.approx(digons.silent[2], rel=1e-6)
    assert pentagon[0] < digons.mean[0] * (1 - 1e-3)
    assert pentagon[3] > digons.silent[3] * (1 + 1e-3)


def test_pentagons_of_dense_features_end_before_they_cross():
    assert all(math.isnan(ratio) for ratio in digon_crossings(0.3))


@pytest.mark.parametrize("density", [0.0, 1.0, float("nan")])
def test_no_crossing_where_nothing_or_everything_is_on(density):
    with pytest.raises(ValueError, match="between 0 and 1"):
        digon_crossings(density)


@pytest.mark.parametrize("ratios", [(), (0.5, 2.0), (3.0, 2.0)])
def test_ratios_that_do_not_ascend_from_1_are_refused(ratios):
    with pytest.raises(ValueError, match="must ascend"):
        bent_pentagons(0.05, ratios)
