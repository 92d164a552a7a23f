"""VAMP: message passing for dictionaries that are not i.i.d.: ill-conditioned, correlated, with a mean (Rangan, Schniter & Fletcher 2019).

Two estimates take turns, each told only what the other has found beyond what it was told (its extrinsic part):

    linear   z2 = r2 + W (x - A r2),  W = v2 A^T (v2 A A^T + sigma^2)^-1
             r1 = r2 + (z2 - r2) / c,  c = tr(W A) / N,  tau^2 = v2 (1/c - 1)
    prior    z1 = E[z | r1 = z + tau g]
             r2 = (z1 - a r1) / (1 - a),  a = the mean slope of that estimate

A (d, N) has the directions as columns. W whitens x, so whatever A's singular values are, r1 - z looks like white noise as long as A's right
singular vectors look random; AMP asks that of all of A, and diverges where it is not so. v2, the error of r2, is seen in x - D r2 (Ma & Ping
2017, eq. 31). With A A^T = U diag(lambda) U^T the linear part happens in d dims: a step costs the product with the dictionary that AMP's does,
and two with U. r1 itself is the sum of A^T `pushed` and of codes, `kept`. Directions are taken at length 1, as in `_message_passing`: singular
vectors of a dictionary whose lengths vary do not look random.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from tegum.decoders._base import Decoded, Status, Values
from tegum.decoders._fitted import fitted
from tegum.decoders._message_passing import GREW, judged, listed, replaced
from tegum.decoders._posterior_mean import PriorDecoder
from tegum.decoders._refit import Refit
from tegum.decoders._samples import Samples, every
from tegum.decoders._survivors import survivors
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Float, Int

_LARGEST_SLOPE = 0.95  # a mean slope of 1 would divide by 0: the prior added nothing to r1
_WORTH = 8.0  # coordinates: what keeps v2 from 0 where x tells next to nothing of it above the noise
_FIRST_NOISE = 0.01  # of the median power of a coordinate, where the noise is to be learnt


class Frame(NamedTuple):
    """The frame operator sum_i u_i u_i^T, u_i = D_i / |D_i|, by its eigenvectors (columns) and eigenvalues, and the |D_i|^2."""

    vectors: Float[Tensor, "dims dims"]
    values: Float[Tensor, " dims"]
    norms: Float[Tensor, " features"]


@dataclass(frozen=True, kw_only=True)
class VAMP(PriorDecoder):
    """Posterior means of the entries that are active with a chance above .001, once x - D r2 stands still to `tolerance` of itself.

    Codes that explain x end a sample as in `BayesAMP`. `noise_std` matters more here: directions in which A is weak are whitened up to it. None
    has it learnt by expectation maximisation (Fletcher & Schniter 2017). A sample with |x - D r2| past 4 |x| ends as DIVERGED; one where that
    stands still at more than 2 `noise_std` sqrt(d), and more than `tolerance` |x|, as MAX_STEPS.
    """

    def init(self, dictionary: Dictionary) -> Frame:
        """One pass over the directions and one eigendecomposition in d dims, in float64."""
        d, dtype, device = dictionary.n_dims, dictionary.dtype, dictionary.device
        frame = torch.zeros(d, d, dtype=torch.float64, device=device)
        norms = dictionary.squared_norms()
        norms = norms.clamp(min=norms.max() * 1e-12)
        for first, block in dictionary.correlations(torch.eye(d, dtype=dtype, device=device)):
            unit = block.double() / norms[first : first + block.shape[1]].double().sqrt()
            frame += unit @ unit.T
        values, vectors = torch.linalg.eigh(frame)
        rank = values > values[-1] * d * torch.finfo(dtype).eps
        return Frame(vectors.to(dtype), torch.where(rank, values, 0).to(dtype), norms)

    def run(self, state: Frame, dictionary: Dictionary, x: Float[Tensor, "batch dims"], start: SparseCodes | None = None) -> Decoded:
        """A product with the dictionary a step, two with U, and one of what is likely to be active."""
        n, U, eigenvalues = dictionary.n_features, state.vectors, state.values
        indices, values = listed(x, start)
        scaled = values * state.norms[indices]
        seen = x @ U
        left = seen - dictionary.encode(SparseCodes(indices, values, n)) @ U
        size, enough = left.norm(dim=1), fitted(x)
        most, explained = GREW * torch.maximum(x.norm(dim=1), size), self.explained(x)
        a, kept, pushed = x.new_zeros(len(x), 1), x.new_zeros(len(x), n), torch.zeros_like(x)
        linear = Linear(eigenvalues, n, seen, left, self.noise_std)
        denoise = self.posterior_mean(state.norms, x)
        support = Refit(dictionary, Values(self.values), len(x))
        samples = Samples(len(x), lambda slots: Decoded.of(indices[slots], values[slots].nan_to_num(0.0, 0.0, 0.0), n).z, x.device)
        done = every(size <= enough, Status.OK)
        for step in range(self.max_steps + 1):
            if (stay := samples.leave(done, step)) is not None:
                x, seen, left, a, kept, pushed = x[stay], seen[stay], left[stay], a[stay], kept[stay], pushed[stay]
                indices, values, scaled = indices[stay], values[stay], scaled[stay]
                size, enough, most, explained = size[stay], enough[stay], most[stay], explained[stay]
                for part in (linear, denoise, support):
                    part.keep(stay)
            if step == self.max_steps or not len(x):
                break
            push, variance = linear(left)
            kept.mul_(-a / (1 - a)).scatter_add_(1, indices, scaled / (1 - a))
            pushed = (-a / (1 - a) * pushed).addmm_(push, U.T)
            indices, values, scaled, slope, clear = denoise(partial(survivors, dictionary.correlate(pushed).add_(kept)), variance)
            a = (slope / n).clamp(max=_LARGEST_SLOPE)[:, None]
            of_codes = dictionary.encode(SparseCodes(indices, values, n)) @ U
            before, left = left, seen - (of_codes - a * (seen - left + eigenvalues * push)) / (1 - a)
            linear.expected = variance[:, None] * a / (1 - a)
            size = left.norm(dim=1)
            still = (before - left).norm(dim=1) <= torch.maximum(self.tolerance * size, enough)
            done = judged(still, size, explained, most)
            if clear is not None and (exact := support.explained(x, indices, clear)) is not None:
                done = done.index_fill(0, exact[0], int(Status.OK))
                indices, values = replaced(indices, values, *exact)
        samples.ended(self.max_steps)
        return samples.decoded()


class Linear:
    """The linear part: what A^T is to take to r1, from x - A r2 in the eigenvectors' coordinates, and the variance of the noise that r1 then has.

    `expected` is v2 as the other part has it, `least` what rounding leaves of it. Noise that is not known is re-estimated at every step.
    """

    def __init__(
        self,
        eigenvalues: Float[Tensor, " dims"],
        n_features: int,
        seen: Float[Tensor, "batch dims"],
        left: Float[Tensor, "batch dims"],
        noise_std: float | None,
    ) -> None:
        self.eigenvalues, self.n, self.learn = eigenvalues, n_features, noise_std is None
        power = left.square().mean(dim=1, keepdim=True)
        typical = seen.square().median(dim=1, keepdim=True).values
        self.noise = _FIRST_NOISE * typical if noise_std is None else torch.full_like(power, noise_std**2)
        self.least = fitted(seen)[:, None].square().clamp(min=torch.finfo(left.dtype).tiny)
        self.expected = ((power - self.noise) / eigenvalues.mean()).clamp(min=self.least)

    def __call__(self, left: Float[Tensor, "batch dims"]) -> tuple[Float[Tensor, "batch dims"], Float[Tensor, " batch"]]:
        """W x' / c for x' = x - A r2, without its A^T; and tau^2."""
        there = self.eigenvalues > 0
        inverse = torch.where(there, 1 / self.eigenvalues.where(there, 1), 0)
        v2 = self._seen(left, inverse).clamp(min=self.least)
        gain = inverse / (1 + self.noise * inverse / v2)
        c = (self.eigenvalues * gain).sum(dim=1, keepdim=True) / self.n
        if self.learn:
            unexplained = 1 - self.eigenvalues * gain
            self.noise = ((unexplained * left).square() + self.eigenvalues * gain * self.noise).mean(dim=1, keepdim=True)
        return gain * left / c, (v2 * (1 / c - 1)).clamp(min=self.least)[:, 0]

    def keep(self, slots: Int[Tensor, " kept"]) -> None:
        """Go on with these samples alone."""
        self.noise, self.least, self.expected = self.noise[slots], self.least[slots], self.expected[slots]

    def _seen(self, left: Tensor, inverse: Tensor) -> Tensor:
        """Every coordinate tells v2 as (left^2 - noise) / eigenvalue, by its precision as far as v2 is known; what was expected is worth some."""
        expected = self.expected.clamp(min=self.least)
        weight = (inverse > 0) / (1 + self.noise * inverse / expected).square()
        told = (weight * (left.square() - self.noise) * inverse).sum(dim=1, keepdim=True)
        return (told + _WORTH * expected) / (weight.sum(dim=1, keepdim=True) + _WORTH)
