"""AMP: state evolution foretells its error, its fixed points are the lasso's, its transition is that of l1."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso

from tegum.decoders import Status, Values, decode
from tegum.decoders.approximate_message_passing import AMP, SoftThreshold
from tegum.decoders.basis_pursuit import BasisPursuit
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK
from tegum.theory.amp_evolution import state_evolution
from tegum.theory.l1 import box_dims, lasso_dims, lasso_width, minimax_alpha


def noisy(D, z, noise_std, seed=1):
    x = D.encode(z)
    return x + noise_std * torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("kind", "values"), [("nonnegative", "uniform"), ("signed", "gaussian")])
def test_state_evolution_foretells_the_error_of_every_step(kind, values):
    """4 standard errors of 64 samples: 1 in 16,000 a step by chance, if normal. The law is that of N to infinity: 1% more for N = 4096, d = 500."""
    n, k, d, noise, alpha = 4096, 64, 500, 0.1, 1.5
    D = gaussian(n, d, seed=5)
    z = ExactlyK(n_features=n, n_active=k, values=values).sample(64, seed=3)
    x, truth = noisy(D, z, noise), z.dense()
    predicted = state_evolution(d, n, k, alpha=alpha, signed=kind == "signed", values=values, noise_std=noise, steps=6)
    for step in (1, 2, 4, 6):
        out = decode(D, x, AMP(values=kind, alpha=alpha, max_steps=step))
        assert (out.status == Status.MAX_STEPS).all()
        error = (out.z.dense() - truth).square().sum(dim=1).double()
        expected = (predicted[step] - noise**2) * d
        assert abs(error.mean() - expected) < 4 * error.std() / 8 + 0.01 * expected


@pytest.mark.parametrize("kind", ["nonnegative", "signed"])
@pytest.mark.parametrize("lengths", ["of the ensemble", "from 1/2 to 2"])
def test_a_fixed_point_is_the_minimiser_of_the_lasso(kind, lengths):
    """Its penalty is alpha tau l (1 - active / d) = alpha l |x - D z| / sqrt(d), for v = (x - D z) / (1 - active / d) there."""
    n, d = 200, 100
    D = gaussian(n, d, seed=2, dtype=torch.float64)
    if lengths == "from 1/2 to 2":
        D = Dense(D.dense() * torch.logspace(-1, 1, n, base=2, dtype=torch.float64)[:, None])
    z = ExactlyK(n_features=n, n_active=8, values="uniform" if kind == "nonnegative" else "gaussian").sample(5, seed=4, dtype=torch.float64)
    x = noisy(D, z, 0.1)
    out = decode(D, x, AMP(values=kind, alpha=2.0, tolerance=1e-12, max_steps=2000))
    assert (out.status == Status.OK).all()
    length = D.squared_norms().mean().sqrt().item()
    for i in range(5):
        penalty = 2.0 * length * out.residual[i].item() / d**0.5
        lasso = Lasso(alpha=penalty / d, positive=kind == "nonnegative", fit_intercept=False, tol=1e-12, max_iter=100_000)
        lasso.fit(D.dense().T.numpy(), x[i].numpy())
        assert np.abs(lasso.coef_).max() > 0.1
        np.testing.assert_allclose(out.z.dense()[i].numpy(), lasso.coef_, atol=1e-7)


def test_the_term_of_onsager_is_as_precise_as_the_codes():
    one = torch.ones(4, dtype=torch.float64)
    seen = torch.tensor([[3.0, 0.5, 2.0, 0.0]], dtype=torch.float64)
    estimate = SoftThreshold(1.0, Values.NONNEGATIVE, one, one[:1])(lambda at, signed: (torch.arange(4)[None], seen * (seen > at)), one[:1])
    assert estimate.slope.tolist() == [2.0]
    assert estimate.slope.dtype == torch.float64


def test_the_threshold_is_the_one_that_recovers_the_most():
    D = gaussian(400, 100, seed=0)
    assert AMP().init(D)[1] == minimax_alpha(0.25)
    assert AMP(values="signed").init(D)[1] == minimax_alpha(0.25, signed=True)
    assert AMP(values="binary").init(D)[1] == minimax_alpha(0.25, box=True)
    assert AMP(alpha=1.5).init(D)[1] == 1.5


def test_in_the_box_its_own_threshold_reads_more_than_that_of_nonnegative_codes():
    """150 of 512 features active, at the box's 50% point: 24 and 7 of 48 samples are read."""
    d = round(float(box_dims(512, 150)))
    D, z = gaussian(512, d, seed=0), ExactlyK(n_features=512, n_active=150).sample(48, seed=0)
    x = D.encode(z)
    own, other = (decode(D, x, AMP(values="binary", alpha=alpha)).exact(z).sum() for alpha in (None, float(minimax_alpha(d / 512))))
    assert own > 2 * other


