"""What every decoder must do, over whatever is discovered: a new file is tested the day it appears."""

from dataclasses import fields, replace

import pytest
import torch
from part_examples import arguments

from tegum import parts
from tegum.decoders import Status, Values, WarmDecoder, decode
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features import SparseCodes
from tegum.features.exactly_k import ExactlyK

N, K = 32, 3
DRAWN = {Values.BINARY: "binary", Values.NONNEGATIVE: "uniform", Values.SIGNED: "gaussian"}
KINDS = [(name, part, kind) for name, part in parts.discover("decoders").items() for kind in part.kinds]
every = pytest.mark.parametrize(("decoder", "kind"), [pytest.param(part, kind, id=f"{name}-{kind}") for name, part, kind in KINDS])


def example(decoder, kind, n_active=K):
    return decoder(**arguments(decoder, {"n_active": n_active}), values=kind)


def codes(kind, n_samples=40, n_active=K):
    """Codes of the kind, none of them so small that rounding hides it."""
    z = ExactlyK(n_features=N, n_active=n_active, values=DRAWN[kind]).sample(n_samples, seed=8, dtype=torch.float64)
    return SparseCodes(z.indices, z.values + 0.3 * z.values.sign() * (kind is not Values.BINARY), N)


def codes_that_suit(decoder, *args, **kwargs):
    """The same, at 1 or -1 for a decoder that takes them to be near it."""
    z = codes(*args, **kwargs)
    return SparseCodes(z.indices, z.values.sign(), N) if decoder.ones else z


def orthonormal():
    return Dense(torch.linalg.qr(gaussian(N, N, seed=1, dtype=torch.float64).dense())[0])


@every
def test_it_reads_an_orthonormal_dictionary_exactly(decoder, kind):
    D, z = orthonormal(), codes_that_suit(decoder, kind)
    out = decode(D, D.encode(z), example(decoder, kind))
    assert out.exact(z, tolerance=1e-6).all()
    assert out.support_exact(z).all()
    assert (out.status == Status.OK).all()
    assert (out.residual < 1e-6).all()


@every
def test_it_reads_one_active_feature_of_many(decoder, kind):
    D = gaussian(N, 64 if decoder.ones else 24, seed=2, dtype=torch.float64)  # a fixed threshold, 1/2, takes 8 ln N dims
    z = codes_that_suit(decoder, kind, n_active=1)
    assert decode(D, D.encode(z), example(decoder, kind, n_active=1)).support_exact(z).double().mean() >= 0.9


@every
def test_renaming_the_features_renames_the_codes(decoder, kind):
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(kind)
    x = D.encode(z)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    plain = decode(D, x, example(decoder, kind)).z.dense()
    renamed = decode(Dense(D.dense()[order]), x, example(decoder, kind)).z.dense()
    torch.testing.assert_close(renamed, plain[:, order], rtol=1e-6, atol=1e-9)


@every
def test_signed_codes_follow_the_sign_of_a_direction(decoder, kind):
    if kind is not Values.SIGNED:
        pytest.skip("its codes are not signed")
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(kind)
    x, sign = D.encode(z), torch.ones(N, dtype=torch.float64)
    sign[::2] = -1
    flipped = decode(Dense(D.dense() * sign[:, None]), x, example(decoder, kind)).z.dense()
    torch.testing.assert_close(flipped * sign, decode(D, x, example(decoder, kind)).z.dense(), rtol=1e-6, atol=1e-9)


@every
def test_a_batch_is_its_samples_one_by_one(decoder, kind):
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(kind, 6)
    x, state = D.encode(z), example(decoder, kind).init(gaussian(N, 24, seed=3, dtype=torch.float64))
    together = decode(D, x, example(decoder, kind), state=state).z.dense()
    alone = torch.cat([decode(D, row[None], example(decoder, kind), state=state).z.dense() for row in x])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


@every
@pytest.mark.parametrize("most", [2, 3])
def test_a_batch_is_its_samples_also_where_some_run_out_of_steps(decoder, kind, most):
    part = example(decoder, kind)
    limit = next((f.name for f in fields(part) if f.name in ("steps", "max_steps")), None)
    if limit is None:
        pytest.skip("it has no steps")
    part = replace(part, **{limit: min(most, K) if decoder.__name__ == "MatchingPursuit" else most})
    D, z = gaussian(N, 16, seed=5, dtype=torch.float64), codes(kind, 24, n_active=K)
    x, state = D.encode(z), part.init(gaussian(N, 16, seed=5, dtype=torch.float64))
    together = decode(D, x, part, state=state)
    alone = [decode(D, row[None], part, state=state) for row in x]
    torch.testing.assert_close(together.z.dense(), torch.cat([one.z.dense() for one in alone]), rtol=1e-7, atol=1e-9)
    assert together.status.tolist() == [one.status.item() for one in alone]


@every
def test_a_feature_without_a_direction_is_never_read_and_harms_nobody(decoder, kind):
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes_that_suit(decoder, kind, n_active=1)
    dead = Dense(torch.cat([D.dense(), torch.zeros(2, 24, dtype=torch.float64)]))
    x = D.encode(z)
    out, plain = decode(dead, x, example(decoder, kind, n_active=1)), decode(D, x, example(decoder, kind, n_active=1))
    assert not (out.z.indices >= N).any()
    assert (out.status == Status.OK).all()
    assert out.support_exact(SparseCodes(z.indices, z.values, N + 2)).double().mean() >= plain.support_exact(z).double().mean() - 0.1


