"""Matching pursuit: subtract from x what correlates with it most, and look again (Mallat & Zhang 1993, sec. II).

Plain: one feature at a time, each by its projection, and one that was chosen may be chosen again. Told how many features are active, it takes
them in a few steps, in each the largest k/s of those not chosen yet (Gadzinski, *When Numbers Are Bits*: 2-step and 4-step matching pursuit; with
1 step and directions of one length it is top-k). Told that what is active is 1, it subtracts the direction itself, once: a right choice then
leaves no trace.
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
        least = 0.5 if binary and not told else 0.0  # by a projection below 1/2, subtracting a direction leads away
        short = Status.OK if told and self.tolerance is None else Status.MAX_STEPS  # of a sample that ends before it is fitted
        z, residual, enough = x.new_zeros(len(x), dictionary.n_features), x, fitted(x, self.tolerance)
        samples = Samples(len(x), lambda slots: SparseCodes.from_dense(z[slots]), x.device)
        taken = 0
        for step in range(steps):
            share = (step + 1) * self.n_active // steps - taken if self.n_active is not None else 1
            values, indices = state.largest(residual, taken + share if told or binary else 1, signed=self.values is Values.SIGNED)
            if told or binary:
                values, indices = _not_in(z, values, indices, share)
            values = values / state.by[indices]
            values = as_kind(torch.where(values.abs() > least, values, 0), self.values)
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


def _sum(dictionary: Dictionary, indices: Tensor, values: Tensor) -> Tensor:
    directions = dictionary.directions(indices.flatten()).unflatten(0, indices.shape)
    return torch.bmm(values[:, None], directions)[:, 0]
