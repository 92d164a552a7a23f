"""Circles counted: regions against known arrangements and flood fill, codes against a dense look, reading against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from tegum.experiments.codes._circles import changes, count, field_centres, pixel_codes, told
from tegum.theory import circle_crossings, circle_regions

SIDE = 1000  # pixels


def ring(n, reach):
    """n centres on a circle about the middle of the square."""
    angle = np.arange(n) * 2 * np.pi / n + 0.1
    return 0.5 + reach * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@pytest.mark.parametrize(
    ("centres", "radius", "crossings", "at_sides", "clusters", "regions", "codes"),
    [
        (np.array([[3.0, 3.0]]), 0.2, 0, 0, 0, 1, 1),  # outside
        (np.array([[0.5, 0.5]]), 2.0, 0, 0, 0, 1, 1),  # around everything
        (np.array([[0.5, 0.5]]), 0.2, 0, 0, 1, 2, 2),
        (np.array([[0.0, 0.5]]), 0.2, 0, 2, 0, 2, 2),
        (np.array([[0.5, 0.5]]), 0.6, 0, 8, 0, 5, 2),  # four corners with one code
        (np.array([[0.3, 0.5], [0.7, 0.5]]), 0.1, 0, 0, 2, 3, 3),
        (np.array([[0.45, 0.5], [0.55, 0.5]]), 0.1, 2, 0, 1, 4, 4),
        (ring(3, 0.1), 0.2, 6, 0, 1, 8, 8),  # Venn's diagram
        (ring(5, 0.1), 0.2, 20, 0, 1, 22, 22),  # n^2 - n + 2 where all cross
        (np.array([[0.2, 0.5], [0.5, 0.5], [0.8, 0.5]]), 0.16, 4, 0, 1, 6, 6),  # a chain
    ],
)
def test_arrangements_that_are_known(centres, radius, crossings, at_sides, clusters, regions, codes):
    found = count(centres, radius)
    assert (found.crossings, found.at_sides, found.clusters, found.regions, found.codes) == (crossings, at_sides, clusters, regions, codes)


def plain(centres, radius):
    """Whether no corner of a region is near another, and no gap between circles narrow: then pixels see every region."""
    pairs = np.triu_indices(len(centres), 1)
    distance = np.linalg.norm(centres[pairs[0]] - centres[pairs[1]], axis=1)
    to_sides = np.abs(np.abs(np.concatenate([centres, 1 - centres])) - radius)
    angle = np.linspace(0, 2 * np.pi, 800, endpoint=False)
    on = centres[:, None] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    near = np.abs(np.linalg.norm(on[:, :, None] - centres, axis=-1) - radius) < 0.02
    near[np.arange(len(centres)), :, np.arange(len(centres))] = False
    beside = (np.abs(on) < 0.02).any(-1) | (np.abs(on - 1) < 0.02).any(-1)
    return (
        distance.min() > 0.06
        and np.abs(distance - 2 * radius).min() > 0.03
        and to_sides.min() > 0.03
        and not (near.sum(-1) + beside > 1).any()
    )


def test_regions_and_codes_are_those_that_flood_fill_finds():
    """Pixels that meet at a corner are joined, for thin tips of regions; where two circles cross, the four codes differ."""
    compared = 0
    for seed in range(400):
        n, radius = 3 + seed % 4, (0.15, 0.25, 0.4)[seed % 3]
        centres = field_centres(n, radius, (seed,))
        if not plain(centres, radius):
            continue
        codes = pixel_codes(centres, radius, SIDE)
        kinds = np.unique(codes)
        assert count(centres, radius).regions == sum(ndimage.label(codes == kind, np.ones((3, 3)))[1] for kind in kinds)
        assert count(centres, radius).codes == len(kinds)
        compared += 1
        if compared == 12:
            return
    pytest.fail(f"only {compared} arrangements are plain")


@pytest.mark.parametrize(("n", "radius"), [(12, 0.1), (12, 0.4), (6, 1.0)])
def test_expected_crossings_and_regions_are_met(n, radius):
    """200 codes each, seeds fixed: 5 standard errors."""
    found = [count(field_centres(n, radius, (7, seed)), radius) for seed in range(200)]
    inside, sides = circle_crossings(n, radius)
    low, high = circle_regions(n, radius)
    for values, least, most in (
        ([c.crossings for c in found], inside, inside),
        ([c.at_sides for c in found], sides, sides),
        ([c.regions for c in found], low, high),
    ):
        error = np.std(values) / len(values) ** 0.5
        assert least - 5 * error < np.mean(values) < most + 5 * error


@given(seed=st.integers(0, 10**6), n=st.integers(1, 12), radius=st.floats(0.03, 1.2), side=st.integers(2, 20))
def test_pixels_have_one_code_where_the_same_fields_hold_them(seed, n, radius, side):
    centres = field_centres(n, radius, (seed,))
    at = (np.arange(side) + 0.5) / side
    places = np.stack([np.tile(at, side), np.repeat(at, side)], axis=1)
    fires = np.linalg.norm(places[:, None] - centres, axis=-1) < radius
    same = (fires[:, None] == fires).all(-1)
    codes = pixel_codes(centres, radius, side).ravel()
    np.testing.assert_array_equal(codes[:, None] == codes, same)

    found = told(centres, radius, side)
    distance = ((places[:, None] - places) ** 2).sum(-1)
    middle = (same[:, :, None] * places).sum(1) / same.sum(1)[:, None]
    error = ((places - middle) ** 2).sum(1) + 1 / (6 * side**2)
    assert found.area == pytest.approx(same.mean(), rel=1e-12)
    assert found.square == pytest.approx((same * distance).mean(), rel=1e-9, abs=1e-15)
    assert found.error == pytest.approx(error.mean(), rel=1e-9)
    np.testing.assert_allclose(found.errors.ravel(), np.sqrt(error), rtol=1e-9)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 8), n_axes=st.integers(1, 4), radius=st.floats(0.2, 1))
def test_changes_are_those_of_a_walk_in_small_steps(seed, n, n_axes, radius):
    """Steps of 1/4,000 miss chords shorter than that, twice each."""
    centres = field_centres(n, radius, (seed,), n_axes)
    start, end = np.random.default_rng(seed).uniform(size=(2, 2, n_axes))
    way = start[:, None] + np.linspace(0, 1, 4001)[:, None] * (end - start)[:, None]
    fires = np.linalg.norm(way[:, :, None] - centres, axis=-1) < radius
    seen = (fires[:, 1:] != fires[:, :-1]).sum((1, 2))
    missed = changes(centres, radius, start, end) - seen
    assert np.all(missed >= 0)
    assert np.all(missed % 2 == 0)
    assert missed.sum() <= 2
