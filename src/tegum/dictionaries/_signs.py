"""Random signs by the draws contract, 128 a counter, for rows named by 64-bit keys.

Sign t of row `key` is (-1)^bit, where bit is bit t % 32 of word (t // 32) % 4 of the counter
(index, block, step, stream << 24 | instance) = (t // 128, key mod 2^32, key >> 32, DIRECTIONS << 24 | use).
"""

import functools

import torch
from torch import Tensor

from tegum import draws
from tegum.shapes import Float, Int, Shaped

# What words are for, in the counter's place of an instance. Gaussian directions have 0.
SIGNS, BLOCK_SIGNS, BLOCK_COLUMNS, TRANSFORM_ROWS, TRANSFORM_SIGNS, CENTRES = 1, 2, 3, 4, 5, 6

_LOW = 0xFFFFFFFF


def row_words(seed: int, use: int, keys: Int[Tensor, " rows"], n: int) -> Int[Tensor, "rows n"]:
    """The first n words of each row, in order: word t % 4 of index t // 4."""
    index = torch.arange(-(-n // 4), device=keys.device)
    four = draws.words(seed, draws.DIRECTIONS, use, ((keys >> 32) & _LOW)[:, None], (keys & _LOW)[:, None], index)
    return torch.stack(four, dim=-1).flatten(1)[:, :n]


def row_bytes(seed: int, use: int, keys: Int[Tensor, " rows"], n: int) -> Shaped[Tensor, "rows bytes"]:
    """The first n bits of each row, eight a byte (uint8), the lowest first."""
    words = row_words(seed, use, keys, -(-n // 32))
    return words.to(torch.int32).view(torch.uint8)[:, : -(-n // 8)]  # a word of 2^31 and more wraps, and keeps its bits


def signs(seed: int, use: int, keys: Int[Tensor, " rows"], n: int, dtype: torch.dtype = torch.float32) -> Float[Tensor, "rows n"]:
    """n signs, +1 or -1, for each key: a table of 256 rows of eight, looked up byte by byte."""
    places = row_bytes(seed, use, keys, n).to(torch.int32)
    return torch.nn.functional.embedding(places, _eight(dtype, keys.device)).flatten(1)[:, :n]


@functools.cache
def _eight(dtype: torch.dtype, device: torch.device) -> Float[Tensor, "256 8"]:
    bits = (torch.arange(256, device=device)[:, None] >> torch.arange(8, device=device)) & 1
    return (1 - 2 * bits).to(dtype)
