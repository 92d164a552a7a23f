"""Random rotations, coordinate kurtosis against them, and alignment."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tegum.geometry import align, coordinate_kurtosis, haar_rotation, kurtosis_against_rotations


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(m=st.integers(1, 12), seed=st.integers(0, 2**40), index=st.integers(0, 2**31))
def test_a_rotation_is_orthogonal_and_its_own(m, seed, index):
    Q = haar_rotation(m, seed, index)
    torch.testing.assert_close(Q @ Q.T, torch.eye(m, dtype=torch.float64), atol=1e-13, rtol=0)
    assert torch.equal(Q, haar_rotation(m, seed, index))
    assert m == 1 or not torch.equal(Q, haar_rotation(m, seed, index + 1))


def test_rotations_have_the_moments_of_haar_measure():
    n = 1000
    Q = torch.stack([haar_rotation(3, seed=1, index=i) for i in range(n)])
    # E tr Q = 0 and E (tr Q)^2 = 1 on O(m), E (tr Q)^4 = 3 (m >= 2): Diaconis & Shahshahani 1994. QR without the signs has E tr Q < 0.
    trace = Q.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert float(trace.mean()) == pytest.approx(0, abs=5 / math.sqrt(n))
    assert float(trace.square().mean()) == pytest.approx(1, abs=5 * math.sqrt((3 - 1) / n))
    assert float((torch.linalg.det(Q) > 0).double().mean()) == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(n))
    assert float(Q[:, 0, 0].pow(4).mean()) == pytest.approx(3 / (3 * 5), abs=5 * 0.3 / math.sqrt(n))  # 3 / (m (m + 2))


def test_kurtosis_of_known_directions():
    W = torch.tensor([[0.0, 0.0, 5.0, 0.0], [1.0, -1.0, 1.0, 1.0], [0.0, 2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(coordinate_kurtosis(W), torch.tensor([4.0, 1.0, 2.0, 0.0]))


@given(n=st.integers(1, 6), m=st.integers(1, 6), seed=st.integers(0, 1000), scale=st.floats(1e-50, 1e50))
def test_kurtosis_forgets_lengths_signs_and_the_order_of_coordinates(n, m, seed, scale):
    W = seeded(n, m, seed=seed)
    draw = torch.Generator().manual_seed(seed)
    moved = scale * W[:, torch.randperm(m, generator=draw)] * (torch.randint(0, 2, (m,), generator=draw) * 2 - 1)
    torch.testing.assert_close(coordinate_kurtosis(moved), coordinate_kurtosis(W), rtol=1e-12, atol=0)
    by_definition = (W.pow(4).mean(1)) / W.square().mean(1).square()
    torch.testing.assert_close(coordinate_kurtosis(W), by_definition, rtol=1e-12, atol=0)


def test_rotations_of_any_table_average_to_the_isotropic_kurtosis():
    W = seeded(50, 8) * torch.tensor([4.0, 2, 1, 1, 1, 0.5, 0.5, 0.1])
    found = kurtosis_against_rotations(W, n_rotations=400, seed=3)
    assert found.isotropic == pytest.approx(2.4)
    standard_error = float(found.rotated.std()) / 20
    assert float(found.rotated.mean()) == pytest.approx(2.4, abs=5 * standard_error)


def test_axis_aligned_directions_stand_out_and_random_ones_do_not():
    aligned = torch.eye(10, dtype=torch.float64).repeat(3, 1) + 0.05 * seeded(30, 10)
    found = kurtosis_against_rotations(aligned, n_rotations=99)
    assert float(found.p_value) == pytest.approx(0.01)
    assert float(found.observed) > 5
    assert float(found.excess) == pytest.approx(float(found.observed) / 2.5 - 1)
    turned = kurtosis_against_rotations(aligned @ haar_rotation(10, seed=5), n_rotations=99)
    assert float(turned.p_value) > 0.01


def test_the_p_value_is_uniform_when_no_basis_is_preferred():
    # 200 tables, each turned at random: the p-value is uniform on 1/20 .. 20/20; mean 0.525, standard deviation 0.288; 5 standard errors
    tables = seeded(200, 6, 5) @ torch.stack([haar_rotation(5, seed=9, index=i) for i in range(200)])
    found = kurtosis_against_rotations(tables, n_rotations=19, seed=10)
    assert float(found.p_value.mean()) == pytest.approx(0.525, abs=5 * 0.288 / math.sqrt(200))


def test_rotations_of_a_batch_are_those_of_each_table():
    W = seeded(3, 6, 4)
    together = kurtosis_against_rotations(W, n_rotations=7)
    assert together.rotated.shape == (3, 7)
    torch.testing.assert_close(together.rotated[1], kurtosis_against_rotations(W[1], n_rotations=7).rotated, rtol=1e-12, atol=0)
    with pytest.raises(ValueError, match="n_rotations is 0"):
        kurtosis_against_rotations(W, n_rotations=0)


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 15), m=st.integers(1, 6), seed=st.integers(0, 1000))
def test_a_turned_and_shuffled_copy_is_found_exactly(n, m, seed):
    A = seeded(n, m, seed=seed)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    B = A[order] @ haar_rotation(m, seed)
    found = align(A, B)
    assert float(found.residual) < 1e-10
    torch.testing.assert_close(found.aligned, B, atol=1e-9, rtol=0)
    torch.testing.assert_close(A[found.permutation] @ found.rotation, found.aligned)
    if m > 1:  # in one dim a reflection can give one table two orders
        assert torch.equal(found.permutation, order)


def test_a_polygon_is_its_own_copy_though_all_its_vertices_look_alike():
    angle = 2 * math.pi * torch.arange(7, dtype=torch.float64) / 7
    A = torch.stack([angle.cos(), angle.sin()], -1)
    B = A[torch.tensor([3, 1, 4, 0, 6, 2, 5])] @ haar_rotation(2, seed=4)
    assert float(align(A, B).residual) < 1e-10


def test_noise_is_all_that_is_left():
    A = seeded(12, 4)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    noise = 0.01 * seeded(12, 4, seed=2)
    found = align(A, A[order] @ haar_rotation(4) + noise)
    assert torch.equal(found.permutation, order)
    assert float(found.residual * (A[order] @ haar_rotation(4) + noise).norm()) <= float(noise.norm())


def test_each_half_alone_is_the_global_optimum():
    A, B = seeded(5, 3), seeded(5, 3, seed=1)
    from itertools import permutations

    best = min(float((A[list(p)] - B).norm()) for p in permutations(range(5)))
    assert float(align(A, B, rotate=False).residual * B.norm()) == pytest.approx(best, rel=1e-12)
    # Procrustes: |AQ - B|^2 = |A|^2 + |B|^2 - 2 (nuclear norm of A^T B)
    least = A.square().sum() + B.square().sum() - 2 * torch.linalg.svdvals(A.T @ B).sum()
    found = align(A, B, permute=False)
    assert float(found.residual * B.norm()) == pytest.approx(float(least.sqrt()), rel=1e-12)
    assert found.permutation.tolist() == [0, 1, 2, 3, 4]


def test_alignment_of_a_batch_and_what_does_not_fit():
    A, B = seeded(2, 1, 5, 3), seeded(3, 5, 3, seed=1)
    together = align(A, B, restarts=2)
    assert together.residual.shape == (2, 3)
    torch.testing.assert_close(together.residual[1, 2], align(A[1, 0], B[2], restarts=2).residual)
    assert float(align(torch.zeros(4, 2), torch.zeros(4, 2)).residual) == 0
    with pytest.raises(ValueError, match="A has 5 features in 3 dims, B has 4 in 3"):
        align(A, B[:, :4])
    with pytest.raises(ValueError, match=r"\(2,\) of A and \(3,\) of B"):
        align(A[:, 0], B)
