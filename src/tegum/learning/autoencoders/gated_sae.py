"""Gated: one product decides which features are on, another by how much.

Rajamanoharan et al. 2024, 'Improving dictionary learning with gated sparse autoencoders'. With p = (x - b_dec) . encoder: on where p + b_gate > 0, at
ReLU(exp(r_mag) p + b_mag). The l1 penalty is on ReLU(p + b_gate) alone, which must also explain x by itself, through a decoder that learns nothing
from that (eqs. 7 and 8 there).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_number
from tegum.learning.autoencoders._base import ALONE, Autoencoder, Loss, Moment, Weights, squared_error
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class GatedSAE(Autoencoder):
    """`penalty` times the sum of what the gates see is added to the two squared errors."""

    in_units: ClassVar[tuple[str, ...]] = ("b_gate", "b_mag", "b_dec")
    per_code: ClassVar[tuple[str, ...]] = ("encoder", "b_gate", "b_mag")

    penalty: int | float = 5.0

    def _check(self) -> None:
        check_number("penalty", self.penalty)

    def begin(self, decoder: Float[Tensor, "features dims"], centre: Float[Tensor, " dims"]) -> dict[str, Tensor]:
        """As every autoencoder, with two biases for one and a scale; all 0."""
        weights = super().begin(decoder, centre)
        none = weights.pop("b_enc")
        return weights | {"b_gate": none, "b_mag": none.clone(), "r_mag": none.clone()}

    def before(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """What the gates see: (x - b_dec) . encoder_i + b_gate_i."""
        return torch.addmm(weights["b_gate"], x - weights["b_dec"], weights["encoder"].T)

    def encode(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """The magnitudes of what is let through."""
        return self._through(weights, self.before(weights, x))

    def loss(self, weights: Weights, x: Float[Tensor, "batch dims"], now: Moment = ALONE) -> Loss:
        """Squared error, l1 of the gates, squared error of the gates by themselves, revival."""
        gates = self.before(weights, x)
        z, seen = self._through(weights, gates), gates.relu()
        y = self.decode(weights, z)
        alone = torch.addmm(weights["b_dec"].detach(), seen, weights["decoder"].detach())
        weighed = torch.mv(seen, weights["decoder"].norm(dim=1)).mean()
        terms = {"error": squared_error(x, y), "sparsity": now.ramp * self.penalty * weighed, "gates": squared_error(x, alone)}
        return Loss(terms | self._revive(weights, gates, x - y, now), z)

    def _through(self, weights: Weights, gates: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        scale = weights["r_mag"].exp()
        magnitudes = (gates - weights["b_gate"]) * scale + weights["b_mag"]
        return torch.where(gates > 0, magnitudes.relu(), 0)
