"""What every loss of toy networks must do, over whatever is discovered: a new file is tested the day it appears."""

import pytest
import torch

from tegum import parts
from tegum.features.one_hot import OneHot

INSTANCES, BATCH, N = 3, 50, 5

every = pytest.mark.parametrize("loss", [pytest.param(part(), id=n) for n, part in parts.discover("losses").items()])


def tokens():
    """Inputs that suit every loss: one active feature, of value 1."""
    x = torch.stack([OneHot(n_features=N).sample(BATCH, seed=4, instance=i, dtype=torch.float64).dense() for i in range(INSTANCES)])
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(INSTANCES, BATCH, N, generator=generator, dtype=torch.float64)
    return output, x, torch.rand(INSTANCES, N, generator=generator, dtype=torch.float64) + 0.1


@every
def test_each_sample_pays_for_itself(loss):
    output, x, importance = tokens()
    whole = loss.per_sample(output, x, importance)
    assert whole.shape == (INSTANCES, BATCH)
    for sample in range(BATCH):
        assert loss.per_sample(output[:, [sample]], x[:, [sample]], importance).equal(whole[:, [sample]])
    for i in range(INSTANCES):
        assert loss.per_sample(output[[i]], x[[i]], importance[[i]]).equal(whole[[i]])


@every
def test_it_is_linear_in_the_importance_and_nothing_without_it(loss):
    output, x, importance = tokens()
    other = importance.flip(0, 1)
    both = loss.per_sample(output, x, importance) + 2 * loss.per_sample(output, x, other)
    # a dozen roundings of 1.1e-16 in sums of order 10
    torch.testing.assert_close(loss.per_sample(output, x, importance + 2 * other), both, rtol=0, atol=1e-13)
    assert not loss.per_sample(output, x, torch.zeros_like(importance)).any()
    assert (both > 0).all()


@every
def test_one_importance_for_all_instances_is_that_of_each(loss):
    output, x, importance = tokens()
    same = importance[:1].expand(INSTANCES, N)
    assert loss.per_sample(output, x, importance[:1]).equal(loss.per_sample(output, x, same))


@every
def test_the_gradient_is_that_of_finite_differences(loss):
    output, x, importance = tokens()
    few = output[:, :4].clone().requires_grad_()
    # central differences at 1e-6: truncation about 1e-12, rounding about 1e-16 / 1e-6 = 1e-10
    assert torch.autograd.gradcheck(lambda out: loss.per_sample(out, x[:, :4], importance), (few,), eps=1e-6, atol=1e-8, rtol=1e-6)


@every
def test_going_down_its_gradient_brings_the_output_to_the_input(loss):
    _, x, importance = tokens()
    output = torch.zeros_like(x).requires_grad_()
    optimizer = torch.optim.Adam([output], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        loss.per_sample(output, x, importance).sum().backward()
        optimizer.step()
    assert output.argmax(-1).equal(x.argmax(-1))


@every
def test_tokens_suit_every_loss(loss):
    assert loss.applies(OneHot(n_features=N)) == ""
