"""Equiangular: all |cosines| alike and as small as Welch's bound allows: real equiangular tight frames, at the few sizes where they exist.

sqrt((N - d) / (d (N - 1))) is the bound and the cosine (Welch 1974; Strohmer & Heath 2003). Sizes are those of Fickus & Mixon 2016, 'Tables of the
existence of equiangular tight frames', as far as the families of `_two_graphs.py` reach; N = d and N = d + 1 exist for every d.
"""

import itertools

import numpy as np
import torch

from tegum.checks import check_count
from tegum.dictionaries._base import Dictionary
from tegum.dictionaries._door import check_construction
from tegum.dictionaries._two_graphs import families
from tegum.dictionaries.dense import Dense

_MOST = 4096  # directions: larger matrices take minutes to factor


def equiangular(n_features: int, n_dims: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Dictionary:
    """N directions of length 1 in d dims with all |cosines| at Welch's bound. ValueError names the nearest sizes where none is known here."""
    check_construction(n_features, n_dims, 0, dtype)
    table = equiangular_table(n_features, n_dims)
    if table is None:
        sizes = " or ".join(f"{n} in {d}" for n, d in nearest_sizes(n_features, n_dims))
        raise ValueError(f"no real equiangular tight frame of {n_features} directions in {n_dims} dims is known here; there is {sizes}")
    return Dense(torch.from_numpy(table).to(device=device, dtype=dtype))


def equiangular_table(n_features: int, n_dims: int) -> np.ndarray | None:
    """The directions (N, d) in float64, or None where no construction has that size."""
    if n_features == n_dims:
        return np.eye(n_dims)
    if n_features == n_dims + 1:
        return _frame(np.ones((n_features, n_features)) - np.eye(n_features), n_dims)
    if n_features <= _MOST:
        for family in families(n_features):
            if (family.n, family.d) == (n_features, n_dims):
                return _frame(family.matrix().astype(float), n_dims)
    return None


def nearest_sizes(n_features: int, n_dims: int, how_many: int = 4) -> list[tuple[int, int]]:
    """Sizes (N, d) that exist, the nearest first: by ratio of N plus ratio of d."""
    check_count("how_many", how_many)
    always = [(d + more, d) for d in {n_dims, n_features, max(n_features - 1, 1)} for more in (0, 1)]
    known = {*always, *((family.n, family.d) for family in families(min(2 * max(n_features, n_dims) + 300, _MOST)))}
    far = {(n, d): abs(np.log(n / n_features)) + abs(np.log(d / n_dims)) for n, d in known}
    return list(itertools.islice(sorted(known, key=lambda size: (far[size], size)), how_many))


def _frame(matrix: np.ndarray, n_dims: int) -> np.ndarray:
    """Rows of the eigenvectors of whichever of the two eigenvalues has `n_dims` of them, at length 1."""
    values, vectors = np.linalg.eigh(matrix)
    chosen = vectors[:, :n_dims] if abs(values[n_dims - 1] - values[0]) < 1e-6 < values[n_dims] - values[0] else vectors[:, -n_dims:]
    return chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
