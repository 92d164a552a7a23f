"""The k largest numbers of each row, exactly, for less than a matrix product costs: torch.topk takes longer to choose than a GEMM to make them.

On the CPU one compiled pass (`_running_top_numba.py`). Elsewhere, and where numbers carry gradients, in two levels: the k largest numbers of a
row are among the k groups with the largest maxima, so topk sees one number a group, and then the members of k groups.
"""

from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from tegum._compiled import kernels
from tegum._threads import shared_out
from tegum.shapes import Float, Int

_GROUP = 16  # between 8 and 32 it matters little
_SHORT, _FEW = 512, 16  # rows shorter than the first, or than the second times k, are left to torch.topk
_WORTH_THREADS = 1 << 22  # numbers


def largest(
    values: Float[Tensor, "batch features"], k: int, *, signed: bool = False
) -> tuple[Float[Tensor, "batch k"], Int[Tensor, "batch k"]]:
    """The k largest of each row, largest first, and where they are; by magnitude if `signed`, at their own values.

    Which of equal numbers are taken is not said, as with torch.topk. NaN is larger than any number to torch.topk; here it may be left out where the
    row has k others.
    """
    n = values.shape[1]
    if n < _SHORT or n < _FEW * k:
        return plain(values, k, signed=signed)
    if (compiled := _compiled(values)) is not None:
        return by_kernel(compiled, values, k, signed=signed)
    return two_levels(values, k, signed=signed)


def largest_one(values: Float[Tensor, "batch features"]) -> tuple[Float[Tensor, " batch"], Int[Tensor, " batch"]]:
    """The largest number of each row and where it is: what `values.max(dim=1)` says."""
    found, indices = largest(values, 1)
    return found[:, 0], indices[:, 0]


def plain(values: Tensor, k: int, *, signed: bool) -> tuple[Tensor, Tensor]:
    if not signed:
        found, indices = values.topk(k, dim=1)
        return found, indices
    indices = values.abs().topk(k, dim=1).indices
    return values.gather(1, indices), indices


def two_levels(values: Tensor, k: int, *, signed: bool) -> tuple[Tensor, Tensor]:
    """Groups are residues, so that their maxima are taken over whole rows of neighbours."""
    n = values.shape[1]
    groups = n // _GROUP
    whole = groups * _GROUP
    size = values.abs() if signed else values
    chosen = size[:, :whole].unflatten(1, (_GROUP, groups)).amax(1).topk(k, dim=1, sorted=False).indices
    members = (chosen[:, :, None] + torch.arange(0, whole, groups, device=values.device)).flatten(1)
    rest = torch.arange(whole, n, device=values.device).expand(len(values), -1)
    candidates = torch.cat([members, rest], dim=1)
    indices = candidates.gather(1, size.gather(1, candidates).topk(k, dim=1).indices)
    return values.gather(1, indices), indices


def by_kernel(compiled: ModuleType, values: Tensor, k: int, *, signed: bool) -> tuple[Tensor, Tensor]:
    rows, n = values.shape
    numbers = values.detach().contiguous().numpy()
    kind = numbers.dtype
    top, which, short = np.empty((rows, k), kind), np.empty((rows, k), np.int64), np.zeros(rows, np.bool_)
    wide = compiled.WIDE

    def some(first: int, last: int) -> None:
        peaks = np.empty(wide * min(-(-4 * k // wide), n // wide), kind)
        room = max(compiled.room(k), len(peaks))
        keys, ids = np.empty(room, kind), np.empty(room, np.int64)
        compiled.largest_of_rows(numbers.reshape(-1), n, signed, k, peaks, keys, ids, top, which, short, first, last)

    shared_out(some, rows, worth=values.numel() >= _WORTH_THREADS)
    found, indices = torch.from_numpy(top), torch.from_numpy(which)
    if short.any():
        again = torch.from_numpy(short)
        found[again], indices[again] = plain(values[again], k, signed=signed)
    return found, indices


def _compiled(values: Tensor) -> ModuleType | None:
    """The kernel's file, where it can take these numbers."""
    if values.device.type != "cpu" or values.dtype not in (torch.float32, torch.float64) or values.requires_grad:
        return None
    return kernels("tegum.dictionaries._running_top_numba")
