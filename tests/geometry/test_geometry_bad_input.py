"""The door of the room: a table that is not finite is refused by every measure, for none of them could say so in its answer."""

from functools import wraps

import numpy as np
import pytest
import torch

from tegum import geometry


def by_sets(measure):
    """A measure of sets, of each feature as a set of its own."""
    return wraps(measure)(lambda W: measure(W, len(W)))


MEASURES = [
    geometry.feature_dimensionality, geometry.dims_per_feature, geometry.interference, geometry.superposition, geometry.represented,
    geometry.antipodal_pairs, geometry.frame_potential, geometry.welch_gap, geometry.coherence, geometry.coordinate_kurtosis,
    geometry.kurtosis_against_rotations, geometry.cosine_histogram, geometry.polytopes, by_sets(geometry.set_cosines),
    by_sets(geometry.collapsed_sets),
]  # fmt: skip


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("measure", [*MEASURES, lambda W: geometry.align(W, W)], ids=lambda m: m.__name__)
def test_a_table_that_is_not_finite_is_refused_with_the_place(measure, bad):
    W = torch.eye(3)
    W[1, 2] = bad
    with pytest.raises(ValueError, match=rf"\[1, 2\] is {bad}.*directions are finite"):
        measure(W)


def test_the_list_of_measures_is_whole():
    takes_directions = {name for name in geometry.__all__ if name.islower()} - {"align", "haar_rotation", "vertices", "welch_bound"}
    assert takes_directions == {m.__name__ for m in MEASURES}


def test_a_test_of_no_tables_is_told():
    assert "100 rotations" in repr(geometry.kurtosis_against_rotations(torch.empty(0, 4, 3)))


@pytest.mark.parametrize(("given", "said"), [({"n_rotations": 0}, "n_rotations is 0"), ({"seed": -1}, "seed is -1")])
def test_rotations_that_can_not_be_drawn_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        geometry.kurtosis_against_rotations(torch.eye(3), **given)
