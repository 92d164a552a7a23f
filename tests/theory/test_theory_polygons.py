"""Regular polygons against the general exact loss and against a scan."""

import math

import pytest
import torch

from tegum.features.bernoulli import Bernoulli
from tegum.theory import best_polygon, expected_loss, one_active_loss, polygon, polygon_loss


def test_a_polygon_is_k_unit_vectors_equally_spaced():
    for k in (1, 2, 3, 5, 8):
        angles = torch.atan2(polygon(k)[:, 1], polygon(k)[:, 0])
        assert torch.allclose(polygon(k).norm(dim=-1), torch.ones(k).double(), atol=1e-15)
        assert torch.allclose(
            (angles.diff() - 2 * math.pi / k + math.pi) % (2 * math.pi), torch.full((k - 1,), math.pi).double(), atol=1e-14
        )


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
def test_its_loss_is_the_exact_loss_of_that_model(k):
    W, b = 0.9 * polygon(k), torch.full((k,), -0.1, dtype=torch.float64)
    for density in (1.0, 0.3, 0.01):
        exact = expected_loss(W, b, Bernoulli(n_features=k, density=density), reduction="sum").item()
        assert polygon_loss(k, density, 0.9, -0.1).item() == pytest.approx(exact, abs=1e-14)
    assert polygon_loss(k, None, 0.9, -0.1).item() == pytest.approx(one_active_loss(W, b).total.item(), abs=1e-14)


def test_up_to_a_square_one_active_feature_is_read_without_error():
    for k in (2, 3, 4):
        assert polygon_loss(k, None).item() == pytest.approx(0, abs=1e-15)
    # two neighbours at 72 degrees, each at cos^2(72) E x^2
    assert polygon_loss(5, None).item() == pytest.approx(5 * 2 * math.cos(math.radians(72)) ** 2 / 3, rel=1e-13)


@pytest.mark.parametrize(("k", "density"), [(2, 0.3), (3, 0.05), (5, None), (5, 0.05), (5, 1.0)])
def test_the_best_polygon_is_stationary_and_no_worse_than_a_scan(k, density):
    best = best_polygon(k, density)
    point = torch.tensor([best.norm, best.bias], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(polygon_loss(k, density, point[0], point[1]), point)
    assert slope.abs().max().item() < 1e-6
    scan = min(
        polygon_loss(k, density, norm, bias).item() for norm in (0.5, 0.7, 0.9, 1.0, 1.1, 1.2) for bias in (-0.3, -0.1, 0.0, 0.1, 0.5)
    )
    assert best.loss <= scan + 1e-15
    assert best.per_feature == best.loss / k
    assert torch.allclose(best.W.norm(dim=-1), torch.full((k,), best.norm).double(), atol=1e-14)
    assert best.b.tolist() == [best.bias] * k


def test_sparse_pairs_cost_less_per_feature_than_a_pentagon():
    assert best_polygon(2, 0.05).per_feature < best_polygon(5, 0.05).per_feature


def test_the_pentagon_of_one_active_features_has_a_negative_bias():
    """Both kinks lie inside [0, 1] there, and the integrals can be done by hand."""
    best = best_polygon(5, None)
    assert best.bias < 0 < best.norm - 1
    gain, threshold = best.norm**2, -best.bias
    near, knee = gain * math.cos(math.radians(72)), threshold / gain

    own = knee**3 / 3 + ((1 - gain + threshold) ** 3 - knee**3) / (3 * (1 - gain))
    leak = 2 * (near - threshold) ** 3 / (3 * near)
    assert best.per_feature == pytest.approx(own + leak, abs=1e-13)


@pytest.mark.parametrize(("k", "density"), [(0, 0.1), (17, 0.1), (3, 0.0), (3, 1.5)])
def test_impossible_polygons_are_refused(k, density):
    with pytest.raises(ValueError, match="must be"):
        polygon_loss(k, density)
