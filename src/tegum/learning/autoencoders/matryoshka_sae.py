"""Matryoshka: a BatchTopK autoencoder whose first features must do alone as well.

Bussmann et al. 2025, 'Learning multi-level features with Matryoshka sparse autoencoders'. The loss is the mean over levels of the squared error of
reconstructing from the features of that level and those before it. So general features come first, and are not absorbed by special ones.
"""

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from tegum.learning.autoencoders._base import ALONE, Loss, Moment, Weights, squared_error
from tegum.learning.autoencoders.batch_top_k_sae import BatchTopKSAE
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class MatryoshkaSAE(BatchTopKSAE):
    """`shares` are those of the features that each level adds, the general ones first."""

    shares: tuple[int | float, ...] = (1 / 16, 1 / 8, 3 / 16, 5 / 16, 5 / 16)

    def _check(self) -> None:
        super()._check()
        object.__setattr__(self, "shares", tuple(map(float, self.shares)))
        if not self.shares or min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"shares are {self.shares}; they must be positive and add up to 1")
        if min(b - a for a, b in pairwise([0, *self.ends])) < 1:
            raise ValueError(f"shares {self.shares} of {self.n_features} features leave a level with none")

    @property
    def ends(self) -> list[int]:
        """Where each level ends, in features."""
        return [*[round(total * self.n_features) for total in accumulate(self.shares)][:-1], self.n_features]

    def loss(self, weights: Weights, x: Float[Tensor, "batch dims"], now: Moment = ALONE) -> Loss:
        """The mean squared error of the levels, revival."""
        before, z = self._kept(weights, x)
        y: Any = weights["b_dec"]
        errors = []
        for first, last in pairwise([0, *self.ends]):
            y = y + z[:, first:last] @ weights["decoder"][first:last]
            errors.append(squared_error(x, y))
        terms = {"error": torch.stack(errors).mean()} | self._revive(weights, before, x - y, now)
        return Loss(terms, z, self.lowered(weights, z), left=errors[-1])
