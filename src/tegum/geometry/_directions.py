"""The door of the room: what counts as a table of directions; and its unit rows, its Gram matrix and its cosines, a block at a time."""

from collections.abc import Iterator
from math import isqrt, prod

import numpy as np
import torch
from torch import Tensor

from tegum.shapes import Float

Directions = Tensor | np.ndarray  # (..., features, dims); a plain type, so that what has no such shape meets the words of the door

_BLOCK = 2**20  # cosines held at once: 4 MiB in float32, which stays in cache


def as_directions(W: Directions, name: str = "W") -> Float[Tensor, "*batch features dims"]:
    """`W` as a float32 or float64 tensor; else float32.

    Raises ValueError for fewer than two axes, no dims, complex numbers, and entries that are NaN or infinite: no measure could say so.
    """
    table = torch.as_tensor(W)
    if table.ndim < 2:
        raise ValueError(f"{name} has shape {tuple(table.shape)}; a table of directions is (..., features, dims)")
    if table.shape[-1] == 0:
        raise ValueError(f"{name} has shape {tuple(table.shape)}: its features have 0 dims")
    if table.is_complex():
        raise ValueError(f"{name} has dtype {table.dtype}; directions are real")
    if not bool(torch.isfinite(table).all()):
        at = tuple((~torch.isfinite(table)).nonzero()[0].tolist())
        raise ValueError(f"{name}[{', '.join(map(str, at))}] is {float(table[at])}; directions are finite (shape {tuple(table.shape)})")
    return table if table.dtype in (torch.float32, torch.float64) else table.to(torch.float32)


def some_directions(W: Directions, name: str = "W") -> Float[Tensor, "*batch features dims"]:
    """`as_directions` for what is made instance by instance and needs one; ValueError for a table without instances or features."""
    table = as_directions(W, name)
    if table.numel() == 0:
        raise ValueError(f"{name} has shape {tuple(table.shape)}, which holds 0 {'instances' if table.shape[-2] else 'features'}")
    return table


def stacked(W: Float[Tensor, "*batch features dims"]) -> Float[Tensor, "instances features dims"]:
    """All leading dims as one."""
    return W.reshape(prod(W.shape[:-2]), *W.shape[-2:])


def unit(W: Float[Tensor, "*batch features dims"]) -> Float[Tensor, "*batch features dims"]:
    """Rows of length 1; a zero row stays 0, with a finite gradient. Scaled by its largest entry first, so no length under- or overflows."""
    largest = W.detach().abs().amax(-1, keepdim=True)
    scaled = W / torch.where(largest > 0, largest, 1)
    norm = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
    return scaled / torch.where(norm > 0, norm, 1)


def in_scale(W: Float[Tensor, "*batch features dims"]) -> Float[Tensor, "*batch features dims"]:
    """Each table divided by its largest entry (a constant to autograd), for measures that do not change with one common factor."""
    if W.shape[-2] == 0:
        return W
    largest = W.detach().abs().amax((-2, -1), keepdim=True)
    return W / torch.where(largest > 0, largest, 1)


def energy(U: Float[Tensor, "*batch features dims"], W: Float[Tensor, "*batch features dims"]) -> Float[Tensor, "*batch features"]:
    """sum_j (U_i . W_j)^2 over all j, as U_i^T (W^T W) U_i: dims x dims is the largest thing made beside the tables."""
    return ((U @ (W.mT @ W)) * U).sum(-1)


def cosine_blocks(U: Float[Tensor, "batch features dims"]) -> Iterator[tuple[int, int, int, Float[Tensor, "some rows columns"]]]:
    """Every pair i < j of unit rows once, as blocks (first instance, first i, first j, cosines).

    Where i and j start alike the block is a square whose diagonal and lower half are to be passed over. At most `_BLOCK` cosines a block.
    """
    batch, n, _ = U.shape
    side = isqrt(_BLOCK)
    together = max(1, _BLOCK // max(1, n * n))
    for b in range(0, batch, together):
        blocks = U[b : b + together].split(side, dim=1)
        for i, rows in enumerate(blocks):
            for j in range(i, len(blocks)):
                yield b, i * side, j * side, rows @ blocks[j].mT
