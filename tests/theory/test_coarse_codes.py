"""Coarse codes: lenses, chords, crossings and distances against quadrature, brute force and published numbers; many large fields against lines."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import binom

from tegum.dictionaries.receptive_discs import overlap
from tegum.theory import (
    apart_chance,
    circle_crossings,
    circle_regions,
    coarse_error_floor,
    code_changes,
    disc_overlap,
    field_chance,
    local_code_error,
    near_chance,
    overlap_spread,
    same_code_area,
    same_code_chance,
    same_code_distance,
)

RADII, DISTANCES = st.floats(0.01, 3), st.floats(0, 2)


@given(distance=DISTANCES, radius=RADII)
def test_the_overlap_is_the_area_that_two_discs_share(distance, radius):
    def height(x):
        return 2 * math.sqrt(max(min(radius**2 - x**2, radius**2 - (x - distance) ** 2), 0))

    area = integrate.quad(height, distance - radius, radius, points=[distance / 2], limit=200)[0] if distance < 2 * radius else 0.0
    assert disc_overlap(distance, radius) == pytest.approx(area / (math.pi * radius**2), abs=1e-7)


@given(radius=RADII)
def test_the_overlap_is_that_of_the_dictionary_and_falls_from_a_corner(radius):
    at = np.linspace(0, 3 * radius, 40)
    found = np.asarray(disc_overlap(at, radius))
    torch.testing.assert_close(torch.as_tensor(found), overlap(torch.as_tensor(at), radius), rtol=0, atol=1e-14)
    assert np.all(np.diff(found) <= 0)
    assert (1 - disc_overlap(1e-6 * radius, radius)) / 1e-6 == pytest.approx(2 / math.pi, rel=1e-9)


@pytest.mark.parametrize(("n_axes", "volume"), [(1, 2), (2, math.pi), (3, 4 / 3 * math.pi)])
def test_a_position_lies_in_a_field_by_its_volume(n_axes, volume):
    assert field_chance(0.25, n_axes) == pytest.approx(volume * 0.25**n_axes / 1.5**n_axes, rel=1e-14)


@pytest.mark.parametrize(("n_axes", "slope"), [(1, 1 / 2), (2, 2 / math.pi), (3, 3 / 4)])
def test_the_code_changes_as_often_as_the_overlap_falls(n_axes, slope):
    """Intervals, discs and balls at a small distance s overlap by 1 - slope s / r; a unit tells two positions apart by 2 p (1 - overlap)."""
    radius, n = 0.2, 7
    assert code_changes(n, radius, n_axes) == pytest.approx(n * 2 * field_chance(radius, n_axes) * slope / radius, rel=1e-13)


def test_the_code_changes_most_often_where_fields_are_as_wide_as_the_plane():
    radii = np.geomspace(0.01, 10, 2001)
    assert radii[np.argmax(code_changes(5, radii))] == pytest.approx(0.5, rel=0.004)


@pytest.mark.parametrize("distance", [0.0, 0.1, 0.35])
def test_inner_products_spread_as_a_binomial_count(distance):
    n, radius = 50, 0.2
    p = field_chance(radius)
    count = binom(n, p * disc_overlap(distance, radius))
    assert disc_overlap(distance, radius) == pytest.approx(count.mean() / (n * p), rel=1e-12)
    assert overlap_spread(distance, n, radius) == pytest.approx(count.std() / (n * p), rel=1e-12)


@pytest.mark.parametrize(("n", "radius"), [(3, 0.1), (20, 0.2), (5, 0.8)])
def test_areas_and_distances_of_one_code_are_means_over_two_random_positions(n, radius):
    """400,000 pairs, seed fixed; 5 standard errors: false alarm once in 10^6."""
    x, y = np.random.default_rng(0).uniform(size=(2, 400_000, 2))
    distance = np.linalg.norm(x - y, axis=1)
    chance = same_code_chance(distance, n, radius)
    for values, law in (
        (chance, same_code_area(n, radius)),
        (chance * distance**2, same_code_area(n, radius) * same_code_distance(n, radius) ** 2),
    ):
        assert abs(values.mean() - law) < 5 * values.std() / math.sqrt(len(values))


def test_one_unit_tells_two_positions_apart_as_often_as_discs_at_random_do():
    """200,000 discs, seed fixed; 5 standard errors."""
    radius, positions = 0.3, np.array([[0.05, 0.1], [0.3, 0.2]])
    centres = np.random.default_rng(1).uniform(-radius, 1 + radius, (200_000, 2))
    fires = np.linalg.norm(centres[:, None] - positions, axis=2) < radius
    law = 1 - same_code_chance(np.linalg.norm(positions[0] - positions[1]), 1, radius)
    assert abs(np.mean(fires[:, 0] != fires[:, 1]) - law) < 5 * math.sqrt(law * (1 - law) / len(centres))


def test_many_large_fields_are_like_random_lines():
    """The zero cell of a Poisson line process has an area of 2 pi / c^2 (Matheron 1975), and 6 / c^2 is a mean of gamma laws; sides take 1/c more."""
    n = np.array([10**4, 10**5, 10**6])
    c = code_changes(n, 0.5)
    assert same_code_area(n, 0.5) * c**2 / (2 * math.pi) == pytest.approx(np.ones(3), abs=5 / c[0])
    assert same_code_distance(n, 0.5) ** 2 * c**2 / 6 == pytest.approx(np.ones(3), abs=10 / c[0])
    assert coarse_error_floor(n, 0.5) * c == pytest.approx(np.ones(3), abs=3 / c[0])


def test_with_hardly_a_field_a_position_may_be_anywhere():
    assert same_code_area(1, 1e-6) == pytest.approx(1, abs=1e-10)
    assert same_code_distance(1, 1e-6) ** 2 == pytest.approx(1 / 3, abs=1e-10)  # 1/6 each axis


@given(n=st.integers(1, 300), radius=st.floats(0.02, 2))
def test_the_floor_is_below_what_reading_at_random_does(n, radius):
    """Another position of the same code, at random, is a reading with a mean square error of the distance squared; its middle halves that."""
    assert coarse_error_floor(n, radius) <= same_code_distance(n, radius) / math.sqrt(2) * (1 + 1e-12)


@pytest.mark.parametrize("radius", [0.1, 0.4, 0.9])
def test_circles_cross_as_often_as_drawn_ones_do(radius):
    """100,000 pairs of circles, seed fixed; 5 standard errors."""
    one, other = np.random.default_rng(2).uniform(-radius, 1 + radius, (2, 100_000, 2))
    way = other - one
    length = np.linalg.norm(way, axis=1)
    turn = np.sqrt(np.maximum(radius**2 / length**2 - 0.25, 0))[:, None] * np.stack([-way[:, 1], way[:, 0]], 1)
    inside = sum(np.all((p > 0) & (p < 1), axis=1) & (length < 2 * radius) for p in ((one + other) / 2 + turn, (one + other) / 2 - turn))
    angle = np.linspace(0, 2 * math.pi, 20_001)
    x, y = one[:2000, 0, None] + radius * np.cos(angle), one[:2000, 1, None] + radius * np.sin(angle)
    within = (x > 0) & (x < 1) & (y > 0) & (y < 1)
    at_sides = np.sum(within[:, 1:] != within[:, :-1], axis=1)
    for values, law in zip((inside, at_sides), (circle_crossings(2, radius)[0], circle_crossings(1, radius)[1]), strict=True):
        assert abs(values.mean() - law) < 5 * values.std() / math.sqrt(len(values))


@given(n=st.integers(1, 500), radius=st.floats(0.01, 2))
def test_bounds_of_regions_are_in_order_and_meet_for_one_field_and_for_large_ones(n, radius):
    low, high = circle_regions(n, radius)
    assert 1 <= low <= high
    if n == 1 or radius >= 0.5:
        assert high == pytest.approx(low, rel=1e-12)


def test_one_field_cuts_off_one_region_where_it_is_whole_or_crosses_one_side():
    """With r small enough that no circle crosses more than two sides: 1 and a region for each field that is whole or cut, of its chance."""
    radius, n = 0.05, 1
    whole, cut = (1 - 2 * radius) ** 2, 4 * (1 - 2 * radius) * 2 * radius
    corner = integrate.dblquad(lambda y, x: float(x**2 + y**2 < radius**2), -radius, radius, -radius, radius, epsabs=1e-5)[0]
    near_corner = 4 * ((2 * radius) ** 2 - corner)  # outside of the corner's disc it crosses a side twice, both, or none
    both = near_corner / 4  # a quarter of that lies inside of the corner, where it cuts two regions off; a quarter outside, none; half, one
    expected = 1 + (whole + cut + 4 * corner + 2 * both + near_corner / 2) / (1 + 2 * radius) ** 2
    assert circle_regions(n, radius)[0] == pytest.approx(expected, abs=1e-4)


def test_two_random_positions_are_half_a_unit_apart_on_average():
    """Published: (2 + sqrt 2 + 5 ln(1 + sqrt 2)) / 15 = .52140..."""
    mean = sum(integrate.quad(lambda s: 1 - near_chance(s), *ends)[0] for ends in ((0, 1), (1, math.sqrt(2))))
    assert mean == pytest.approx((2 + math.sqrt(2) + 5 * math.log(1 + math.sqrt(2))) / 15, abs=1e-10)
    assert near_chance([0, math.sqrt(2), 3]) == pytest.approx([0, 1, 1], abs=1e-14)


def test_positions_crowd_as_birthdays_do():
    assert apart_chance([1, 2], 0.3) == pytest.approx([1, 1 - near_chance(0.3)], rel=1e-13)
    drawn = np.random.default_rng(3).uniform(size=(20_000, 5, 2))
    distance = np.linalg.norm(drawn[:, :, None] - drawn[:, None], axis=-1)[:, *np.triu_indices(5, 1)]
    share = np.mean(distance.min(1) > 0.1)
    assert apart_chance(5, 0.1) == pytest.approx(share, abs=5 * 0.5 / math.sqrt(20_000) + 0.02)  # pairs are nearly independent


def test_a_unit_a_place_has_the_error_of_hexagons():
    triangle = integrate.dblquad(lambda y, x: x**2 + y**2, 0, 1, lambda x: -x / math.sqrt(3), lambda x: x / math.sqrt(3))[0]
    area = 2 * math.sqrt(3)  # of the hexagon whose six triangles reach out by 1
    assert local_code_error(10) ** 2 == pytest.approx(6 * triangle / area / area / 10, rel=1e-10)
    assert local_code_error(10) ** 2 < 1 / 60  # squares


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: disc_overlap(-0.1, 0.2), "distance must be 0 or more"),
        (lambda: disc_overlap(0.1, 0.0), "radius must be positive"),
        (lambda: code_changes(0, 0.2), "n_units must be positive"),
        (lambda: field_chance(0.2, 0 - 1), "n_axes must be at least 1"),
        (lambda: code_changes(5, 0.2, 0), "n_axes must be at least 1"),
        (lambda: near_chance(-1), "distance must be 0 or more"),
    ],
)
def test_what_is_no_size_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
