"""The gradient that training follows is, on average, that of the exact expected loss; the losses are torch's own."""

import pytest
import torch
import torch.nn.functional as F

from tegum import theory
from tegum.features.bernoulli import Bernoulli
from tegum.features.correlated import Correlated
from tegum.features.one_hot import OneHot
from tegum.toys.losses.cross_entropy import CrossEntropy
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput

N, M, BATCHES, BATCH = 6, 2, 64, 1000
IMPORTANCE = torch.linspace(1.2, 0.4, N, dtype=torch.float64)


@pytest.mark.parametrize(
    ("model", "features"),
    [
        pytest.param(ReLUOutput, OneHot(n_features=N, values="uniform"), id="ReLU, one-hot"),
        pytest.param(ReLUOutput, Bernoulli(n_features=N, density=0.3), id="ReLU, Bernoulli"),
        pytest.param(ReLUOutput, Correlated(n_features=N, n_sets=3, density=0.3, values="gaussian"), id="ReLU, correlated Gaussian"),
        pytest.param(LinearAutoencoder, Bernoulli(n_features=N, density=0.3), id="linear, Bernoulli"),
        pytest.param(LinearAutoencoder, Bernoulli(n_features=N, density=0.3, values="signed"), id="linear, signed"),
    ],
)
def test_the_sampled_gradient_is_the_exact_one_within_its_standard_error(model, features):
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(N, M, generator=generator, dtype=torch.float64).requires_grad_()
    b = (0.2 * torch.randn(N, generator=generator, dtype=torch.float64)).requires_grad_()
    theory.expected_loss(W, b, features, IMPORTANCE, model=model.exact).backward()

    module = model(n_features=N, n_hidden=M).build(BATCHES, dtype=torch.float64)
    module.load_state_dict({"W": W.detach().expand(BATCHES, N, M), "b": b.detach().expand(BATCHES, N)})
    x = torch.stack([features.sample(BATCH, seed=1, instance=i, dtype=torch.float64).dense() for i in range(BATCHES)])
    SquaredError().per_sample(module(x), x, IMPORTANCE[None]).mean(-1).sum().backward()
    # 64 batches of 1000 samples: their spread gives the error of their mean. |t| of 63 degrees of freedom passes 5.5 once in 10^6; 18 figures
    for sampled, exact in ((module.W.grad, W.grad), (module.b.grad, b.grad)):
        t = (sampled.mean(0) - exact) / (sampled.std(0) / BATCHES**0.5)
        assert t.abs().max() < 5.5
        assert exact.abs().max() > 50 * (sampled.std(0) / BATCHES**0.5).median()  # the comparison sees a tenth of the gradient


def test_squared_error_is_the_weighted_mean_of_torch():
    generator = torch.Generator().manual_seed(1)
    output, x = torch.randn(2, 3, 40, N, generator=generator, dtype=torch.float64)
    importance = torch.rand(3, N, generator=generator, dtype=torch.float64)
    ours = SquaredError().per_sample(output, x, importance).mean(-1)
    for i in range(3):
        root = importance[i].sqrt()
        torch.testing.assert_close(ours[i], F.mse_loss(root * output[i], root * x[i]), rtol=1e-14, atol=0)  # 240 terms of one sign


def test_cross_entropy_is_that_of_torch():
    generator = torch.Generator().manual_seed(2)
    logits = 3 * torch.randn(3, 40, N, generator=generator, dtype=torch.float64)
    importance = torch.rand(3, N, generator=generator, dtype=torch.float64)
    tokens = torch.randint(N, (3, 40), generator=generator)
    ours = CrossEntropy().per_sample(logits, F.one_hot(tokens, N).double(), importance).mean(-1)
    for i in range(3):
        theirs = F.cross_entropy(logits[i], tokens[i], weight=importance[i], reduction="sum") / 40
        torch.testing.assert_close(ours[i], theirs, rtol=1e-14, atol=0)  # 40 terms of one sign


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (Bernoulli(n_features=N, density=0.1, values="binary"), "0.6 on average and up to 6"),
        (OneHot(n_features=N, density=0.5), "0.5 on average"),
        (OneHot(n_features=N, values="uniform"), "'uniform'"),
    ],
)
def test_cross_entropy_refuses_what_is_no_token(features, words):
    assert words in CrossEntropy().applies(features)


def test_cross_entropy_takes_whatever_has_one_active_feature_by_another_name():
    only_one = Bernoulli(n_features=N, density=[0.0, 1.0, 0, 0, 0, 0], values="binary")
    assert CrossEntropy().applies(only_one) == ""
