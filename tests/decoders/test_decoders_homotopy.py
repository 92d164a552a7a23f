"""The lasso's path: the same minimisers as scikit-learn and celer, breakpoints as scikit-learn's, and the certificates of each."""

import numpy as np
import pytest
import torch
from celer import Lasso as Celer
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, lars_path

from tegum.decoders import Status, decode, duality_gap
from tegum.decoders.homotopy import Homotopy
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK

DRAWN = {"nonnegative": "uniform", "signed": "gaussian", "binary": "binary"}


def noisy(kind, n_features=60, n_dims=24, n_samples=8, seed=0, noise=0.1):
    """Activations beside what any code of few features gives."""
    D = gaussian(n_features, n_dims, seed=seed, dtype=torch.float64)
    z = ExactlyK(n_features=n_features, n_active=4, values=DRAWN[kind]).sample(n_samples, seed=seed, dtype=torch.float64)
    return D, D.encode(z) + noise * torch.randn(n_samples, n_dims, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def objective(D, x, z, penalty):
    return (0.5 * (x - D.encode(z)).square().sum(1) + penalty * z.values.abs().sum(1)).numpy()


@pytest.mark.parametrize("kind", ["nonnegative", "signed"])
@pytest.mark.parametrize("penalty", [0.3, 0.03, 1e-3])
def test_it_minimises_what_scikit_learn_and_celer_minimise(kind, penalty):
    D, x = noisy(kind)
    ours = objective(D, x, decode(D, x, Homotopy(values=kind, penalty=penalty)).z, penalty)
    told = {"alpha": penalty / D.n_dims, "fit_intercept": False, "positive": kind == "nonnegative", "tol": 1e-12, "max_iter": 100_000}
    for peer in (Lasso, Celer):
        for row, least in zip(x.numpy(), ours, strict=True):
            z = peer(**told).fit(D.dense().numpy().T, row).coef_
            theirs = 0.5 * ((row - z @ D.dense().numpy()) ** 2).sum() + penalty * np.abs(z).sum()
            assert least <= theirs * (1 + 1e-12)  # exact: no other may be below
            assert least == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("kind", ["nonnegative", "signed"])
def test_its_breakpoints_are_those_of_lars(kind):
    D, x = noisy(kind, n_samples=3)
    path = Homotopy(values=kind, penalty=0.01).path(D, x)
    for sample, row in enumerate(x.numpy()):
        alphas, _, coefs = lars_path(D.dense().numpy().T, row, method="lasso", positive=kind == "nonnegative", alpha_min=0.01 / D.n_dims)  # pyright: ignore[reportArgumentType]
        ours = path.penalties[:, sample].numpy() / D.n_dims
        np.testing.assert_allclose(np.unique(ours)[::-1], alphas, rtol=1e-9)
        middle = float(alphas[3] + alphas[4]) / 2 * D.n_dims
        theirs = (coefs[:, 3] + coefs[:, 4]) / 2
        np.testing.assert_allclose(path.at(middle)[sample].dense()[0].numpy(), theirs, atol=1e-9)


@pytest.mark.parametrize("kind", DRAWN)
@settings(max_examples=20)
@given(penalty=st.floats(1e-4, 1.0), seed=st.integers(0, 2**31))
def test_the_gap_to_the_dual_is_closed(kind, penalty, seed):
    D, x = noisy(kind, n_features=40, n_dims=15, n_samples=3, seed=seed)
    out = decode(D, x, Homotopy(values=kind, penalty=penalty))
    assert out.status.eq(Status.OK).all()
    gap = duality_gap(D, x, out.z, penalty, kind)
    assert gap.abs().max() < 1e-10  # sums of some dozens of products in float64, as a share of the objective


@pytest.mark.parametrize("kind", DRAWN)
def test_sizes_grow_and_residuals_shrink_along_the_path(kind):
    D, x = noisy(kind)
    path = Homotopy(values=kind).path(D, x)
    assert (path.penalties.diff(dim=0) <= 0).all()
    sizes = torch.stack([codes.values.abs().sum(1) for codes in path.codes])
    residuals = torch.stack([(x - D.encode(codes)).norm(dim=1) for codes in path.codes])
    assert (sizes.diff(dim=0) >= -1e-9).all()
    assert (residuals.diff(dim=0) <= 1e-9).all()
    assert sizes[-1].gt(sizes[0]).all()


@pytest.mark.parametrize("kind", DRAWN)
def test_above_the_largest_correlation_nothing_is_active(kind):
    D, x = noisy(kind)
    correlations = D.correlate(x)
    largest = (correlations.abs() if kind == "signed" else correlations).amax(1)
    for row, top in zip(x, largest.tolist(), strict=True):
        assert decode(D, row[None], Homotopy(values=kind, penalty=top * (1 + 1e-9))).z.n_active.item() == 0
        assert decode(D, row[None], Homotopy(values=kind, penalty=top * (1 - 1e-3))).z.n_active.item() == 1


def test_a_value_held_at_the_upper_bound_is_set_free_again():
    D, x = noisy("binary", n_samples=64, seed=3)
    path = Homotopy(values="binary", penalty=0.01).path(D, 1.5 * x)
    held = torch.stack([codes.dense() == 1 for codes in path.codes])
    assert (held[:-1] & ~held[1:]).any()
    assert duality_gap(D, 1.5 * x, path.codes[-1], 0.01, "binary").max() < 1e-10


def test_float32_follows_the_path_of_float64_where_features_differ_by_its_rounding():
    D = gaussian(512, 30, seed=0)
    x = D.encode(ExactlyK(n_features=512, n_active=9).sample(16, seed=0))
    out = decode(D, x, Homotopy())
    exact = decode(D.to(dtype=torch.float64), x.double(), Homotopy())
    assert out.status.eq(Status.OK).all()
    torch.testing.assert_close(out.z.values.sum(1).double(), exact.z.values.sum(1), rtol=1e-5, atol=0)


def test_a_direction_that_depends_on_others_is_no_harm():
    D = gaussian(12, 6, seed=1, dtype=torch.float64).dense()
    twice = Dense(torch.cat([D, D[:4], D[:2] + D[2:4], torch.zeros(1, 6, dtype=torch.float64)]))
    x = torch.randn(16, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for penalty in (0.1, 1e-3):
        out = decode(twice, x, Homotopy(values="signed", penalty=penalty))
        assert out.status.eq(Status.OK).all()
        assert duality_gap(twice, x, out.z, penalty, "signed").max() < 1e-10


def test_steps_end_where_they_are_told_to():
    D, x = noisy("nonnegative")
    out = decode(D, x, Homotopy(max_steps=3))
    assert out.status.eq(Status.MAX_STEPS).all()
    assert out.steps.eq(3).all()


@pytest.mark.parametrize("penalty", [-1.0, float("nan"), float("inf")])
def test_a_penalty_that_is_none_is_refused(penalty):
    with pytest.raises(ValueError, match="penalty is"):
        Homotopy(penalty=penalty)


def test_the_path_says_where_it_ends():
    D, x = noisy("nonnegative", n_samples=2)
    with pytest.raises(ValueError, match=r"the path ends at 0\.1"):
        Homotopy(penalty=0.1).path(D, x).at(0.05)


@pytest.mark.parametrize("kind", DRAWN)
def test_at_the_first_breakpoint_and_above_it_nothing_is_active(kind):
    D, x = noisy(kind)
    path = Homotopy(values=kind, penalty=0.1).path(D, x)
    assert path.codes[0].n_active.eq(0).all()
    for penalty in (1.0, 2.0):
        assert path.at(penalty * float(path.penalties[0].max()))[int(path.penalties[0].argmax())].n_active.eq(0).all()
    assert path.at(2 * float(path.penalties[0].max())).dense().eq(0).all()


@pytest.mark.parametrize("kind", ["nonnegative", "signed", "binary"])
def test_of_features_that_are_tied_one_that_depends_on_the_others_waits(kind):
    # entries in {-1, 0, 1}; in samples of these seeds a feature arrives that the active ones of the same correlation span
    for seed in (8, 15, 30):
        generator = torch.Generator().manual_seed(seed)
        D = Dense(torch.randint(-1, 2, (20, 8), generator=generator).double())
        x = torch.randint(-1, 2, (16, 8), generator=generator).double()
        out = decode(D, x, Homotopy(values=kind, penalty=0.05))
        assert out.status.eq(Status.OK).all()
        assert duality_gap(D, x, out.z, 0.05, kind).abs().max() < 1e-10
