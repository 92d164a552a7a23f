"""Walsh-Hadamard matrices in torch: H[i, j] = (-1)^(number of bits that i and j share), of any size 2^m, and products with them."""

import functools

import torch
from torch import Tensor

from tegum.shapes import Float, Int


def parity_signs(words: Int[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
    """-1 where an odd number of the lowest 32 bits is set, else 1."""
    for shift in (16, 8, 4, 2, 1):
        words = words ^ (words >> shift)
    return (1 - 2 * (words & 1)).to(dtype)


def transform(y: Float[Tensor, "*batch size"]) -> Float[Tensor, "*batch size"]:
    """H y for every row, size = 2^m: H is the Kronecker product of two smaller ones, so two matrix products of about sqrt(size) columns."""
    size = y.shape[-1]
    bits = size.bit_length() - 1
    left, right = 1 << (bits // 2), 1 << (bits - bits // 2)
    square = y.unflatten(-1, (left, right)) @ _matrix(right, y.dtype, y.device)
    return (_matrix(left, y.dtype, y.device) @ square).flatten(-2)


@functools.cache
def _matrix(size: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "size size"]:
    number = torch.arange(size, device=device)
    return parity_signs(number[:, None] & number, dtype)