@every
def test_a_batch_decoded_in_parts_is_the_batch(decoder, kind):
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(kind, 7)
    x = D.encode(z)
    whole, parted = decode(D, x, example(decoder, kind)), decode(D, x, example(decoder, kind), batch_size=3)
    torch.testing.assert_close(parted.z.dense(), whole.z.dense(), rtol=1e-9, atol=1e-12)
    assert parted.status.tolist() == whole.status.tolist()
    assert parted.steps.tolist() == whole.steps.tolist()


@every
def test_no_samples_give_no_codes(decoder, kind):
    out = decode(gaussian(N, 24, seed=3, dtype=torch.float64), torch.zeros(0, 24, dtype=torch.float64), example(decoder, kind))
    assert (len(out.z), len(out.status), len(out.steps), len(out.residual)) == (0, 0, 0, 0)


@every
def test_nothing_is_read_out_of_nothing(decoder, kind):
    out = decode(gaussian(N, 24, seed=3, dtype=torch.float64), torch.zeros(2, 24, dtype=torch.float64), example(decoder, kind))
    assert out.z.dense().eq(0).all()
    assert out.status.eq(Status.OK).all()


@every
def test_the_codes_are_of_the_kind_that_was_asked_for(decoder, kind):
    D = gaussian(N, 12, seed=4, dtype=torch.float64)
    out = decode(D, D.encode(codes(kind)), example(decoder, kind))
    values = out.z.values
    assert torch.isfinite(values).all()
    assert kind is Values.SIGNED or values.ge(0).all()
    assert kind is not Values.BINARY or values.le(1).all()
    assert (out.z.indices >= 0).eq(values != 0).all()


@every
def test_single_precision_gives_the_same_codes(decoder, kind):
    D, z = gaussian(N, 24, seed=3), codes(kind)
    x = D.encode(z)
    single = decode(D, x, example(decoder, kind))
    double = decode(D.to(dtype=torch.float64), x.double(), example(decoder, kind))
    assert single.z.values.dtype == torch.float32
    near = (single.z.dense() - double.z.dense()).abs().amax(1) < 1e-3
    assert near.double().mean() >= 0.9


@every
def test_a_start_at_the_codes_keeps_them(decoder, kind):
    D, z = orthonormal(), codes(kind)
    x = D.encode(z)
    if not issubclass(decoder, WarmDecoder):
        with pytest.raises(ValueError, match="it takes no start"):
            decode(D, x, example(decoder, kind), start=z)
        return
    warm = decode(D, x, example(decoder, kind), start=z)
    assert warm.exact(z, tolerance=1e-6).all()
    assert warm.steps.double().mean() <= decode(D, x, example(decoder, kind)).steps.double().mean()
    with pytest.raises(ValueError, match="start has 3 samples of 32 features; there are 40 samples of 32"):
        decode(D, x, example(decoder, kind), start=z[:3])


@every
@pytest.mark.gpu
def test_a_gpu_reads_what_the_cpu_reads(decoder, kind):
    D, z = gaussian(N, 24, seed=3), codes_that_suit(decoder, kind)
    x = D.encode(z)
    there, here = decode(D.to("cuda"), x.cuda(), example(decoder, kind)), decode(D, x, example(decoder, kind))
    assert there.z.values.device.type == "cuda"
    near = (there.z.to("cpu").dense() - here.z.dense()).abs().amax(1) < 1e-3
    assert near.double().mean() >= 0.9


@every
def test_a_start_of_another_kind_still_gives_codes_of_its_own(decoder, kind):
    if not issubclass(decoder, WarmDecoder):
        pytest.skip("it takes no start")
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(kind)
    start = SparseCodes(z.indices, -2 * z.values, N)
    values = decode(D, D.encode(z), example(decoder, kind), start=start).z.values
    assert kind is Values.SIGNED or values.ge(0).all()
    assert kind is not Values.BINARY or values.le(1).all()


@every
def test_what_it_was_told_is_what_it_declares(decoder, kind):
    part = example(decoder, kind)
    assert ("n_active" in part.told) == (getattr(part, "n_active", None) is not None)
    assert part.told.get("n_active", K) == K
    with pytest.raises(ValueError, match="'complex'"):
        replace(part, values="complex")


@every
def test_a_bad_sample_is_flagged_and_the_rest_unharmed(decoder, kind):
    D, z = gaussian(N, 24, seed=3, dtype=torch.float64), codes(kind, 6)
    x = D.encode(z)
    good = decode(D, x, example(decoder, kind))
    x[2, 5], x[4, 0] = torch.nan, torch.inf
    out = decode(D, x, example(decoder, kind))
    assert [i for i, s in enumerate(out.status.tolist()) if s == Status.NONFINITE_INPUT] == [2, 4]
    rest = [0, 1, 3, 5]
    torch.testing.assert_close(out.z.dense()[rest], good.z.dense()[rest])
    assert out.z.n_active[[2, 4]].eq(0).all()
    with pytest.raises(RuntimeError, match="sample 2 ended as NONFINITE_INPUT"):
        decode(D, x, example(decoder, kind), throw=True)


@every
def test_what_does_not_fit_is_refused_with_the_sizes_seen(decoder, kind):
    D = gaussian(N, 24, seed=3)
    with pytest.raises(ValueError, match="200 columns but the dictionary has 24 dims"):
        decode(D, torch.zeros(2, 200), example(decoder, kind))
    with pytest.raises(ValueError, match=r"shape \(24,\)"):
        decode(D, torch.zeros(24), example(decoder, kind))
    with pytest.raises(ValueError, match="float64"):
        decode(D, torch.zeros(2, 24, dtype=torch.float64), example(decoder, kind))
