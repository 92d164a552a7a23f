"""Frame potential, Welch's bound, coherence, cosines and pairs against brute force and known frames."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from tegum.geometry import _directions, antipodal_pairs, coherence, cosine_histogram, frame_potential, welch_bound, welch_gap


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def simplex(m: int) -> torch.Tensor:
    """m + 1 unit vectors in m dims with all cosines -1/m."""
    centred = torch.eye(m + 1, dtype=torch.float64) - 1 / (m + 1)
    U, S, _ = torch.linalg.svd(centred)
    return torch.nn.functional.normalize(U[:, :m] * S[:m], dim=1)


def polygon(k: int) -> torch.Tensor:
    angle = 2 * math.pi * torch.arange(k, dtype=torch.float64) / k
    return torch.stack([angle.cos(), angle.sin()], -1)


def all_cosines(W: torch.Tensor) -> torch.Tensor:
    return torch.tensor([float(W[i] @ W[j] / W[i].norm() / W[j].norm()) for i, j in itertools.combinations(range(len(W)), 2)])


@given(n=st.integers(1, 8), m=st.integers(1, 6), seed=st.integers(0, 1000))
def test_frame_potential_is_the_sum_of_all_squared_products(n, m, seed):
    W = seeded(n, m, seed=seed)
    brute = sum(float(W[i] @ W[j]) ** 2 for i in range(n) for j in range(n))
    assert float(frame_potential(W)) == pytest.approx(brute, rel=1e-12)
    unit = W / W.norm(dim=1, keepdim=True)
    assert frame_potential(unit) >= max(n, n * n / m) - 1e-9  # Benedetto & Fickus 2003, Theorem 6.2


@pytest.mark.parametrize("k", [3, 5, 8])
def test_tight_frames_reach_the_least_frame_potential(k):
    assert float(frame_potential(polygon(k))) == pytest.approx(k * k / 2, rel=1e-12)
    assert float(frame_potential(simplex(k))) == pytest.approx((k + 1) ** 2 / k, rel=1e-12)


@pytest.mark.parametrize("m", [1, 2, 3, 7, 20])
def test_a_simplex_has_the_coherence_of_the_welch_bound(m):
    assert welch_bound(m + 1, m) == pytest.approx(1 / m, rel=1e-12)
    assert float(coherence(simplex(m))) == pytest.approx(1 / m, rel=1e-12)
    assert float(welch_gap(simplex(m))) == pytest.approx(0, abs=1e-12)


def test_six_lines_of_the_icosahedron_are_equiangular():
    golden = (1 + 5**0.5) / 2
    W = torch.tensor(
        [[0, 1, golden], [0, 1, -golden], [1, golden, 0], [1, -golden, 0], [golden, 0, 1], [-golden, 0, 1]], dtype=torch.float64
    )
    assert welch_bound(6, 3) == pytest.approx(1 / 5**0.5, rel=1e-12)
    assert float(welch_gap(W)) == pytest.approx(0, abs=1e-12)


@given(n=st.integers(2, 12), m=st.integers(1, 4), order=st.integers(1, 4), seed=st.integers(0, 1000))
def test_no_directions_beat_the_welch_bound_of_any_order(n, m, order, seed):
    W = seeded(n, m, seed=seed)
    assert coherence(W) >= welch_bound(n, m, order) - 1e-12
    if n > m:
        assert all_cosines(W).square().mean() >= welch_bound(n, m) ** 2 - 1e-12


def test_welch_bound_is_zero_where_orthogonal_directions_fit():
    assert welch_bound(5, 5) == welch_bound(1, 1) == welch_bound(2, 9) == 0
    assert welch_bound(15, 5, order=2) == 0  # C(6, 2) = 15
    assert welch_bound(16, 5, order=2) == pytest.approx((1 / 15 / 15) ** 0.25)
    with pytest.raises(ValueError, match="0, 3 and 1"):
        welch_bound(0, 3)


@settings(deadline=None)
@given(n=st.integers(2, 40), batch=st.integers(1, 3), block=st.sampled_from([1, 7, 100, 5000]), seed=st.integers(0, 1000))
def test_blocks_of_any_size_give_the_same_coherence_and_counts(n, batch, block, seed):
    W = seeded(batch, n, 4, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_directions, "_BLOCK", block)
        found, histogram = coherence(W), cosine_histogram(W, bins=50)
    for one in range(batch):
        cosines = all_cosines(W[one])
        assert float(found[one]) == pytest.approx(float(cosines.abs().max()), abs=1e-6)
        assert histogram.counts[one].sum() == n * (n - 1) // 2
        assert (histogram.counts[one] - torch.histc(cosines.double(), 50, -1, 1)).abs().sum() <= 2  # one on an edge may round to either bin
        assert float(histogram.mean[one]) == pytest.approx(float(cosines.mean()), abs=1e-6)
        assert float(histogram.rms[one]) == pytest.approx(float(cosines.square().mean().sqrt()), abs=1e-6)
        assert float(histogram.smallest[one]) == pytest.approx(float(cosines.min()), abs=1e-6)
        assert float(histogram.largest[one]) == pytest.approx(float(cosines.max()), abs=1e-6)


def test_random_directions_have_the_cosines_of_the_beta_law():
    # (1 + cosine)/2 of two uniformly random directions in m dims is Beta((m-1)/2, (m-1)/2)
    n, m = 1500, 20
    histogram = cosine_histogram(seeded(n, m).float())
    law = beta((m - 1) / 2, (m - 1) / 2)
    # pairs that share a direction are uncorrelated, so a share has standard error sqrt(q(1-q) / pairs); 5 of them, and a bin's width
    for q in (0.01, 0.25, 0.5, 0.9, 0.999):
        below = law.cdf((1 + float(histogram.quantile(q))) / 2)
        assert below == pytest.approx(q, abs=5 * math.sqrt(q * (1 - q) / int(histogram.n_pairs)) + 1e-3)
    assert float(histogram.rms) == pytest.approx(m**-0.5, rel=5 / math.sqrt(2 * n * (n - 1) / 2) * 2)
    assert float(histogram.moment(4)) == pytest.approx(3 * m / (m + 2), rel=0.02)
    assert float(histogram.moment(3)) == pytest.approx(0, abs=5 * math.sqrt(6 / int(histogram.n_pairs)) + 1e-3)
    assert float((histogram.density * 2 / 2000).sum()) == pytest.approx(1, rel=1e-9)


def test_a_histogram_passes_over_features_that_are_not_there():
    W = torch.zeros(5, 3)
    W[1, 0] = W[3, 1] = 2.0
    histogram = cosine_histogram(W, bins=10)
    assert (int(histogram.n_pairs), float(histogram.rms), float(histogram.largest)) == (1, 0, 0)
    none = cosine_histogram(torch.zeros(5, 3), bins=10)
    assert (int(none.n_pairs), float(none.mean), float(none.quantile(0.5)), float(none.moment(4))) == (0, 0, 0, 0)


def test_equal_directions_are_counted_in_the_last_bin():
    W = torch.tensor([0.1, 0.7, 0.3]).repeat(50, 1)
    histogram = cosine_histogram(W, bins=10)
    assert int(histogram.counts[-1]) == 50 * 49 // 2


def test_an_octahedron_is_three_pairs_and_a_pentagon_none():
    octahedron = torch.cat([torch.eye(3), -torch.eye(3)])
    assert antipodal_pairs(octahedron).pairs == [(0, 3), (1, 4), (2, 5)]
    assert antipodal_pairs(octahedron).partner.tolist() == [3, 4, 5, 0, 1, 2]
    assert antipodal_pairs(polygon(5)).count == 0
    assert antipodal_pairs(polygon(5), cosine=-0.8).pairs == [(0, 2), (1, 3)]  # cos 144 degrees = -0.809; feature 4 finds no free one


def test_of_equally_opposed_partners_the_lowest_is_taken():
    angle = torch.tensor(0.7)
    along = torch.stack([angle.cos(), angle.sin()])
    W = torch.stack([along * 1.1, along * 0.9, -along, along * 1.3, -along * 0.7])
    assert antipodal_pairs(W).pairs == [(0, 2), (1, 4)]


def test_the_most_opposed_pair_goes_first():
    angles = torch.tensor([0.0, 160.0, 179.0]) * math.pi / 180
    W = torch.stack([angles.cos(), angles.sin()], -1)
    assert antipodal_pairs(W).pairs == [(0, 2)]


def test_short_features_pair_with_nobody():
    W = torch.tensor([[1.0, 0.0], [-0.2, 0.0], [0.0, 0.0]])
    assert antipodal_pairs(W).count == 0
    assert antipodal_pairs(W, threshold=0.1).pairs == [(0, 1)]


def test_pairs_of_a_batch_are_those_of_each_instance():
    W = seeded(2, 3, 12, 2)
    found = antipodal_pairs(W)
    assert found.count.shape == (2, 3)
    assert found.pairs == [[antipodal_pairs(W[a, b]).pairs for b in range(3)] for a in range(2)]
    assert int(found.count.sum()) > 6  # twelve random lines in a plane are seldom without a pair
