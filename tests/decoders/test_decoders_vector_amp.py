"""VAMP: the posterior where that is known, and codes of dictionaries on which AMP diverges."""

import pytest
import torch

from tegum.decoders import Status, decode
from tegum.decoders.approximate_message_passing import AMP
from tegum.decoders.bayes_amp import BayesAMP
from tegum.decoders.vector_amp import VAMP
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features import SparseCodes
from tegum.features.exactly_k import ExactlyK
from tegum.theory.priors import posterior

N, D, K = 1024, 120, 8


def ill_conditioned(condition):
    """Singular values in geometric progression between random singular vectors."""
    U, values, V = torch.linalg.svd(gaussian(N, D, seed=0, dtype=torch.float64).dense(), full_matrices=False)
    return U * torch.logspace(0, -1, D, base=condition, dtype=torch.float64) * values.mean() @ V


def with_mean():
    """Entries of standard deviation 1/sqrt(d) and mean half that."""
    return gaussian(N, D, seed=0, dtype=torch.float64).dense() + 0.5 / D**0.5


@pytest.mark.parametrize("table", [ill_conditioned(30.0), with_mean()], ids=["condition 30", "with a mean"])
@pytest.mark.parametrize("prior", ["binary", "gaussian"])
def test_it_reads_the_codes_of_dictionaries_on_which_amp_diverges(table, prior):
    dictionary = Dense(table)
    z = ExactlyK(n_features=N, n_active=K, values=prior).sample(64, seed=0, dtype=torch.float64)
    x = dictionary.encode(z)
    for decoder in (AMP(values="binary" if prior == "binary" else "signed"), BayesAMP(prior=prior, n_active=K)):
        out = decode(dictionary, x, decoder)
        assert (out.status == Status.DIVERGED).double().mean() > 0.95
        assert torch.isfinite(out.z.values).all()
    out = decode(dictionary, x, VAMP(prior=prior, n_active=K))
    assert out.exact(z, tolerance=1e-3).double().mean() > 0.95


@pytest.mark.parametrize("prior", ["binary", "signed", "gaussian", "uniform"])
def test_of_an_orthonormal_dictionary_it_gives_the_exact_posterior_mean(prior):
    """There every entry has its own measurement <D_i, x> = z_i + noise; chances below .001 are left out, from .01 down to there by the step."""
    n, k, noise = 64, 6, 0.4
    table = torch.linalg.qr(gaussian(n, n, seed=1, dtype=torch.float64).dense())[0]
    z = ExactlyK(n_features=n, n_active=k, values=prior).sample(20, seed=0, dtype=torch.float64)
    x = z.dense() @ table + noise * torch.randn(20, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    out = decode(Dense(table), x, VAMP(prior=prior, n_active=k, noise_std=noise))
    exact = posterior(prior, x @ table.T, noise**2, log_odds=torch.logit(torch.tensor(k / n, dtype=torch.float64)))
    listed = out.z.dense() != 0
    torch.testing.assert_close(out.z.dense(), torch.where(listed, exact.mean, 0), rtol=1e-9, atol=1e-9)
    assert (listed | (exact.chance < 0.01)).all()
    assert (~listed | (exact.chance > 0.001)).all()
    assert (out.status == Status.OK).all()


@pytest.mark.parametrize("prior", ["binary", "gaussian"])
def test_on_an_iid_dictionary_it_errs_as_bayes_amp_does(prior):
    """Two iterations to the same fixed point, of the same 64 samples: they differ by a small part of the spread over samples."""
    dictionary = gaussian(N, D, seed=0, dtype=torch.float64)
    z = ExactlyK(n_features=N, n_active=K, values=prior).sample(64, seed=0, dtype=torch.float64)
    x = dictionary.encode(z) + 0.1 * torch.randn(64, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    told = {"prior": prior, "n_active": K, "noise_std": 0.1}
    errors = [(decode(dictionary, x, part(**told)).z.dense() - z.dense()).square().sum(dim=1) for part in (BayesAMP, VAMP)]
    assert abs(errors[0].mean() - errors[1].mean()) < errors[0].std() / 8 + 1e-6


def test_noise_that_is_not_told_is_learnt():
    """In an ill-conditioned dictionary noise taken for none is blown up; learnt, it costs less than half as much again as told."""
    dictionary = Dense(ill_conditioned(30.0))
    z = ExactlyK(n_features=N, n_active=K, values="gaussian").sample(24, seed=0, dtype=torch.float64)
    x = dictionary.encode(z)
    noise_std = 0.1 * x.square().mean().sqrt().item()
    x = x + noise_std * torch.randn(24, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    told, learnt, ignored = (
        (decode(dictionary, x, VAMP(prior="gaussian", n_active=K, noise_std=noise, max_steps=40)).z.dense() - z.dense())
        .square()
        .sum(dim=1)
        .median()
        for noise in (noise_std, None, 0.0)
    )
    assert learnt < 1.5 * told
    assert ignored > 3 * told


def test_singular_values_of_zero_are_left_out():
    """Directions that span half of the dims: the other half of x says nothing."""
    table = gaussian(256, 80, seed=0, dtype=torch.float64).dense()
    basis = torch.linalg.qr(gaussian(160, 80, seed=1, dtype=torch.float64).dense())[0]
    dictionary = Dense(table @ basis.T)
    z = ExactlyK(n_features=256, n_active=4).sample(20, seed=0, dtype=torch.float64)
    assert decode(dictionary, dictionary.encode(z), VAMP(prior="binary", n_active=4)).exact(z).all()


def test_a_huge_start_is_forgotten_where_the_noise_is_learnt():
    """What it leaves is neither noise nor rounding of x. Float32, where its rounding is 100 times that of x."""
    dictionary = gaussian(512, 100, seed=0)
    z = ExactlyK(n_features=512, n_active=4, values="gaussian").sample(16, seed=0)
    x = dictionary.encode(z) + 0.05 * torch.randn(16, 100, generator=torch.Generator().manual_seed(1))
    far = SparseCodes.from_dense(1e4 * torch.randn(16, 512, generator=torch.Generator().manual_seed(2)))
    told = VAMP(prior="gaussian", noise_std=None)
    cold, warm = decode(dictionary, x, told).z.dense(), decode(dictionary, x, told, start=far).z.dense()
    assert ((warm - cold).norm(dim=1) < 0.1 * cold.norm(dim=1)).all()
