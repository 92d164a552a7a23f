"""NIHT against a plain loop of the textbook form; its residual, its bounds, its starts."""

import numpy as np
import pytest
import torch

from tegum.decoders import Status, decode
from tegum.decoders.iterative_hard_thresholding import NIHT
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK

N, DIMS = 150, 40
DRAWN = {"nonnegative": "uniform", "signed": "gaussian", "binary": "binary"}


def unit_columns(seed):
    return Dense(torch.nn.functional.normalize(gaussian(N, DIMS, seed=seed, dtype=torch.float64).dense()))


def drawn(kind, n_active, n_samples=30):
    return ExactlyK(n_features=N, n_active=n_active, values=DRAWN[kind]).sample(n_samples, seed=1, dtype=torch.float64)


def plain(A, x, k, steps):
    """Blumensath & Davies 2010, algorithm 1 with c = .01 and kappa = 2. Also returns how often a step was cut."""

    def keep(y):
        out = np.zeros_like(y)
        best = np.argsort(-abs(y))[:k]
        out[best] = y[best]
        return out, set(best)

    z, (_, support), cuts = np.zeros(A.shape[1]), keep(A.T @ x), 0
    for _ in range(steps):
        g = A.T @ (x - A @ z)
        at = sorted(support)
        mu = (g[at] @ g[at]) / np.sum((A[:, at] @ g[at]) ** 2)
        new, new_support = keep(z + mu * g)
        while new_support != support and mu > 0.99 * np.sum((new - z) ** 2) / np.sum((A @ (new - z)) ** 2):
            mu, cuts = mu / (2 * 0.99), cuts + 1
            new, new_support = keep(z + mu * g)
        z, support = new, new_support
    return z, cuts


@pytest.mark.parametrize("n_active", [3, 8])
def test_its_codes_are_those_of_the_textbook_loop(n_active):
    D = unit_columns(1)
    x = D.encode(drawn("signed", n_active))
    wanted, cuts = zip(*[plain(D.dense().numpy().T, one.numpy(), n_active, 12) for one in x], strict=True)
    out = decode(D, x, NIHT(n_active=n_active, values="signed", steps=12, tolerance=1e-300))
    torch.testing.assert_close(out.z.dense(), torch.as_tensor(np.array(wanted)), rtol=1e-9, atol=1e-9)
    assert sum(cuts) > 5  # or the condition on the step would not be tried


@pytest.mark.parametrize("kind", DRAWN)
def test_its_residual_never_grows_and_its_values_stay_in_range(kind):
    D = gaussian(N, DIMS, seed=2, dtype=torch.float64)
    x = D.encode(drawn(kind, 10))
    sizes, outs = [x.norm(dim=1)], []
    for steps in (1, 2, 3, 5, 8, 13):
        outs.append(decode(D, x, NIHT(n_active=10, values=kind, steps=steps)))
        sizes.append(outs[-1].residual)
    assert (torch.stack(sizes).diff(dim=0) <= 1e-12).all()
    values = torch.cat([out.z.values.flatten() for out in outs])
    assert (values < 0).any() == (kind == "signed")
    assert (values > 1).any() == (kind != "binary")
    assert (values == 1).any() == (kind == "binary")  # some stand at the bound


@pytest.mark.parametrize("kind", DRAWN)
def test_it_ends_where_a_step_changes_nothing(kind):
    """Where the codes are right: linear convergence, so that what is left is a small multiple of the last change, 1e-9 of |z|."""
    D, z = gaussian(N, 80, seed=3, dtype=torch.float64), drawn(kind, 5)
    x = D.encode(z)
    out = decode(D, x, NIHT(n_active=5, values=kind, tolerance=1e-9))
    right = out.exact(z, tolerance=1e-7)
    assert right.double().mean() > 0.8
    assert out.status.eq(Status.OK).all()
    again = decode(D, x, NIHT(n_active=5, values=kind, tolerance=1e-8), start=out.z)
    assert again.steps[right].max() <= 1
    assert decode(D, x, NIHT(n_active=5, values=kind, steps=2)).status.eq(Status.MAX_STEPS).any()


def test_lengths_of_directions_do_not_matter():
    D, x = unit_columns(4), unit_columns(4).encode(drawn("signed", 6))
    lengths = torch.linspace(0.1, 10, N, dtype=torch.float64)[:, None]
    short, long = (decode(E, x, NIHT(n_active=6, values="signed", steps=15)) for E in (D, Dense(D.dense() * lengths)))
    torch.testing.assert_close(long.z.dense() * lengths.T, short.z.dense(), rtol=1e-8, atol=1e-8)


def test_twin_directions_do_not_stop_it():
    table = unit_columns(5).dense()
    D = Dense(torch.cat([table, table[:1]]))
    z = torch.zeros(1, N + 1, dtype=torch.float64)
    z[0, [0, 20]] = torch.tensor([2.0, 1.0], dtype=torch.float64)
    out = decode(D, z @ D.dense(), NIHT(n_active=3))
    assert out.status.tolist() == [Status.OK]
    assert float(out.residual) < 1e-3
    assert float(out.z.dense()[0, [0, N]].sum()) == pytest.approx(2, abs=1e-3)


@pytest.mark.usefixtures("untyped")
def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="steps is 0"):
        NIHT(n_active=2, steps=0)
    with pytest.raises(ValueError, match="tolerance is 0"):
        NIHT(n_active=2, tolerance=0.0)
    with pytest.raises(ValueError, match="tolerance is 'a'"):
        NIHT(n_active=2, tolerance="a")
    with pytest.raises(ValueError, match="tolerance is True"):
        NIHT(n_active=2, tolerance=True)
    assert NIHT(n_active=2, tolerance=np.float32(0.5)).tolerance == 0.5


def test_nothing_is_read_of_nothing_whatever_the_start():
    D = unit_columns(6)
    out = decode(D, torch.zeros(30, DIMS, dtype=torch.float64), NIHT(n_active=4, values="signed"), start=drawn("signed", 4))
    assert out.z.n_active.eq(0).all()
    assert out.status.eq(Status.OK).all()
    assert out.steps.eq(0).all()
