"""The lasso's iterative solvers: scikit-learn's and celer's objective, one minimiser whoever finds it, and its certificate."""

import numpy as np
import pytest
import torch
from celer import Lasso as Celer
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso

from tegum.decoders import Status, decode, duality_gap
from tegum.decoders.coordinate_descent import CoordinateDescent, lasso_path
from tegum.decoders.fista import FISTA
from tegum.decoders.homotopy import Homotopy
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features import SparseCodes
from tegum.features.exactly_k import ExactlyK

DRAWN = {"nonnegative": "uniform", "signed": "gaussian", "binary": "binary"}
ITERATIVE = FISTA, CoordinateDescent


def noisy(kind, n_features=60, n_dims=24, n_samples=4, seed=0, noise=0.1, dtype=torch.float64):
    D = gaussian(n_features, n_dims, seed=seed, dtype=dtype)
    z = ExactlyK(n_features=n_features, n_active=4, values=DRAWN[kind]).sample(n_samples, seed=seed, dtype=dtype)
    return D, D.encode(z) + noise * torch.randn(n_samples, n_dims, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def objective(D, x, z, penalty):
    return 0.5 * (x - D.encode(z)).square().sum(1) + penalty * z.values.abs().sum(1)


@pytest.mark.parametrize("kind", ["nonnegative", "signed"])
@pytest.mark.parametrize("penalty", [0.3, 3e-3])
@pytest.mark.parametrize("decoder", ITERATIVE)
def test_they_minimise_what_scikit_learn_and_celer_minimise(decoder, penalty, kind):
    D, x = noisy(kind)
    ours = objective(D, x, decode(D, x, decoder(values=kind, penalty=penalty, tolerance=1e-8)).z, penalty)
    told = {"alpha": penalty / D.n_dims, "fit_intercept": False, "positive": kind == "nonnegative", "tol": 1e-12, "max_iter": 100_000}
    for peer in (Lasso, Celer):
        found = [peer(**told).fit(D.dense().numpy().T, row).coef_ for row in x.numpy()]
        theirs = [
            0.5 * ((row - z @ D.dense().numpy()) ** 2).sum() + penalty * np.abs(z).sum() for row, z in zip(x.numpy(), found, strict=True)
        ]
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-6)


@pytest.mark.parametrize("kind", DRAWN)
@settings(max_examples=6)
@given(seed=st.integers(0, 2**31), n_features=st.integers(2, 40), n_dims=st.integers(2, 20), share=st.floats(1e-3, 0.9))
def test_fista_coordinate_descent_and_homotopy_find_one_minimum(kind, seed, n_features, n_dims, share):
    D = gaussian(n_features, n_dims, seed=seed, dtype=torch.float64)
    x = torch.randn(3, n_dims, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    penalty = share * D.correlate(x).abs().max().item()
    exact = objective(D, x, decode(D, x, Homotopy(values=kind, penalty=penalty)).z, penalty)
    for decoder in ITERATIVE:
        out = decode(D, x, decoder(values=kind, penalty=penalty, tolerance=1e-7))
        assert out.status.eq(Status.OK).all()
        # the gap bounds the excess, and no code is better than the exact one
        torch.testing.assert_close(objective(D, x, out.z, penalty), exact, rtol=1.01e-7, atol=1e-14)


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("decoder", ITERATIVE)
@pytest.mark.parametrize("penalty", [0.1, 1e-4])
def test_what_they_call_done_has_the_gap_they_promise(penalty, decoder, kind):
    D, x = noisy(kind, noise=0.0)
    out = decode(D, x, decoder(values=kind, penalty=penalty, tolerance=1e-5))
    assert out.status.eq(Status.OK).all()
    gap = duality_gap(D, x, out.z, penalty, kind)
    assert (gap <= 1e-5 * (1 + 1e-6)).all()
    assert (gap >= -1e-12).all()


@pytest.mark.parametrize("decoder", ITERATIVE)
def test_a_gap_is_a_bound_on_what_a_code_misses(decoder):
    D, x = noisy("signed")
    best = objective(D, x, decode(D, x, Homotopy(values="signed", penalty=0.1)).z, 0.1)
    for steps in (1, 3, 10):
        z = decode(D, x, decoder(values="signed", penalty=0.1, max_steps=steps)).z
        value = objective(D, x, z, 0.1)
        assert ((value - best) / value <= duality_gap(D, x, z, 0.1, "signed") + 1e-12).all()


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("decoder", ITERATIVE)
def test_above_the_largest_correlation_nothing_is_active(decoder, kind):
    D, x = noisy(kind)
    assert decode(D, x, decoder(values=kind, penalty=1.001 * D.correlate(x).abs().max().item())).z.n_active.eq(0).all()


@pytest.mark.parametrize("kind", DRAWN)
def test_a_path_of_penalties_is_the_solutions_one_by_one(kind):
    D, x = noisy(kind)
    penalties = [0.5, 0.2, 0.05, 0.01]
    path = lasso_path(D, x, penalties, CoordinateDescent(values=kind, penalty=1.0, tolerance=1e-9))
    exact = Homotopy(values=kind, penalty=0.01).path(D, x)
    for penalty, found in zip(penalties, path, strict=True):
        # off the minimiser by e, the objective is off by e^2 or more; 1e-9 of an objective of order 1 is 3e-5 squared
        torch.testing.assert_close(found.z.dense(), exact.at(penalty).dense(), rtol=0, atol=1e-3)
    sizes = torch.stack([found.z.values.abs().sum(1) for found in path])
    assert (sizes.diff(dim=0) >= -1e-4).all()


@pytest.mark.parametrize("decoder", ITERATIVE)
def test_single_precision_is_solved_to_the_same_gap(decoder):
    D, x = noisy("nonnegative", dtype=torch.float32)
    out = decode(D, x, decoder(penalty=1e-3, tolerance=1e-5))
    assert out.status.eq(Status.OK).all()
    # codes are handed over in float32: their rounding moves correlations by some 1e-7, 1e-4 of the penalty, and the bound by as much
    assert duality_gap(D, x, out.z, 1e-3).max() < 1e-3


@pytest.mark.parametrize("decoder", ITERATIVE)
def test_penalty_0_and_tolerances_that_are_none_are_refused(decoder):
    with pytest.raises(ValueError, match="penalty is 0"):
        decoder(penalty=0.0)
    with pytest.raises(ValueError, match="tolerance is 0"):
        decoder(penalty=0.1, tolerance=0.0)


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("decoder", ITERATIVE)
def test_a_far_start_costs_no_more_than_none(decoder, kind):
    D, x = noisy(kind)
    told = decoder(values=kind, penalty=0.03)
    near = decode(D, x, told).z.dense()
    far = 100 * torch.randn(4, D.n_features, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    cold, warm = decode(D, x, told), decode(D, x, told, start=SparseCodes.from_dense(torch.cat([far[:2], near[2:]])))
    assert warm.status.eq(Status.OK).all()
    if kind != "binary":  # the box brings a far start near
        assert warm.steps[:2].equal(cold.steps[:2])
    assert warm.steps[2:].eq(0).all()
    torch.testing.assert_close(objective(D, x, warm.z, 0.03), objective(D, x, cold.z, 0.03), rtol=1e-6, atol=0)
