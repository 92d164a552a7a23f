"""AMP: soft thresholding at a multiple of its own noise: the lasso for some matrix products (Donoho, Maleki & Montanari 2009).

The denoiser of `_message_passing` is soft(r, alpha tau). A fixed point minimises |x - D z|^2 / 2 + lambda |z|_1 with lambda = alpha tau (1 -
slope / d): the lasso (Bayati & Montanari 2012, eq. 1.10). Where l1 recovers noiseless codes, tau and lambda go to 0, and z to basis pursuit's
minimiser; the default alpha does so for the most active features of all, up to the Donoho-Tanner curve, or to that of the
box. Where directions are of other lengths than 1, l their root mean square, a step of 1 / |D_i|^2 comes with a threshold of alpha tau l /
|D_i|^2: lambda is l times as large, and fixed points remain the lasso's, one penalty for all features.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tegum.checks import check_count
from tegum.decoders._base import Decoded, Values, WarmDecoder
from tegum.decoders._fitted import check_tolerance
from tegum.decoders._message_passing import Denoiser, Estimate, Prepared, pass_messages
from tegum.decoders._survivors import Above
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Float, Int
from tegum.theory.l1 import minimax_alpha

# below this share of the first, tau is on its way to 0, and what stands above the noise is tried as the support; in 512 samples about the
# transition that read no code which l1 misses, and far from it halves the steps that 1/30 takes
_SMALL = 0.2
# dims a feature: for more, where nothing needs to be sparse any more, the threshold stays that for so many
_MOST, _MOST_IN_BOX = 0.95, 0.45


@dataclass(frozen=True, kw_only=True)
class AMP(WarmDecoder):
    """Thresholds at `alpha` tau until v stands still to `tolerance` |v|, or to rounding of |x|; `binary` keeps numbers within [0, 1].

    `alpha` None is the threshold that recovers the most active features, from d / N alone. Where tau is on its way to 0, what stands clear of
    the noise is fitted by least squares, and a sample that it explains ends there. One whose |v| passes 4 |x| ends as DIVERGED. OK says that
    codes explain x, or that they are a minimiser of the lasso, at whatever penalty.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    arrays: ClassVar[int] = 1
    alpha: float | None = None
    tolerance: float = 1e-6
    max_steps: int = 300

    def _check(self) -> None:
        if self.alpha is not None and not 0 < self.alpha < math.inf:
            raise ValueError(f"alpha is {self.alpha!r}; it must be a positive number, or None")
        check_tolerance(self.tolerance)
        check_count("max_steps", self.max_steps)

    def init(self, dictionary: Dictionary) -> tuple[Prepared, float]:
        """The correlations to search, the squared norms, and alpha."""
        box = self.values is Values.BINARY
        delta = min(dictionary.n_dims / dictionary.n_features, _MOST_IN_BOX if box else _MOST)
        alpha = self.alpha or float(minimax_alpha(delta, signed=self.values is Values.SIGNED, box=box))
        return Prepared.of(dictionary), alpha

    def run(
        self,
        state: tuple[Prepared, float],
        dictionary: Dictionary,
        x: Float[Tensor, "batch dims"],
        start: SparseCodes | None = None,
    ) -> Decoded:
        """A product with the dictionary a step, and one of what the threshold leaves."""
        prepared, alpha = state
        kind = Values(self.values)
        soft = SoftThreshold(alpha, kind, prepared.norms, x.square().mean(dim=1))
        return pass_messages(soft, dictionary, prepared, x, start, kind=kind, tolerance=self.tolerance, max_steps=self.max_steps)


class SoftThreshold(Denoiser):
    """soft(r, alpha tau l / w): in [0, 1] for binary codes, whose ends have no slope."""

    def __init__(self, alpha: float, kind: Values, norms: Float[Tensor, " features"], first: Float[Tensor, " batch"]) -> None:
        self.kind, self.norms = kind, norms
        self.alpha = alpha * math.sqrt(float(norms.mean()))
        self.small = first * _SMALL**2
        self.above_noise = 1 + math.sqrt(2 * math.log(len(norms)))  # N standard normals reach this with a chance below 1/10

    def __call__(self, above: Above, variance: Float[Tensor, " batch"]) -> Estimate:
        """By what is above the threshold."""
        tau = variance.sqrt()
        threshold = (self.alpha * tau)[:, None]
        signed = self.kind is Values.SIGNED
        indices, r = above(threshold[:, 0], signed=signed)
        norms, active = self.norms[indices], r != 0
        size = r.abs().sub_(threshold).mul_(active)
        values = size / norms
        if self.kind is Values.BINARY:
            active &= values < 1
            values.clamp_(max=1)
            size = values * norms
        if signed:
            size.copysign_(r)
            values.copysign_(r)
        small = variance < self.small
        clear = (r.abs() > norms.sqrt() * (self.above_noise * tau)[:, None]) & small[:, None] if small.any() else None
        return Estimate(indices, values, size, active.sum(dim=1, dtype=size.dtype), clear)

    def keep(self, slots: Int[Tensor, " kept"]) -> None:
        """What tau^2 began as, for these samples."""
        self.small = self.small[slots]
