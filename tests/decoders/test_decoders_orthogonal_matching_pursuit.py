"""OMP against scikit-learn's and a plain loop; when it stops; directions that depend on each other."""

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from sklearn.linear_model import orthogonal_mp

from tegum.decoders import Status, decode
from tegum.decoders.orthogonal_matching_pursuit import OMP
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK

N, DIMS = 200, 40


def unit_columns(seed):
    return Dense(torch.nn.functional.normalize(gaussian(N, DIMS, seed=seed, dtype=torch.float64).dense()))


def plain_nonnegative(A, x, k):
    """One x at a time: the largest correlation with the residual of the best fit; in the end negative values leave, and the rest is fitted."""
    chosen, residual = [], x
    for _ in range(k):
        chosen.append(int(np.argmax(A.T @ residual)))
        values = np.linalg.lstsq(A[:, chosen], x, rcond=None)[0]
        residual = x - A[:, chosen] @ values
    while (values < 0).any():
        chosen = [i for i, value in zip(chosen, values, strict=True) if value > 0]
        values = np.linalg.lstsq(A[:, chosen], x, rcond=None)[0]
    z = np.zeros(A.shape[1])
    z[chosen] = values
    return z


@pytest.mark.parametrize("n_active", [3, 12, 30])
def test_signed_codes_are_those_of_scikit_learn(n_active):
    """At 3 active features both read the codes, at 12 and 30 mostly others, but the same ones."""
    D = unit_columns(1)
    x = D.encode(ExactlyK(n_features=N, n_active=n_active, values="gaussian").sample(50, seed=2, dtype=torch.float64))
    z = decode(D, x, OMP(n_active=n_active, values="signed")).z
    theirs = torch.as_tensor(orthogonal_mp(D.dense().numpy().T, x.numpy().T, n_nonzero_coefs=n_active)).T
    assert (z.dense() != 0).eq(theirs != 0).all()
    torch.testing.assert_close(z.dense(), theirs, rtol=1e-8, atol=1e-8)


def test_a_tolerance_is_that_of_scikit_learn():
    """Theirs is the squared norm of the residual, ours its share of |x|."""
    D = unit_columns(1)
    x = D.encode(ExactlyK(n_features=N, n_active=15, values="gaussian").sample(40, seed=3, dtype=torch.float64))
    out = decode(D, x, OMP(tolerance=0.1, values="signed"))
    theirs = [orthogonal_mp(D.dense().numpy().T, one.numpy(), tol=0.01 * float(one @ one)) for one in x]
    torch.testing.assert_close(out.z.dense(), torch.as_tensor(np.array(theirs)), rtol=1e-8, atol=1e-8)
    assert out.status.eq(Status.OK).all()
    assert (out.residual <= 0.1 * x.norm(dim=1)).all()
    assert out.steps.equal(out.z.n_active)
    assert out.steps.unique().numel() > 3  # samples leave at their own time


def test_nonnegative_codes_are_those_of_a_plain_loop_whatever_the_lengths():
    D, n_active = unit_columns(4), 8
    x = D.encode(ExactlyK(n_features=N, n_active=n_active, values="uniform").sample(40, seed=5, dtype=torch.float64))
    wanted = np.array([plain_nonnegative(D.dense().numpy().T, one.numpy(), n_active) for one in x])
    lengths = torch.linspace(0.1, 10, N, dtype=torch.float64)[:, None]
    z = decode(Dense(D.dense() * lengths), x, OMP(n_active=n_active)).z
    torch.testing.assert_close(z.dense() * lengths.T, torch.as_tensor(wanted), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("tolerance", [None, 0.01, 0.05])
@pytest.mark.parametrize("kind", ["nonnegative", "binary"])
def test_codes_of_ok_samples_reach_the_tolerance(kind, tolerance):
    """Of x that no nonnegative codes were drawn for, and of x that were: what is negative in the best fit must not count. Rounding is 32 units."""
    D = unit_columns(10)
    drawn = torch.randn(60, DIMS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = torch.cat([drawn, D.encode(ExactlyK(n_features=N, n_active=4).sample(20, seed=3, dtype=torch.float64))])
    out = decode(D, x, OMP(tolerance=tolerance, values=kind))
    enough = (tolerance or 32 * torch.finfo(torch.float64).eps) * x.norm(dim=1)
    assert (out.residual <= enough).equal(out.status == Status.OK)
    assert out.status.unique().tolist() == [Status.OK, Status.MAX_STEPS]


def test_of_features_with_negative_values_the_rest_is_fitted_again():
    """The third direction is chosen first, and its value is negative once the others are."""
    table = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0, 0.2], [0.0, 1.0, 0.2], [1.0, 1.0, 0.0]], dtype=torch.float64))
    x = torch.tensor([[1.0, 1.1, 0.6]], dtype=torch.float64)
    out = decode(Dense(table), x, OMP(n_active=3))
    wanted, residual = nnls(table.numpy().T, x[0].numpy())
    assert np.linalg.solve(table.numpy().T, x[0].numpy())[2] < 0
    torch.testing.assert_close(out.z.dense()[0], torch.as_tensor(wanted), rtol=1e-12, atol=1e-12)
    assert float(out.residual) == pytest.approx(residual, abs=1e-12)


