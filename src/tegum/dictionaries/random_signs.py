"""Rademacher: entries +1/sqrt(d) or -1/sqrt(d) with fair, independent signs: length 1 exactly, and random bits alone."""

import math

import torch

from tegum.dictionaries._base import CHUNK, Dictionary
from tegum.dictionaries._door import check_construction
from tegum.dictionaries._signs import SIGNS, signs
from tegum.dictionaries.dense import Dense


def rademacher(
    n_features: int, n_dims: int, seed: int = 0, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Dictionary:
    """Directions of random signs over sqrt(n_dims), stored. `hashed` makes the same ones on the fly: row i is that of the key i."""
    check_construction(n_features, n_dims, seed, dtype)
    table = torch.empty(n_features, n_dims, dtype=dtype, device=device)
    for start in range(0, n_features, step := max(1, CHUNK // n_dims)):
        rows = torch.arange(start, min(start + step, n_features), device=device)
        table[rows] = signs(seed, SIGNS, rows, n_dims, dtype) / math.sqrt(n_dims)
    return Dense(table)
