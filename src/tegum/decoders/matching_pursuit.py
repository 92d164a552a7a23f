"""Matching pursuit: subtract from x what correlates with it most, and look again (Mallat & Zhang 1993, sec. II).

Plain: one feature at a time, each by its projection, and one that was chosen may be chosen again. Plain and binary, a feature is on once, at 1, and
is chosen by how much nearer to x that leads: |r|^2 - |r - D_i|^2 = 2 <r, D_i> - |D_i|^2, above 0 where it projects above 1/2.

Told how many features are active, it takes them in a few steps, in each the largest k/s of those not chosen yet (Gadzinski, *When Numbers Are Bits*:
2-step and 4-step matching pursuit; with 1 step and directions of one length it is top-k); if binary, it subtracts the directions themselves.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.decoders._base import Decoded, Decoder, Status, Values, as_kind
from tegum.decoders._fitted import check_tolerance, fitted
from tegum.decoders._samples import Samples, every
from tegum.decoders._scaled import Scaled, lengths
from tegum.dictionaries import Dictionary
from tegum.dictionaries._largest import largest
from tegum.features import SparseCodes
from tegum.shapes import Float

_MOST = 1000  # steps of plain matching pursuit, unless told otherwise


@dataclass(frozen=True, kw_only=True)
class MatchingPursuit(Decoder):
    """Matching pursuit: `n_active` different features in `steps` equal parts, by default one at a time; or plain, where `n_active` is None.

    Plain, a sample ends when its residual is at most `tolerance` |x| (by default what rounding leaves), after `steps` steps (by default 1,000), and
    when no feature would bring it nearer to x: none projects above 1/2 if codes are binary, or above 0 if nonnegative.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    knows: ClassVar[tuple[str, ...]] = (*Decoder.knows, "tolerance")
    arrays: ClassVar[int] = 1
    n_active: int | None
    steps: int | None = None
    tolerance: float | None = None

    def _check(self) -> None:
        if self.n_active is not None:
            check_count("n_active", self.n_active)
        if self.steps is not None:
            check_count("steps", self.steps)
        if self.n_active is not None and (self.steps or 1) > self.n_active:
            raise ValueError(f"steps is {self.steps} but n_active is {self.n_active}; each step takes one feature at least")
        if self.tolerance is not None:
            check_tolerance(self.tolerance)

    def init(self, dictionary: Dictionary) -> Scaled:
        """The directions at length 1."""
        return Scaled(dictionary, lengths(dictionary))

    def run(self, state: Scaled, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """One pass of correlations a step."""
        binary, told = self.values is Values.BINARY, self.n_active is not None
        steps = self.steps or self.n_active or _MOST
        short = Status.OK if told and self.tolerance is None else Status.MAX_STEPS  # of a sample that ends before it is fitted
        z, residual, enough = x.new_zeros(len(x), dictionary.n_features), x, fitted(x, self.tolerance)
        samples = Samples(len(x), lambda slots: SparseCodes.from_dense(z[slots]), x.device)
        taken = 0
        for step in range(steps if len(x) else 0):
            share = (step + 1) * self.n_active // steps - taken if self.n_active is not None else 1
            if binary and not told:
                values, indices = _most_gained(state, residual, z)
            else:
                values, indices = state.largest(residual, taken + share if told else 1, signed=self.values is Values.SIGNED)
            if told:
                values, indices = _not_in(z, values, indices, share)
            values = as_kind(values / state.by[indices], self.values)
            done = torch.where(residual.norm(dim=1) <= enough, int(Status.OK), every(values.eq(0).all(dim=1), short))
            if (kept := samples.leave(done, step)) is not None:
                z, residual, enough, values, indices = (old[kept] for old in (z, residual, enough, values, indices))
                if not len(kept):
                    return samples.decoded()
            z.scatter_add_(1, indices, values)
            residual = residual - _sum(dictionary, indices, values)
            taken += share
        samples.leave(torch.where(residual.norm(dim=1) <= enough, int(Status.OK), int(short)), steps)
        return samples.decoded()


def _not_in(z: Tensor, values: Tensor, indices: Tensor, share: int) -> tuple[Tensor, Tensor]:
    """The largest `share` of the candidates that are not active in z; where there are fewer, the rest have the value 0."""
    values = torch.where(z.gather(1, indices) == 0, values, 0)
    places = values.abs().topk(share, dim=1).indices
    return values.gather(1, places), indices.gather(1, places)


def _most_gained(unit: Scaled, residual: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """The feature not active in z whose direction, subtracted, takes most off the squared residual; and how much, negative where none takes any."""
    gained, index = residual.new_full((len(z), 1), -torch.inf), torch.zeros(len(z), 1, dtype=torch.int64, device=z.device)
    by, never = torch.where(unit.by.isfinite(), unit.by, 0), -torch.finfo(z.dtype).max
    for block, products in unit.correlations(residual):
        gains = products.mul_(2 * by[block]).sub_(by[block].square()).add_(z[:, block], alpha=never)
        best, place = largest(gains, 1)
        index = torch.where(best > gained, place + block.start, index)
        gained = gained.maximum(best)
    return gained, index


def _sum(dictionary: Dictionary, indices: Tensor, values: Tensor) -> Tensor:
    directions = dictionary.directions(indices.flatten()).unflatten(0, indices.shape)
    return torch.bmm(values[:, None], directions)[:, 0]
