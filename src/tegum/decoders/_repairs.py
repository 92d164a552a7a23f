"""Repairs: the lasso on given active sets, solved again without the features whose values come out of the wrong sign.

z = fit - penalty * slope with G fit = D x and G slope = sign, G the Gram matrix of what is free. On the CPU in compiled code (`_repairs_numba.py`), a
sixth of what torch takes for many small factorisations; elsewhere torch.
"""

import functools
import math
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from tegum._compiled import kernels
from tegum._threads import shared_out
from tegum.shapes import Float, Int

_kernels = functools.partial(kernels, "tegum.decoders._repairs_numba")

_WORTH_THREADS = 64  # samples


def repaired(
    gram: Float[Tensor, "batch slots slots"],
    right: Float[Tensor, "batch slots"],
    index: Int[Tensor, "batch slots"],
    sign: Float[Tensor, "batch slots"],
    penalty: Float[Tensor, " batch"],
    *,
    upper: float = math.inf,
    repairs: int = 0,
) -> tuple[Float[Tensor, "batch slots"], Float[Tensor, "batch slots"]]:
    """(fit, slope) in float64, after up to `repairs` rounds that empty slots (-1 in `index`) or hold them at `upper`, 1 (0 in `sign`), in place.

    A slot with an index and sign 0 is held at 1. Both are 0 where a matrix is singular, but for what is held.
    """
    compiled = _kernels() if gram.device.type == "cpu" else None
    if compiled is None:
        return plain(gram.double(), right.double(), index, sign, penalty, upper=upper, repairs=repairs)
    return by_kernel(compiled, gram, right, index, sign, penalty, upper=upper, repairs=repairs)


def plain(
    gram: Tensor, right: Tensor, index: Tensor, sign: Tensor, penalty: Tensor, *, upper: float, repairs: int
) -> tuple[Tensor, Tensor]:
    """In torch: after the first solve only the samples that changed."""
    fit, slope = torch.zeros_like(right), torch.zeros_like(right)
    rows = torch.arange(len(gram), device=gram.device)
    for attempt in range(repairs + 1):
        signs = sign[rows]
        free, held = signs != 0, ((index[rows] >= 0) & (signs == 0)).double()
        part = gram[rows]
        sides = torch.stack([(right[rows] - (part @ held[:, :, None])[:, :, 0]) * free, signs], dim=2)
        factor, info = torch.linalg.cholesky_ex(part * (free[:, :, None] & free[:, None, :]) + torch.diag_embed((~free).double()))
        solved = torch.where((info == 0)[:, None, None], torch.cholesky_solve(sides, factor), 0.0)
        fit[rows], slope[rows] = solved[:, :, 0] + held, solved[:, :, 1]
        z = fit[rows] - penalty[rows, None] * slope[rows]
        falls, rises = free & (z * signs <= 0), free & (z > upper)
        if attempt == repairs or not bool((falls | rises).any()):
            break
        index[rows] = torch.where(falls, -1, index[rows])
        sign[rows] = torch.where(falls | rises, 0.0, signs)
        rows = rows[((falls | rises) & (info == 0)[:, None]).any(dim=1)]
    return fit, slope


def by_kernel(
    compiled: ModuleType, gram: Tensor, right: Tensor, index: Tensor, sign: Tensor, penalty: Tensor, *, upper: float, repairs: int
) -> tuple[Tensor, Tensor]:
    """In compiled code, samples shared out among threads."""
    rows, slots = index.shape
    fit, slope = np.empty((rows, slots)), np.empty((rows, slots))
    arrays = [tensor.numpy() for tensor in (gram.contiguous(), right.double().contiguous(), index, sign, penalty.contiguous())]
    stride = -(-(slots + 3) // compiled.WIDE) * compiled.WIDE

    def some(first: int, last: int) -> None:
        room = np.zeros(stride * slots), np.zeros(slots, np.int64)
        compiled.repaired_rows(*arrays, upper, repairs, fit, slope, *room, first, last)

    if slots:
        shared_out(some, rows, worth=rows >= _WORTH_THREADS)
    return torch.from_numpy(fit), torch.from_numpy(slope)
