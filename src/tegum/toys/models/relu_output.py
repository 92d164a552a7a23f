"""ReLUOutput: h = x W, x' = ReLU(h W^T + b): the model of *Toy Models of Superposition* (Elhage et al. 2022, 'Demonstrating superposition')."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from tegum.shapes import Float
from tegum.toys.models._base import Model
from tegum.toys.models.linear_autoencoder import TiedModule


class ReLUOutputModule(TiedModule):
    """The linear autoencoder's module with a ReLU on its output."""

    def predict(self, x: Float[Tensor, "instances batch features"]) -> Float[Tensor, "instances batch features"]:
        """ReLU(x W W^T + b)."""
        return super().predict(x).relu()


@dataclass(frozen=True, kw_only=True)
class ReLUOutput(Model):
    """`n_features` features through `n_hidden` dims and back, tied weights, ReLU on the output."""

    exact: ClassVar[Literal["relu", "linear"] | None] = "relu"

    def empty(self, instances: int) -> TiedModule:
        """W (instances, n, m), b (instances, n)."""
        return ReLUOutputModule(torch.empty(instances, self.n_features, self.n_hidden))
