"""The exact expected loss against sums, integrals and samples."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy import integrate

from tegum.features.anticorrelated import Anticorrelated
from tegum.features.bernoulli import Bernoulli
from tegum.features.correlated import Correlated
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.features.zipf import Zipf
from tegum.theory import expected_loss

VALUES = ("uniform", "binary", "signed", "gaussian")
IMPORTANCE = (1.0, 0.7, 0.5, 0.3)
DISTRIBUTIONS = [
    *(Bernoulli(n_features=4, density=0.4, values=v) for v in VALUES),
    *(Correlated(n_features=4, n_sets=2, density=0.5, values=v) for v in VALUES),
    Bernoulli(n_features=4, density=[0.1, 0.4, 0.7, 1.0]),
    Anticorrelated(n_features=4, n_sets=2, density=0.6),
    ExactlyK(n_features=4, n_active=3, values="uniform"),
    OneHot(n_features=4, density=0.8, values="signed"),
    Zipf(n_features=4, density=0.9),
]


def model(instances=(), n=4, m=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    W = torch.randn(*instances, n, m, dtype=torch.float64, generator=generator)
    return W, 0.3 * torch.randn(*instances, n, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("kind", ["relu", "linear"])
@pytest.mark.parametrize("features", DISTRIBUTIONS, ids=lambda f: f"{type(f).__name__}-{f.values}")
def test_it_is_the_mean_of_the_sampled_loss(features, kind):
    W, b = model()
    x = features.sample(200_000, seed=1).dense().double()
    output = x @ W @ W.T + b
    samples = (torch.tensor(IMPORTANCE, dtype=torch.float64) * (x - (output.clamp(min=0) if kind == "relu" else output)).square()).mean(-1)
    exact = expected_loss(W, b, features, IMPORTANCE, model=kind)
    standard_error = samples.std().item() / len(samples) ** 0.5
    assert exact.item() == pytest.approx(samples.mean().item(), abs=4.5 * standard_error)  # 26 such tests: one false alarm in 6,000 seeds


@pytest.mark.parametrize("kind", ["relu", "linear"])
@pytest.mark.parametrize("values", ["binary", "signed"])
def test_discrete_values_equal_the_sum_over_every_input(values, kind):
    W, b = model(n=3)
    p, levels = 0.3, {"binary": {0: 0.7, 1: 0.3}, "signed": {0: 0.7, 1: 0.15, -1: 0.15}}[values]
    total = 0.0
    for x in product(levels, repeat=3):
        inputs = torch.tensor(x).double()
        output = inputs @ W @ W.T + b
        total += np.prod([levels[v] for v in x]) * (inputs - (output.clamp(min=0) if kind == "relu" else output)).square().sum().item()
    exact = expected_loss(W, b, Bernoulli(n_features=3, density=p, values=values), reduction="sum", model=kind)
    assert exact.item() == pytest.approx(total, rel=1e-14)


def test_two_uniform_features_equal_adaptive_quadrature():
    W, b = model(n=2, m=1, seed=3)
    gains, offset, p = (W @ W.T).numpy(), b.numpy(), 0.35

    def error(*x):
        x = np.array(x)
        return float(((x - np.maximum(gains @ x + offset, 0)) ** 2).sum())

    zero, first = error(0, 0), integrate.quad(lambda x: error(x, 0), 0, 1, points=[0.2, 0.5], epsabs=1e-12)[0]
    second = integrate.quad(lambda y: error(0, y), 0, 1, epsabs=1e-12)[0]
    both = integrate.dblquad(lambda y, x: error(x, y), 0, 1, 0, 1, epsabs=1e-10)[0]
    expected = (1 - p) ** 2 * zero + p * (1 - p) * (first + second) + p**2 * both
    exact = expected_loss(W, b, Bernoulli(n_features=2, density=p), reduction="sum")
    assert exact.item() == pytest.approx(expected, abs=1e-8)  # what dblquad reaches over the kink


def test_an_output_that_never_clips_is_linear():
    W, _ = model(n=5, m=3)
    b = (W @ W.T).clamp(max=0).sum(-1).neg()  # keeps every output at 0 or above
    features = Bernoulli(n_features=5, density=0.3)
    assert expected_loss(W, b, features).item() == pytest.approx(expected_loss(W, b, features, model="linear").item(), rel=1e-13)


def test_a_perfect_model_costs_nothing_and_a_silent_one_the_second_moment():
    features = Bernoulli(n_features=6, density=0.2)
    assert expected_loss(torch.eye(6), None, features).item() == pytest.approx(0, abs=1e-16)
    assert expected_loss(torch.zeros(6, 2), None, features).item() == pytest.approx(0.2 / 3, rel=1e-14)
    assert expected_loss(torch.zeros(6, 2), torch.full((6,), 0.1), features, reduction="sum").item() == pytest.approx(
        6 * (0.2 / 3 - 0.01), rel=1e-6
    )  # 0.1 is a float32 here


def test_a_batch_gives_what_each_model_gives_alone():
    W, b = model((2, 3), n=5, m=2)
    importance = torch.rand(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    features = Bernoulli(n_features=5, density=0.3)
    together = expected_loss(W, b, features, importance)
    for i, j in product(range(2), range(3)):
        alone = expected_loss(W[i, j], b[i, j], features, importance[i, j])
        assert together[i, j].item() == pytest.approx(alone.item(), rel=1e-13)  # sums in another order


@pytest.mark.parametrize("kind", ["relu", "linear"])
def test_the_gradient_is_exact(kind):
    W, b = model(n=3)
    features = Bernoulli(n_features=3, density=0.4)
    inputs = (W.requires_grad_(), b.requires_grad_())
    assert torch.autograd.gradcheck(lambda w, c: expected_loss(w, c, features, model=kind), inputs)


def test_a_linear_model_needs_no_list_of_supports():
    features = Bernoulli(n_features=300, density=0.1)
    W = torch.eye(300)[:, :100]
    assert expected_loss(W, None, features, reduction="sum", model="linear").item() == pytest.approx(200 * 0.1 / 3, rel=1e-12)


def test_what_cannot_be_summed_is_refused_with_the_reason():
    W = torch.zeros(20, 5)
    with pytest.raises(ValueError, match=r"no exact ReLU loss: Bernoulli over 20 features .*4096 supports.*can only be sampled"):
        expected_loss(W, None, Bernoulli(n_features=20, density=0.1))
    with pytest.raises(ValueError, match="20 active uniform features"):
        expected_loss(W, None, ExactlyK(n_features=20, n_active=20, values="uniform"))
    with pytest.raises(ValueError, match=r"W has shape \(20, 5\) but the distribution has 3 features"):
        expected_loss(W, None, Bernoulli(n_features=3, density=0.1))
    with pytest.raises(ValueError, match=r"b has shape \(2,\)"):
        expected_loss(torch.zeros(3, 1), torch.zeros(2), Bernoulli(n_features=3, density=0.1))
    with pytest.raises(ValueError, match="importance has shape"):
        expected_loss(torch.zeros(3, 1), None, Bernoulli(n_features=3, density=0.1), [1.0, 2.0])
    with pytest.raises(ValueError, match="importance must be finite"):
        expected_loss(torch.zeros(2, 1), None, Bernoulli(n_features=2, density=0.1), [1.0, float("nan")])
