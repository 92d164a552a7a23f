"""Coarse codes: what n round fields of radius r tell about a position, each saying only whether the position lies in it.

Positions lie in the unit square (in [0, 1]^k, where `n_axes` is given); the centres of the fields are uniform on it with a margin of r, of volume
(1 + 2r)^k, so every position lies in a field with the same chance p, the volume of a ball of radius r over that. Then

- two positions share as large a part of the fields that hold them as two discs overlap, and a unit tells them apart with chance
  2 p (1 - overlap): the number of units in which two codes differ is binomial, and what follows from it is exact;
- a straight line of length 1 enters n kappa r^(k-1) / (1 + 2r)^k fields, kappa the volume of the unit ball with one axis less, and leaves as many:
  the code changes twice as often. This is the accuracy a ~ n r^(k-1) of Hinton, McClelland and Rumelhart, with its factor;
- two circles cross in the square (2/pi) (2 pi r)^2 / (1 + 2r)^4 times on average (Poincare's formula), and one crosses the square's sides
  (2/pi) 4 (2 pi r) / (1 + 2r)^2 times. V crossings and B at the sides make 1 + V + B/2 regions by Euler's formula, and one more for each cluster
  of circles that touches nothing else;
- the positions with the code of a random one fill the area E = integral of (1 - 2 p (1 - overlap))^n on average. No set of an area lies
  closer together than a disc, so no reading of positions from codes has a mean square error below E / (2 pi).

Where fields are many and large, circles look like lines: for c changes of code a length, E tends to 2 pi / c^2 and the floor of the error to 1/c.

Source: Hinton, McClelland & Rumelhart 1986, 'Distributed representations' (PDP, ch. 3), on coarse coding; Santalo 1976, 'Integral Geometry and
Geometric Probability', ch. 3 and 7; Matheron 1975, 'Random Sets and Integral Geometry', ch. 6 (lines); Ghosh 1951 (distances in a square); Fejes Toth
1953 (hexagons).
"""

import math

import numpy as np

from tegum.theory._counts import Real, positive
from tegum.theory._numbers import Numbers

_NODE, _WEIGHT = np.polynomial.legendre.leggauss(24)
# Nodes on [0, 1], crowded at both ends, where the lens and the density of distances have half-integer powers.
_T = (1 + _NODE) / 2
_SHARE, _SHARE_WEIGHT = _T**2 * (3 - 2 * _T), 3 * _T * (1 - _T) * _WEIGHT
_HALVINGS = 2.0 ** np.arange(-16, 1)  # of the diameter: where codes change most often a position's region is as small as the last


def disc_overlap(distance: Numbers, radius: Numbers) -> Real:
    """The share of a disc that another of its radius covers, with centres so far apart: the lens between two circles over pi r^2.

    It starts as 1 - (2/pi) distance / r: with a corner. Raises ValueError unless distances are 0 or more and radii positive.
    """
    half = np.minimum(_distance(distance) / (2 * positive("radius", radius)), 1.0)
    return (2 / math.pi) * (np.arccos(half) - half * np.sqrt((1 - half) * (1 + half)))[()]


def field_chance(radius: Numbers, n_axes: int = 2) -> Real:
    """The chance that a position lies in a field. Raises ValueError unless radius > 0 and n_axes >= 1."""
    radius = positive("radius", radius)
    return (_ball(n_axes) * (radius / (1 + 2 * radius)) ** n_axes)[()]


def code_changes(n_units: Numbers, radius: Numbers, n_axes: int = 2) -> Real:
    """How often the code changes along a straight line, a length: most often at radius 1/2 on the plane. Raises ValueError as `field_chance`."""
    radius = positive("radius", radius)
    return (2 * _units(n_units) * _ball(n_axes - 1) * radius ** (n_axes - 1) / (1 + 2 * radius) ** n_axes)[()]


def overlap_spread(distance: Numbers, n_units: Numbers, radius: Numbers) -> Real:
    """The standard deviation of the inner product of two codes of mean `disc_overlap`: a count of fields over its mean at distance 0, n p."""
    overlap, p = disc_overlap(distance, radius), field_chance(radius)
    return np.sqrt(overlap * (1 - p * overlap) / (_units(n_units) * p))[()]


def same_code_chance(distance: Numbers, n_units: Numbers, radius: Numbers) -> Real:
    """The chance that two positions so far apart have one code: that none of n units tells them apart."""
    return np.exp(_units(n_units) * np.log1p(-2 * field_chance(radius) * (1 - disc_overlap(distance, radius))))[()]


def same_code_area(n_units: Numbers, radius: Numbers) -> Real:
    """The expected area of the positions with the same code as a random one: its region, and others with that code."""
    return _integral(n_units, radius, 0)[()]


