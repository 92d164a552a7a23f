"""Repairs of active sets: the same in compiled code and in torch, and what they leave is in bounds."""

import math

import pytest
import torch

from tegum.decoders import _repairs


def systems(n_samples=40, slots=13, n_dims=17, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n_samples, slots, n_dims, dtype=torch.float64, generator=generator)
    x = torch.randn(n_samples, n_dims, dtype=torch.float64, generator=generator)
    index = torch.where(torch.rand(n_samples, slots, generator=generator) < 0.8, torch.arange(slots), -1)
    right = (rows @ x[:, :, None])[:, :, 0]
    sign = torch.where(index >= 0, right.sign(), 0.0)
    return rows @ rows.mT, right, index, sign, torch.full((n_samples,), 0.3, dtype=torch.float64)


@pytest.mark.parametrize("upper", [math.inf, 0.2])
@pytest.mark.parametrize("repairs", [0, 1, 5])
def test_compiled_code_and_torch_give_the_same(repairs, upper):
    gram, right, index, sign, penalty = systems()
    if upper < math.inf:
        sign = sign.abs()
    there, back = (index.clone(), sign.clone()), (index.clone(), sign.clone())
    kernels = _repairs._kernels()
    assert kernels is not None
    compiled = _repairs.by_kernel(kernels, gram, right, *there, penalty, upper=upper, repairs=repairs)
    plain = _repairs.plain(gram, right, *back, penalty, upper=upper, repairs=repairs)
    for ours, theirs in zip(compiled, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)  # condition numbers of some thousands, times 2^-53
    assert there[0].equal(back[0])
    assert there[1].equal(back[1])
    assert repairs == 0 or not there[0].equal(index)


def test_enough_repairs_leave_every_sign_as_it_was_asked_for():
    gram, right, index, sign, penalty = systems()
    fit, slope = _repairs.repaired(gram, right, index, sign, penalty, repairs=13)
    z = fit - penalty[:, None] * slope
    assert (z * sign > 0).equal(sign != 0)
    # stationary on what is left: G z = right - penalty * sign
    left = ((gram @ z[:, :, None])[:, :, 0] - right + penalty[:, None] * sign)[sign != 0]
    assert left.abs().max() < 1e-9


def test_a_singular_sample_is_left_at_0_and_the_others_unharmed():
    gram, right, index, sign, penalty = systems(n_samples=3)
    index[:], sign[:] = torch.arange(13), right.sign()
    alone, _ = _repairs.repaired(gram[2:].clone(), right[2:].clone(), index[2:].clone(), sign[2:].clone(), penalty[2:])
    gram[0, 1], gram[0, :, 1] = gram[0, 0], gram[0, :, 0].clone()
    gram[0, 1, 1] = gram[0, 0, 0]
    fit, slope = _repairs.repaired(gram, right, index, sign, penalty)
    assert fit[0].eq(0).all()
    assert slope[0].eq(0).all()
    torch.testing.assert_close(fit[2:], alone)
