"""Measures on feature directions: how many dims each gets, what gets in its way, which shapes they form.

Every measure takes any (..., features, dims) tensor, or an array, with row i the direction of feature i, works on all leading dims at once
and keeps dtype and device. A feature that is not there (a zero row) measures 0, never NaN. Those that are smooth are differentiable.
"""

from tegum.geometry.alignment import Alignment, align
from tegum.geometry.antipodal import AntipodalPairs, antipodal_pairs
from tegum.geometry.catalogue import POLYTOPES, vertices
from tegum.geometry.coherence import coherence
from tegum.geometry.cosines import CosineHistogram, cosine_histogram
from tegum.geometry.dimensionality import dims_per_feature, feature_dimensionality
from tegum.geometry.feature_sets import collapsed_sets, set_cosines
from tegum.geometry.frames import frame_potential, welch_bound, welch_gap
from tegum.geometry.interference import interference, represented, superposition
from tegum.geometry.kurtosis import RotationTest, coordinate_kurtosis, kurtosis_against_rotations
from tegum.geometry.polytopes import NO_POLYTOPE, Polytope, Polytopes, polytopes
from tegum.geometry.rotations import haar_rotation

__all__ = [
    "NO_POLYTOPE",
    "POLYTOPES",
    "Alignment",
    "AntipodalPairs",
    "CosineHistogram",
    "Polytope",
    "Polytopes",
    "RotationTest",
    "align",
    "antipodal_pairs",
    "coherence",
    "collapsed_sets",
    "coordinate_kurtosis",
    "cosine_histogram",
    "dims_per_feature",
    "feature_dimensionality",
    "frame_potential",
    "haar_rotation",
    "interference",
    "kurtosis_against_rotations",
    "polytopes",
    "represented",
    "set_cosines",
    "superposition",
    "vertices",
    "welch_bound",
    "welch_gap",
]
