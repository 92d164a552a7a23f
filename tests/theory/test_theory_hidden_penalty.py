"""The penalty's exact cost is that of samples and of integrals; a lone feature's closed form is what minimising quadratures finds."""

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad, quad
from scipy.optimize import minimize

from tegum import theory
from tegum.features import Anticorrelated, Bernoulli, Correlated, ExactlyK, Zipf

N, M = 6, 3


def some_weights(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


@pytest.mark.parametrize(
    "features",
    [
        *(Bernoulli(n_features=N, density=0.3, values=kind) for kind in ("uniform", "binary", "signed", "gaussian")),
        Zipf(n_features=N, density=0.8),
        Correlated(n_features=N, n_sets=2, density=0.4),
        Anticorrelated(n_features=N, n_sets=3, density=0.7),
        ExactlyK(n_features=N, n_active=2, values="uniform"),
    ],
    ids=lambda features: f"{type(features).__name__}-{features.values}",
)
def test_what_hidden_activations_cost_is_the_mean_over_samples(features):
    W = some_weights(2, N, M)
    x = features.sample(100_000, seed=1, dtype=torch.float64).dense()
    each = (x @ W).abs().sum(-1)
    # 5 standard errors, 16 means: a false alarm once in 100,000 runs
    assert ((theory.hidden_l1(W, features) - each.mean(1)).abs() < 5 * each.std(1) / len(x) ** 0.5).all()


@pytest.mark.parametrize("density", [0.02, 0.5, 1.0])
def test_two_features_at_opposite_ends_of_a_neuron_pay_no_more_than_two_neurons_and_on_one_side_as_much(density):
    features = Bernoulli(n_features=2, density=density)
    apart, opposed, alike = (torch.tensor(W, dtype=torch.float64) for W in ([[0.9, 0], [0, 0.9]], [[0.9], [-0.9]], [[0.9], [0.9]]))
    # E |u - v| = 1/3 for two values in [0, 1], which both are on in p^2 of the samples
    assert float(theory.hidden_l1(opposed, features)) == pytest.approx(0.9 * (density * (1 - density) + density**2 / 3), abs=1e-14)
    assert float(theory.hidden_l1(apart, features)) == pytest.approx(0.9 * density, abs=1e-14)
    assert float(theory.hidden_l1(alike, features)) == pytest.approx(0.9 * density, abs=1e-14)


def by_quadrature(penalty, importance, density, w, b):
    """The objective of one feature on one neuron: off with chance 1 - p, else its value is integrated over [0, 1]."""

    def error(u):
        return importance * (u - max(w * w * u + b, 0)) ** 2 + penalty * abs(w * u)

    kink = -b / w**2 if w else 0.5
    on = quad(error, 0, 1, points=[min(max(kink, 0.0), 1.0)], epsabs=1e-13)[0]
    return density * on + (1 - density) * importance * max(b, 0) ** 2


@pytest.mark.parametrize("density", [0.02, 0.4, 1.0])
@pytest.mark.parametrize("penalty", [0.0, 0.1, 0.3, 0.5, 0.8, 1.2])
def test_a_lone_feature_is_what_the_least_of_all_weights_and_biases_is(density, penalty):
    importance, variance = 0.9, density / 3 - density**2 / 4
    found = theory.lone_feature(penalty, importance, density / 2, variance)
    starts = [(w, b) for w in (0.0, 0.5, 0.85, 1.1) for b in (-0.2, 0.0, 0.3)]
    ends = [
        minimize(
            lambda at: by_quadrature(penalty, importance, density, *at),
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-14},
        )
        for start in starts
    ]
    best = min(ends, key=lambda end: end.fun)
    assert float(found.objective) == pytest.approx(best.fun, abs=1e-9)
    # the objective is flat at its least: what is right to 1e-13 there is right to about the root of it in the weight
    assert float(found.norm) == pytest.approx(abs(best.x[0]), abs=2e-5 if density > 0.1 else 1e-4)
    assert float(found.loss) == pytest.approx(
        by_quadrature(0.0, importance, density, float(found.norm), (1 - found.norm**2) * density / 2), abs=1e-12
    )


@pytest.mark.parametrize("density", [0.01, 0.3, 1.0])
def test_the_border_is_where_a_feature_of_norm_root_two_thirds_costs_as_much_as_none(density):
    mean, variance = density / 2, density / 3 - density**2 / 4
    border = float(theory.lone_border(0.7, mean, variance))
    below, above = (theory.lone_feature(border * factor, 0.7, mean, variance) for factor in (1 - 1e-9, 1 + 1e-9))
    assert float(below.norm) == pytest.approx((2 / 3) ** 0.5, abs=1e-8)
    assert float(above.norm) == 0
    assert float(below.objective) == pytest.approx(0.7 * variance, rel=1e-8)
    assert float(above.loss) == pytest.approx(0.7 * variance, rel=1e-14)
    # 4 sqrt(2/3) I v / 3m, v/m = 2/3 - p/2
    assert border == pytest.approx(0.7 * (8 / 9) * (2 / 3) ** 0.5 * (1 - 0.75 * density), rel=1e-12)


