"""NIHT: normalised iterative hard thresholding (Blumensath & Davies 2010): a gradient step towards x, then all but the k largest values are set to 0.

The step length is the best one for the features at hand. Where the step brings in others, it must be at most (1 - c) |dz|^2 / |D dz|^2, dz the
change of z, or it is divided by kappa (1 - c) until it is: then the residual never grows (their algorithm 1; c = .01, kappa = 2 here).
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count, check_number
from tegum.decoders._base import Decoded, Status, Values, WarmDecoder
from tegum.decoders._fitted import fitted
from tegum.decoders._samples import Samples, every
from tegum.decoders._scaled import Scaled, lengths
from tegum.decoders._support import fresh, strongest
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Float

_C, _KAPPA = 0.01, 2.0


@dataclass(frozen=True, kw_only=True)
class NIHT(WarmDecoder):
    """Normalised iterative hard thresholding with `n_active` features, until a step changes z by at most `tolerance` |z|, in at most `steps` steps.

    Nonnegative values are kept at 0 or above, binary ones between 0 and 1.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    arrays: ClassVar[int] = 0
    n_active: int
    tolerance: float = 1e-5
    steps: int = 200

    def _check(self) -> None:
        check_count("n_active", self.n_active)
        check_count("steps", self.steps)
        check_number("tolerance", self.tolerance, zero=False)

    def held(self, dictionary: Dictionary) -> int:
        """Some sets of directions for each sample."""
        return max(super().held(dictionary), 3 * self.n_active * dictionary.n_dims)

    def init(self, dictionary: Dictionary) -> Scaled:
        """The directions at length 1."""
        return Scaled(dictionary, lengths(dictionary))

    def run(self, state: Scaled, dictionary: Dictionary, x: Float[Tensor, "batch dims"], start: SparseCodes | None = None) -> Decoded:
        """One pass of correlations a step."""
        k, signed = self.n_active, self.values is Values.SIGNED

        def codes(slots: Tensor) -> SparseCodes:
            return Decoded.of(indices[slots], values[slots] / state.by[indices[slots]], dictionary.n_features).z

        if start is None:
            indices, values = state.largest(x, k, signed=signed)[1], x.new_zeros(len(x), k)
        else:
            indices, values = strongest(start, x, state, k, signed=signed)
        rows = state.directions(indices.clamp(min=0))
        residual, rounding = x - _sum(rows, values), fitted(x)
        samples, done = Samples(len(x), codes, x.device), every(residual.norm(dim=1) <= rounding, Status.OK)
        for step in range(self.steps + 1):
            if (kept := samples.leave(done, step)) is not None:
                x, indices, values, rows, residual, rounding = (old[kept] for old in (x, indices, values, rows, residual, rounding))
                if not len(kept):
                    return samples.decoded()
            if step == self.steps or not len(x):
                break
            correlations, others = state.largest(residual, 2 * k, signed=signed)  # 2k, so that k of them are others
            candidates = torch.cat([indices, fresh(others, indices)], dim=1)
            before = torch.nn.functional.pad(values, (0, others.shape[1]))
            slopes = torch.cat([torch.bmm(residual[:, None], rows.mT)[:, 0], correlations], dim=1)
            most = state.by[candidates] if self.values is Values.BINARY else math.inf  # a value of 1, in unit directions
            slopes = torch.where((candidates < 0) | self._barred(before, slopes, most), 0, slopes)
            length = _ratio(slopes[:, :k].square().sum(dim=1), _sum(rows, slopes[:, :k]).square().sum(dim=1))
            while True:
                moved = before + length[:, None] * slopes
                moved = moved if signed else moved.clamp(min=0).minimum(torch.as_tensor(most, dtype=x.dtype, device=x.device))
                places = moved.abs().topk(k, dim=1).indices
                values = moved.gather(1, places)
                rows = state.directions(candidates.gather(1, places).clamp(min=0))
                left = x - _sum(rows, values)
                change = (torch.zeros_like(before).scatter_(1, places, values) - before).square().sum(dim=1)
                settled = change.sqrt() <= self.tolerance * values.norm(dim=1)  # then rounding may hide what a cut would bring
                joined = ((places >= k) & (values != 0)).any(dim=1)
                long = joined & ~settled & (length > (1 - _C) * _ratio(change, (residual - left).square().sum(dim=1)))
                if not long.any():
                    break
                length = torch.where(long, length / (_KAPPA * (1 - _C)), length)
            indices, residual = candidates.gather(1, places), left
            done = every(settled | (residual.norm(dim=1) <= rounding), Status.OK)
        samples.ended(self.steps)
        return samples.decoded()

    def _barred(self, values: Tensor, slopes: Tensor, most: Tensor | float) -> Tensor:
        """Where a value stands at an end of its range and the gradient points outwards."""
        if self.values is Values.SIGNED:
            return torch.zeros_like(values, dtype=torch.bool)
        return ((values <= 0) & (slopes < 0)) | ((values >= most) & (slopes > 0))


def _sum(rows: Float[Tensor, "slots m dims"], values: Float[Tensor, "slots m"]) -> Float[Tensor, "slots dims"]:
    return torch.bmm(values[:, None], rows)[:, 0]


def _ratio(above: Float[Tensor, " slots"], below: Float[Tensor, " slots"]) -> Float[Tensor, " slots"]:
    """A step length; that of an orthonormal dictionary where nothing moves."""
    return torch.where(below > 0, above / below, 1)
