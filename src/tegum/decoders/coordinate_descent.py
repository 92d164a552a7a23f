"""Coordinate descent on working sets: the lasso's usual solver, with a path of penalties (Friedman et al. 2010; Massias, Gramfort & Salmon 2018).

min 1/2 |x - D z|^2 + penalty |z|_1 (scikit-learn's alpha is penalty / n_dims). Each sample works on the features that violate its optimality
conditions most, by the Gram matrix of these alone: sweeps that minimise over one value after the other, and after each bout of sweeps the
stationary point of the active values with their signs as they are, taken as far as the signs allow. Then the residual's
correlations with all directions say what is missing. A small penalty is approached from larger ones, each solved roughly before the next. A
sample is done when the duality gap is below `tolerance` of its objective. In float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.decoders._base import Decoded, Status, Values, WarmDecoder, decode
from tegum.decoders._duality import check_penalty, check_tolerance, lasso_gap, worse_than_none
from tegum.decoders._samples import RUNNING, Samples
from tegum.decoders.fista import shrunk
from tegum.dictionaries import Dictionary
from tegum.dictionaries._largest import largest
from tegum.features import SparseCodes
from tegum.shapes import Float

_NEW, _SWEEPS = 24, 3  # features that may enter in a round, and sweeps between two solves
_BOUTS, _RIDGE = 8, 1e-10
_FIRST, _FALL = 0.5, 0.3  # the first penalty as a share of the largest correlation, and what is kept of it at each fall
_ROUGH = 0.1  # the gap at which it falls


@dataclass(frozen=True, kw_only=True)
class CoordinateDescent(WarmDecoder):
    """The lasso at `penalty`, to a duality gap of `tolerance` as a share of the objective; a step is a round with a new working set.

    The gap is that of the codes in float64; rounded to a dtype of float32 they are handed over with a larger one where the penalty is small.
    A start whose objective is above that of no code is dropped.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    penalty: float = field(metadata={"example": 5e-7})
    tolerance: float = 1e-6
    max_steps: int = 200

    def _check(self) -> None:
        check_penalty(self.penalty)
        check_tolerance(self.tolerance)
        check_count("max_steps", self.max_steps)
        if self.penalty == 0:
            raise ValueError("penalty is 0, where no duality gap of the lasso closes; BasisPursuit and Homotopy solve that")

    def init(self, dictionary: Dictionary) -> Dictionary:
        """The directions in float64."""
        return dictionary.to(dtype=torch.float64)

    def run(
        self,
        state: Dictionary,
        dictionary: Dictionary,  # noqa: ARG002
        x: Float[Tensor, "batch dims"],
        start: SparseCodes | None = None,
    ) -> Decoded:
        """Rounds until every gap is closed."""
        rounds = _Rounds(self, state, x, start)
        samples = Samples(len(x), rounds.codes, x.device)
        step = 0
        while True:
            kept = samples.leave(rounds.judge(), step)
            if kept is not None:
                rounds.keep(kept)
            if not bool(samples.here.any()) or step == self.max_steps:
                break
            rounds.advance()
            step += 1
        samples.ended(step)
        return samples.decoded()


def lasso_path(
    dictionary: Dictionary, x: Float[Tensor, "batch dims"], penalties: Sequence[float], decoder: CoordinateDescent | None = None
) -> list[Decoded]:
    """The lasso at each of `penalties`, in their order, each begun from the codes of the one before; give falling ones.

    `decoder` says what else is wanted (its own penalty is not used). `Homotopy.path` gives all breakpoints exactly.
    """
    decoder = CoordinateDescent(penalty=1.0) if decoder is None else decoder
    state: Any = decoder.init(dictionary)
    found: list[Decoded] = []
    for penalty in penalties:
        start = found[-1].z if found else None
        found.append(decode(dictionary, x, replace(decoder, penalty=penalty), state=state, start=start))
    return found


