"""Basis pursuit: of all codes that give x exactly, those of the least sum of sizes, with a proof (Chen, Donoho & Saunders 1998).

min |z|_1 with D z = x; y proves that z is least if all |D_i . y| <= 1 and x . y = |z|_1. In the limit of a small penalty the lasso's residual is
penalty * y, so a segment of the lasso's path that fits x when drawn on to penalty 0, and that no feature interrupts, is such a pair.

Most samples get there in a few strides: at a few falling penalties, whole blocks of features that violate the lasso's conditions enter at once, and
those whose values came out of the wrong sign go (block pivoting: Portugal, Judice & Vicente 1994). A round is one product with all
directions. Block pivoting may fail to end; what has no proof after some rounds goes on to the exact path (`homotopy.py`), one feature a step.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from tegum.checks import check_count
from tegum.decoders._base import Decoded, Decoder, Status, Values
from tegum.decoders._duality import check_samples, duality_gap, reach
from tegum.decoders._repairs import repaired
from tegum.decoders._samples import RUNNING, Samples
from tegum.decoders._survivors import Search
from tegum.decoders.homotopy import Homotopy, follow, rounding
from tegum.dictionaries import Dictionary
from tegum.dictionaries._largest import largest
from tegum.features import SparseCodes
from tegum.shapes import Float, Int

_FIRST, _FALL = 0.7, 0.3  # the first penalty, as a share of the largest correlation, and what is kept of it at each fall
_SLIGHT = 1e-6
_ROUNDS, _REPAIRS, _BLOCK, _PATIENCE = 16, 3, 12, 2


@dataclass(frozen=True, kw_only=True)
class BasisPursuit(Decoder):
    """The code of the least |z|_1 with D z = x, exactly: OK where its dual proves it, DIVERGED where a dual proves that no code gives x.

    What has neither proof ends as MAX_STEPS, or as SINGULAR where the exact path did (`Homotopy`).
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    max_steps: int = 10_000

    def _check(self) -> None:
        check_count("max_steps", self.max_steps)

    def init(self, dictionary: Dictionary) -> tuple[Search, Dictionary]:
        """The correlations to search, and the directions in float64, for samples that need the exact path."""
        return Search(dictionary), dictionary.to(dtype=torch.float64)

    def run(self, state: tuple[Search, Dictionary], dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """Blocks, then the path for what is left."""
        return self._solve(state, dictionary, x)[0]

    def duals(self, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch dims"]:
        """The dual y of each sample, in float64, for `duality_gap`; for one that ends as DIVERGED a y that separates it from all codes.

        That is x . y > 0 where no D_i . y is above 0 (signed codes: where all are 0; in the box: x . y above the sum of the D_i . y that are
        above 0), to rounding; a sample that ended otherwise may have a y that shows nothing. ValueError for x of another width, or not finite.
        """
        check_samples(dictionary, x)
        return self._solve(self.init(dictionary), dictionary, x)[1]

    def _solve(self, state: tuple[Search, Dictionary], dictionary: Dictionary, x: Tensor) -> tuple[Decoded, Tensor]:
        search, exact = state
        blocks = _Blocks(search, x, Values(self.values))
        samples = Samples(len(x), blocks.codes, x.device)
        duals, step = torch.zeros(x.shape, dtype=torch.float64, device=x.device), 0
        while True:
            done = (blocks.status != RUNNING).nonzero()[:, 0]
            duals[samples.row[done]] = blocks.dual[done]
            kept = samples.leave(blocks.status, step)
            if kept is not None:
                blocks.keep(kept)
            if not bool(samples.here.any()) or step == min(_ROUNDS, self.max_steps):
                break
            blocks.advance()
            step += 1
        samples.ended(step)
        out = samples.decoded()
        left = (out.status != Status.OK).nonzero()[:, 0]
        if len(left):
            path, duals[left] = follow(exact, x[left], Homotopy(values=self.values, max_steps=self.max_steps))
            out = _replaced(out, left, path, _verdict(dictionary, x[left], path, duals[left], Values(self.values)))
        return out, duals


def _replaced(out: Decoded, rows: Tensor, by: Decoded, status: Tensor) -> Decoded:
    """`out` with some samples decoded otherwise."""
    taken = torch.arange(len(out.z), device=rows.device).index_copy(0, rows, len(out.z) + torch.arange(len(rows), device=rows.device))
    z = SparseCodes.concatenate([out.z, by.z])[taken]
    return Decoded(z, out.status.index_copy(0, rows, status), out.steps.index_add(0, rows, by.steps))


def _verdict(dictionary: Dictionary, x: Tensor, path: Decoded, dual: Tensor, values: Values) -> Tensor:
    """OK with a proof; DIVERGED where the path ended beside x and its dual proves that all codes do; else what the path said, or MAX_STEPS."""
    off = (x - dictionary.encode(path.z)).norm(dim=1) > 4 * rounding(x.dtype) * x.norm(dim=1) * max(1, x.shape[1]) ** 0.5
    proven = duality_gap(dictionary, x, path.z, 0.0, values, dual).abs() <= tolerance(x.dtype)
    unsure = torch.where(proven, path.status, int(Status.MAX_STEPS))
    ended = path.status == Status.OK
    apart = torch.where(_separates(dictionary, x, dual, values), int(Status.DIVERGED), int(Status.MAX_STEPS))
    return torch.where(ended, torch.where(off, apart, unsure), path.status)


def _separates(dictionary: Dictionary, x: Tensor, y: Tensor, values: Values) -> Tensor:
    """Whether x . y is above what D z . y can be for codes z of the kind (Farkas' lemma).

    Outside of the box, D_i . y that are 0 but for rounding could make up for it in codes that are 10^6 times as large as x is long.
    """
    along = (x.double() * y).sum(1)
    peak, excess = reach(dictionary, y, values, 0.0)
    if values is Values.BINARY:
        return along - excess > 1e-12 * along.abs()
    longest = dictionary.squared_norms().max().double().sqrt()
    return (along > 0) & (peak * x.double().norm(dim=1) <= _SLIGHT * along * longest)


def tolerance(dtype: torch.dtype) -> float:
    """The gap that a proof may leave, as a share of |z|_1."""
    return 1e-9 if dtype == torch.float64 else 1e-6


class _Blocks:
    """Block pivoting of a batch. Slots hold the active features: those free to move (`sign` is not 0), and in a box those held at 1."""

    def __init__(self, search: Search, x: Tensor, values: Values) -> None:
        self.search, self.dictionary, self.signed, self.x = search, search.dictionary, values is Values.SIGNED, x
        self.upper = 1.0 if values is Values.BINARY else math.inf
        self.block, self.slack = min(_BLOCK, self.dictionary.n_features), 0.5 * tolerance(x.dtype)
        self.index = torch.empty(len(x), 0, dtype=torch.int64, device=x.device)
        self.sign = torch.empty(len(x), 0, dtype=torch.float64, device=x.device)
        self.z = torch.empty_like(self.sign)
        self.dual = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
        self.patience = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        found, features = largest(self.dictionary.correlate(x), self.block, signed=self.signed)
        self.penalty = _FIRST * self._size(found)[:, 0].clamp(min=0).double()
        self.status = torch.where(x.square().sum(1) > 0, RUNNING, int(Status.OK))
        self._add(found, features)

    def keep(self, kept: Int[Tensor, " kept"]) -> None:
        """Go on with these samples alone."""
        for name in "x", "index", "sign", "z", "dual", "patience", "penalty", "status":
            setattr(self, name, getattr(self, name)[kept])

    def codes(self, samples: Int[Tensor, " some"]) -> SparseCodes:
        """Their codes."""
        return Decoded.of(self.index[samples], self.z[samples].to(self.x.dtype), self.dictionary.n_features).z

    def advance(self) -> None:
        """Solve for what is active, prove what fits x, let in what violates, and go down to a smaller penalty where nothing does."""
        rows = self.dictionary.directions(self.index.clamp(min=0).flatten()).unflatten(0, self.index.shape)
        projections = (rows @ self.x[:, :, None])[:, :, 0]
        fit, slope = repaired(rows @ rows.mT, projections, self.index, self.sign, self.penalty, upper=self.upper, repairs=_REPAIRS)
        z = fit - self.penalty[:, None] * slope
        met, at_zero, y = (torch.stack([z, fit, slope], dim=1).to(rows.dtype) @ rows).unbind(1)
        fits = (self.x - at_zero).norm(dim=1) <= rounding(self.x.dtype) * self.x.norm(dim=1)
        penalty = self.penalty.to(rows.dtype)[:, None]
        found, features, own = self._found(torch.where(fits[:, None], penalty * y, self.x - met), rows, penalty[:, 0])
        freed = self._held() & (own < penalty * (1 - self.slack))
        violated = (self._size(found)[:, 0] > penalty[:, 0] * (1 + self.slack)) | freed.any(dim=1)
        self._prove((fits & ~violated & (self.status == RUNNING)).nonzero()[:, 0], self._size(found)[:, 0].double() / self.penalty)
        self.sign = torch.where(freed, 1.0, self.sign)
        self._add(found, features)
        falls = ~violated | (self.patience >= _PATIENCE)
        self.patience = torch.where(falls, 0, self.patience + 1)
        size = fit.abs()
        shrinks = (fit * slope > 0) & (size > rounding(self.x.dtype) * size.amax(1, keepdim=True))
        room = torch.where(shrinks, fit / slope, math.inf).amin(dim=1)
        self.penalty = torch.where(fits, torch.minimum(self.penalty, 0.5 * room), torch.where(falls, _FALL * self.penalty, self.penalty))

    def _found(self, left: Tensor, rows: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The largest correlations above the penalty and their features, zeros where there are no more of them; and those of what is active."""
        own = torch.where(self.index >= 0, (rows @ left[:, :, None])[:, :, 0], 0.0)
        features, found = self.search.readings(left, self.index.clamp(min=0), -own)(penalty, signed=self.signed)  # of the others, that is
        missing = max(0, self.block - found.shape[1])
        found, places = largest(functional.pad(found, (0, missing)), self.block, signed=self.signed)
        return found, functional.pad(features, (0, missing)).gather(1, places), own

    def _size(self, correlations: Tensor) -> Tensor:
        return correlations.abs() if self.signed else correlations

    def _held(self) -> Tensor:
        return (self.index >= 0) & (self.sign == 0)

    def _prove(self, rows: Tensor, peak: Tensor) -> None:
        """Solve once more, all in float64, and take what the dual proves."""
        if not len(rows):
            return
        index, sign, x = self.index[rows], self.sign[rows], self.x[rows].double()
        directions = self.dictionary.directions(index.clamp(min=0).flatten()).double().unflatten(0, index.shape)
        z, slope = repaired(directions @ directions.mT, (directions @ x[:, :, None])[:, :, 0], index, sign, self.penalty[rows])
        y = (slope[:, None] @ directions)[:, 0]
        size = z.abs().sum(dim=1)
        within = ((z * sign >= -self.slack * size[:, None]) & (z <= self.upper + self.slack)).all(dim=1)
        z = torch.where(z.abs() > rounding(self.x.dtype) * z.abs().amax(1, keepdim=True), z, 0.0)
        z = z if self.signed else z.clamp(0, self.upper)
        over = ((directions @ y[:, :, None])[:, :, 0] - 1).clamp(min=0).mul(self._held()[rows]).sum(1)
        if self.upper == math.inf:
            y = y / peak[rows, None].clamp(min=1)
        proven = within & ((size - (x * y).sum(1) + over).abs() <= 0.5 * tolerance(self.x.dtype) * size)
        self.z[rows] = torch.where(proven[:, None], z, 0.0)
        self.dual[rows] = torch.where(proven[:, None], y, 0.0)
        self.status[rows] = torch.where(proven, int(Status.OK), RUNNING)

    def _add(self, found: Tensor, features: Tensor) -> None:
        """Let in the features found whose correlations exceed the penalty, and close the gaps between slots."""
        enters = (self._size(found) > (self.penalty[:, None] * (1 + self.slack)).to(found.dtype)) & (self.status == RUNNING)[:, None]
        index = torch.cat([self.index, torch.where(enters, features, -1)], dim=1)
        sign = torch.cat([self.sign, (found.sign() * enters).double()], dim=1)
        order = (index < 0).to(torch.uint8).argsort(dim=1, stable=True)[:, : max(1, int((index >= 0).sum(1).amax() if len(index) else 0))]
        self.index, self.sign = index.gather(1, order), sign.gather(1, order)
        self.z = torch.cat([self.z, torch.zeros_like(found, dtype=torch.float64)], dim=1).gather(1, order)
