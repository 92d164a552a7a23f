"""Matching pursuit: codes are chosen one at a time, each from what the others left unexplained (Costa et al. 2025, 'From flat to hierarchical').

It has no encoder: the direction that the residual is most along is taken, at that length, and subtracted, `n_active` times. Gradients go through
the lengths, not through which direction was taken.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.dictionaries._largest import largest_one
from tegum.learning.autoencoders._base import ALONE, Autoencoder, Loss, Moment, Weights, like_lengths
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class MatchingPursuitSAE(Autoencoder):
    """`n_active` steps, each of which takes a feature at a positive code; one may be taken again, and then its codes add up."""

    in_units: ClassVar[tuple[str, ...]] = ("b_dec",)
    per_code: ClassVar[tuple[str, ...]] = ()

    n_active: int

    def _check(self) -> None:
        check_count("n_active", self.n_active)

    def begin(self, decoder: Float[Tensor, "features dims"], centre: Float[Tensor, " dims"]) -> dict[str, Tensor]:
        """Directions and the mean of x."""
        return {"decoder": decoder, "b_dec": centre}

    def with_unit_directions(self, weights: Weights) -> dict[str, Tensor]:
        """Raises ValueError for others: at another length, steps are of another size, and codes another function of x."""
        return like_lengths(self, weights, 1.0)

    def before(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """Correlations of x - b_dec with the directions."""
        return (x - weights["b_dec"]) @ weights["decoder"].T

    def encode(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """The codes of `n_active` steps."""
        return self._pursued(weights, x)[0]

    def loss(self, weights: Weights, x: Float[Tensor, "batch dims"], now: Moment = ALONE) -> Loss:
        """Squared error, revival by what is left at the end."""
        z, left = self._pursued(weights, x)
        terms = {"error": left.square().sum(1).mean()}
        if now.silent is not None and now.silent.any():
            terms |= self._revive(weights, left.detach() @ weights["decoder"].T, left, now)
        return Loss(terms, z)

    def _pursued(
        self, weights: Weights, x: Float[Tensor, "batch dims"]
    ) -> tuple[Float[Tensor, "batch features"], Float[Tensor, "batch dims"]]:
        """The codes, and what is left of x."""
        left, D = x - weights["b_dec"], weights["decoder"]
        z = torch.zeros(len(x), self.n_features, dtype=x.dtype, device=x.device)
        for _ in range(self.n_active):
            chosen = largest_one(left.detach() @ D.detach().T)[1]
            directions = D[chosen]
            length = (left * directions).sum(1, keepdim=True).relu()
            z = z.scatter_add(1, chosen[:, None], length)
            left = left - length * directions
        return z, left
