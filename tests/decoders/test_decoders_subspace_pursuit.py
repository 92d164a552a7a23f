"""Subspace pursuit against plain loops of the textbook form; starts, dependent directions, precision."""

import numpy as np
import pytest
import torch
from bench import peers

from tegum.decoders import Status, decode
from tegum.decoders.subspace_pursuit import SubspacePursuit
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features import SparseCodes
from tegum.features.exactly_k import ExactlyK

N, DIMS = 150, 40
DRAWN = {"nonnegative": "uniform", "signed": "gaussian"}


def unit_columns(seed, dtype=torch.float64):
    return Dense(torch.nn.functional.normalize(gaussian(N, DIMS, seed=seed, dtype=dtype).dense()))


def drawn(kind, n_active, n_samples=40, seed=1):
    return ExactlyK(n_features=N, n_active=n_active, values=DRAWN[kind]).sample(n_samples, seed=seed, dtype=torch.float64)


def plain_nonnegative(A, x, k):
    """The textbook form with largest for largest in magnitude; what correlates negatively does not join, what is negative in a fit leaves it."""

    def fit(chosen):
        values = np.linalg.lstsq(A[:, chosen], x, rcond=None)[0]
        return values, x - A[:, chosen] @ values

    def positive(chosen):
        values, residual = fit(chosen)
        return (chosen, values, residual) if (values > 0).all() else positive(np.asarray(chosen)[values > 0])

    def correlating(residual):
        c = A.T @ residual
        return [i for i in np.argsort(-c)[:k] if c[i] > 0]

    chosen, values, residual = positive(correlating(x))
    while True:
        union = np.union1d(chosen, correlating(residual)).astype(int)
        trial = union[np.argsort(-fit(union)[0])[:k]]
        trial, trial_values, trial_residual = positive(trial)
        if np.linalg.norm(trial_residual) >= np.linalg.norm(residual) * (1 - 1e-12):
            z = np.zeros(A.shape[1])
            z[chosen] = values
            return z
        chosen, values, residual = trial, trial_values, trial_residual


@pytest.mark.parametrize("n_active", [3, 8, 14])
@pytest.mark.parametrize("kind", DRAWN)
def test_its_codes_are_those_of_the_textbook_loop(kind, n_active):
    """At 3 active both read nearly all codes, at 14 hardly any, but find the same ones."""
    D, k = unit_columns(1), n_active
    x = D.encode(drawn(kind, k))
    plain = peers.subspace_pursuit(k) if kind == "signed" else lambda A, one: plain_nonnegative(A, one, k)
    wanted = np.array([plain(D.dense().numpy().T, one.numpy()) for one in x])
    out = decode(D, x, SubspacePursuit(n_active=k, values=kind))
    torch.testing.assert_close(out.z.dense(), torch.as_tensor(wanted), rtol=1e-9, atol=1e-9)
    assert out.status.eq(Status.OK).all()


def test_lengths_of_directions_do_not_matter():
    D, x = unit_columns(2), unit_columns(2).encode(drawn("signed", 8))
    lengths = torch.linspace(0.1, 10, N, dtype=torch.float64)[:, None]
    plain, long = (decode(E, x, SubspacePursuit(n_active=8, values="signed")) for E in (D, Dense(D.dense() * lengths)))
    torch.testing.assert_close(long.z.dense() * lengths.T, plain.z.dense(), rtol=1e-8, atol=1e-8)


def test_binary_codes_are_the_support_at_1():
    D = gaussian(N, DIMS, seed=3, dtype=torch.float64)
    x = D.encode(ExactlyK(n_features=N, n_active=5).sample(40, seed=1, dtype=torch.float64))
    binary, plain = (decode(D, x, SubspacePursuit(n_active=5, values=kind)).z.dense() for kind in ("binary", "nonnegative"))
    assert binary.equal((plain > 0).double())


def test_a_start_saves_steps_and_may_be_wrong_in_part():
    D, z = unit_columns(4), drawn("signed", 5)
    x = D.encode(z)
    cold = decode(D, x, SubspacePursuit(n_active=5, values="signed"))
    wrong = SparseCodes(torch.cat([z.indices[:, :3], torch.full((40, 1), -1)], dim=1), torch.ones(40, 4, dtype=torch.float64), N)
    warm = decode(D, x, SubspacePursuit(n_active=5, values="signed"), start=wrong)
    assert warm.exact(z, tolerance=1e-9).double().mean() >= cold.exact(z, tolerance=1e-9).double().mean() > 0.5
    assert warm.steps.double().mean() < cold.steps.double().mean()


