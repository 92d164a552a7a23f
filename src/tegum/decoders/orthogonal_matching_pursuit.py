"""OMP: one feature at a time, and after each the best fit of x by all that were chosen (Pati, Rezaiifar & Krishnaprasad 1993).

The chosen directions are kept as D_S = R^T Q with orthonormal rows Q, by Gram-Schmidt. R^T is the Cholesky factor of their Gram matrix
and grows by a row a step (Rubinstein, Zibulevsky & Elad 2008), but no condition number is squared on the way. The residual loses its part along the
newest row of Q, and R z = Q x is solved once, when a sample is done.

Codes that may not be negative are what is left of that fit: features with negative values leave and the rest is fitted again, until none is
negative; or, told that what is active is 1, features fitted above 1/2 are read as 1. Whether x is fitted is then judged by these codes.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.decoders._base import Decoded, Decoder, Status, Values
from tegum.decoders._fitted import check_tolerance, fitted
from tegum.decoders._gram_schmidt import split, take
from tegum.decoders._samples import Samples, every
from tegum.decoders._scaled import Scaled, lengths
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Float, Int

_FIRST = 32  # features there is room for at first, where their number is not known


@dataclass(frozen=True, kw_only=True)
class OMP(Decoder):
    """Orthogonal matching pursuit until x is fitted, to `tolerance` |x| if one is given and else to rounding, or `n_active` features are chosen.

    Each step takes the direction at the smallest angle to the residual, or to its line if signed; with nonnegative codes a sample also ends where no
    direction points its way. Binary codes are found as nonnegative ones and read at 1 where the fit is above 1/2. A sample whose codes do not reach
    the tolerance (where none is given, nor `n_active`: rounding) is not OK.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    knows: ClassVar[tuple[str, ...]] = (*Decoder.knows, "tolerance")
    arrays: ClassVar[int] = 0
    n_active: int | None = None
    tolerance: float | None = None

    def _check(self) -> None:
        if self.n_active is not None:
            check_count("n_active", self.n_active)
        if self.tolerance is not None:
            check_tolerance(self.tolerance)

    def held(self, dictionary: Dictionary) -> int:
        """A basis and a triangle for each sample."""
        most = self.n_active or dictionary.n_dims
        return max(super().held(dictionary), most * (most + dictionary.n_dims))

    def init(self, dictionary: Dictionary) -> Scaled:
        """The directions at length 1."""
        return Scaled(dictionary, lengths(dictionary))

    def run(self, state: Scaled, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """One pass of correlations a feature."""
        signed = self.values is Values.SIGNED
        most = min(dictionary.n_features, dictionary.n_dims if self.n_active is None else self.n_active)
        chosen = _Chosen(x, most, state)
        samples = Samples(len(x), chosen.codes, x.device)
        enough = wanted = fitted(x, self.tolerance)
        short = Status.MAX_STEPS if self.n_active is None or self.tolerance is not None else Status.OK  # that ends before it is fitted
        for step in range(most if len(x) else 0):
            values, indices = state.largest(chosen.residual, 1, signed=signed)
            chosen.look(indices[:, 0])
            fits, astray = chosen.residual.norm(dim=1) <= enough, values[:, 0] == 0 if signed else values[:, 0] <= 0
            if (fits | chosen.depends | astray).any():
                done = torch.where(astray, int(short), every(chosen.depends, Status.SINGULAR))
                if (kept := samples.leave(torch.where(fits, int(Status.OK), done), step)) is not None:
                    chosen.keep(kept)
                    enough = enough[kept]
                    if not len(kept):
                        break
            chosen.add()
        else:
            samples.leave(torch.where(chosen.residual.norm(dim=1) <= enough, int(Status.OK), int(short)), most)
        out = samples.decoded()
        if signed:
            return out
        z = _at_one(out.z) if self.values is Values.BINARY else _nonnegative(state, x, out.z)
        if short is Status.OK:
            return Decoded(z, out.status, out.steps)
        missed = out.status.eq(Status.OK) & z.values.ne(out.z.values).any(dim=1) & ((x - dictionary.encode(z)).norm(dim=1) > wanted)
        return Decoded(z, torch.where(missed, int(Status.MAX_STEPS), out.status), out.steps)


class _Chosen:
    """What each sample has chosen so far, and the part of x that it does not fit."""

    def __init__(self, x: Float[Tensor, "batch dims"], most: int, unit: Scaled) -> None:
        self.unit, self.n = unit, 0
        room = min(most, _FIRST)
        self.residual = x.clone(memory_format=torch.contiguous_format)
        self.indices = torch.full((len(x), most), -1, dtype=torch.int64, device=x.device)
        self.Q, self.R = x.new_zeros(len(x), room, x.shape[1]), x.new_zeros(len(x), most, most)
        self.Qx = x.new_zeros(len(x), most)

    def look(self, indices: Int[Tensor, " slots"]) -> None:
        """Split the directions into their parts along Q and across it; who `depends` has next to nothing across."""
        self.index = indices
        self.along, self.across, self.length = split(self.Q, self.n, self.unit.directions(indices))
        self.depends = self.length <= torch.finfo(self.Q.dtype).eps * self.Q.shape[2]

    def add(self) -> None:
        """Take what was looked at."""
        n = self.n
        if n == self.Q.shape[1]:
            self.Q = torch.cat([self.Q, torch.zeros_like(self.Q)], dim=1)
        self.Qx[:, n] = take(self.Q, n, self.across, self.length, self.residual)
        self.indices[:, n] = self.index
        self.R[:, :n, n], self.R[:, n, n] = self.along, self.length
        self.n += 1

    def keep(self, slots: Int[Tensor, " kept"]) -> None:
        """Go on with these slots alone."""
        for name in ("residual", "indices", "Q", "R", "Qx", "index", "along", "across", "length"):
            setattr(self, name, getattr(self, name)[slots])

    def codes(self, slots: Int[Tensor, " some"]) -> SparseCodes:
        """The values of the best fit."""
        n = self.n
        values = torch.linalg.solve_triangular(self.R[slots, :n, :n], self.Qx[slots, :n, None], upper=True)[:, :, 0]
        indices = self.indices[slots, :n]
        return Decoded.of(indices, values / self.unit.by[indices], self.unit.n_features).z


def _at_one(z: SparseCodes) -> SparseCodes:
    return Decoded.of(z.indices, (z.values > 0.5).to(z.values.dtype), z.n_features).z


def _nonnegative(unit: Scaled, x: Float[Tensor, "batch dims"], z: SparseCodes) -> SparseCodes:
    """Features with negative values leave, and the rest is fitted again, by QR, until none is left."""
    indices, values = z.indices.clone(), z.values.clone()
    rows = (values < 0).any(dim=1).nonzero()[:, 0]
    while len(rows):
        kept = torch.where(values[rows] > 0, indices[rows], z.n_features).sort(dim=1).values  # empty slots last, where they change no other
        empty = kept == z.n_features
        directions = unit.directions(kept.masked_fill(empty, 0)).masked_fill(empty[:, :, None], 0)
        Q, R = torch.linalg.qr(directions.mT)
        R.diagonal(dim1=1, dim2=2).masked_fill_(empty, 1)
        fit = torch.linalg.solve_triangular(R, Q.mT @ x[rows, :, None], upper=True)[:, :, 0].masked_fill(empty, 0)
        indices[rows] = kept.masked_fill(empty, -1)
        values[rows] = fit / unit.by[indices[rows]]
        rows = rows[(fit < 0).any(dim=1)]
    return Decoded.of(indices, values, z.n_features).z