def test_binary_codes_are_what_the_fit_puts_above_one_half():
    D, z = unit_columns(11), ExactlyK(n_features=N, n_active=5).sample(60, seed=6, dtype=torch.float64)
    x = D.encode(z) + 0.02 * torch.randn(60, DIMS, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    binary, fit = (decode(D, x, OMP(n_active=5, values=kind)).z.dense() for kind in ("binary", "nonnegative"))
    several = fit[(fit > 0).sum(dim=1) == 5]  # where nothing left, the fit is that of all five
    assert binary[(fit > 0).sum(dim=1) == 5].equal((several > 0.5).double())
    assert binary.eq(z.dense()).all(1).double().mean() > 0.5


def test_where_nothing_correlates_nothing_is_read():
    """A dictionary without directions, and an x across all that there are."""
    for D, x in ((Dense(torch.zeros(6, 4)), torch.ones(2, 4)), (Dense(torch.eye(4)[:3]), torch.eye(4)[3:])):
        for kind in ("nonnegative", "signed", "binary"):
            told, untold = (decode(D, x, OMP(n_active=n, values=kind)) for n in (2, None))
            assert told.z.n_active.eq(0).all()
            assert told.status.eq(Status.OK).all()
            assert untold.status.eq(Status.MAX_STEPS).all()


def test_a_sample_that_is_fitted_to_rounding_ends_there():
    D = unit_columns(6)
    parts = [ExactlyK(n_features=N, n_active=k, values="gaussian").sample(10, seed=k, dtype=torch.float64) for k in (1, 2, 3)]
    x = torch.cat([D.encode(z) for z in parts])
    told, untold = (decode(D, x, OMP(n_active=n, values="signed")) for n in (8, None))
    assert told.z.dense().equal(untold.z.dense())
    right = torch.cat([told.steps[10 * i : 10 * i + 10] == i + 1 for i in range(3)])
    assert right.double().mean() >= 0.9  # the others chose a feature too many first, and are fitted all the same
    assert told.status.eq(Status.OK).all()


def test_fewer_features_than_a_tolerance_needs_is_told_as_such():
    D = unit_columns(7)
    x = D.encode(ExactlyK(n_features=N, n_active=10).sample(5, seed=1, dtype=torch.float64))
    assert decode(D, x, OMP(n_active=2, tolerance=0.01)).status.eq(Status.MAX_STEPS).all()
    assert decode(D, x, OMP(n_active=2)).status.eq(Status.OK).all()


def test_a_nonnegative_sample_ends_where_no_direction_points_its_way():
    out = decode(Dense(torch.eye(3)), torch.tensor([[2.0, -1.0, -3.0], [1.0, 2.0, 3.0]]), OMP(n_active=2))
    assert out.z.dense().tolist() == [[2, 0, 0], [0, 2, 3]]
    assert out.steps.tolist() == [1, 2]
    assert out.status.tolist() == [Status.OK, Status.OK]


def test_more_directions_than_the_dictionary_spans_are_singular_and_the_rest_unharmed():
    """Directions in the first two of three dims: a sample outside them is fitted by two, and a third depends on these."""
    D = Dense(torch.nn.functional.pad(gaussian(6, 2, seed=0).dense(), (0, 1)))
    x = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 0.0]])
    out = decode(D, x, OMP(n_active=3, values="signed"))
    assert out.status.tolist() == [Status.SINGULAR, Status.OK]
    assert out.steps.tolist() == [2, 2]
    torch.testing.assert_close(out.residual, torch.tensor([3.0, 0.0]), rtol=1e-5, atol=1e-5)


def test_of_two_features_with_one_direction_one_is_read():
    table = unit_columns(8).dense()
    D = Dense(torch.cat([table, table[:20]]))
    z = ExactlyK(n_features=20, n_active=3).sample(30, seed=0, dtype=torch.float64)
    x = Dense(table[:20]).encode(z)
    out = decode(D, x, OMP(n_active=3))
    found = out.z.dense()
    torch.testing.assert_close(found[:, :20] + found[:, N:], z.dense(), rtol=1e-9, atol=1e-9)
    assert out.status.eq(Status.OK).all()


def test_nearly_parallel_directions_are_fitted_as_well_as_by_qr():
    """Condition number c near 250: values are right within c eps. One pass of Gram-Schmidt would lose 3 to 14 times that."""
    noise = gaussian(6, 30, seed=9, dtype=torch.float64).dense()
    table = torch.nn.functional.normalize(torch.eye(30, dtype=torch.float64)[0] + 0.02 * noise).float()
    z = torch.tensor([[1.0, -2.0, 1.5, 0.5, -1.0, 2.0]])
    found = decode(Dense(table), z @ table, OMP(n_active=6, values="signed")).z.dense()
    condition = float(torch.linalg.cond(table.double()))
    assert 100 < condition < 1000
    assert (found - z).norm() <= condition * torch.finfo(torch.float32).eps * z.norm()


@pytest.mark.usefixtures("untyped")
def test_what_is_no_tolerance_or_count_is_refused():
    for tolerance in (-0.1, float("nan"), float("inf"), "a", True):
        with pytest.raises(ValueError, match="tolerance is"):
            OMP(tolerance=tolerance)
    with pytest.raises(ValueError, match="n_active is 0"):
        OMP(n_active=0)


@pytest.mark.usefixtures("untyped")
def test_a_tolerance_is_something_it_was_told():
    assert OMP(n_active=3).told == {"n_active": 3}
    assert OMP(tolerance=np.float32(0.25)).told == {"tolerance": 0.25}
    assert OMP().told == {}
