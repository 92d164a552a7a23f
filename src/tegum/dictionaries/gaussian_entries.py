"""Gaussian: i.i.d. N(0, 1/d) entries, columns not normalised: the ensemble for which the recovery curves of compressed sensing are exact."""

import math

import torch

from tegum import draws
from tegum.dictionaries._base import CHUNK, Dictionary
from tegum.dictionaries._door import check_construction
from tegum.dictionaries.dense import Dense


def gaussian(
    n_features: int, n_dims: int, seed: int = 0, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Dictionary:
    """Directions with i.i.d. N(0, 1/n_dims) entries; row i depends on (seed, i, n_dims) alone, by the draws contract."""
    check_construction(n_features, n_dims, seed, dtype)
    table = torch.empty(n_features, n_dims, dtype=dtype, device=device)
    for start in range(0, n_features, step := max(1, CHUNK // n_dims)):
        rows = torch.arange(start, min(start + step, n_features), device=device)
        table[rows] = (draws.normals(seed, draws.DIRECTIONS, rows, n_dims) / math.sqrt(n_dims)).to(dtype)
    return Dense(table)
