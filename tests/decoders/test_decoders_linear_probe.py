"""Linear probes: the map itself against least squares on samples, its gain, its interference, and what it reads."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tegum.decoders import Status, decode
from tegum.decoders.linear_probe import LinearProbe
from tegum.decoders.top_k import TopK
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features import SparseCodes
from tegum.features.exactly_k import ExactlyK

N, DIMS, K = 24, 10, 3


def probes(D, decoder):
    """The map B (features, dims), as it reads the axes of x."""
    state = decoder.init(D)
    return torch.cat([block for _, block in state.readers.correlations(state.M.clone())], dim=1).T


def test_it_is_the_least_squares_map_at_its_own_gain():
    """Least squares on samples z of x = z D + noise against the closed form; 6 standard errors of a heteroscedastic regression, so that one of the
    240 entries is outside by chance in one of a million draws."""
    D, n, noise = gaussian(N, DIMS, seed=1, dtype=torch.float64), 20_000, 0.3
    z = ExactlyK(n_features=N, n_active=K, values="gaussian").sample(n, seed=2, dtype=torch.float64).dense()
    x = z @ D.dense() + noise * torch.randn(n, DIMS, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sampled = torch.as_tensor(np.linalg.lstsq(x.numpy(), z.numpy(), rcond=None)[0]).T
    inverse = torch.linalg.inv(x.T @ x)
    left = z - x @ sampled.T
    errors = torch.stack([(inverse @ (x * left[:, [i]]).T).square().sum(dim=1).sqrt() for i in range(N)])
    B = probes(D, LinearProbe(n_active=None, ridge=noise**2 / (K / N)))
    gain = D.dense() @ torch.linalg.inv(D.dense().T @ D.dense() + noise**2 / (K / N) * torch.eye(DIMS)) @ D.dense().T
    assert ((B * gain.diagonal()[:, None] - sampled).abs() < 6 * errors).all()
    assert errors.max() < 0.05 * B.abs().max()


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_each_probe_reads_its_own_feature_at_gain_1_and_least_of_the_others(ridge):
    D = gaussian(N, DIMS, seed=4, dtype=torch.float64)
    B = probes(D, LinearProbe(n_active=None, ridge=ridge))
    torch.testing.assert_close((B * D.dense()).sum(1), torch.ones(N, dtype=torch.float64))

    def interference(B):
        return (B @ D.dense().T).square().sum(1) - 1 + ridge * B.square().sum(1)

    across = torch.randn(N, DIMS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    across -= D.dense() * ((across * D.dense()).sum(1) / D.squared_norms())[:, None]  # keeps the gain
    for step in (-1e-3, 1e-3):
        assert (interference(B + step * across) > interference(B)).all()


def test_where_directions_do_not_overlap_probes_read_exactly():
    """Fewer features than dims: B is the pseudo-inverse."""
    D = gaussian(8, DIMS, seed=5, dtype=torch.float64)
    torch.testing.assert_close(probes(D, LinearProbe(n_active=None)), torch.linalg.pinv(D.dense()).T)
    z = ExactlyK(n_features=8, n_active=4, values="gaussian").sample(20, dtype=torch.float64)
    out = decode(D, D.encode(z), LinearProbe(n_active=None, threshold=0.0, values="signed", ridge=0.0))
    assert out.exact(z, tolerance=1e-9).all()


def test_probes_read_correlated_directions_that_top_k_confuses():
    """All directions lean on one axis, so that projections hear every feature there; probes are blind to it. 64 features, 6 active, 50 dims."""
    lean = torch.zeros(50)
    lean[0] = 1.5
    D = Dense(gaussian(64, 50, seed=6).dense() + lean)
    z = ExactlyK(n_features=64, n_active=6, values="signed").sample(200, seed=7)
    x = D.encode(z)
    right = [
        decode(D, x, part).support_exact(z).double().mean()
        for part in (TopK(n_active=6, values="signed"), LinearProbe(n_active=6, values="signed"))
    ]
    assert right[0] < 0.1
    assert right[1] > 0.9


@pytest.mark.parametrize(("kind", "value"), [("binary", 1.0), ("nonnegative", 0.75), ("signed", -0.75)])
def test_a_threshold_finds_as_many_features_as_there_are(kind, value):
    D = gaussian(40, 60, seed=8)
    indices = torch.tensor([[3, 17, 20], [5, -1, -1]])
    z = SparseCodes(indices, torch.where(indices < 0, 0, value), 40)
    out = decode(D, D.encode(z), LinearProbe(n_active=None, values=kind))
    assert out.exact(z, tolerance=1e-5).all()
    assert out.status.eq(Status.OK).all()


def test_dims_that_no_direction_reaches_and_directions_of_no_length_are_left_out():
    table = torch.zeros(5, 4)
    table[0, 0], table[1, 1], table[2, :2], table[3] = 1, 2, torch.tensor([1.0, 1.0]), 0
    table[4, 2] = 1e-12  # a length that is nothing beside the others
    D = Dense(table)
    out = decode(D, torch.tensor([[1.0, 0, 0, 5.0]]), LinearProbe(n_active=1))
    assert out.z.indices.tolist() == [[0]]
    assert torch.isfinite(out.z.values).all()


@pytest.mark.parametrize("ridge", [None, 0.1])
@pytest.mark.parametrize("decoder", [TopK(n_active=2), LinearProbe(n_active=2), LinearProbe(n_active=None, threshold=0.0)])
def test_a_dictionary_without_directions_gives_no_codes(decoder, ridge):
    decoder = decoder if isinstance(decoder, TopK) else replace(decoder, ridge=ridge)
    for kind in ("nonnegative", "signed", "binary"):
        out = decode(Dense(torch.zeros(6, 4)), torch.ones(3, 4), replace(decoder, values=kind))
        assert out.z.n_active.eq(0).all()
        assert out.status.eq(Status.OK).all()


@pytest.mark.parametrize("decoder", [TopK(n_active=1), LinearProbe(n_active=1, ridge=1e-12)])
def test_a_direction_a_million_times_shorter_is_read_like_any_other(decoder):
    """Its own length is what it is divided by; the second feature is on at 1, which is 1e-7 of x."""
    out = decode(Dense(torch.tensor([[1.0, 0, 0], [0, 1e-7, 0]])), torch.tensor([[0.0, 1e-7, 0.0]]), decoder)
    assert out.z.indices.tolist() == [[1]]
    torch.testing.assert_close(out.z.values, torch.ones(1, 1), rtol=1e-5, atol=0)


@pytest.mark.usefixtures("untyped")
def test_what_it_was_told_is_a_number_of_features_or_a_threshold_and_a_ridge_that_is_not_0():
    assert LinearProbe(n_active=None).told == {"threshold": 0.5}
    assert LinearProbe(n_active=3).told == {"n_active": 3}
    assert LinearProbe(n_active=3, ridge=0.0) == LinearProbe(n_active=3)
    assert LinearProbe(n_active=3, ridge=np.float32(0.5)).told == {"n_active": 3, "ridge": 0.5}


@pytest.mark.usefixtures("untyped")
def test_what_is_no_threshold_or_ridge_is_refused():
    with pytest.raises(ValueError, match="ridge is -1"):
        LinearProbe(n_active=None, ridge=-1.0)
    with pytest.raises(ValueError, match="threshold is nan"):
        LinearProbe(n_active=None, threshold=float("nan"))
    with pytest.raises(ValueError, match="threshold is 'bayes'"):
        LinearProbe(n_active=None, threshold="bayes")
    with pytest.raises(ValueError, match="ridge is True"):
        LinearProbe(n_active=None, ridge=True)
    with pytest.raises(ValueError, match="n_active is 0"):
        LinearProbe(n_active=0)
