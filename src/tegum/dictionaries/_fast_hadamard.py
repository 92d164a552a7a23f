"""Hadamard dictionaries through the numba kernels: tiles of samples shared out over threads; few samples, ranges of blocks instead."""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from tegum._threads import shared_out
from tegum._vectors_numba import aligned
from tegum.dictionaries._hadamard import BlockHadamard, Hadamard, WholeHadamard
from tegum.dictionaries._largest import largest as largest_of
from tegum.dictionaries._rows_numba import ROWS
from tegum.dictionaries._walsh_numba import Blocks, Candidates, correlate_blocks, encode_samples, largest_of_blocks
from tegum.shapes import Bool, Float, Int

LEAST = ROWS  # the smallest block that fills the vectors
_WORTH_THREADS = 1 << 18  # correlations
_SPARE = 16  # room for candidates beyond 2 k: little, so that limits rise early


def correlate(D: Hadamard, x: Float[Tensor, "batch dims"], first: int, last: int) -> Float[Tensor, "batch some"]:
    """Correlations with the features of blocks `first` to `last`."""
    blocks, tiles = _blocks(D), _tiles(x)
    end = min(last * D.size, D.n_features)
    width = end - first * D.size
    out = np.empty(len(x) * width, tiles.dtype)  # numpy asks for large pages: half of the time goes to making fresh memory
    units = _units(len(tiles), first, last)

    def some(begin: int, stop: int) -> None:
        buffer = aligned(D.size * ROWS, tiles.dtype.type)
        for tile, start, finish in units[begin:stop]:
            samples = min(ROWS, len(x) - tile * ROWS)
            piece = out[(start - first) * D.size :]
            correlate_blocks(blocks, tiles[tile], samples, buffer, piece, width, tile * ROWS, start, finish, end)

    shared_out(some, len(units), worth=len(out) >= _WORTH_THREADS)
    return torch.from_numpy(out).reshape(len(x), width)


def largest(
    D: Hadamard, x: Float[Tensor, "batch dims"], k: int, *, signed: bool, scale: Tensor | None
) -> tuple[Float[Tensor, "batch k"], Int[Tensor, "batch k"], Bool[Tensor, " batch"]]:
    """The k largest correlations, their features, and which samples are left undone: some part of the features has fewer than k that compare.

    A part has too few where samples hold NaN, and where it has fewer than k features.
    """
    blocks, tiles = _blocks(D, scale), _tiles(x)
    units = _units(len(tiles), 0, -(-D.n_features // D.size))
    parts, kind = len(units) // max(len(tiles), 1), tiles.dtype
    shape = parts, len(tiles) * ROWS
    top, which, short = np.zeros((*shape, k), kind), np.zeros((*shape, k), np.int64), np.zeros(shape, np.bool_)

    def some(begin: int, stop: int) -> None:
        buffer, limit = aligned(D.size * ROWS, kind.type), aligned(ROWS, kind.type)
        keys, ids = np.empty((ROWS, 2 * k + _SPARE), kind), np.empty((ROWS, 2 * k + _SPARE), np.int64)
        candidates = Candidates(keys, ids, np.empty(ROWS, np.int64), limit)
        for unit in range(begin, stop):
            tile, start, finish = units[unit]
            part, samples = unit % parts, min(ROWS, len(x) - tile * ROWS)
            largest_of_blocks(
                blocks, tiles[tile], samples, buffer, candidates, signed, k, top[part], which[part], short[part], tile * ROWS,
                start, finish, min(finish * D.size, D.n_features),
            )  # fmt: skip

    shared_out(some, len(units), worth=len(x) * D.n_features >= _WORTH_THREADS)
    values, features, undone = (torch.from_numpy(a)[:, : len(x)] for a in (top, which, short))
    if parts == 1:
        return values[0], features[0], undone[0]
    values, order = largest_of(values.transpose(0, 1).flatten(1), k, signed=signed)
    return values, features.transpose(0, 1).flatten(1).gather(1, order), undone.any(0)


def encode(D: Hadamard, indices: Int[Tensor, "batch k"], values: Float[Tensor, "batch k"]) -> Float[Tensor, "batch dims"]:
    """Sums of the active directions; indices below 0 are not active."""
    blocks, which, size = _blocks(D), indices.contiguous().numpy(), values.contiguous().numpy()
    x = np.empty((len(which), D.n_dims), size.dtype)

    def some(begin: int, stop: int) -> None:
        encode_samples(
            blocks, which, size, np.empty(2 * D.n_dims + 3, size.dtype), x, size.dtype.type(1 / math.sqrt(D.n_dims)), begin, stop
        )

    shared_out(some, len(which), worth=which.size * D.size >= _WORTH_THREADS)
    return torch.from_numpy(x)


def _blocks(D: Hadamard, scale: Tensor | None = None) -> Blocks:
    """What the kernels are told of a dictionary. A scale divides: its inverse is a factor."""
    kind = torch.empty(0, dtype=D.dtype).numpy().dtype
    sources, places, factors = np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, kind)
    if isinstance(D, BlockHadamard):
        sources = D.sources.flatten().numpy()
    if isinstance(D, WholeHadamard):
        places, factors = D.places.numpy(), D.padded.numpy()
    if scale is not None:
        inverse = np.append((1 / scale).numpy(), np.zeros(ROWS, kind))
        factors = inverse * factors[: len(inverse)] if len(factors) else inverse
    return Blocks(D.size, sources, places, factors)


def _tiles(x: Float[Tensor, "batch dims"]) -> np.ndarray:
    """Tiles of `ROWS` samples, a lane each: rows of x, of -x, and zeros, over sqrt(d)."""
    scaled = x / math.sqrt(x.shape[1])
    both = torch.cat([scaled, -scaled, x.new_zeros(len(x), 1)], dim=1)
    both = torch.nn.functional.pad(both, (0, 0, 0, -len(x) % ROWS))
    return both.unflatten(0, (-1, ROWS)).transpose(1, 2).contiguous().flatten(1).numpy()


def _units(tiles: int, first: int, last: int) -> list[tuple[int, int, int]]:
    """Tile after tile with the blocks it is taken through: all of them, or with fewer tiles than threads as many parts as threads."""
    parts = min(torch.get_num_threads(), last - first)
    parts = 1 if tiles >= parts else parts
    edges = [first + (last - first) * i // parts for i in range(parts + 1)]
    return [(tile, start, finish) for tile in range(tiles) for start, finish in pairwise(edges)]
