"""Spherical: directions uniform on the unit sphere, which are gaussian ones made of length 1 (Muller 1959)."""

import torch

from tegum import draws
from tegum.dictionaries._base import CHUNK, Dictionary
from tegum.dictionaries._door import check_construction
from tegum.dictionaries.dense import Dense


def spherical(
    n_features: int, n_dims: int, seed: int = 0, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Dictionary:
    """Directions of length 1, uniform on the sphere: those of `gaussian` with the same seed, normalised in float64."""
    check_construction(n_features, n_dims, seed, dtype)
    table = torch.empty(n_features, n_dims, dtype=dtype, device=device)
    for start in range(0, n_features, step := max(1, CHUNK // n_dims)):
        rows = torch.arange(start, min(start + step, n_features), device=device)
        normals = draws.normals(seed, draws.DIRECTIONS, rows, n_dims)
        table[rows] = (normals / normals.norm(dim=1, keepdim=True)).to(dtype)
    return Dense(table)
