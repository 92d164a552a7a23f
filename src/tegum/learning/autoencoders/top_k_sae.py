"""TopK: the k largest pre-activations of each sample are its codes (Makhzani & Frey 2014; Gao et al. 2024, sec. 2.3)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.dictionaries._largest import largest
from tegum.learning.autoencoders._base import ALONE, Loss, Moment, Weights, squared_error
from tegum.learning.autoencoders._k_sparse import KSparse, Lists, listed_rows
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class TopKSAE(KSparse):
    """At most `n_active` codes a sample, all positive: what is not positive among the largest is 0."""

    n_active: int

    def _check(self) -> None:
        check_count("n_active", self.n_active)
        if self.n_active > self.n_features:
            raise ValueError(f"n_active is {self.n_active!r} but there are {self.n_features:,} features")

    def encode(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """The largest pre-activations of each sample, where they are positive."""
        return self._kept(self.before(weights, x))

    def loss(self, weights: Weights, x: Float[Tensor, "batch dims"], now: Moment = ALONE) -> Loss:
        """Squared error, revival."""
        before = self.before(weights, x)
        z = self._kept(before)
        y = self.decode(weights, z)
        return Loss({"error": squared_error(x, y)} | self._revive(weights, before, x - y, now), z)

    def listed(self, before: Float[Tensor, "batch features"], weights: Weights) -> Lists:  # noqa: ARG002
        """The positive ones of the largest."""
        return listed_rows(*largest(before, self.n_active))

    def _kept(self, before: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        kept = largest(before.detach(), self.n_active)[1]
        return torch.zeros_like(before).scatter(1, kept, before.gather(1, kept).relu())