def test_two_features_with_one_direction_are_told_as_singular_and_the_rest_unharmed():
    table = unit_columns(5).dense()
    D = Dense(torch.cat([table, table[:1]]))
    z = torch.zeros(3, N + 1, dtype=torch.float64)
    z[:, [20, 30, 40]] = torch.tensor([1.0, 1.2, 0.8], dtype=torch.float64)
    z[1, 0] = 2.0
    out = decode(D, z @ D.dense(), SubspacePursuit(n_active=5, values="signed"))
    assert out.status.tolist() == [Status.OK, Status.SINGULAR, Status.OK]
    assert (out.residual < 1e-9).all()
    found = out.z.dense()[1]
    assert float(found[0] + found[-1]) == pytest.approx(2, abs=1e-9)


def test_single_precision_loses_no_more_than_rounding():
    """Least-squares values in float32: the condition number of 8 of 150 directions in 40 dims is below 5, and 25 of it squared is 3e-6 of |z|."""
    D, z = unit_columns(6, torch.float32), drawn("signed", 8)
    out = decode(D, D.encode(z), SubspacePursuit(n_active=8, values="signed"))
    right = out.support_exact(z)
    assert right.double().mean() > 0.3
    errors = (out.z.dense() - z.dense()).norm(dim=1) / z.dense().norm(dim=1)
    assert (errors[right] < 3e-6).all()


@pytest.mark.parametrize("kind", ["nonnegative", "signed", "binary"])
def test_what_does_not_correlate_or_has_no_direction_never_joins(kind):
    """Five axes and a feature without a direction, 3 asked for; values come out exactly, without what would be added to a singular system."""
    D = Dense(torch.eye(6)[:, :5])
    x = torch.tensor([[1.0, 0, 0, 0, 0], [2.0, -1, 0, 0, 0], [0.0, 0, 0, 0, 0]])
    wanted = {"nonnegative": x.clamp(min=0), "signed": x, "binary": (x > 0).float()}[kind]
    start = SparseCodes(torch.tensor([[0, 5, -1], [5, 3, 1], [0, 5, 2]]), torch.tensor([[2.0, 7, 0], [1, 1, 1], [1, 1, 1]]), 6)
    for begin in (None, start):
        out = decode(D, x, SubspacePursuit(n_active=3, values=kind), start=begin)
        assert out.z.dense()[:, :5].equal(wanted)
        assert out.z.dense()[:, 5].eq(0).all()
        assert out.status.eq(Status.OK).all()


def test_what_is_left_of_x_is_orthogonal_to_the_features_kept_also_where_others_were_negative():
    """Directions that lean on one axis, and random x: where values of the best fit are negative, to clip them would leave a residual that is not."""
    lean = 1.5 * torch.eye(DIMS, dtype=torch.float64)[0]
    D = Dense(torch.nn.functional.normalize(gaussian(N, DIMS, seed=8, dtype=torch.float64).dense() + lean))
    x = torch.randn(40, DIMS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    out = decode(D, x, SubspacePursuit(n_active=8))
    assert (out.z.n_active < 8).any()
    assert out.status.eq(Status.OK).all()
    assert (D.correlate(x - D.encode(out.z)) * (out.z.dense() > 0)).abs().max() < 1e-12 * x.norm(dim=1).max()


def test_too_few_steps_are_told_as_such():
    D = unit_columns(7)
    x = D.encode(drawn("signed", 8))
    out = decode(D, x, SubspacePursuit(n_active=8, values="signed", steps=2))
    full = decode(D, x, SubspacePursuit(n_active=8, values="signed"))
    assert out.status.eq(Status.MAX_STEPS).equal(full.steps > 2)
    assert out.steps.max() == 2
    with pytest.raises(ValueError, match="steps is 0"):
        SubspacePursuit(n_active=8, steps=0)


@pytest.mark.parametrize("steps", [2, 3])
def test_a_batch_cut_short_is_its_samples_one_by_one(steps):
    """Samples of 2 active features are done at once and leave; those of 8 run out of steps in the slots that are left."""
    D = unit_columns(7)
    x = torch.stack([one for pair in zip(*(D.encode(drawn("signed", k)) for k in (2, 8)), strict=True) for one in pair])
    out = decode(D, x, SubspacePursuit(n_active=8, values="signed", steps=steps))
    alone = [decode(D, one[None], SubspacePursuit(n_active=8, values="signed", steps=steps)) for one in x]
    assert out.status.unique().tolist() == [Status.OK, Status.MAX_STEPS]
    assert out.status.tolist() == [int(one.status) for one in alone]
    torch.testing.assert_close(out.z.dense(), torch.cat([one.z.dense() for one in alone]), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(out.residual, torch.cat([one.residual for one in alone]), rtol=1e-9, atol=1e-9)
