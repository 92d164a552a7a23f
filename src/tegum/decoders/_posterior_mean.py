"""Posterior mean: the denoiser of an iteration that is told the law of the codes, and the fields of the decoders that are told it.

Each entry is 0, or active by a small chance with a value drawn from the prior. Given r = z + noise the best estimate is E[z | r], and its slope
is Var[z | r] over the variance of the noise (`tegum.theory.priors`). Only entries that are active with a chance above a cut are kept: the many
others hold next to nothing of z, and lists of the few cost next to nothing. A cut of .05 halves the time of the first step that one of .01 takes and
reads as many codes of ones (N = 4,096, k = 16, d = 84 to 150: 512 samples each), but loses small values; and near the end entries that come and go
there keep one sample in five from settling, so it falls to .001, by when there are few to list.

A density that is not known is learnt, sample by sample. It begins as |x|^2 says, and then follows the mean chance of the step before:
expectation maximisation (Krzakala et al. 2012, eq. 63; Vila & Schniter 2013, sec. III). With few features active its own first steps lead it
astray (a fifth to a half fewer samples are read near the transition), so where the noise is known it counts half, and |x|^2 the other half.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.decoders._base import Values, WarmDecoder
from tegum.decoders._fitted import check_tolerance, fitted
from tegum.decoders._message_passing import Denoiser, Estimate
from tegum.decoders._survivors import Above, survivors
from tegum.shapes import Float, Int
from tegum.theory.priors import posterior, value_moments

KIND = {"binary": Values.BINARY, "uniform": Values.NONNEGATIVE, "gaussian": Values.SIGNED, "signed": Values.SIGNED}
_CUT = 1e-3
_FIRST = {
    "binary": (5e-2, 0.5),
    "signed": (5e-2, 0.5),
    "uniform": (1e-2, 0.7),
    "gaussian": (1e-2, 0.7),
}  # and what is kept of it at each step
_UNEXPLAINED = 2.0  # lengths of the noise


@dataclass(frozen=True, kw_only=True)
class PriorDecoder(WarmDecoder):
    """A decoder that is told how values are distributed (`prior`), perhaps how many features are active on average, and the noise in x.

    `prior` is binary (1), uniform (U[0, 1]), gaussian (N(0, 1)) or signed (+-1). Left out, it is the first of these that gives codes of the
    kind `values`; and `values` left out is the kind of the prior. `n_active` None and `noise_std` None are learnt from x.

    A fixed point need not be near the codes. Where the noise is told, a sample that stands still with more than twice its length left, and more
    than `tolerance` |x|, ends as MAX_STEPS: at least three quarters of what is left are then the codes' own error.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.BINARY, Values.SIGNED)
    arrays: ClassVar[int] = 2
    values: Values | str = ""
    prior: str | None = None
    n_active: int | None = None
    noise_std: float | None = 0.0
    tolerance: float = 1e-4
    max_steps: int = 100

    def __post_init__(self) -> None:
        """Settle the kind by the prior, or the prior by the kind."""
        if not self.values:
            object.__setattr__(self, "values", KIND.get(self.prior or "", Values.NONNEGATIVE))
        if self.prior is None:
            object.__setattr__(self, "prior", next((prior for prior, kind in KIND.items() if kind == self.values), None))
        super().__post_init__()

    def _check(self) -> None:
        if self.prior not in KIND:
            raise ValueError(f"prior is {self.prior!r}; it must be one of {', '.join(KIND)}")
        if KIND[self.prior] is not self.values:
            raise ValueError(f"the prior {self.prior} gives {KIND[self.prior]} codes, but values is {str(self.values)!r}")
        if self.n_active is not None:
            check_count("n_active", self.n_active)
        if self.noise_std is not None and not 0 <= self.noise_std < math.inf:
            raise ValueError(f"noise_std is {self.noise_std!r}; it must be a number of at least 0, or None")
        check_tolerance(self.tolerance)
        check_count("max_steps", self.max_steps)

    def explained(self, x: Float[Tensor, "batch dims"]) -> Float[Tensor, " batch"]:
        """How much may be left of each sample, by what is known of the noise."""
        if self.noise_std is None:
            return x.new_full((len(x),), math.inf)
        told = _UNEXPLAINED * self.noise_std * x.shape[1] ** 0.5
        return torch.maximum(fitted(x, self.tolerance), _UNEXPLAINED * fitted(x)).clamp(min=told)

    def posterior_mean(self, norms: Float[Tensor, " features"], x: Float[Tensor, "batch dims"]) -> "PosteriorMean":
        """The denoiser; where it is not told how many features are active, it begins with as many as |x|^2 is worth."""
        if self.n_active is not None:
            return PosteriorMean(str(self.prior), norms, x.new_full((len(x),), self.n_active), trust=1.0)
        energy = x.square().sum(dim=1) - x.shape[1] * (self.noise_std or 0.0) ** 2
        active = energy / (float(norms.mean()) * value_moments(str(self.prior))[1])
        return PosteriorMean(str(self.prior), norms, active, trust=0.0 if self.noise_std is None else 0.5)


