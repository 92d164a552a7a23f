"""Samples: which of a batch are still being worked on. A finished sample leaves with its codes, so that what is slow costs itself alone.

An iterative decoder holds arrays with one slot a sample. After each step it says how every slot stands; those that are done give their codes at once
and are frozen. When an eighth of the slots stand idle, `leave` says which to keep, and the decoder takes these rows of its arrays.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tegum.decoders._base import Decoded, Status
from tegum.features import SparseCodes
from tegum.shapes import Bool, Int

RUNNING = -1  # the status of a sample that is still being worked on
_IDLE = 8  # one slot in so many


class Samples:
    """The samples of one batch; `codes` turns the slots of an index tensor into their codes."""

    def __init__(self, n_samples: int, codes: Callable[[Int[Tensor, " some"]], SparseCodes], device: torch.device) -> None:
        self.codes = codes
        self.row = torch.arange(n_samples, device=device)  # which sample stands in each slot
        self.here = torch.ones(n_samples, dtype=torch.bool, device=device)
        self.status = torch.full((n_samples,), Status.MAX_STEPS, dtype=torch.int64, device=device)
        self.steps = torch.zeros(n_samples, dtype=torch.int64, device=device)
        self._left: list[tuple[Tensor, SparseCodes]] = []

    def leave(self, status: Int[Tensor, " slots"], step: int) -> Int[Tensor, " kept"] | None:
        """Let go of every slot whose status is not RUNNING. Returns the slots to keep when the arrays must be cut down, else None.

        Cut them down before anything else: `codes` is asked by the new slots from then on, in `ended` too.
        """
        done = self.here & (status != RUNNING)
        slots = done.nonzero()[:, 0]
        if not len(slots):
            return None
        rows = self.row[slots]
        self.status[rows], self.steps[rows] = status[slots], step
        self._left.append((rows, self.codes(slots)))
        self.here = self.here & ~done
        idle = len(self.here) - int(self.here.sum())
        if idle < len(self.here) and idle * _IDLE < len(self.here):
            return None
        kept = self.here.nonzero()[:, 0]
        self.row, self.here = self.row[kept], self.here[kept]
        return kept

    def ended(self, step: int, status: Status = Status.MAX_STEPS) -> None:
        """Let go of all that are left."""
        self.leave(torch.full_like(self.row, status), step)

    def decoded(self) -> Decoded:
        """What was found, in the order of the batch."""
        if not self._left:  # there are no samples
            self._left.append((self.row, self.codes(self.row)))
        rows = torch.cat([rows for rows, _ in self._left])
        z = SparseCodes.concatenate([codes for _, codes in self._left])
        return Decoded(z[rows.argsort()], self.status, self.steps)


def every(flag: Bool[Tensor, " slots"], status: Status) -> Int[Tensor, " slots"]:
    """`status` where `flag` is set, RUNNING elsewhere."""
    return torch.where(flag, int(status), RUNNING)
