"""Basis pursuit: the codes that HiGHS finds, each with its proof, where recovery succeeds and where it fails."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tegum.decoders import Status, Values, decode, duality_gap
from tegum.decoders.basis_pursuit import BasisPursuit, _verdict
from tegum.decoders.basis_pursuit_lp import BasisPursuitLP
from tegum.decoders.homotopy import Homotopy, follow
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features import SparseCodes
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


def beside_all_codes(kind):
    """Samples that no code gives: against all directions, out of their span, or too long for the box."""
    D = gaussian(8 if kind == "signed" else 30, 10, seed=0, dtype=torch.float64)
    x = torch.rand(5, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return {"nonnegative": (Dense(D.dense().abs()), -x), "signed": (D, x), "binary": (D, 50 * x)}[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_the_dual_of_what_no_code_gives_separates_it_from_all_codes(kind):
    D, x = beside_all_codes(kind)
    out, y = decode(D, x, BasisPursuit(values=kind)), BasisPursuit(values=kind).duals(D, x)
    assert out.status.eq(Status.DIVERGED).all()
    along, reach = (x * y).sum(1), D.correlate(y)
    assert (along > 0).all()
    if kind == "binary":
        assert (along - reach.clamp(min=0).sum(1) > 1e-9 * along).all()
    else:
        assert ((reach.abs() if kind == "signed" else reach) <= 1e-12 * x.norm(dim=1, keepdim=True)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_said_to_diverge_without_a_dual_that_proves_it(kind):
    D, x = beside_all_codes(kind)
    path, dual = follow(D, x, Homotopy(values=kind))
    assert _verdict(D, x, path, dual, Values(kind)).eq(Status.DIVERGED).all()
    for wrong in (-dual, 0 * dual):
        assert _verdict(D, x, path, wrong, Values(kind)).eq(Status.MAX_STEPS).all()


@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize("decoder", [BasisPursuit, BasisPursuitLP])
@pytest.mark.parametrize("kind", KINDS)
def test_the_scale_of_x_and_of_the_dictionary_changes_nothing_but_that_of_the_codes(kind, decoder, scale):
    # codes are solved for in float64 at a condition of some hundreds: 1e-10 is 10^4 times its rounding
    D, x = sampled(kind, n_features=60, n_dims=20, n_active=4, n_samples=3)
    plain = decode(D, x, decoder(values=kind)).z.dense()
    out = decode(Dense(D.dense() * scale), x * scale, decoder(values=kind))
    assert out.status.eq(Status.OK).all()
    torch.testing.assert_close(out.z.dense(), plain, rtol=0, atol=1e-10)
    if kind != "binary" or scale < 1:  # the box holds no larger codes
        out = decode(D, x * scale, decoder(values=kind))
        assert out.status.eq(Status.OK).all()
        torch.testing.assert_close(out.z.dense() / scale, plain, rtol=0, atol=1e-10)


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


def test_codes_outside_of_their_kind_have_an_infinite_gap():
    D, x = sampled("signed", n_samples=3)
    z = decode(D, x, Homotopy(values="signed", penalty=0.1)).z
    assert z.values.amin(dim=1).lt(0).all()
    assert duality_gap(D, x, z, 0.1, "signed").abs().max() < 1e-10
    assert duality_gap(D, x, z, 0.1, "nonnegative").eq(torch.inf).all()
    D, x = sampled("nonnegative", n_samples=3)
    z = decode(D, 9 * x, Homotopy(penalty=0.1)).z
    assert z.values.amax(dim=1).gt(1).all()
    assert duality_gap(D, 9 * x, z, 0.1, "binary").eq(torch.inf).all()
    rounded = SparseCodes(z.indices, z.values - 1e-16 * z.values.amax(), z.n_features)  # padding, too, is below 0 by rounding
    assert duality_gap(D, 9 * x, rounded, 0.1).abs().max() < 1e-10


def test_what_is_asked_without_decode_is_checked_all_the_same(untyped):
    D, x = sampled("nonnegative", n_samples=2)
    z = decode(D, x, BasisPursuit()).z
    for wrong, says in ((x[:, :7], r"x has shape \(2, 7\); it must be \(samples, 30\)"), (x / 0, "x holds values that are not finite")):
        for ask in (BasisPursuit().duals, Homotopy().path, lambda D, x: duality_gap(D, x, z, 0.1)):
            with pytest.raises(ValueError, match=says):
                ask(D, wrong)
    with pytest.raises(ValueError, match=r"dual has shape \(2, 7\)"):
        duality_gap(D, x, z, dual=x[:, :7])
    with pytest.raises(ValueError, match="dual has 1 samples; x has 2"):
        duality_gap(D, x, z, dual=x[:1])