def same_code_distance(n_units: Numbers, radius: Numbers) -> Real:
    """The root mean square distance of two random positions, given that they have one code."""
    return np.sqrt(_integral(n_units, radius, 2) / _integral(n_units, radius, 0))[()]


def coarse_error_floor(n_units: Numbers, radius: Numbers) -> Real:
    """What the root mean square error of reading a random position from its code can not be below: sqrt(area / (2 pi))."""
    return np.sqrt(same_code_area(n_units, radius) / (2 * math.pi))[()]


def local_code_error(n_units: Numbers) -> Real:
    """What the root mean square error is at least with a unit a place: that of n hexagons of area 1/n, sqrt(5 / (18 sqrt(3) n)) (Fejes Toth)."""
    return np.sqrt(5 / (18 * math.sqrt(3) * _units(n_units)))[()]


def circle_crossings(n_units: Numbers, radius: Numbers) -> tuple[Real, Real]:
    """The expected numbers of points where two circles cross in the square, and where a circle crosses one of its sides."""
    n, radius = _units(n_units), positive("radius", radius)
    window = (1 + 2 * radius) ** 2
    return (4 * math.pi * radius**2 * n * (n - 1) / window**2)[()], (16 * radius * n / window)[()]


def circle_regions(n_units: Numbers, radius: Numbers) -> tuple[Real, Real]:
    """Bounds of the expected number of regions that n fields cut the square into; they meet where fields are few and where they are many.

    Free clusters of circles number at least the circles in the square that cross nothing, and at most these and half of the others in the square.
    """
    n, radius = _units(n_units), positive("radius", radius)
    inside, sides = circle_crossings(n_units, radius)
    within = n * np.maximum(1 - 2 * radius, 0.0) ** 2 / (1 + 2 * radius) ** 2
    alone = within * np.maximum(1 - 4 * field_chance(radius), 0.0) ** (n - 1)
    joined = 1 + inside + sides / 2
    return (joined + alone)[()], (joined + (within + alone) / 2)[()]


def near_chance(distance: Numbers) -> Real:
    """The chance that two random positions in the unit square are at most so far apart (Ghosh 1951). Raises ValueError below 0."""
    s = np.minimum(_distance(distance), math.sqrt(2))
    root, angle = np.sqrt(np.maximum(s**2 - 1, 0.0)), np.arccos(1 / np.maximum(s, 1.0))
    short = math.pi * s**2 - 8 / 3 * s**3 + s**4 / 2
    long = 1 / 3 + (math.pi - 2) * s**2 - s**4 / 2 + 4 / 3 * root * (2 * s**2 + 1) - 4 * s**2 * angle
    return np.where(s <= 1, short, long)[()]


def apart_chance(k: Numbers, distance: Numbers) -> Real:
    """The chance that k random positions are all further apart than `distance`, their pairs taken as independent (birthdays on a plane)."""
    k = np.asarray(k, dtype=np.float64)
    return np.exp(k * (k - 1) / 2 * np.log1p(-np.minimum(near_chance(distance), 1 - 1e-16)))[()]


def _units(n_units: Numbers) -> np.ndarray:
    return positive("n_units", n_units)


def _distance(distance: Numbers) -> np.ndarray:
    found = np.asarray(distance, dtype=np.float64)
    if not np.all(found >= 0):
        raise ValueError(f"distance must be 0 or more, got {distance}")
    return found


def _ball(n_axes: int) -> float:
    """The volume of the unit ball."""
    if n_axes < 0:
        raise ValueError(f"n_axes must be at least 1, got {n_axes + 1}")
    return math.pi ** (n_axes / 2) / math.gamma(n_axes / 2 + 1)


def _integral(n_units: Numbers, radius: Numbers, power: int) -> np.ndarray:
    """The integral over distances of their density in the unit square, the chance of one code, and distance^power."""
    n, radius = np.broadcast_arrays(_units(n_units), positive("radius", radius))
    ends = np.concatenate([2 * radius[..., None] * _HALVINGS, np.broadcast_to([0.0, 1.0, math.sqrt(2)], (*radius.shape, 3))], axis=-1)
    ends = np.sort(np.minimum(ends, math.sqrt(2)), axis=-1)
    low, width = ends[..., :-1, None], np.diff(ends, axis=-1)[..., None]
    s = low + width * _SHARE
    chance = same_code_chance(s, n[..., None, None], radius[..., None, None])
    return np.asarray(np.sum(width * _SHARE_WEIGHT * _density(s) * chance * s**power, axis=(-2, -1)))


def _density(s: np.ndarray) -> np.ndarray:
    """Of the distance of two random positions in the unit square (Ghosh 1951)."""
    root, angle = np.sqrt(np.maximum(s**2 - 1, 0.0)), np.arccos(1 / np.maximum(s, 1.0))
    return 2 * s * np.where(s <= 1, math.pi - 4 * s + s**2, math.pi - 2 - s**2 + 4 * root - 4 * angle)
