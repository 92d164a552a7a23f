"""FISTA: the lasso by gradient steps with momentum (Beck & Teboulle 2009), restarted whenever the momentum points uphill.

min 1/2 |x - D z|^2 + penalty |z|_1 (scikit-learn's alpha is penalty / n_dims). Steps have length 1 / L, L the largest eigenvalue of D^T D; the
restart is the gradient scheme of O'Donoghue & Candes 2015, sec. 3.2. A small penalty is approached from larger ones, each solved roughly before
the next (Hale, Yin & Zhang 2008). A sample is done when the duality gap is below `tolerance` of its objective: an absolute tolerance, or one
relative to |x|^2, ends small penalties long before they are solved. In float64, where the objective at a small penalty can be told from rounding.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.decoders._base import Decoded, Status, Values, WarmDecoder
from tegum.decoders._duality import check_penalty, check_tolerance, lasso_gap, worse_than_none
from tegum.decoders._samples import RUNNING, Samples
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Float

_EVERY = 10  # steps between two looks at the gap, which costs as much as a step
_FIRST, _FALL = 0.3, 0.2  # the first penalty as a share of the largest correlation, and what is kept of it at each fall
_ROUGH = 0.1  # the gap at which it falls


@dataclass(frozen=True, kw_only=True)
class FISTA(WarmDecoder):
    """The lasso at `penalty`, to a duality gap of `tolerance` as a share of the objective.

    The gap is that of the codes in float64; rounded to a dtype of float32 they are handed over with a larger one where the penalty is small.
    A start whose objective is above that of no code is dropped.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    arrays: ClassVar[int] = 12
    penalty: float = field(metadata={"example": 5e-7})
    tolerance: float = 1e-6
    max_steps: int = 5_000

    def _check(self) -> None:
        check_penalty(self.penalty)
        check_tolerance(self.tolerance)
        check_count("max_steps", self.max_steps)
        if self.penalty == 0:
            raise ValueError("penalty is 0, where no duality gap of the lasso closes; BasisPursuit and Homotopy solve that")

    def init(self, dictionary: Dictionary) -> tuple[Float[Tensor, "features dims"], Float[Tensor, ""]]:
        """The directions in float64, and the largest eigenvalue of their frame operator D^T D."""
        table = dictionary.dense().double()
        return table, torch.linalg.eigvalsh(table.T @ table)[-1] * (1 + 1e-9)

    def run(
        self,
        state: tuple[Tensor, Tensor],
        dictionary: Dictionary,  # noqa: ARG002
        x: Float[Tensor, "batch dims"],
        start: SparseCodes | None = None,
    ) -> Decoded:
        """Steps until every gap is closed."""
        steps = _Steps(self, *state, x, start)
        samples = Samples(len(x), steps.codes, x.device)
        step = 0
        while True:
            if step % _EVERY == 0:
                kept = samples.leave(steps.judge(), step)
                if kept is not None:
                    steps.keep(kept)
            if not bool(samples.here.any()) or step == self.max_steps:
                break
            steps.advance()
            step += 1
        samples.ended(step)
        return samples.decoded()


class _Steps:
    """Where a batch stands: codes z, the point ahead of them that the momentum leads to, and the penalty of now."""

    def __init__(self, told: FISTA, table: Tensor, largest: Tensor, x: Tensor, start: SparseCodes | None) -> None:
        self.told, self.table, self.largest, self.dtype = told, table, largest, x.dtype
        self.x = x.double()
        self.z = self.x.new_zeros(len(x), len(table)) if start is None else start.dense().double()
        cold = torch.ones_like(self.x[:, 0], dtype=torch.bool)
        if start is not None:
            cold = worse_than_none(self.x, self.z, self.x - self.z @ table, told.penalty)
            self.z = torch.where(cold[:, None], 0.0, self.z)
        self.ahead, self.momentum = self.z, torch.ones_like(self.x[:, :1])
        correlation = self.x @ table.T
        top = (correlation.abs() if told.values is Values.SIGNED else correlation).amax(dim=1, keepdim=True)
        self.penalty = torch.where(cold[:, None], _FIRST * top, 0.0).clamp(min=told.penalty)

    def keep(self, kept: Tensor) -> None:
        """Go on with these samples alone."""
        for name in "x", "z", "ahead", "momentum", "penalty":
            setattr(self, name, getattr(self, name)[kept])

    def codes(self, samples: Tensor) -> SparseCodes:
        """Their codes."""
        return SparseCodes.from_dense(self.z[samples].to(self.dtype))

    def judge(self) -> Tensor:
        """Done where the gap at the last penalty is closed; a rough gap is enough to go on to the next smaller one."""
        residual = self.x - self.z @ self.table
        gap = lasso_gap(self.x, self.z, residual, residual @ self.table.T, self.penalty[:, 0], Values(self.told.values))
        last = self.penalty[:, 0] <= self.told.penalty
        falls = (~last & (gap <= _ROUGH))[:, None]
        self.penalty = torch.where(falls, (_FALL * self.penalty).clamp(min=self.told.penalty), self.penalty)
        self.momentum = torch.where(falls, 1.0, self.momentum)
        return torch.where(last & (gap <= self.told.tolerance), int(Status.OK), RUNNING)

    def advance(self) -> None:
        """One gradient step from the point ahead, one shrinkage, one look whether the momentum still leads downhill."""
        pull = (self.x - self.ahead @ self.table) @ self.table.T
        z = shrunk(self.ahead + pull / self.largest, self.penalty / self.largest, Values(self.told.values))
        moved = z - self.z
        uphill = ((self.ahead - z) * moved).sum(dim=1, keepdim=True) > 0
        momentum = torch.where(uphill, 1.0, self.momentum)
        later = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        self.ahead = z + torch.where(uphill, 0.0, (momentum - 1) / later) * moved
        self.z, self.momentum = z, later


def shrunk(point: Tensor, by: Tensor, values: Values) -> Tensor:
    """The proximal step of the penalty: nearer to 0 by so much, and within what the kind allows."""
    if values is Values.SIGNED:
        return point - point.clamp(-by, by)
    return (point - by).clamp(0, 1.0 if values is Values.BINARY else None)
