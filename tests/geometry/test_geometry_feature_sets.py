"""Sets of neighbouring features: their cosines by hand, and where a set counts as collapsed."""

import math

import pytest
import torch

from tegum.geometry import collapsed_sets, set_cosines


def at(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack((angles.cos(), angles.sin()), -1)


def test_cosines_are_those_of_the_angles_within_each_set():
    W = torch.stack([at(0, 60, 100, 190), 3 * at(0, 0, 10, 190)])
    expected = [[[0.5], [0.0]], [[1.0], [-1.0]]]
    assert torch.allclose(set_cosines(W, 2), torch.tensor(expected, dtype=torch.float64), atol=1e-15)
    three = set_cosines(at(0, 30, 90), 1)
    assert three.tolist() == [pytest.approx([math.cos(math.radians(d)) for d in (30, 90, 60)])]


def test_a_set_collapses_when_every_two_members_are_within_30_degrees():
    assert collapsed_sets(at(0, 29, 90, 121), 2).tolist() == [True, False]
    assert collapsed_sets(at(0, 20, 40, 0, 20, 29), 2).tolist() == [False, True]


def test_a_set_with_a_member_that_is_not_there_has_not_collapsed():
    W = at(0, 0, 0, 0)
    W[1] *= 0.05
    assert collapsed_sets(W, 2).tolist() == [False, True]
    assert collapsed_sets(0 * W, 2).tolist() == [False, False]


def test_opposite_directions_are_not_one():
    assert collapsed_sets(at(0, 180), 1).tolist() == [False]


@pytest.mark.parametrize("n_sets", [0, 4])
def test_unequal_sets_are_refused(n_sets):
    with pytest.raises(ValueError, match="6 features do not fall into"):
        set_cosines(at(0, 10, 20, 30, 40, 50), n_sets)
