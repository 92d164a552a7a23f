"""Round fields at random on the unit square, counted exactly: where their circles cross, how many regions and codes there are, and what codes tell.

A code is kept as one 64-bit number, the sum of random keys of the fields that fire: two codes out of a million share it with chance 3e-8.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from tegum.shapes import Float, Int, Shaped

_ROWS = 4096  # points whose fields are looked up at a time


@dataclass(frozen=True)
class Counted:
    """Crossings of circles in the square and with its sides, clusters of circles that touch nothing else, regions, and different codes."""

    crossings: int
    at_sides: int
    clusters: int
    regions: int
    codes: int


@dataclass(frozen=True)
class Told:
    """What codes tell of the positions of pixels: areas are shares of the square.

    `area`: of the positions with the code of a random one; `square`: |x - y|^2 of two random positions, 0 where their codes differ; `error`: the mean
    square distance to where a code is read, the middle of its positions; `errors`: |x - reading| pixel by pixel, (rows, columns).
    """

    area: float
    square: float
    error: float
    errors: Float[np.ndarray, "side side"]


def field_centres(n_units: int, radius: float, seed: tuple[int, ...], n_axes: int = 2) -> Float[np.ndarray, "units axes"]:
    """Uniform on [-r, 1 + r]^n_axes, so that every position of the unit square lies in as many fields as any other."""
    return np.random.default_rng(seed).uniform(-radius, 1 + radius, (n_units, n_axes))


def changes(
    centres: Float[np.ndarray, "units axes"], radius: float, start: Float[np.ndarray, "lines axes"], end: Float[np.ndarray, "lines axes"]
) -> Int[np.ndarray, " lines"]:
    """How often the code changes on the way from each start to its end: the ends of the chords that the fields cut out of it."""
    way, off = (end - start)[:, None], start[:, None] - centres
    square, along = (way**2).sum(-1), (way * off).sum(-1)
    inside = along**2 - square * ((off**2).sum(-1) - radius**2)
    root = np.sqrt(np.maximum(inside, 0.0))
    return sum((((inside > 0) & (t > 0) & (t < 1)).sum(1) for t in ((-along - root) / square, (-along + root) / square)), np.array(0))


def count(centres: Float[np.ndarray, "units axes"], radius: float) -> Counted:
    """Regions by Euler's formula; codes from the regions that meet at every crossing, side and corner, so none is missed, however small."""
    keys = np.random.default_rng(len(centres)).integers(2**64, size=len(centres), dtype=np.uint64)
    crossing, one, other = _crossings(centres, radius)
    at_side, whose = _at_sides(centres, radius)
    within = np.flatnonzero(np.all((centres > radius) & (centres < 1 - radius), axis=1))
    some = np.concatenate([one, within])  # a circle that nothing touches has no crossing: any of its points will do
    none = np.full(len(within), -1)
    points = np.concatenate([crossing, centres[within] + [radius, 0.0], at_side, [[0, 0], [0, 1], [1, 0], [1, 1]]])
    first = np.concatenate([some, whose, np.full(4, -1)])
    second = np.concatenate([other, none, np.full(len(whose) + 4, -1)])
    base = _codes(points, first, second, centres, radius, keys)
    more = [np.where(who >= 0, keys[who], np.uint64(0)) for who in (first, second)]
    codes = len(np.unique(np.concatenate([base, base + more[0], base + more[1], base + more[0] + more[1]])))
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(len(centres),) * 2)
    cluster = connected_components(graph, directed=False)[1]
    free = len(set(cluster[within].tolist()) - set(cluster[whose].tolist()))
    return Counted(len(crossing), len(at_side), free, 1 + len(crossing) + len(at_side) // 2 + free, codes)


def told(centres: Float[np.ndarray, "units axes"], radius: float, side: int) -> Told:
    """By pixels, side x side, each with the code of its midpoint; the error is that within pixels too, 1 / (6 side^2)."""
    label = np.unique(pixel_codes(centres, radius, side), return_inverse=True)[1].ravel()
    size = np.bincount(label)
    at = (np.arange(side) + 0.5) / side
    place = np.stack([np.tile(at, side), np.repeat(at, side)])
    off = place - np.stack([np.bincount(label, axis) / size for axis in place])[:, label]
    squares = (off**2).sum(0)
    area, spread = size / side**2, np.bincount(label, squares) / side**2
    error = np.sqrt(squares + 1 / (6 * side**2))
    return Told(float((area**2).sum()), float(2 * (area * spread).sum()), float((error**2).mean()), error.reshape(side, side))


def pixel_codes(centres: Float[np.ndarray, "units axes"], radius: float, side: int) -> Shaped[np.ndarray, "side side"]:
    """The code of each pixel's midpoint, row y, column x: a field adds its key where it begins in a row, and takes it away where it ends."""
    keys = np.random.default_rng(len(centres)).integers(2**64, size=len(centres), dtype=np.uint64)
    at = (np.arange(side) + 0.5) / side
    half = np.sqrt(np.maximum(radius**2 - (at[:, None] - centres[:, 1]) ** 2, 0.0))
    row = np.broadcast_to(np.arange(side)[:, None], half.shape)
    steps = np.zeros((side, side + 1), dtype=np.uint64)
    for edge, key in ((centres[:, 0] - half, keys), (centres[:, 0] + half, -keys)):
        column = np.clip(np.ceil(edge * side - 0.5), 0, side).astype(np.int64)
        np.add.at(steps, (row, column), np.broadcast_to(key, half.shape))
    return np.cumsum(steps, axis=1, dtype=np.uint64)[:, :-1]


def _crossings(centres: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of the square on two circles, and which two."""
    one, other = np.triu_indices(len(centres), 1)
    way = centres[other] - centres[one]
    length = np.hypot(*way.T)
    near = (length < 2 * radius) & (length > 0)
    one, other, way, length = one[near], other[near], way[near], length[near]
    turn = np.sqrt(radius**2 / length**2 - 0.25)[:, None] * np.stack([-way[:, 1], way[:, 0]], axis=1)
    middle = centres[one] + way / 2
    points, pairs = np.concatenate([middle + turn, middle - turn]), np.tile(np.arange(len(one)), 2)
    seen = np.all((points > 0) & (points < 1), axis=1)
    return points[seen], one[pairs[seen]], other[pairs[seen]]


def _at_sides(centres: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of the square's sides on a circle, and which."""
    points, whose = [np.empty((0, 2))], [np.empty(0, dtype=np.int64)]
    for axis in (0, 1):
        for value in (0.0, 1.0):
            off = value - centres[:, axis]
            half = np.sqrt(np.maximum(radius**2 - off**2, 0.0))
            for along in (centres[:, 1 - axis] - half, centres[:, 1 - axis] + half):
                here = np.flatnonzero((np.abs(off) < radius) & (along > 0) & (along < 1))
                point = np.empty((len(here), 2))
                point[:, axis], point[:, 1 - axis] = value, along[here]
                points.append(point)
                whose.append(here)
    return np.concatenate(points), np.concatenate(whose)


def _codes(
    points: np.ndarray, first: np.ndarray, second: np.ndarray, centres: np.ndarray, radius: float, keys: np.ndarray
) -> Shaped[np.ndarray, " points"]:
    """The codes there, without the one or two fields on whose circles the points lie (-1: none)."""
    found = np.empty(len(points), dtype=np.uint64)
    halves = np.stack([keys >> np.uint64(32), keys & np.uint64(2**32 - 1)], axis=1).astype(np.float64)  # whose sums are exact, and fast
    for begin in range(0, len(points), _ROWS):
        rows = slice(begin, begin + _ROWS)
        fires = (cdist(points[rows], centres, "sqeuclidean") < radius**2).astype(np.float64)
        for who in (first[rows], second[rows]):
            on = np.flatnonzero(who >= 0)
            fires[on, who[on]] = 0
        high, low = (fires @ halves).astype(np.uint64).T
        found[rows] = (high << np.uint64(32)) + low
    return found