class _Rounds:
    """Where a batch stands: the working sets (-1 where empty), their values, and the residuals' correlations with all directions."""

    def __init__(self, told: CoordinateDescent, dictionary: Dictionary, x: Tensor, start: SparseCodes | None) -> None:
        self.told, self.dictionary, self.values, self.dtype = told, dictionary, Values(told.values), x.dtype
        self.x = x.double()
        self.index = torch.full((len(x), 0), -1, device=x.device) if start is None else start.indices
        self.z = self.x.new_zeros(self.index.shape) if start is None else start.values.double()
        self.residual, self.correlation = self.x, torch.empty(0)
        self._measure()
        cold = torch.ones_like(self.x[:, 0], dtype=torch.bool)
        if start is not None:
            cold = worse_than_none(self.x, self.z, self.residual, told.penalty)
            self.index, self.z = torch.where(cold[:, None], -1, self.index), torch.where(cold[:, None], 0.0, self.z)
            self._measure()
        top = (self.correlation.abs() if self.values is Values.SIGNED else self.correlation).amax(dim=1, keepdim=True)
        self.penalty = torch.where(cold[:, None], _FIRST * top, 0.0).clamp(min=told.penalty)

    def keep(self, kept: Tensor) -> None:
        """Go on with these samples alone."""
        for name in "x", "index", "z", "residual", "correlation", "penalty":
            setattr(self, name, getattr(self, name)[kept])

    def codes(self, samples: Tensor) -> SparseCodes:
        """Their codes."""
        return Decoded.of(self.index[samples], self.z[samples].to(self.dtype), self.dictionary.n_features).z

    def judge(self) -> Tensor:
        """Done where the gap at the last penalty is closed; a rough gap is enough to go on to the next smaller one."""
        gap = lasso_gap(self.x, self.z, self.residual, self.correlation, self.penalty[:, 0], self.values)
        last = self.penalty[:, 0] <= self.told.penalty
        falls = (~last & (gap <= _ROUGH))[:, None]
        self.penalty = torch.where(falls, (_FALL * self.penalty).clamp(min=self.told.penalty), self.penalty)
        return torch.where(last & (gap <= self.told.tolerance), int(Status.OK), RUNNING)

    def advance(self) -> None:
        """Let in what violates most, drop what has no value, and descend."""
        outside = self.correlation.clone()
        sample, slot = (self.index >= 0).nonzero(as_tuple=True)
        outside[sample, self.index[sample, slot]] = 0
        found, features = largest(outside, min(_NEW, self.dictionary.n_features), signed=self.values is Values.SIGNED)
        size = found.abs() if self.values is Values.SIGNED else found
        index = torch.cat([torch.where(self.z != 0, self.index, -1), torch.where(size > self.penalty, features, -1)], dim=1)
        z = torch.cat([self.z, torch.zeros_like(found)], dim=1)
        order = (index < 0).to(torch.uint8).argsort(dim=1, stable=True)[:, : max(1, int((index >= 0).sum(1).amax()))]
        self.index, self.z = index.gather(1, order), z.gather(1, order)
        there = (self.index >= 0)[:, :, None]
        directions = self.dictionary.directions(self.index.clamp(min=0).flatten()).unflatten(0, self.index.shape) * there
        gram, target = directions @ directions.mT, (directions @ self.x[:, :, None])[:, :, 0]
        rows = torch.arange(len(z), device=z.device)
        for _ in range(_BOUTS):
            self.z[rows], settled = self._bout(gram[rows], target[rows], rows)
            rows = rows[~settled]
            if not len(rows):
                break
        self._measure()

    def _measure(self) -> None:
        codes = SparseCodes(self.index, self.z, self.dictionary.n_features)
        self.residual = self.x - self.dictionary.encode(codes)
        self.correlation = self.dictionary.correlate(self.residual)

    def _bout(self, gram: Tensor, target: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Sweeps and a solve for some samples: their values, and which of them are at the stationary point of what is active."""
        z, penalty = self.z[rows], self.penalty[rows]
        for _ in range(_SWEEPS):
            z = self._swept(gram, target, z, penalty, self.index[rows] >= 0)
        return self._solved(gram, target, z, penalty)

    def _swept(self, gram: Tensor, target: Tensor, z: Tensor, penalty: Tensor, there: Tensor) -> Tensor:
        """One value after the other at its least, the others held."""
        z, pull = z.clone(), target - (gram @ z[:, :, None])[:, :, 0]
        scale = gram.diagonal(dim1=1, dim2=2)
        for slot in range(z.shape[1]):
            size, old = scale[:, slot].clamp(min=1e-300), z[:, slot]
            new = shrunk(old + pull[:, slot] / size, penalty[:, 0] / size, self.values)
            new = torch.where(there[:, slot], new, 0.0)
            pull -= gram[:, slot] * (new - old)[:, None]
            z[:, slot] = new
        return z

    def _solved(self, gram: Tensor, target: Tensor, z: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
        """Move towards the stationary point of the active values until the first of them meets a bound; and which samples got there.

        A slight ridge on the move keeps it downhill where more directions are active than there are dims.
        """
        upper = 1.0 if self.values is Values.BINARY else torch.inf
        free = (z != 0) & (z < upper)
        ridge = _RIDGE * gram.diagonal(dim1=1, dim2=2).amax(dim=1, keepdim=True)
        matrix = gram * (free[:, :, None] & free[:, None, :]) + torch.diag_embed(torch.where(free, ridge, 1.0))
        downhill = (target - (gram @ z[:, :, None])[:, :, 0] - penalty * z.sign()) * free
        factor, info = torch.linalg.cholesky_ex(matrix)
        move = torch.where((info == 0)[:, None], torch.cholesky_solve(downhill[:, :, None], factor)[:, :, 0], 0.0)
        goal = z + move
        crosses = free & (goal * z.sign() < 0)
        far = torch.where(crosses, z / -move, 1.0)
        far = torch.where(free & (goal > upper), (upper - z) / move, far)
        share = far.amin(dim=1, keepdim=True)
        moved = torch.where(crosses & (far == share), 0.0, z + share * move)
        return (moved if self.values is Values.SIGNED else moved.clamp(0, upper)), share[:, 0] == 1
