"""Linear probe: each feature is read by the linear map that is best for it, given everything else that may be on.

For codes whose entries are uncorrelated with second moment s = density x E[value^2], and noise of variance v a dim, the B that minimises
E|z - B x|^2 is C_zx C_xx^-1 = s D (s D^T D + v I)^-1 = D (D^T D + ridge I)^-1 with ridge = v / s (Kay 1993, *Estimation Theory*, ch. 12; the
rows of D are directions). It shrinks every feature by b_i . D_i < 1, so that z = 1 would be read as less; each probe is scaled to b_i . D_i = 1, and
has the least interference of all that read their own feature at that gain (Capon 1969). Only d x d matrices are made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from tegum.checks import check_count, check_number
from tegum.decoders._above import above
from tegum.decoders._base import Decoded, Decoder, Values, as_kind
from tegum.decoders._scaled import Scaled
from tegum.dictionaries import Dictionary
from tegum.shapes import Float

_BLOCK = 1 << 22  # numbers of directions held at a time


class _Probes(NamedTuple):
    """B = D M, each row divided by its gain."""

    M: Float[Tensor, "dims dims"]
    readers: Scaled


@dataclass(frozen=True, kw_only=True)
class LinearProbe(Decoder):
    """Keep the `n_active` largest readings of linear probes; or, where that is None, those above `threshold` (in magnitude, if signed).

    `threshold` is 1/2 by default, and None where `n_active` is given. `ridge` is the variance of the noise in a dim of x over the second moment of
    a feature, which is its density times the mean square of an active value; None, or 0, is for no noise.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    knows: ClassVar[tuple[str, ...]] = (*Decoder.knows, "threshold", "ridge")
    arrays: ClassVar[int] = 0
    n_active: int | None
    threshold: float | None = None
    ridge: float | None = None

    def _check(self) -> None:
        for name in ("threshold", "ridge"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name))
        if self.n_active is not None:
            check_count("n_active", self.n_active)
        told = (0.5 if self.threshold is None else float(self.threshold)) if self.n_active is None else None
        object.__setattr__(self, "threshold", told)
        object.__setattr__(self, "ridge", self.ridge or None)

    def init(self, dictionary: Dictionary) -> _Probes:
        """The inverse of the frame operator D^T D, by blocks of directions in float64, and every feature's gain D_i . M D_i."""
        frame = torch.zeros(dictionary.n_dims, dictionary.n_dims, dtype=torch.float64, device=dictionary.device)
        for rows in _blocks(dictionary):
            frame += rows.double().T @ rows.double()
        M = _inverse(frame, self.ridge or 0.0, torch.finfo(dictionary.dtype).eps)
        gains = torch.cat([(rows.double() @ M * rows.double()).sum(dim=1) for rows in _blocks(dictionary)])
        # all that is seen of a direction in dims that were left out
        rounding = torch.finfo(M.dtype).eps * float(M.trace()) * dictionary.squared_norms()
        gains = torch.where(gains > rounding.clamp(min=torch.finfo(dictionary.dtype).tiny), gains, torch.inf).to(dictionary.dtype)
        return _Probes(M.to(dictionary.dtype), Scaled(dictionary, gains))

    def run(self, state: _Probes, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """One pass of correlations, after one of the d x d matrix."""
        seen = x @ state.M
        if self.n_active is None:
            threshold = self.threshold or 0.0
            return above(state.readers, seen, lambda _: threshold, self.values)
        readings, indices = state.readers.largest(seen, self.n_active, signed=self.values is Values.SIGNED)
        return Decoded.of(indices, as_kind(readings, self.values), dictionary.n_features)


def _inverse(frame: Float[Tensor, "dims dims"], ridge: float, eps: float) -> Float[Tensor, "dims dims"]:
    """(frame + ridge I)^-1 on the dims that directions or noise reach by more than rounding, which is squared in the frame; 0 on the others."""
    values, vectors = torch.linalg.eigh(frame)
    values = values + ridge
    d = len(values)
    reached = values > values[-1] * max(d * torch.finfo(values.dtype).eps, (d * eps) ** 2)
    return (vectors * torch.where(reached, 1 / values, 0)) @ vectors.T


def _blocks(dictionary: Dictionary) -> Iterator[Float[Tensor, "some dims"]]:
    features = torch.arange(dictionary.n_features, device=dictionary.device)
    return (dictionary.directions(some) for some in features.split(max(1, _BLOCK // dictionary.n_dims)))
