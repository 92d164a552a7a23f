"""The toy room on a CUDA device: the draws of the CPU to the bit, and its training to rounding. Run with `-m gpu` on a machine that has one."""

import pytest
import torch

import tegum
from tegum import draws
from tegum.features import Bernoulli

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]


def test_a_gpu_draws_the_numbers_of_the_cpu():
    args = (torch.tensor([7]), draws.WEIGHTS, torch.arange(1000), 3)
    there = draws.normals(args[0].cuda(), args[1], args[2].cuda(), args[3])
    assert torch.equal(there.cpu(), draws.normals(*args))


@pytest.mark.parametrize("density", [1.0, 0.1, 0.001])
def test_a_gpu_samples_the_features_of_the_cpu(density):
    features = Bernoulli(n_features=50, density=density)
    here, there = features.sample(2_000, seed=3).dense(), features.sample(2_000, seed=3, device="cuda").dense()
    assert torch.equal(here, there.cpu())


def test_a_gpu_trains_to_the_weights_of_the_cpu_in_a_few_steps():
    settings = {"instances": 4, "steps": 20, "batch_size": 256, "dtype": torch.float64, "progress": False}
    model, features = tegum.toys.ReLUOutput(n_features=10, n_hidden=3), Bernoulli(n_features=10, density=0.1)
    here, there = (tegum.train(model, features, device=device, **settings) for device in ("cpu", "cuda"))
    # float64 sums in another order: 20 steps of a smooth loss keep rounding errors near 1e-15 each far below 1e-9
    torch.testing.assert_close(there.W, here.W, rtol=0, atol=1e-9)
