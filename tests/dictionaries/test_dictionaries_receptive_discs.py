"""Receptive fields: a place fires the discs it lies in, and inner products are the overlap of two discs on average."""

import math

import pytest
import torch
from scipy import integrate

from tegum.dictionaries.receptive_discs import grid, overlap, receptive_fields


@pytest.mark.parametrize(("distance", "radius"), [(0.0, 0.3), (0.1, 0.3), (0.35, 0.3), (0.59, 0.3), (0.6, 0.3), (0.9, 0.3)])
def test_the_overlap_is_the_area_that_two_discs_share(distance, radius):
    def height(x):
        """How high the common part of both discs is at x; their centres lie at 0 and at `distance`."""
        return 2 * math.sqrt(max(min(radius**2 - x**2, radius**2 - (x - distance) ** 2), 0))

    area = integrate.quad(height, distance - radius, radius, points=[distance / 2], limit=200)[0] if distance < 2 * radius else 0
    assert float(overlap(torch.tensor(distance, dtype=torch.float64), radius)) == pytest.approx(area / (math.pi * radius**2), abs=1e-7)


@pytest.mark.parametrize("radius", [0.1, 0.4])
def test_inner_products_are_the_overlap_on_average(radius):
    """A dim adds s^2 where both places are in its disc, with probability q: the mean over d dims has variance s^4 q (1 - q) d. 64 x 63 / 2 pairs at
    5 standard errors: wrong once in a thousand if they were independent.
    """
    d = 40_000
    D = receptive_fields(64, d, seed=2, radius=radius, dtype=torch.float64)
    wanted = overlap(torch.cdist(grid(64), grid(64)), radius)
    scale = (1 + 2 * radius) ** 2 / (math.pi * radius**2)
    error = (wanted * scale * (1 - wanted / scale) / d).sqrt()
    assert ((D.dense() @ D.dense().T - wanted).abs() <= 5 * error + 1e-12).all()


def test_entries_are_one_number_or_zero_by_distance():
    places = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.5, 0.25]], dtype=torch.float64)
    D = receptive_fields(3, 500, seed=1, radius=0.25, places=places, dtype=torch.float64)
    wanted = 1.5 / (0.25 * math.sqrt(500 * math.pi))
    fires = D.dense() != 0
    assert D.dense()[fires].sub(wanted).abs().max() < 1e-15
    assert not (fires[0] & fires[1]).any()  # sqrt(2) apart
    # each lies in a share pi r^2 / (1 + 2 r)^2 of the discs, at a corner or not: within 5 standard errors
    share = math.pi * 0.25**2 / 1.5**2
    assert ((fires.double().mean(1) - share).abs() < 5 * math.sqrt(share * (1 - share) / 500)).all()


def test_discs_do_not_depend_on_how_many_there_are():
    few, many = receptive_fields(30, 50, seed=3), receptive_fields(30, 80, seed=3)
    assert (few.dense() != 0).equal(many.dense()[:, :50] != 0)


def test_the_grid_fills_the_square_row_by_row():
    torch.testing.assert_close(grid(4), torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]], dtype=torch.float64))
    assert grid(5).shape == (5, 2)
    assert grid(5).max() < 1


def test_places_and_radii_that_are_none_are_refused():
    with pytest.raises(ValueError, match="radius is 0"):
        receptive_fields(4, 10, radius=0.0)
    with pytest.raises(ValueError, match=r"shape \(3, 2\)"):
        receptive_fields(4, 10, places=torch.rand(3, 2))
    with pytest.raises(ValueError, match="unit square"):
        receptive_fields(2, 10, places=torch.tensor([[0.0, 1.5], [0, 0]]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_places_may_lie_on_a_gpu(device):
    D = receptive_fields(9, 50, places=grid(9).cuda(), device=device)
    assert D.device.type == device
    assert D.dense().cpu().equal(receptive_fields(9, 50).dense())