@pytest.mark.parametrize("kind", ["nonnegative", "signed"])
def test_its_transition_is_that_of_l1(kind):
    """Success is Phi of the distance in widths: 2.3% and 97.7% at two widths, of 128 samples less than 12% and more than 88% but 1 in 10^6 times.

    The law itself is off by some %, and creeping samples end as MAX_STEPS, so the bounds are 15% and 85%.
    """
    n, k = 512, 8
    z = ExactlyK(n_features=n, n_active=k, values="binary" if kind == "nonnegative" else "signed").sample(128, seed=0)
    middle, width = float(lasso_dims(n, k, signed=kind == "signed")), float(lasso_width(n, k, signed=kind == "signed"))
    share = []
    for d in (middle - 2 * width, middle + 2 * width):
        D = gaussian(n, round(d), seed=0)
        share.append(decode(D, D.encode(z), AMP(values=kind, max_steps=120)).exact(z).float().mean().item())
    assert share[0] < 0.15
    assert share[1] > 0.85


def test_it_reads_what_basis_pursuit_reads():
    """At the 50% point: nothing that l1 misses, although supports are tried on the way, and all but some that it creeps towards."""
    D = gaussian(512, round(float(lasso_dims(512, 8))), seed=0)
    z = ExactlyK(n_features=512, n_active=8).sample(128, seed=0)
    x = D.encode(z)
    ours, exact = decode(D, x, AMP()).exact(z), decode(D, x, BasisPursuit()).exact(z)
    assert 40 < exact.sum() < 88
    assert not (ours & ~exact).any()
    assert (exact & ~ours).sum() <= 10


def test_what_it_reads_is_exact_to_rounding():
    D = gaussian(512, 128, seed=1, dtype=torch.float64)
    z = ExactlyK(n_features=512, n_active=10, values="gaussian").sample(40, seed=2, dtype=torch.float64)
    out = decode(D, D.encode(z), AMP(values="signed"))
    right = out.exact(z, tolerance=1e-10)
    assert right.double().mean() > 0.9  # all but those with values that are lost in the tolerance of a certificate
    assert out.support_exact(z)[right].all()
    assert (out.residual[right] < 1e-10).all()


def test_directions_of_another_length_give_codes_in_that_measure():
    D = gaussian(256, 80, seed=1, dtype=torch.float64)
    z = ExactlyK(n_features=256, n_active=5, values="uniform").sample(10, seed=2, dtype=torch.float64)
    x = noisy(D, z, 0.05)
    plain, scaled = (decode(dictionary, x, AMP(max_steps=30)) for dictionary in (D, Dense(D.dense() * 64)))
    torch.testing.assert_close(scaled.z.dense() * 64, plain.z.dense(), rtol=1e-12, atol=0)


def test_in_the_box_no_number_is_above_one():
    D = gaussian(256, 60, seed=1, dtype=torch.float64)
    z = ExactlyK(n_features=256, n_active=5).sample(20, seed=2, dtype=torch.float64)
    x = noisy(D, z, 0.3)
    assert decode(D, x, AMP(max_steps=20)).z.values.max() > 1
    assert decode(D, x, AMP(values=Values.BINARY, max_steps=20)).z.values.max() == 1


@pytest.mark.parametrize(("field", "value"), [("alpha", 0.0), ("alpha", -1.0), ("tolerance", -1.0), ("max_steps", 0)])
def test_fields_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        AMP(**{field: value})
