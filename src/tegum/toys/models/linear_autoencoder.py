"""LinearAutoencoder: h = x W, x' = h W^T + b: the linear model of *Toy Models of Superposition*, which keeps the top m features and no more."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from tegum.shapes import Float
from tegum.toys.models._base import Model, ToyModule


class TiedModule(ToyModule):
    """Tied weights and an output bias: x W W^T + b."""

    def __init__(self, W: Float[Tensor, "instances features hidden"]) -> None:
        super().__init__()
        self.instances = W.shape[0]
        self.W = nn.Parameter(W)
        self.b = nn.Parameter(W.new_empty(W.shape[:2]))
        self.hidden = nn.Identity()

    def predict(self, x: Float[Tensor, "instances batch features"]) -> Float[Tensor, "instances batch features"]:
        """Two batched products."""
        return torch.baddbmm(self.b[:, None, :], self.hidden(torch.bmm(x, self.W)), self.W.mT)

    @property
    def directions(self) -> Float[Tensor, "instances features hidden"]:
        """W."""
        return self.W

    @property
    def bias(self) -> Float[Tensor, "instances features"]:
        """The output bias."""
        return self.b


@dataclass(frozen=True, kw_only=True)
class LinearAutoencoder(Model):
    """`n_features` features through `n_hidden` dims and back, tied weights, nothing else."""

    exact: ClassVar[Literal["relu", "linear"] | None] = "linear"

    def empty(self, instances: int) -> TiedModule:
        """W (instances, n, m), b (instances, n)."""
        return TiedModule(torch.empty(instances, self.n_features, self.n_hidden))
