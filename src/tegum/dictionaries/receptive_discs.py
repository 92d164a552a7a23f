"""Receptive fields: a coarse code for places on the unit square: a dim is a disc at random, and fires for the places in it.

Hinton, McClelland & Rumelhart 1986, 'Distributed representations', on coarse coding. No dim names a place, but many discs cut the square into small
regions; the inner product of two places falls with their distance, and a sum of places stands for their set.
"""

import math

import torch
from torch import Tensor

from tegum import draws
from tegum.dictionaries._base import Dictionary
from tegum.dictionaries._door import check_construction
from tegum.dictionaries._signs import CENTRES, row_words
from tegum.dictionaries.dense import Dense
from tegum.shapes import Float


def receptive_fields(
    n_features: int,
    n_dims: int,
    seed: int = 0,
    *,
    radius: float = 0.2,
    places: Float[Tensor, "features 2"] | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Dictionary:
    """A direction for each place: (1 + 2 r) / (r sqrt(pi d)) in the dims whose disc of radius r it lies in, else 0.

    Centres are uniform on the square with a margin of r, so a place at the edge lies in as many discs as any other. Places lie in [0, 1]^2, on any
    device; those of `grid` unless given. The scale is such that inner products have the mean `overlap(distance, r)`, squared lengths 1. Which places
    fire dim t depends on (seed, t) and r alone. ValueError for a radius that is not above 0, and for places of another shape or outside.
    """
    check_construction(n_features, n_dims, seed, dtype)
    if not 0 < radius < math.inf:
        raise ValueError(f"radius is {radius}; a disc has a radius above 0 (the square has sides of 1)")
    where = grid(n_features) if places is None else torch.as_tensor(places).to("cpu", torch.float64)
    if where.shape != (n_features, 2) or not bool(((where >= 0) & (where <= 1)).all()):
        raise ValueError(
            f"places have shape {tuple(where.shape)}; they are n_features = {n_features} points of the unit square, ({n_features}, 2)"
        )
    x0, x1, y0, y1 = row_words(seed, CENTRES, torch.arange(n_dims), 4).T
    centres = torch.stack([draws.uniform52(x0, x1), draws.uniform52(y0, y1)], dim=1) * (1 + 2 * radius) - radius
    inside = torch.cdist(where, centres, compute_mode="donot_use_mm_for_euclid_dist") < radius
    return Dense((inside.double() * ((1 + 2 * radius) / (radius * math.sqrt(math.pi * n_dims)))).to(device=device, dtype=dtype))


def grid(n_features: int) -> Float[Tensor, "features 2"]:
    """The first n of the midpoints of the square's s x s cells, s = ceil(sqrt(n)), row by row, (x, y)."""
    side = math.isqrt(n_features - 1) + 1
    index = torch.arange(n_features)
    return (torch.stack([index % side, index // side], dim=1).double() + 0.5) / side


def overlap(distance: Float[Tensor, "*shape"], radius: float) -> Float[Tensor, "*shape"]:
    """The share of a disc that another of the same radius covers, with centres so far apart: the lens between two circles over pi r^2."""
    half = (distance / (2 * radius)).clamp(max=1)
    return (2 / math.pi) * (half.acos() - half * (1 - half.square()).sqrt())
