"""Bayes-AMP: its first step is a posterior, state evolution foretells the rest; it needs fewer dims than l1, and learns what it is not told."""

import pytest
import torch

from tegum.decoders import Status, Values, _posterior_mean, decode
from tegum.decoders.approximate_message_passing import AMP
from tegum.decoders.bayes_amp import BayesAMP
from tegum.decoders.vector_amp import VAMP
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK
from tegum.theory.amp_evolution import fixed_points, state_evolution
from tegum.theory.l1 import lasso_dims

PRIORS = ["binary", "signed", "gaussian", "uniform"]


def noisy(D, z, noise_std, seed=1):
    x = D.encode(z)
    return x + noise_std * torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))


def test_of_one_active_feature_the_first_step_has_the_exact_posterior_odds(monkeypatch):
    """P(i | x) ~ exp(-|x - D_i|^2 / (2 sigma^2)) with sigma^2 = tau^2 = |x|^2 / d: the odds of chances differ by exactly these exponents."""
    monkeypatch.setitem(_posterior_mean._FIRST, "binary", (1e-2, 0.7))  # so that most samples list several features
    D = gaussian(60, 20, seed=0, dtype=torch.float64)
    x = noisy(D, ExactlyK(n_features=60, n_active=1).sample(30, seed=1, dtype=torch.float64), 0.3)
    out = decode(D, x, BayesAMP(prior="binary", n_active=1, max_steps=1))
    exponent = -(x[:, None] - D.dense()).square().sum(dim=2) / (2 * x.square().mean(dim=1, keepdim=True))
    several = 0
    for i in range(30):
        active = out.z.indices[i] >= 0
        odds, expected = torch.logit(out.z.values[i][active]), exponent[i][out.z.indices[i][active]]
        torch.testing.assert_close(odds - odds[0], expected - expected[0], rtol=1e-9, atol=1e-9)
        several += int(active.sum() > 1)
    assert several > 10


@pytest.mark.parametrize("prior", PRIORS)
def test_state_evolution_foretells_the_error_of_every_step(prior):
    """4 standard errors of 64 samples, 1 in 16,000 a step by chance if normal, and 2% for N = 4096, d = 500, and for chances below .01 left out.

    Of binary and signed codes the steps before the avalanche: in its midst the error of finite N is spread, not of the mean.
    """
    n, k, d, noise = 4096, 64, 500, 0.1
    D = gaussian(n, d, seed=5)
    z = ExactlyK(n_features=n, n_active=k, values=prior).sample(64, seed=3)
    x, truth = noisy(D, z, noise), z.dense()
    steps = 2 if prior in ("binary", "signed") else 4
    predicted = state_evolution(d, n, k, values=prior, noise_std=noise, steps=steps)
    for step in range(1, steps + 1):
        out = decode(D, x, BayesAMP(prior=prior, n_active=k, noise_std=noise, max_steps=step))
        assert (out.status == Status.MAX_STEPS).all()
        error = (out.z.dense() - truth).square().sum(dim=1).double()
        expected = (predicted[step] - noise**2) * d
        assert abs(error.mean() - expected) < 4 * error.std() / 8 + 0.02 * expected


def test_its_error_in_noise_is_that_of_the_fixed_point():
    """4 standard errors of 64 samples, and 2% as above."""
    n, k, d, noise, prior = 2048, 32, 250, 0.1, "gaussian"
    D = gaussian(n, d, seed=5)
    z = ExactlyK(n_features=n, n_active=k, values=prior).sample(64, seed=3)
    out = decode(D, noisy(D, z, noise), BayesAMP(prior=prior, n_active=k, noise_std=noise, tolerance=1e-3))
    assert (out.status == Status.OK).double().mean() > 0.95
    error = (out.z.dense() - z.dense()).square().sum(dim=1).double()
    expected = (fixed_points(d, n, k, values=prior, noise_std=noise).max() - noise**2) * d
    assert abs(error.mean() - expected) < 4 * error.std() / 8 + 0.02 * expected


