"""Phase diagrams of two features in one dim and three in two."""

import numpy as np
import pytest
import torch
from scipy import integrate

from tegum.features.bernoulli import Bernoulli
from tegum.theory import (
    ONE_DIM_PHASES,
    TWO_DIM_PHASES,
    best_one_dim,
    best_two_dim,
    expected_loss,
    one_dim_boundaries,
    one_dim_candidates,
    one_dim_models,
    one_dim_phase,
    optimal_loss,
    triple_point,
    two_dim_candidates,
    two_dim_models,
    two_dim_phase,
)

GRID = [(s, r) for s in (1.0, 0.6, 0.2, 0.01) for r in (0.1, 1.0, 4.0)]


@pytest.mark.parametrize(("s", "r"), GRID)
def test_each_closed_form_is_the_exact_loss_of_its_model(s, r):
    for n, importance, candidates, models in (
        (2, (1.0, r), one_dim_candidates(s, r), one_dim_models(s)),
        (3, (1.0, 1.0, r), two_dim_candidates(s, r), two_dim_models(s)),
    ):
        assert list(candidates) == list(models)
        for name, (W, b) in models.items():
            exact = expected_loss(W, b, Bernoulli(n_features=n, density=s), importance, reduction="sum").item()
            assert float(candidates[name]) == pytest.approx(exact, abs=4e-16 * (1 + r))


def test_an_antipodal_pair_costs_the_square_of_the_smaller_feature():
    both, _ = integrate.dblquad(lambda y, x: (x - max(x - y, 0)) ** 2, 0, 1, 0, lambda x: x)
    rest, _ = integrate.dblquad(lambda y, x: (x - max(x - y, 0)) ** 2, 0, 1, lambda x: x, 1)
    assert both + rest == pytest.approx(1 / 6, abs=1e-12)
    assert float(one_dim_candidates(0.3, 0.5)["antipodal"]) == pytest.approx(1.5 * 0.09 / 6, rel=1e-14)


def test_the_boundaries_are_where_two_candidates_tie():
    s = np.linspace(0.01, 0.57, 20)
    lower, upper = one_dim_boundaries(s)
    for r, dropped in ((lower, "extra dropped"), (upper, "first dropped")):
        losses = one_dim_candidates(s, r)
        assert losses[dropped] == pytest.approx(losses["antipodal"], rel=1e-12)
    assert [ONE_DIM_PHASES[i] for i in one_dim_phase(0.2, [0.1, 0.2, 5.0, 8.0])] == [
        "extra dropped",
        "antipodal",
        "antipodal",
        "first dropped",
    ]
    assert np.all(np.asarray(one_dim_boundaries([0.6, 1.0])) == 1)
    assert tuple(float(v) for v in one_dim_boundaries(0.0)) == (0.0, np.inf)


def test_all_three_phases_tie_at_the_triple_point():
    losses = list(one_dim_candidates(*triple_point()).values())
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-14)


def test_a_more_important_extra_feature_lets_the_first_two_share():
    names = [TWO_DIM_PHASES[i] for i in two_dim_phase(0.2, [0.1, 0.5, 2.0])]
    assert names == ["extra dropped", "extra shares a dim", "first two share a dim"]
    assert TWO_DIM_PHASES[int(two_dim_phase(0.7, 2.0))] == "first dropped"


@pytest.mark.parametrize(("s", "r"), [(0.1, 1.0), (4 / 7, 1.0), (1.0, 0.5)])
def test_the_best_model_is_no_worse_than_a_grid_of_models_and_the_candidates(s, r):
    best = best_one_dim(s, r, starts=6)
    importance, features = (1.0, r), Bernoulli(n_features=2, density=s)
    assert best.loss <= min(float(v) for v in one_dim_candidates(s, r).values()) + 1e-15
    assert expected_loss(best.W, best.b, features, importance, "sum").item() == pytest.approx(best.loss, abs=1e-15)
    axes = np.meshgrid(np.linspace(0, 1.3, 14), np.linspace(-1.3, 1.3, 27), *[np.linspace(-0.4, 0.8, 13)] * 2, indexing="ij")
    grid = np.stack([a.ravel() for a in axes], -1)
    losses = expected_loss(torch.from_numpy(grid[:, :2, None].copy()), torch.from_numpy(grid[:, 2:].copy()), features, importance, "sum")
    assert best.loss <= losses.min().item() + 1e-12


def test_an_antipodal_pair_does_better_with_a_small_positive_bias():
    best = best_one_dim(4 / 7, 1.0, starts=4)
    assert best.loss == pytest.approx(0.0934220112, abs=1e-9)  # 14% under the candidates' 16/147
    assert float(best.W.prod()) < 0
    assert float(best.b.min()) > 0.1


@pytest.mark.slow
def test_three_features_in_two_dims_do_no_worse_than_the_candidates():
    for s, r in ((0.3, 0.5), (0.7, 2.0)):
        assert best_two_dim(s, r, starts=6).loss < 0.98 * min(float(v) for v in two_dim_candidates(s, r).values())


def test_a_linear_regime_is_pca():
    best = optimal_loss(Bernoulli(n_features=2, density=1.0), 1, [1.0, 0.25], starts=4)
    assert best.loss == pytest.approx(0.25 / 12 / 2, rel=1e-9)  # mean over features of the dropped one's weighted variance


@pytest.mark.parametrize(("s", "r"), [(-0.1, 1.0), (1.1, 1.0), (0.5, -1.0), (float("nan"), 1.0)])
def test_impossible_densities_and_importances_are_refused(s, r):
    with pytest.raises(ValueError, match="density must be in"):
        one_dim_candidates(s, r)
