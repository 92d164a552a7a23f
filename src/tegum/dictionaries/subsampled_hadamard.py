"""Hadamard: random signs from fast transforms: N features for the memory of N numbers, correlations in N log d additions.

Rows of a Walsh-Hadamard matrix H (entries (-1)^(bits that i and j share)) at random columns, with random signs: the subsampled randomised Hadamard
transform (Ailon & Chazelle 2006; Tropp 2011, 'Improved analysis of the subsampled randomized Hadamard transform').
"""

import torch
from torch import Tensor

from tegum.dictionaries._base import CHUNK
from tegum.dictionaries._door import check_construction
from tegum.dictionaries._hadamard import BlockHadamard, Hadamard, WholeHadamard
from tegum.dictionaries._signs import BLOCK_COLUMNS, BLOCK_SIGNS, TRANSFORM_ROWS, TRANSFORM_SIGNS, row_words, signs
from tegum.shapes import Int

_PAD = 64  # a kernel takes factors a vector at a time
_LEAST = 1024  # features in a block of the whole form: filling a smaller one would take longer than transforming it


def hadamard(
    n_features: int,
    n_dims: int,
    seed: int = 0,
    *,
    form: str = "blocks",
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Hadamard:
    """Directions of signs over sqrt(n_dims), made by fast transforms and never stored as a table. ValueError for another form than these two.

    'blocks': features come in blocks of M = 2^ceil(log2 d). Feature b M + r is row r of H_M, at d of its columns in an order and with signs that
    block b draws; where d = M the features of one block are orthogonal. Row i depends on (seed, i, d) alone. Holds 4 bytes a feature.

    'whole': one matrix of P = 2^ceil(log2 max(N, d)) columns, N of them features: D_i = sign_i H[rows, i] / sqrt(d) with d random rows of it. All
    features share the rows, which depend on P too. Holds a number a feature.
    """
    check_construction(n_features, n_dims, seed, dtype)
    if form not in ("blocks", "whole"):
        raise ValueError(f"form is {form!r}; it must be 'blocks' or 'whole'")
    place = torch.device(device)
    if form == "blocks":
        return BlockHadamard(n_features, n_dims, _sources(n_features, n_dims, seed, place), dtype)
    length = _power_of_two(max(n_features, n_dims))
    size = min(length, max(_LEAST, _power_of_two(n_dims)))
    features = torch.arange(0, n_features + _PAD, _PAD, device=place) // _PAD
    padded = signs(seed, TRANSFORM_SIGNS, features, _PAD, dtype).flatten()[: n_features + _PAD]
    return WholeHadamard(n_features, size, _rows(length, n_dims, seed, place), padded)


def _power_of_two(n: int) -> int:
    """The least one that is not below n."""
    return 1 << (n - 1).bit_length()


def _sources(n_features: int, n_dims: int, seed: int, device: torch.device) -> Int[Tensor, "blocks size"]:
    """For each place of each block's buffer the dim that stands there: t, or d + t with a minus, or 2 d for none.

    Places are ordered by random words, the first d of them are the columns of dims 0 to d - 1.
    """
    size = _power_of_two(n_dims)
    count = -(-n_features // size)
    sources = torch.full((count, size), 2 * n_dims, dtype=torch.int32, device=device)
    dims = torch.arange(n_dims, dtype=torch.int32, device=device)
    for start in range(0, count, step := max(1, CHUNK // size)):
        rows = torch.arange(start, min(start + step, count), device=device)
        columns = row_words(seed, BLOCK_COLUMNS, rows, size).sort(dim=1, stable=True).indices[:, :n_dims]
        minus = signs(seed, BLOCK_SIGNS, rows, n_dims) < 0
        sources[rows] = sources[rows].scatter(1, columns, dims + n_dims * minus.to(torch.int32))
    return sources


def _rows(length: int, n_dims: int, seed: int, device: torch.device) -> Int[Tensor, " dims"]:
    """d different rows of a matrix of `length`: random words mod length, those that came before passed over."""
    taken: dict[int, None] = {}
    key = torch.zeros(1, dtype=torch.int64)
    while len(taken) < n_dims:
        for word in row_words(seed, TRANSFORM_ROWS, key, 4 * n_dims)[0].tolist():
            taken.setdefault(word % length)
        key = key + 1
    return torch.tensor(list(taken)[:n_dims], device=device)
