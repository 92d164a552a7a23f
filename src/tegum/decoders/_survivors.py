"""Survivors: the entries of each row above that row's threshold, as lists: after it almost all of an array of (samples, features) is zero.

Message passing looks through all correlations once a step; whatever follows then costs only what is listed. On the CPU one compiled pass
(`_survivors_numba.py`), a tenth of what the same takes in torch; elsewhere torch.
"""

import functools
from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tegum._compiled import kernels
from tegum._threads import shared_out
from tegum.dictionaries import Dictionary
from tegum.dictionaries._screen import OnDemand, Screen
from tegum.dictionaries.dense import Dense
from tegum.shapes import Float, Int

_kernels = functools.partial(kernels, "tegum.decoders._survivors_numba")

_ROOM = 256  # entries a row that there is room for at first; where a row has more, the pass is made again
_WORTH_THREADS = 1 << 22  # numbers


def survivors(
    values: Float[Tensor, "batch features"],
    limits: Float[Tensor, " batch"],
    offset: Float[Tensor, " features"] | None = None,
    *,
    signed: bool = False,
) -> tuple[Int[Tensor, "batch some"], Float[Tensor, "batch some"]]:
    """Indices and values of what is above `offset` + the row's limit (in magnitude, if `signed`), in ascending order of the features.

    Rows are as long as the longest; the others end in index 0 and value 0. NaN is not above anything.
    """
    offset = values.new_zeros(values.shape[1]) if offset is None else offset
    compiled = _kernels() if values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64) else None
    return plain(values, limits, offset, signed=signed) if compiled is None else by_kernel(compiled, values, limits, offset, signed=signed)


# what a denoiser asks of readings by limits, offset and `signed`: `survivors` of them; the readings themselves need never exist
Above = Callable[..., tuple[Tensor, Tensor]]


class Search:
    """Survivors of a dictionary's correlations: out of the full product, or of a screen where the table has one that helps (`_screen.py`)."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._screen = OnDemand(dictionary.table if isinstance(dictionary, Dense) else None)

    def readings(self, v: Float[Tensor, "batch dims"], indices: Int[Tensor, "batch some"], added: Float[Tensor, "batch some"]) -> Above:
        """<D_j, v>, and what is added to that of the features named; in a row `indices` may pad with a feature to which 0 is added."""
        if (screen := self._screen(len(v))) is not None:
            return partial(self._screened, screen, v, indices, added)
        return partial(survivors, self._full(v, indices, added))

    def _full(self, v: Tensor, indices: Tensor, added: Tensor) -> Tensor:
        return self.dictionary.correlate(v).scatter_add_(1, indices, added)

    def _screened(
        self,
        screen: Screen,
        v: Tensor,
        indices: Tensor,
        added: Tensor,
        limits: Tensor,
        offset: Tensor | None = None,
        *,
        signed: bool = False,
    ) -> tuple[Tensor, Tensor]:
        offset = v.new_zeros(screen.n) if offset is None else offset
        if screen.crowded(v, limits, offset):
            return survivors(self._full(v, indices, added), limits, offset, signed=signed)
        found, values, refused = screen.above(v, indices, added, limits, offset, signed=signed)
        if not refused.any():
            return found, values
        again = survivors(self._full(v[refused], indices[refused], added[refused]), limits[refused], offset, signed=signed)
        width = max(found.shape[1], again[0].shape[1])
        found, values = (functional.pad(part, (0, width - part.shape[1])) for part in (found, values))
        for whole, part in zip((found, values), again, strict=True):
            whole[refused, : part.shape[1]] = part
        return found, values


def plain(values: Tensor, limits: Tensor, offset: Tensor, *, signed: bool) -> tuple[Tensor, Tensor]:
    """In torch."""
    chosen = ((values.abs() if signed else values) - offset) > limits[:, None]
    row, column = chosen.nonzero(as_tuple=True)
    counts = torch.bincount(row, minlength=len(values))
    slot = torch.arange(len(row), device=values.device) - (counts.cumsum(0) - counts)[row]
    width = int(counts.max()) if len(values) else 0
    indices = torch.zeros(len(values), width, dtype=torch.int64, device=values.device)
    found = values.new_zeros(len(values), width)
    indices[row, slot], found[row, slot] = column, values[row, column]
    return indices, found


def by_kernel(compiled: ModuleType, values: Tensor, limits: Tensor, offset: Tensor, *, signed: bool) -> tuple[Tensor, Tensor]:
    """In one compiled pass, or two."""
    rows, n = values.shape
    numbers, offsets, limit = (tensor.contiguous().numpy().reshape(-1) for tensor in (values, offset, limits))
    room = min(_ROOM, n)
    while True:
        indices, found, counts = np.empty((rows, room), np.int64), np.empty((rows, room), numbers.dtype), np.zeros(rows, np.int64)
        work = functools.partial(compiled.survivors_of_rows, numbers, n, offsets, limit, signed, indices, found, counts)
        shared_out(work, rows, worth=values.numel() >= _WORTH_THREADS)
        width = int(counts.max()) if rows else 0
        if width <= room:
            return torch.from_numpy(indices)[:, :width], torch.from_numpy(found)[:, :width]
        room = width
