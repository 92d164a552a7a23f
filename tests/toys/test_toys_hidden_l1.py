"""`train(hidden_l1=...)`: what is minimised has the penalty, what is reported has not, and a neighbour's penalty changes no network's numbers."""

import pytest
import torch

import tegum
from tegum import theory
from tegum.features.bernoulli import Bernoulli
from tegum.features.one_hot import OneHot
from tegum.toys.engines import compiled
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.models.token_predictor import TokenPredictor

QUICK = {"steps": 40, "batch_size": 64, "lr": 0.01, "progress": False}
LR = 2.0**20  # of one step of gradient descent, which the gradient is read off
SIX, FEATURES = ReLUOutput(n_features=6, n_hidden=2), Bernoulli(n_features=6, density=0.2)


def test_none_is_no_penalty():
    plain, none = (tegum.train(SIX, FEATURES, instances=2, **penalty, **QUICK) for penalty in ({}, {"hidden_l1": [0, 0]}))
    assert plain.W.equal(none.W)
    assert (plain.settings["hidden_l1"], none.settings["hidden_l1"]) == (0.0, [0, 0])


@pytest.mark.parametrize("through_gram", [False, True])
def test_a_network_gives_the_same_bits_beside_others_of_other_penalties(monkeypatch, through_gram):
    monkeypatch.setattr(compiled, "_gram_is_quicker", lambda *_: through_gram)
    penalties, seeds = [0.0, 0.02, 0.0, 0.3], [5, 6, 7, 8]
    together = tegum.train(SIX, FEATURES, instances=4, hidden_l1=penalties, seed=seeds, **QUICK)
    assert together.settings["engine"] == "Compiled"
    for i in range(4):
        alone = tegum.train(SIX, FEATURES, hidden_l1=penalties[i], seed=[seeds[i]], **QUICK)
        assert alone.W[0].equal(together.W[i])
        assert alone.loss[0] == together.loss[i]


def test_the_loss_of_a_run_is_without_the_penalty_and_that_of_its_history_with_it():
    run = tegum.train(SIX, FEATURES, hidden_l1=0.3, record=[0, 40], **QUICK)
    assert float(run.loss[0]) == pytest.approx(float(theory.expected_loss(run.W[0], run.b[0], FEATURES)), rel=1e-12)
    W, b, x = run.W[0].double(), run.b[0].double(), FEATURES.sample(64, 0, step=40, dtype=torch.float64).dense()
    error, hidden = float((x - (x @ W @ W.T + b).relu()).square().mean()), float((x @ W).abs().sum(1).mean())
    # float32's 6e-8 a few hundred times over
    assert float(run.history.loss[1, 0]) == pytest.approx(error + 0.3 * hidden, rel=2e-5)
    assert 0.3 * hidden > 0.1 * error


@pytest.mark.parametrize("through_gram", [False, True])
@pytest.mark.parametrize("model", [ReLUOutput, LinearAutoencoder])
@pytest.mark.parametrize(("n", "m", "batch"), [(1, 1, 1), (6, 2, 65), (30, 6, 1025), (30, 7, 2200)], ids=str)
def test_the_compiled_gradient_is_that_of_autograd(monkeypatch, model, n, m, batch, through_gram):
    """However the other engine pass would go: a penalised network goes by lanes."""
    monkeypatch.setattr(compiled, "_gram_is_quicker", lambda *_: through_gram)
    features = Bernoulli(n_features=n, density=0.3)
    settings = {
        "hidden_l1": [0.0, 0.1, 2.0],
        "instances": 3,
        "optimizer": "sgd",
        "weight_decay": 0.0,
        "steps": 1,
        "batch_size": batch,
        "seed": 3,
    }
    start = model(n_features=n, n_hidden=m).build(3, 3, dtype=torch.float64)
    run = tegum.train(model(n_features=n, n_hidden=m), features, **settings, lr=LR, record=[0], progress=False)
    assert run.settings["engine"] == "Compiled"
    for i, penalty in enumerate(settings["hidden_l1"]):
        W, b = (start.W[i].detach().float().double().requires_grad_(), torch.zeros(n, dtype=torch.float64, requires_grad=True))
        x = features.sample(batch, 3, instance=i, dtype=torch.float64).dense()
        y = x @ W @ W.T + b
        loss = ((y.relu() if model is ReLUOutput else y) - x).square().mean() + penalty * (x @ W).abs().sum(1).mean()
        loss.backward()
        gradient = (start.W[i].detach() - run.W[i].double()) / LR
        # float32: a few thousand roundings of 6e-8, most of which cancel, in numbers that add up to the largest gradient
        torch.testing.assert_close(gradient, W.grad, rtol=0, atol=1e-5 * max(float(W.grad.abs().max()), 0.01))
        assert float(run.history.loss[0, i]) == pytest.approx(float(loss.detach()), rel=1e-5)


def test_any_model_takes_it_by_the_reference_engine():
    few = {"instances": 2, "hidden_l1": [0.0, 3.0], "seed": [4, 4], **QUICK, "steps": 400}
    run = tegum.train(TokenPredictor(n_features=5, n_hidden=3), OneHot(n_features=5), **few)
    assert run.settings["engine"] == "Reference"
    x = torch.eye(5)
    sizes = [(x @ run.W[i] + run.state["c"][i]).relu().mean() for i in range(2)]
    assert sizes[1] < 0.2 * sizes[0]
