"""CoSaMP against a plain loop of the textbook form; starts, dependent directions."""

import numpy as np
import pytest
import torch

from tegum.decoders import Status, decode
from tegum.decoders.compressive_sampling_pursuit import CoSaMP
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features import SparseCodes
from tegum.features.exactly_k import ExactlyK

N, DIMS = 150, 40
DRAWN = {"nonnegative": "uniform", "signed": "gaussian"}


def unit_columns(seed):
    return Dense(torch.nn.functional.normalize(gaussian(N, DIMS, seed=seed, dtype=torch.float64).dense()))


def drawn(kind, n_active, n_samples=40):
    return ExactlyK(n_features=N, n_active=n_active, values=DRAWN[kind]).sample(n_samples, seed=1, dtype=torch.float64)


def plain(A, x, k, signed):
    """Needell & Tropp's algorithm 1, ending when the residual no longer shrinks; unsigned, with no negative correlations or values."""
    z, residual = np.zeros(A.shape[1]), x
    while True:
        proxy = A.T @ residual
        joining = np.argsort(-abs(proxy) if signed else -proxy)[: 2 * k]
        union = np.union1d(np.flatnonzero(z), joining if signed else joining[proxy[joining] > 0]).astype(int)
        fit = np.linalg.lstsq(A[:, union], x, rcond=None)[0]
        best = np.argsort(-abs(fit) if signed else -fit)[:k]
        trial = np.zeros(A.shape[1])
        trial[union[best]] = fit[best] if signed else fit[best].clip(min=0)
        left = x - A @ trial
        if np.linalg.norm(left) >= np.linalg.norm(residual) * (1 - 1e-12):
            return z
        z, residual = trial, left


@pytest.mark.parametrize("n_active", [3, 8, 12])
@pytest.mark.parametrize("kind", DRAWN)
def test_its_codes_are_those_of_the_textbook_loop(kind, n_active):
    """At 3 active both read nearly all codes, at 12 hardly any, but find the same ones."""
    D, k = unit_columns(1), n_active
    x = D.encode(drawn(kind, k))
    wanted = np.array([plain(D.dense().numpy().T, one.numpy(), k, kind == "signed") for one in x])
    out = decode(D, x, CoSaMP(n_active=k, values=kind))
    torch.testing.assert_close(out.z.dense(), torch.as_tensor(wanted), rtol=1e-8, atol=1e-8)
    assert out.status.eq(Status.OK).all()


def test_lengths_of_directions_do_not_matter():
    D, x = unit_columns(2), unit_columns(2).encode(drawn("signed", 8))
    lengths = torch.linspace(0.1, 10, N, dtype=torch.float64)[:, None]
    short, long = (decode(E, x, CoSaMP(n_active=8, values="signed")) for E in (D, Dense(D.dense() * lengths)))
    torch.testing.assert_close(long.z.dense() * lengths.T, short.z.dense(), rtol=1e-8, atol=1e-8)


def test_a_start_near_the_codes_saves_steps():
    D, z = unit_columns(4), drawn("signed", 5)
    x = D.encode(z)
    cold = decode(D, x, CoSaMP(n_active=5, values="signed"))
    warm = decode(D, x, CoSaMP(n_active=5, values="signed"), start=type(z)(z.indices[:, :4], z.values[:, :4] * 1.1, N))
    assert warm.exact(z, tolerance=1e-9).all()
    assert warm.steps.double().mean() < cold.steps.double().mean()


def test_features_kept_that_depend_on_each_other_are_told_as_singular():
    """Twin directions, both kept; not more directions than dims that are tried, 3k = 15 in 12, for any 5 of them are independent."""
    table = unit_columns(5).dense()
    D = Dense(torch.cat([table, table[:1]]))
    z = torch.zeros(2, N + 1, dtype=torch.float64)
    z[:, [20, 30, 40]] = torch.tensor([1.0, 1.2, 0.8], dtype=torch.float64)
    z[1, 0] = 2.0
    out = decode(D, z @ D.dense(), CoSaMP(n_active=5, values="signed"))
    assert out.status.tolist()[1] == Status.SINGULAR
    assert torch.isfinite(out.z.values).all()
    few = gaussian(60, 12, seed=0, dtype=torch.float64)
    x = few.encode(ExactlyK(n_features=60, n_active=5).sample(10, dtype=torch.float64))
    out = decode(few, x, CoSaMP(n_active=5, values="signed"))
    assert out.status.eq(Status.OK).all()
    assert torch.isfinite(out.residual).all()


@pytest.mark.parametrize("kind", ["nonnegative", "signed", "binary"])
def test_what_does_not_correlate_or_has_no_direction_never_joins(kind):
    """Five axes and a feature without a direction, 3 asked for; values come out exactly, without what would be added to a singular system."""
    D = Dense(torch.eye(6)[:, :5])
    x = torch.tensor([[1.0, 0, 0, 0, 0], [2.0, -1, 0, 0, 0], [0.0, 0, 0, 0, 0]])
    wanted = {"nonnegative": x.clamp(min=0), "signed": x, "binary": (x > 0).float()}[kind]
    start = SparseCodes(torch.tensor([[0, 5, -1], [5, 3, 1], [0, 5, 2]]), torch.tensor([[2.0, 7, 0], [1, 1, 1], [1, 1, 1]]), 6)
    for begin in (None, start):
        out = decode(D, x, CoSaMP(n_active=3, values=kind), start=begin)
        assert out.z.dense()[:, :5].equal(wanted)
        assert out.z.dense()[:, 5].eq(0).all()
        assert out.status.eq(Status.OK).all()


def test_too_few_steps_are_told_as_such():
    D = unit_columns(7)
    x = D.encode(drawn("signed", 8))
    out, full = (decode(D, x, CoSaMP(n_active=8, values="signed", steps=steps)) for steps in (2, 100))
    assert out.status.eq(Status.MAX_STEPS).equal(full.steps > 2)
    with pytest.raises(ValueError, match="steps is 0"):
        CoSaMP(n_active=8, steps=0)


@pytest.mark.parametrize("steps", [2, 3])
def test_a_batch_cut_short_is_its_samples_one_by_one(steps):
    """Samples of 2 active features are done at once and leave; those of 8 run out of steps in the slots that are left."""
    D = unit_columns(7)
    x = torch.stack([one for pair in zip(*(D.encode(drawn("signed", k)) for k in (2, 8)), strict=True) for one in pair])
    out = decode(D, x, CoSaMP(n_active=8, values="signed", steps=steps))
    alone = [decode(D, one[None], CoSaMP(n_active=8, values="signed", steps=steps)) for one in x]
    assert out.status.unique().tolist() == [Status.OK, Status.MAX_STEPS]
    assert out.status.tolist() == [int(one.status) for one in alone]
    torch.testing.assert_close(out.z.dense(), torch.cat([one.z.dense() for one in alone]), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(out.residual, torch.cat([one.residual for one in alone]), rtol=1e-9, atol=1e-9)
