"""The token predictor: neurons that have a level, and neurons that fire or do not."""

import pytest
import torch

from tegum.toys.models.token_predictor import TokenPredictor

N, M = 6, 4


def built(neuron):
    module = TokenPredictor(n_features=N, n_hidden=M, neuron=neuron).build(2, seed=1, dtype=torch.float64)
    with torch.no_grad():
        module.c.copy_(torch.linspace(-0.5, 0.5, 2 * M).reshape(2, M))
    return module, torch.eye(N, dtype=torch.float64).expand(2, N, N)


def level(module):
    return module.W + module.c[:, None, :]  # of each token: x is the identity


@pytest.mark.parametrize("neuron", ["relu", "step"])
def test_a_hook_sees_what_the_neurons_say_and_the_logits_follow_from_it(neuron):
    module, x = built(neuron)
    seen = []
    module.hidden.register_forward_hook(lambda _, inputs, output: seen.append(output))
    logits = module(x)
    said = level(module).relu() if neuron == "relu" else (level(module) > 0).double()
    assert seen[0].equal(said)
    torch.testing.assert_close(logits, said @ module.U + module.b[:, None, :], rtol=0, atol=1e-14)  # four products of order 1
    assert 0 < (said > 0).sum() < said.numel()


def test_a_neuron_that_fires_or_not_learns_by_the_slope_of_a_sigmoid():
    module, x = built("step")
    module.neurons(x).sum().backward()
    slope = level(module).sigmoid() * (1 - level(module).sigmoid())
    torch.testing.assert_close(module.W.grad, slope.detach(), rtol=0, atol=1e-14)
    torch.testing.assert_close(module.c.grad, slope.detach().sum(1), rtol=0, atol=1e-14)


def test_another_kind_of_neuron_is_refused():
    with pytest.raises(ValueError, match="neuron is 'tanh'; it is 'relu' or 'step'"):
        TokenPredictor(n_features=N, n_hidden=M, neuron="tanh")
