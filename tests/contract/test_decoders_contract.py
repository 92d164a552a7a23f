"""What every decoder must do, over whatever is discovered: a new file is tested the day it appears."""

import pytest
import torch
from part_examples import arguments

from tegum import parts
from tegum.decoders import Status, Values, decode
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK

N, K = 32, 3
KINDS = {Values.BINARY: "binary", Values.NONNEGATIVE: "uniform", Values.SIGNED: "gaussian"}


def example(decoder, n_active=K):
    return decoder(**arguments(decoder, {"n_active": n_active}))


def codes(decoder, n_samples=40, n_active=K):
    return ExactlyK(n_features=N, n_active=n_active, values=KINDS[decoder.values]).sample(n_samples, seed=8, dtype=torch.float64)


def orthonormal():
    return Dense(torch.linalg.qr(gaussian(N, N, seed=1, dtype=torch.float64).dense())[0])


every = pytest.mark.parametrize("decoder", [pytest.param(d, id=n) for n, d in parts.discover("decoders").items()])


@every
def test_it_reads_an_orthonormal_dictionary_exactly(decoder):
    D, z = orthonormal(), codes(decoder)
    out = decode(D, D.encode(z), example(decoder))
    assert out.exact(z, tolerance=1e-6).all()
    assert out.support_exact(z).all()
    assert (out.status == Status.OK).all()
    assert (out.residual < 1e-6).all()


@every
def test_it_reads_one_active_feature_of_many(decoder):
    D = gaussian(N, 24, seed=2, dtype=torch.float64)
    z = codes(decoder, n_active=1)
    assert decode(D, D.encode(z), example(decoder, n_active=1)).support_exact(z).double().mean() >= 0.9


@every
def test_renaming_the_features_renames_the_codes(decoder):
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(decoder)
    x = D.encode(z)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    plain = decode(D, x, example(decoder)).z.dense()
    renamed = decode(Dense(D.dense()[order]), x, example(decoder)).z.dense()
    torch.testing.assert_close(renamed, plain[:, order], rtol=1e-6, atol=1e-9)


@every
def test_signed_codes_follow_the_sign_of_a_direction(decoder):
    if decoder.values is not Values.SIGNED:
        pytest.skip("its codes are not signed")
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(decoder)
    x, sign = D.encode(z), torch.ones(N, dtype=torch.float64)
    sign[::2] = -1
    flipped = decode(Dense(D.dense() * sign[:, None]), x, example(decoder)).z.dense()
    torch.testing.assert_close(flipped * sign, decode(D, x, example(decoder)).z.dense(), rtol=1e-6, atol=1e-9)


@every
def test_a_batch_is_its_samples_one_by_one(decoder):
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(decoder, 6)
    x, state = D.encode(z), example(decoder).init(gaussian(N, 24, seed=3, dtype=torch.float64))
    together = decode(D, x, example(decoder), state=state).z.dense()
    alone = torch.cat([decode(D, row[None], example(decoder), state=state).z.dense() for row in x])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


@every
def test_a_bad_sample_is_flagged_and_the_rest_unharmed(decoder):
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(decoder, 6)
    x = D.encode(z)
    good = decode(D, x, example(decoder))
    x[2, 5], x[4, 0] = torch.nan, torch.inf
    out = decode(D, x, example(decoder))
    assert [i for i, s in enumerate(out.status.tolist()) if s == Status.NONFINITE_INPUT] == [2, 4]
    rest = [0, 1, 3, 5]
    torch.testing.assert_close(out.z.dense()[rest], good.z.dense()[rest])
    assert out.z.n_active[[2, 4]].eq(0).all()
    with pytest.raises(RuntimeError, match="sample 2 ended as NONFINITE_INPUT"):
        decode(D, x, example(decoder), throw=True)


@every
def test_what_does_not_fit_is_refused_with_the_sizes_seen(decoder):
    D = gaussian(N, 24, seed=3)
    with pytest.raises(ValueError, match="200 columns but the dictionary has 24 dims"):
        decode(D, torch.zeros(2, 200), example(decoder))
    with pytest.raises(ValueError, match=r"shape \(24,\)"):
        decode(D, torch.zeros(24), example(decoder))
    with pytest.raises(ValueError, match="float64"):
        decode(D, torch.zeros(2, 24, dtype=torch.float64), example(decoder))