class PosteriorMean(Denoiser):
    """E[z | r] of each entry, r = z + noise of variance tau^2 / w, with `active` of a sample's features active.

    `trust` is the weight of `active` after the first step; the rest is that of the number found at the step before.
    """

    def __init__(self, prior: str, norms: Float[Tensor, " features"], active: Float[Tensor, " batch"], *, trust: float) -> None:
        self.prior, self.norms, self.trust = prior, norms, trust
        self.cut, self.fall = _FIRST[prior]
        self.least_norm = float(norms.min())
        self.offset = norms / 2 if prior in ("binary", "signed") else torch.zeros_like(norms)
        self.active, self.log_odds = active.clamp(min=0), self._log_odds(active)

    def __call__(self, above: Above, variance: Float[Tensor, " batch"]) -> Estimate:
        """From the entries that may be active."""
        indices, r = above(self._limits(variance), self.offset, signed=KIND[self.prior] is Values.SIGNED)
        there = r != 0
        norms = self.norms[indices]
        noise = variance[:, None] / norms
        chance, mean, spread = posterior(self.prior, r.div_(norms), noise, log_odds=self.log_odds[:, None])
        if self.prior != "binary":
            places, kept = survivors(chance * there, chance.new_full((len(chance),), self.cut))
            there = kept != 0
            indices, norms, noise, chance, mean, spread = (t.gather(1, places) for t in (indices, norms, noise, chance, mean, spread))
        chance, mean = chance * there, mean * there
        slope = (spread / noise).mul_(there).sum(dim=1)
        if self.trust < 1:
            self.log_odds = self._log_odds(self.trust * self.active + (1 - self.trust) * chance.sum(dim=1))
        self.cut = max(_CUT, self.cut * self.fall)
        return Estimate(indices, mean, mean * norms, slope, chance > 0.5)

    def keep(self, slots: Int[Tensor, " kept"]) -> None:
        """What the density is, for these samples."""
        self.active, self.log_odds = self.active[slots], self.log_odds[slots]

    def _log_odds(self, active: Tensor) -> Tensor:
        density = active.clamp(0.5, len(self.norms) - 0.5) / len(self.norms)
        return density.log() - (-density).log1p()

    def _limits(self, variance: Tensor) -> Tensor:
        """How large w r (less the offset) is at least where the chance is above the cut, by bounds of the likelihood ratio that can be inverted."""
        needed = math.log(self.cut / (1 - self.cut)) - self.log_odds  # of log f1(r)/f0(r)
        if self.prior == "binary":
            return variance * needed
        if self.prior == "signed":
            return variance * (needed - math.log(2))
        relative = variance / self.least_norm
        if self.prior == "gaussian":
            square = (1 + relative) * (needed + 0.5 * torch.log1p(1 / relative))
        else:
            square = needed - (0.5 * torch.log(2 * math.pi * relative)).clamp(max=0)
        return torch.where(square > 0, (2 * variance * self.least_norm * square.clamp(min=0)).sqrt(), -math.inf)