def test_the_closed_form_is_the_exact_loss_of_its_network():
    density, penalty, importance = 0.2, 0.3, np.array([1.0, 0.8])
    mean, variance = density / 2, density / 3 - density**2 / 4
    found = theory.lone_feature(penalty, importance, mean, variance)
    W, b = torch.diag(torch.from_numpy(found.norm)), torch.from_numpy((1 - found.norm**2) * mean)
    features = Bernoulli(n_features=2, density=density)
    loss = float(theory.expected_loss(W, b, features, importance, "sum"))
    assert loss == pytest.approx(found.loss.sum(), rel=1e-12)
    assert loss + penalty * float(theory.hidden_l1(W, features)) == pytest.approx(found.objective.sum(), rel=1e-12)


def test_what_never_varies_or_does_not_matter_is_dropped_by_any_penalty_and_kept_by_none():
    found = theory.lone_feature([0.0, 0.1, 0.0, 0.1], [0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.0, 0.0], [0.1, 0.1, 0.1, 0.1])
    assert found.norm.tolist() == pytest.approx([1, 0, 1, 1])
    assert theory.lone_border([0.0, 1.0], [0.5, 0.0], 0.1).tolist() == [0, np.inf]


def test_bad_input_is_told_in_a_line():
    with pytest.raises(ValueError, match="penalty must be finite and not negative, got -1"):
        theory.lone_feature(-1, 1, 1, 1)
    with pytest.raises(ValueError, match="variance must be finite and not negative, got nan"):
        theory.lone_border(1, 1, float("nan"))
    with pytest.raises(ValueError, match=r"W has shape \(6, 3\) but the distribution has 5 features"):
        theory.hidden_l1(some_weights(N, M), Bernoulli(n_features=5, density=0.1))
    with pytest.raises(ValueError, match="supports"):
        theory.hidden_l1(some_weights(40, M), Bernoulli(n_features=40, density=0.1))


def pair_and_two_neurons(penalty, density):
    """The exact objective of two features of importance 1 on one neuron and on two, at the closed form's norm for one, per density squared."""
    features, found = Bernoulli(n_features=2, density=density), theory.lone_feature(penalty, 1.0, density / 2, density / 3 - density**2 / 4)
    w, b = float(found.norm), torch.full((2,), (1 - float(found.norm) ** 2) * density / 2, dtype=torch.float64)
    ways = torch.tensor([[w], [-w]], dtype=torch.float64), w * torch.eye(2, dtype=torch.float64)
    each = [theory.expected_loss(W, b, features, None, "sum") + penalty * theory.hidden_l1(W, features) for W in ways]
    return np.array([float(one) for one in each]) / density**2


@pytest.mark.parametrize("factor", [0.9, 0.99, 1.01, 1.1, 1.2])
def test_rare_features_are_better_off_on_one_neuron_from_82_percent_of_the_penalty_that_drops_them(factor):
    """At p = 1e-4 the pair's own best norm and bias would change its objective by less than p of the difference."""
    assert pytest.approx(0.824, abs=1e-3) == theory.SHARED_FROM / float(theory.lone_border(1, 1 / 2, 1 / 3))
    shared, apart = pair_and_two_neurons(factor * theory.SHARED_FROM, 1e-4)
    assert (shared < apart) == (factor > 1)


def test_what_sharing_saves_and_loses_is_what_the_two_integrals_say():
    penalty, density = 0.65, 1e-4
    w = float(theory.lone_feature(penalty, 1.0, density / 2, density / 3).norm)

    def loss(u, v):
        return (u - max(w * w * (u - v), 0)) ** 2 - (u - w * w * u) ** 2

    interference = 2 * dblquad(loss, 0, 1, 0, 1, epsabs=1e-9)[0]
    saved = penalty * w * dblquad(lambda u, v: u + v - abs(u - v), 0, 1, 0, 1, epsabs=1e-9)[0]
    assert interference == pytest.approx(5 * w**2 / 6 - w**4 / 2, abs=1e-6)
    assert saved == pytest.approx(2 * penalty * w / 3, abs=1e-6)
    shared, apart = pair_and_two_neurons(penalty, density)
    assert shared - apart == pytest.approx(interference - saved, abs=10 * density)
