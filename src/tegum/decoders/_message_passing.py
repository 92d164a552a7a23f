"""Message passing: the iteration that AMP and Bayes-AMP share; they differ in the denoiser alone.

    r = z + D v,   z <- denoise(r, tau^2),   v <- x - sum_i z_i D_i + (slope / d) v,   tau^2 = |v|^2 / d

`slope` is the sum of the denoiser's derivatives. Its term (Onsager's) is what makes r - z_true look like white Gaussian noise of variance tau^2 if
the dictionary has i.i.d. entries, so that state evolution predicts every step (Donoho, Maleki & Montanari 2009; Bayati & Montanari 2011).

Directions need not have length 1. For u_i = D_i / |D_i| and w_i = |D_i|^2 the same algorithm reads w_i r_i = w_i z_i + <D_i, v>, with noise of
variance w_i tau^2. That is exact for each direction's length, where D v alone is right on average.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor

from tegum.decoders._base import Decoded, Status, Values
from tegum.decoders._fitted import fitted
from tegum.decoders._refit import Refit
from tegum.decoders._samples import RUNNING, Samples, every
from tegum.decoders._survivors import Above, Search
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Bool, Float, Int

GREW = 4.0  # a residual so many times |x| belongs to an iteration that diverges: where the theory holds it falls from the first step


class Estimate(NamedTuple):
    """Codes z as lists (padded with index 0 and value 0) and w z, the sum of the denoiser's slopes, and what stands clear of the noise.

    `clear` is None where nothing does.
    """

    indices: Int[Tensor, "batch some"]
    values: Float[Tensor, "batch some"]
    scaled: Float[Tensor, "batch some"]
    slope: Float[Tensor, " batch"]
    clear: Bool[Tensor, "batch some"] | None


class Prepared(NamedTuple):
    """What depends on the dictionary alone: its correlations, to be searched, and its squared norms; a direction of length 0 gets a tiny one."""

    search: Search
    norms: Float[Tensor, " features"]

    @classmethod
    def of(cls, dictionary: Dictionary) -> "Prepared":
        """One pass over the directions."""
        norms = dictionary.squared_norms()
        return cls(Search(dictionary), norms.clamp(min=norms.max() * 1e-12))


class Denoiser(ABC):
    """Codes out of w r = w (z + noise), noise of variance tau^2 / w; what it knows of each sample follows the samples that stay."""

    @abstractmethod
    def __call__(self, above: Above, variance: Float[Tensor, " batch"]) -> Estimate:
        """The estimate of z, from tau^2 and what of w r is above the limits that are asked for."""

    @abstractmethod
    def keep(self, slots: Int[Tensor, " kept"]) -> None:
        """Go on with these samples alone."""


def pass_messages(
    denoise: Denoiser,
    dictionary: Dictionary,
    prepared: Prepared,
    x: Float[Tensor, "batch dims"],
    start: SparseCodes | None,
    *,
    kind: Values,
    tolerance: float,
    max_steps: int,
    noise_std: float = 0.0,
    explained: Float[Tensor, " batch"] | None = None,
) -> Decoded:
    """Iterate until v stands still to `tolerance` |v|, or to rounding of |x|, or what is clear explains x.

    Where v stands still at a length above `explained`, if that is given, the sample ends as MAX_STEPS.
    """
    n, d = dictionary.n_features, dictionary.n_dims
    indices, values = listed(x, start)
    scaled = values * prepared.norms[indices]
    v = x - dictionary.encode(SparseCodes(indices, values, n))
    size, enough = v.norm(dim=1), fitted(x)
    most = GREW * torch.maximum(x.norm(dim=1), size)
    explained = torch.full_like(size, torch.inf) if explained is None else explained
    support = Refit(dictionary, kind, len(x))
    samples = Samples(len(x), lambda slots: Decoded.of(indices[slots], values[slots].nan_to_num(0.0, 0.0, 0.0), n).z, x.device)
    done = every(size <= enough, Status.OK)
    for step in range(max_steps + 1):
        if (kept := samples.leave(done, step)) is not None:
            x, v, size, enough, most, explained = (part[kept] for part in (x, v, size, enough, most, explained))
            indices, values, scaled = indices[kept], values[kept], scaled[kept]
            denoise.keep(kept)
            support.keep(kept)
        if step == max_steps or not len(x):
            break
        noisy = prepared.search.readings(v, indices, scaled)
        indices, values, scaled, slope, clear = denoise(noisy, (size.square() / d).clamp_(min=noise_std**2))
        before, v = v, (x - dictionary.encode(SparseCodes(indices, values, n))).addcmul_(v, (slope / d)[:, None])
        size = v.norm(dim=1)
        still = before.sub_(v).norm(dim=1) <= torch.maximum(tolerance * size, enough)
        done = judged(still, size, explained, most)
        if clear is not None and (exact := support.explained(x, indices, clear)) is not None:
            done = done.index_fill(0, exact[0], int(Status.OK))
            indices, values = replaced(indices, values, *exact)
    samples.ended(max_steps)
    return samples.decoded()


def judged(
    still: Bool[Tensor, " batch"], size: Float[Tensor, " batch"], explained: Float[Tensor, " batch"], most: Float[Tensor, " batch"]
) -> Int[Tensor, " batch"]:
    """How each sample stands: one that stands still is done if it is `explained`, and has failed if not; so has one that grew past `most`."""
    stands = torch.where(size <= explained, int(Status.OK), int(Status.MAX_STEPS))
    return torch.where(size <= most, torch.where(still, stands, RUNNING), int(Status.DIVERGED))


def listed(x: Float[Tensor, "batch dims"], start: SparseCodes | None) -> tuple[Int[Tensor, "batch some"], Float[Tensor, "batch some"]]:
    """The codes to begin from, padded as an `Estimate` is."""
    if start is None:
        return torch.zeros(len(x), 0, dtype=torch.int64, device=x.device), x.new_zeros(len(x), 0)
    return start.indices.clamp(min=0), start.values


def replaced(
    indices: Int[Tensor, "batch some"], values: Float[Tensor, "batch some"], rows: Int[Tensor, " found"], z: SparseCodes
) -> tuple[Int[Tensor, "batch some"], Float[Tensor, "batch some"]]:
    """The same lists, but those of `rows` are z, which is no wider."""
    indices, values = indices.clone(), values.clone()
    width = z.indices.shape[1]
    indices[rows], values[rows] = 0, 0
    indices[rows, :width], values[rows, :width] = z.indices.clamp(min=0), z.values
    return indices, values
