"""ReLU with an l1 penalty: the sparse autoencoder of Cunningham et al. 2023 and Bricken et al. 2023.

z = ReLU(pre-activations); |x - y|^2 + penalty * sum_i z_i |decoder_i|, the form of Anthropic's update of April 2024 (here |decoder_i| is 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tegum.checks import check_number
from tegum.learning.autoencoders._base import ALONE, Autoencoder, Loss, Moment, Weights, squared_error
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class ReLUSAE(Autoencoder):
    """Codes are what is positive; `penalty` times their sum is added to the squared error, and grows from 0 as training warms up."""

    penalty: int | float = 5.0

    def _check(self) -> None:
        check_number("penalty", self.penalty)

    def encode(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """The positive pre-activations."""
        return self.before(weights, x).relu()

    def loss(self, weights: Weights, x: Float[Tensor, "batch dims"], now: Moment = ALONE) -> Loss:
        """Squared error, l1, revival."""
        before = self.before(weights, x)
        z = before.relu()
        y = self.decode(weights, z)
        weighed = torch.mv(z, weights["decoder"].norm(dim=1)).mean()
        terms = {"error": squared_error(x, y), "sparsity": now.ramp * self.penalty * weighed}
        return Loss(terms | self._revive(weights, before, x - y, now), z)
