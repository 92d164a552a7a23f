"""Basis pursuit: the codes that HiGHS finds, each with its proof, where recovery succeeds and where it fails."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tegum.decoders import Status, decode, duality_gap
from tegum.decoders.basis_pursuit import BasisPursuit
from tegum.decoders.basis_pursuit_lp import BasisPursuitLP
from tegum.decoders.homotopy import Homotopy
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK

KINDS = {"nonnegative": "uniform", "signed": "gaussian", "binary": "binary"}


def sampled(kind, n_features=120, n_dims=30, n_active=6, n_samples=6, seed=0, dtype=torch.float64):
    D = gaussian(n_features, n_dims, seed=seed, dtype=dtype)
    return D, D.encode(ExactlyK(n_features=n_features, n_active=n_active, values=KINDS[kind]).sample(n_samples, seed=seed, dtype=dtype))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_dims", [12, 20, 40])  # recovery fails, is a matter of chance, succeeds
def test_it_finds_the_codes_that_highs_finds(kind, n_dims):
    D, x = sampled(kind, n_dims=n_dims)
    ours, theirs = decode(D, x, BasisPursuit(values=kind)), decode(D, x, BasisPursuitLP(values=kind))
    assert ours.status.eq(Status.OK).all()
    assert theirs.status.eq(Status.OK).all()
    torch.testing.assert_close(ours.z.values.abs().sum(1), theirs.z.values.abs().sum(1), rtol=1e-6, atol=0)
    torch.testing.assert_close(ours.z.dense(), theirs.z.dense(), rtol=0, atol=1e-6)  # unique with probability 1
    assert (ours.residual <= 1e-9 * x.norm(dim=1)).all()


@pytest.mark.parametrize(("dtype", "proven"), [(torch.float64, 1e-9), (torch.float32, 1e-6)], ids=str)
@pytest.mark.parametrize("n_dims", [30, 90])
@pytest.mark.parametrize("kind", KINDS)
def test_every_code_is_proven_least(kind, n_dims, dtype, proven):
    D, x = sampled(kind, n_features=400, n_dims=n_dims, n_active=10, n_samples=3, dtype=dtype)
    decoder = BasisPursuit(values=kind)
    out = decode(D, x, decoder)
    assert out.status.eq(Status.OK).all()
    assert duality_gap(D, x, out.z, 0.0, kind, decoder.duals(D, x)).abs().max() <= proven
    assert (out.residual <= 4 * (16 * torch.finfo(dtype).eps) * x.norm(dim=1) * n_dims**0.5).all()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=6)
@given(seed=st.integers(0, 2**31), n_dims=st.integers(2, 14), n_active=st.integers(1, 10))
def test_blocks_and_the_path_end_at_one_code(kind, seed, n_dims, n_active):
    D, x = sampled(kind, n_features=20, n_dims=n_dims, n_active=n_active, n_samples=4, seed=seed)
    blocks, path = decode(D, x, BasisPursuit(values=kind)), decode(D, x, Homotopy(values=kind))
    assert blocks.status.eq(Status.OK).all()
    torch.testing.assert_close(blocks.z.dense(), path.z.dense(), rtol=0, atol=1e-7)


@pytest.mark.parametrize("decoder", [BasisPursuit, BasisPursuitLP])
@pytest.mark.parametrize("kind", ["nonnegative", "binary"])
def test_what_no_code_gives_is_said_to_diverge(decoder, kind):
    D, x = sampled(kind, n_samples=4)
    x = torch.cat([x, x if kind == "nonnegative" else 50 * x])
    if kind == "nonnegative":
        D = Dense(torch.cat([D.dense(), torch.ones(120, 1, dtype=torch.float64)], dim=1))  # all codes have a sum, and it is not below 0
        x = torch.cat([x, torch.tensor([[6.0]] * 4 + [[-6.0]] * 4, dtype=torch.float64)], dim=1)
    out = decode(D, x, decoder(values=kind))
    assert out.status[4:].eq(Status.DIVERGED).all()
    if kind == "binary":
        assert out.status[:4].eq(Status.OK).all()


def test_the_dual_of_what_no_code_gives_separates_it_from_all_codes():
    D = Dense(gaussian(30, 10, seed=0, dtype=torch.float64).dense().abs())
    x = -torch.rand(5, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = BasisPursuit().duals(D, x)
    assert ((x * y).sum(1) > 0).all()
    assert (D.correlate(y) <= 1e-12).all()


@pytest.mark.parametrize(("n_dims", "low", "high"), [(90, 0.0, 0.25), (120, 0.75, 1.0)])
def test_recovery_sets_in_where_the_weak_threshold_says(n_dims, low, high):
    # N=4096, k=16: half of the samples at d = 101 to 103, with a standard deviation of 6 to 7 dims, so about .05 at 90 and .99 at 120; of 32 samples
    # more than 8 are right at .05, or fewer than 24 at .99, with probability below 1e-4
    D, x = sampled("binary", n_features=4096, n_dims=n_dims, n_active=16, n_samples=32, dtype=torch.float32)
    z = ExactlyK(n_features=4096, n_active=16).sample(32, seed=0)
    out = decode(D, x, BasisPursuit())
    assert out.status.eq(Status.OK).all()
    assert low <= out.exact(z).double().mean().item() <= high


def test_most_samples_need_no_path_where_recovery_succeeds():
    D, x = sampled("binary", n_features=4096, n_dims=150, n_active=16, n_samples=64, dtype=torch.float32)
    steps = decode(D, x, BasisPursuit()).steps.double()
    assert steps.mean() < 8  # products with all directions; the path alone takes 25
    assert steps.max() <= 16


def test_a_gap_is_measured_from_whatever_dual_is_given():
    D, x = sampled("nonnegative", n_samples=3)
    decoder = BasisPursuit()
    z, y = decode(D, x, decoder).z, decoder.duals(D, x)
    assert duality_gap(D, x, z, dual=0.5 * y).numpy() == pytest.approx(np.full(3, 0.5), abs=1e-9)
    assert duality_gap(D, x, z, dual=2 * y).max() < 1e-9  # scaled until it obeys
    with pytest.raises(ValueError, match="at penalty 0"):
        duality_gap(D, x, z)
    with pytest.raises(ValueError, match="z has 2 samples of 120 features; x has 3"):
        duality_gap(D, x, z[:2], 0.1)
