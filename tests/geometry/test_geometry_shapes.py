"""Polytopes whose measures are known, and what holds for any table of directions."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tegum import geometry
from tegum.geometry import dims_per_feature, feature_dimensionality, haar_rotation, interference, represented, superposition


def polygon(k: int) -> torch.Tensor:
    angle = 2 * math.pi * torch.arange(k, dtype=torch.float64) / k
    return torch.stack([angle.cos(), angle.sin()], -1)


def antiprism(height: float) -> torch.Tensor:
    """Eight unit vectors: a square at +height and one at -height turned by 45 degrees."""
    radius = math.sqrt(1 - height**2)
    angle = math.pi / 4 * torch.arange(8, dtype=torch.float64)
    up = height * (1 - 2 * (torch.arange(8, dtype=torch.float64) % 2))
    return torch.stack([radius * angle.cos(), radius * angle.sin(), up], -1)


EYE = torch.eye(3, dtype=torch.float64)
TETRAHEDRON = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64)
OCTAHEDRON = torch.cat([EYE, -EYE])
SHAPES = {
    "orthonormal": (EYE, 1),
    "digon": (torch.tensor([[1.0], [-1.0]], dtype=torch.float64), 1 / 2),
    "tetrahedron": (TETRAHEDRON, 3 / 4),
    "octahedron": (OCTAHEDRON, 1 / 2),
    "tight square antiprism": (antiprism(math.sqrt(1 / 3)), 3 / 8),
    **{f"{k}-gon": (polygon(k), 2 / k) for k in range(3, 9)},
}
tables = st.tuples(st.integers(1, 9), st.integers(1, 6), st.integers(0, 2**32 - 1)).map(
    lambda size: torch.randn(size[0], size[1], dtype=torch.float64, generator=torch.Generator().manual_seed(size[2]))
)


@pytest.mark.parametrize(("W", "each"), SHAPES.values(), ids=SHAPES.keys())
def test_each_vertex_of_a_polytope_gets_its_share_of_the_dims(W, each):
    for size in (1.0, 0.3):
        D = feature_dimensionality(size * W)
        torch.testing.assert_close(D, torch.full_like(D, each), atol=1e-12, rtol=0)  # sums of a dozen float64 products


def test_the_thomson_antiprism_is_close_to_three_eighths_but_not_there():
    # Thomson's eight electrons: cos^2 of the polar angle near 0.3140 and not 1/3, so the frame is not tight and D < dims / features
    D = feature_dimensionality(antiprism(math.sqrt(0.3140)))
    assert (D < 3 / 8).all()
    torch.testing.assert_close(D, torch.full_like(D, 1 / (8 * (0.3140**2 + (1 - 0.3140) ** 2 / 2))), atol=1e-12, rtol=0)


def test_two_features_of_unequal_length_in_one_dim_share_it_by_their_squares():
    W = torch.tensor([[1.0], [-0.5]], dtype=torch.float64)
    torch.testing.assert_close(feature_dimensionality(W), torch.tensor([1 / 1.25, 0.25 / 1.25], dtype=torch.float64))


@given(W=tables)
def test_dimensionality_is_its_definition_and_sums_to_at_most_the_rank(W):
    unit = W / W.norm(dim=1, keepdim=True)
    by_definition = W.square().sum(1) / (unit @ W.T).square().sum(1)
    D = feature_dimensionality(W)
    torch.testing.assert_close(D, by_definition, rtol=1e-10, atol=0)
    assert float(D.sum()) <= int(torch.linalg.matrix_rank(W)) + 1e-9
    assert ((D > 0) & (D <= 1 + 1e-12)).all()


@given(W=tables, seed=st.integers(0, 1000), scale=st.floats(1e-100, 1e100))
def test_dimensionality_forgets_rotation_common_scale_signs_and_order(W, seed, scale):
    draw = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(W), generator=draw)
    signs = torch.randint(0, 2, (len(W), 1), generator=draw) * 2 - 1
    turned = scale * (signs * W)[order] @ haar_rotation(W.shape[1], seed)
    torch.testing.assert_close(feature_dimensionality(turned), feature_dimensionality(W)[order], rtol=1e-9, atol=0)


@given(W=tables)
def test_superposition_is_the_row_sum_of_the_interference_matrix(W):
    seen = torch.zeros(len(W), len(W), dtype=torch.float64)
    for i in range(len(W)):
        for j in range(len(W)):
            if i != j:
                seen[i, j] = (W[i] @ W[j] / W[i].norm()) ** 2
    torch.testing.assert_close(interference(W), seen, rtol=1e-10, atol=1e-14)
    # u^T G u - |W_i|^2 cancels: 1e-13 of the table's whole energy is some hundreds of roundings
    torch.testing.assert_close(superposition(W), seen.sum(1), rtol=0, atol=1e-13 * float(W.square().sum()))


@given(W=tables, factor=st.floats(0.01, 100))
def test_superposition_of_a_feature_does_not_depend_on_its_own_length(W, factor):
    longer = W.clone()
    longer[0] *= factor
    atol = 1e-13 * float(longer.square().sum() + W.square().sum())
    torch.testing.assert_close(superposition(longer)[0], superposition(W)[0], rtol=0, atol=atol)


def test_dims_per_feature_counts_a_unit_feature_as_one():
    assert dims_per_feature(OCTAHEDRON) == 0.5
    assert dims_per_feature(torch.eye(4)[:2]) == 2
    assert dims_per_feature(torch.zeros(5, 2)) == torch.inf


def test_represented_parts_long_from_short():
    W = torch.tensor([[0.9, 0.0], [0.0, 0.4], [0.3, 0.4], [0.6, 0.6]])
    assert represented(W).tolist() == [True, False, False, True]  # 0.5 itself is not above the threshold
    assert represented(W, threshold=0.3).all()


MEASURES = [
    geometry.feature_dimensionality,
    geometry.superposition,
    geometry.interference,
    geometry.dims_per_feature,
    geometry.represented,
    geometry.frame_potential,
    geometry.coherence,
    geometry.welch_gap,
    geometry.coordinate_kurtosis,
]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.__name__)
def test_a_batch_measures_what_a_loop_does(measure):
    W = torch.randn(3, 4, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    together = measure(W)
    one_by_one = torch.stack([torch.stack([measure(W[a, b]) for b in range(4)]) for a in range(3)])
    torch.testing.assert_close(together, one_by_one, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.__name__)
def test_no_measure_is_nan_for_features_that_are_not_there(measure):
    some = torch.zeros(4, 3)
    some[1] = torch.tensor([1.0, 2.0, 2.0])
    for W in (some, torch.zeros(4, 3), torch.zeros(2, 0, 3), torch.zeros(0, 5, 3), 1e-30 * some, 1e18 * some):
        assert not measure(W).isnan().any()
    for per_feature in (feature_dimensionality, superposition, geometry.coordinate_kurtosis):
        assert per_feature(some)[[0, 2, 3]].tolist() == [0, 0, 0]
    assert feature_dimensionality(1e-30 * some)[1] == 1


@pytest.mark.parametrize("measure", [m for m in MEASURES if m is not represented], ids=lambda m: m.__name__)
def test_gradients_are_right_and_finite_with_zero_rows(measure):
    W = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(measure, W)
    for empty in ([2], [0, 1, 2, 3, 4]):
        gaps = W.detach().clone()
        gaps[empty] = 0
        gaps.requires_grad_()
        measure(gaps).nan_to_num(posinf=0).sum().backward()
        assert gaps.grad is not None
        assert gaps.grad.isfinite().all()


@pytest.mark.parametrize("measure", [*MEASURES, geometry.antipodal_pairs, geometry.cosine_histogram], ids=lambda m: m.__name__)
def test_what_is_no_table_of_directions_is_refused_with_its_shape(measure):
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        measure(torch.zeros(3))
    with pytest.raises(ValueError, match=r"shape \(4, 0\).*0 dims"):
        measure(torch.zeros(4, 0))
    with pytest.raises(ValueError, match="complex64"):
        measure(torch.zeros(4, 2, dtype=torch.complex64))


@pytest.mark.parametrize(
    ("shape", "lacks"), [((0, 5, 3), "0 instances"), ((2, 0, 5, 3), "0 instances"), ((0, 3), "0 features"), ((2, 0, 3), "0 features")]
)
def test_an_empty_table_has_no_histogram_and_no_alignment(shape, lacks):
    empty = torch.zeros(shape)
    said = re.escape(f"has shape {shape}, which holds {lacks}")
    with pytest.raises(ValueError, match=f"W {said}"):
        geometry.cosine_histogram(empty)
    with pytest.raises(ValueError, match=f"A {said}"):
        geometry.align(empty, empty)
    with pytest.raises(ValueError, match=f"B {said}"):
        geometry.align(torch.zeros(5, 3), empty)


def test_arrays_and_half_precision_are_taken():
    array = np.random.default_rng(0).standard_normal((6, 3))
    torch.testing.assert_close(feature_dimensionality(array), feature_dimensionality(torch.as_tensor(array)))
    assert feature_dimensionality(torch.eye(3, dtype=torch.float16)).dtype == torch.float32


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_float32_agrees_with_float64(seed):
    W = torch.randn(300, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    # 300-term sums of squares in float32: relative error below 300 * 2^-24 = 2e-5
    torch.testing.assert_close(feature_dimensionality(W.float()).double(), feature_dimensionality(W), rtol=2e-5, atol=0)
    torch.testing.assert_close(superposition(W.float()).double(), superposition(W), rtol=2e-5, atol=1e-4)


def test_results_say_their_numbers_in_one_short_line():
    W = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))
    for table in (W, W[0]):
        for result in (geometry.kurtosis_against_rotations(table, 5), geometry.cosine_histogram(table), geometry.align(table, table)):
            assert repr(result).startswith(type(result).__name__)
            assert len(repr(result)) < 200
            assert "\n" not in repr(result)
            assert "tensor" not in repr(result)
    opposed = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    assert repr(geometry.antipodal_pairs(opposed)) == "AntipodalPairs((0, 2))"
    assert repr(geometry.antipodal_pairs(opposed[:2])) == "AntipodalPairs(none)"
    assert repr(geometry.antipodal_pairs(torch.stack([opposed, opposed]))) == "AntipodalPairs(2 pairs in 2 tables of 3 features)"
