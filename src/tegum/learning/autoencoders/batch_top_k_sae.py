"""BatchTopK: the largest pre-activations of a whole batch, k a sample on average (Bussmann, Leask & Nanda 2024, 'BatchTopK sparse autoencoders').

Once trained, a code is on where it exceeds a threshold: the mean, in training, of the least code that was on, so that a sample depends on no other.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_number
from tegum.learning.autoencoders._base import ALONE, Loss, Moment, Weights, squared_error
from tegum.learning.autoencoders._k_sparse import KSparse, Lists, listed_above
from tegum.shapes import Float

_MEMORY = 0.95  # of the mean of thresholds: some twenty batches


@dataclass(frozen=True, kw_only=True)
class BatchTopKSAE(KSparse):
    """`n_active` codes a sample on average, which need be no whole number."""

    in_units: ClassVar[tuple[str, ...]] = ("b_enc", "b_dec", "threshold")
    per_code: ClassVar[tuple[str, ...]] = ("encoder", "b_enc", "threshold")
    untrained: ClassVar[tuple[str, ...]] = ("threshold",)

    n_active: int | float

    def _check(self) -> None:
        check_number("n_active", self.n_active, zero=False)
        if self.n_active > self.n_features:
            raise ValueError(f"n_active is {self.n_active!r} but there are {self.n_features:,} features")

    def begin(self, decoder: Float[Tensor, "features dims"], centre: Float[Tensor, " dims"]) -> dict[str, Tensor]:
        """As every autoencoder; the threshold is not known yet."""
        return super().begin(decoder, centre) | {"threshold": decoder.new_full((self.n_features,), torch.nan)}

    def encode(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """The positive pre-activations above the threshold."""
        before = self.before(weights, x)
        return torch.where(before > weights["threshold"].nan_to_num(0.0), before.relu(), 0)

    def count(self, samples: int) -> int:
        """How many codes of a batch of `samples` are on."""
        return max(1, min(int(self.n_active * samples), self.n_features * samples))

    def loss(self, weights: Weights, x: Float[Tensor, "batch dims"], now: Moment = ALONE) -> Loss:
        """Squared error, revival."""
        before, z = self._kept(weights, x)
        y = self.decode(weights, z)
        return Loss({"error": squared_error(x, y)} | self._revive(weights, before, x - y, now), z, self.lowered(weights, z))

    def lowered(self, weights: Weights, values: Tensor) -> dict[str, Tensor]:
        """The threshold after a batch with these codes on."""
        on = values.detach()[values.detach() > 0]
        if not len(on):
            return {}
        least, mean = on.min(), weights["threshold"]
        return {"threshold": torch.where(mean.isnan(), least, _MEMORY * mean + (1 - _MEMORY) * least)}

    def listed(self, before: Float[Tensor, "batch features"], weights: Weights) -> Lists:
        """The positive ones of the largest of the batch."""
        return listed_above(before, self.count(len(before)), float(weights["threshold"][0]))

    def noted(self, weights: Weights, lists: Lists) -> dict[str, Tensor]:
        """The threshold."""
        return self.lowered(weights, torch.from_numpy(lists.values))

    def _kept(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> tuple[Tensor, Tensor]:
        before = self.before(weights, x)
        flat = before.flatten()
        kept = flat.detach().topk(self.count(len(x)), sorted=False).indices
        return before, torch.zeros_like(flat).scatter(0, kept, flat[kept].relu()).view_as(before)
