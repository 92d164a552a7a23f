"""The phases with free weights and biases: local minima side by side, against one BFGS at a time."""

import numpy as np
import pytest
import torch

from tegum.features import Bernoulli
from tegum.geometry import represented
from tegum.theory import (
    best_one_dim,
    best_two_dim,
    expected_loss,
    local_minima,
    one_dim_boundaries,
    one_dim_candidates,
    one_dim_minima,
    one_dim_models,
    optimal_loss,
    pair_border,
    polygon,
    two_dim_minima,
)


def test_bfgs_finds_nothing_below_the_least_minimum():
    for found, n in ((one_dim_minima(0.4, np.array([0.3, 1.0])), 2), (two_dim_minima(0.5623, np.array([0.5, 1.0])), 3)):
        features = Bernoulli(n_features=n, density=0.4 if n == 2 else 0.5623)
        for k, r in enumerate((0.3, 1.0) if n == 2 else (0.5, 1.0)):
            start = int(found.loss[k].argmin())
            initial = [(found.W[k, start], found.b[k, start])]
            finished = optimal_loss(features, n - 1, [*[1.0] * (n - 1), r], starts=0, reduction="sum", initial=initial)
            assert float(found.loss[k, start]) == pytest.approx(finished.loss, rel=1e-6)


@pytest.mark.parametrize(("s", "r"), [(0.1, 0.3), (0.65, 1.0)])
def test_side_by_side_is_the_best_that_bfgs_finds_for_two_features_in_one_dim(s, r):
    assert float(one_dim_minima(s, np.array([r])).loss.min()) == pytest.approx(best_one_dim(s, r, starts=2).loss, rel=1e-6)


@pytest.mark.parametrize("s", [0.1963, 0.2057, 0.2719, 0.4, 0.6])
def test_no_minimum_is_missed_that_drops_a_feature_altogether(s):
    """Near the border a start that leans towards the pair falls into it, past a lower minimum: trained networks found it first."""
    r = np.geomspace(0.05, 1, 25)
    r = np.concatenate([r, 1 / r])
    dropped = np.minimum(r, 1) * (s / 3 - s**2 / 4)
    assert (one_dim_minima(s, r).loss.min(1).values.numpy() <= dropped * (1 + 1e-9)).all()


@pytest.mark.slow
@pytest.mark.parametrize("s", [0.1, 0.3, 0.4, 0.5, 0.5623, 0.631, 0.7943])
def test_no_random_start_finds_a_better_model_of_three_features_in_two_dims(s):
    r = np.array([0.3, 0.45, 0.7, 0.85, 1.2, 2.2, 5.0])
    found = two_dim_minima(s, r).loss.min(1).values
    for k, ratio in enumerate(r):
        assert float(found[k]) <= best_two_dim(s, ratio, starts=24).loss * (1 + 1e-6)


def test_each_minimum_is_the_loss_of_its_weights_and_flat():
    for found, n in ((one_dim_minima(0.5, np.array([0.6, 3.0])), 2), (two_dim_minima(0.5, np.array([0.6, 3.0])), 3)):
        features = Bernoulli(n_features=n, density=0.5)
        for k, r in enumerate((0.6, 3.0)):
            tried = found.loss[k].isfinite()
            W, b = found.W[k][tried].requires_grad_(), found.b[k][tried].requires_grad_()
            loss = expected_loss(W, b, features, [*[1.0] * (n - 1), r], "sum")
            assert loss.tolist() == pytest.approx(found.loss[k][tried].tolist(), rel=1e-9)
            # a gain of 1e-10 a round is what ends it: slopes are then at most about sqrt(2e-10 * curvature 1) = 1.4e-5 of the loss's scale
            assert all(float(slope.abs().max()) < 3e-5 * max(1, r) for slope in torch.autograd.grad(loss.sum(), (W, b)))


def test_three_features_share_two_dims_where_they_are_dense_and_alike_and_only_there():
    importances = np.array([0.3, 1.0, 3.0])
    dense, rare = two_dim_minima(0.6, importances), two_dim_minima(0.2, importances)
    assert dense.loss.argmin(1).tolist()[1] == 5
    W = dense.W[1, 5]
    assert bool(represented(W).all())
    cosines = torch.nn.functional.normalize(W, dim=1) @ torch.nn.functional.normalize(W, dim=1).T
    assert float(cosines.min()) > -0.8
    assert not dense.loss[[0, 2], 5].isfinite().any()
    assert not rare.loss[:, 5].isfinite().any()


def test_a_model_descends_from_a_saddle_only_when_it_is_pushed():
    features, (W, b) = Bernoulli(n_features=2, density=0.05), one_dim_models(0.05)["extra dropped"]
    stay = local_minima(W[None], b[None], features, [1.0, 1.0], "sum")
    pushed = local_minima(W[None] - 0.3 * torch.tensor([[[0.0], [1.0]]]), b[None], features, [1.0, 1.0], "sum")
    assert float(stay[2]) == pytest.approx(float(one_dim_candidates(0.05, 1.0)["extra dropped"]), rel=1e-12)
    assert float(pushed[2]) < 0.1 * float(stay[2])


def test_local_minima_of_five_features_in_two_dims_are_those_of_bfgs():
    features = Bernoulli(n_features=5, density=0.03)
    W, b, loss = local_minima(polygon(5)[None], torch.zeros(1, 5, dtype=torch.float64), features)
    alone = optimal_loss(features, 2, starts=0, initial=[(polygon(5), torch.zeros(5, dtype=torch.float64))])
    assert float(loss) == pytest.approx(alone.loss, rel=1e-6)
    assert expected_loss(W, b, features).item() == pytest.approx(float(loss), rel=1e-9)


@pytest.mark.parametrize("s", [0.1, 0.4, 0.55])
def test_on_the_border_the_pair_costs_what_dropping_costs(s):
    r = pair_border(s)
    start = (torch.tensor([[0.9], [-0.9]], dtype=torch.float64), torch.full((2,), 0.2 * s, dtype=torch.float64))
    pair = optimal_loss(Bernoulli(n_features=2, density=s), 1, (1.0, r), starts=0, reduction="sum", initial=[start])
    assert bool(represented(pair.W).all())
    assert pair.loss == pytest.approx(float(one_dim_candidates(s, r)["extra dropped"]), rel=3e-3)  # a dropped one's lean gains less
    assert best_one_dim(s, 1.03 * r, starts=1).loss < (1 - 5e-3) * float(one_dim_candidates(s, 1.03 * r)["extra dropped"])


def test_the_border_lies_below_the_closed_form_and_meets_its_inverse_beyond_the_triple_point():
    lower = [np.log(pair_border(s) / float(one_dim_boundaries(s).lower)) for s in (0.02, 0.2, 0.5012)]
    assert lower == pytest.approx([-0.159, -0.158, -0.219], abs=2e-3)
    assert pair_border(0.69) < 1
    assert pair_border(0.75) == 1


@pytest.mark.parametrize("s", [0.0, 1.0, float("nan")])
def test_no_border_where_nothing_or_everything_is_on(s):
    with pytest.raises(ValueError, match="between 0 and 1"):
        pair_border(s)