def test_told_the_prior_it_reads_from_fewer_dims_than_l1_needs():
    """At the 50% point of l1, of 128 samples: 63 would have to be 102 or more for this to fail by chance of either."""
    n, k = 1024, 8
    d = round(float(lasso_dims(n, k)))
    D, z = gaussian(n, d, seed=0), ExactlyK(n_features=n, n_active=k).sample(128, seed=0)
    x = D.encode(z)
    bayes, l1 = (decode(D, x, decoder).exact(z).float().mean() for decoder in (BayesAMP(prior="binary", n_active=k), AMP(max_steps=100)))
    assert bayes > 0.8
    assert l1 < 0.7


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("noise_std", [0.0, None])
def test_a_density_that_is_not_told_is_learnt_at_little_cost(prior, noise_std):
    """Well above the transition. 11% fewer of 128 right is 2.5 standard errors of the difference where 95% are right."""
    n, k, d = 1024, 12, 130
    D, z = gaussian(n, d, seed=0), ExactlyK(n_features=n, n_active=k, values=prior).sample(128, seed=0)
    x = D.encode(z)
    told, learnt = (
        decode(D, x, BayesAMP(prior=prior, n_active=k if told else None, noise_std=noise_std)).exact(z, tolerance=1e-3).float().mean()
        for told in (True, False)
    )
    assert told > 0.95
    assert learnt > told - 0.11


def test_the_learnt_number_of_active_features_is_right_on_average():
    """Binary chances sum to it. Of 64 samples with noise it is right to 4 standard errors, whatever it is."""
    D = gaussian(1024, 300, seed=0)
    for k in (4, 32):
        x = noisy(D, ExactlyK(n_features=1024, n_active=k).sample(64, seed=k), 0.2)
        count = decode(D, x, BayesAMP(prior="binary", noise_std=None)).z.values.sum(dim=1)
        assert abs(count.mean() - k) < 4 * count.std() / 8 + 0.02 * k


def test_directions_of_all_lengths_are_read():
    """Each feature's noise is that of its own direction; lengths from 1/10 to 10, and one of 0."""
    lengths = torch.logspace(-1, 1, 512, dtype=torch.float64)[torch.randperm(512, generator=torch.Generator().manual_seed(0))]
    lengths[7] = 0
    D = Dense(gaussian(512, 128, seed=0, dtype=torch.float64).dense() * lengths[:, None])
    z = ExactlyK(n_features=511, n_active=6).sample(50, seed=0, dtype=torch.float64)
    z = type(z)(torch.where(z.indices >= 7, z.indices + 1, z.indices), z.values, 512)
    assert decode(D, D.encode(z), BayesAMP(prior="binary", n_active=6)).exact(z).double().mean() > 0.95


def test_the_prior_and_the_kind_of_codes_settle_each_other():
    assert BayesAMP(prior="gaussian").values is Values.SIGNED
    assert BayesAMP(values="binary").prior == "binary"
    assert (BayesAMP().prior, BayesAMP().values) == ("uniform", Values.NONNEGATIVE)
    assert BayesAMP(prior="signed", n_active=3, noise_std=None).told == {"prior": "signed", "n_active": 3}
    with pytest.raises(ValueError, match="the prior binary gives binary codes, but values is 'signed'"):
        BayesAMP(prior="binary", values="signed")
    with pytest.raises(ValueError, match="prior is 'laplace'; it must be one of binary, uniform, gaussian, signed"):
        BayesAMP(prior="laplace")
    with pytest.raises(ValueError, match="noise_std is -1"):
        BayesAMP(noise_std=-1.0)


@pytest.mark.parametrize("decoder", [BayesAMP, VAMP])
@pytest.mark.parametrize("prior", ["binary", "gaussian"])
def test_standing_still_far_from_a_noiseless_x_is_no_success(decoder, prior):
    """With half as many active features as dims there are fixed points beside the codes; whatever is OK explains x."""
    D, z = gaussian(512, 60, seed=0), ExactlyK(n_features=512, n_active=30, values=prior).sample(24, seed=0)
    x = D.encode(z)
    out = decode(D, x, decoder(prior=prior, n_active=30, max_steps=200))
    assert (out.residual[out.status == Status.OK] <= 1e-4 * x.norm(dim=1)[out.status == Status.OK]).all()
    stopped = (out.status == Status.MAX_STEPS) & (out.steps < 200)
    assert stopped.any()
    assert decode(D, x[stopped], decoder(prior=prior, n_active=30, noise_std=x.std().item(), max_steps=200)).status.eq(Status.OK).any()
