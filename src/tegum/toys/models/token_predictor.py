"""TokenPredictor: which token is it, through a few ReLU neurons: h = ReLU(x W + c), logits = h U + b (seed 004; Bricken et al. 2023).

Trained with cross-entropy on one-hot inputs. With one neuron it is the model of the argument that cross-entropy prefers a polysemantic neuron
even where there is no superposition.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from tegum.shapes import Float
from tegum.toys.models._base import Model, ToyModule


class TokenPredictorModule(ToyModule):
    """Untied weights, a bias on the neurons and one on the logits."""

    def __init__(self, W: Float[Tensor, "instances features hidden"]) -> None:
        super().__init__()
        self.instances, n, m = W.shape
        self.W = nn.Parameter(W)
        self.c = nn.Parameter(W.new_empty(self.instances, m))
        self.U = nn.Parameter(W.new_empty(self.instances, m, n))
        self.b = nn.Parameter(W.new_empty(self.instances, n))

    def neurons(self, x: Float[Tensor, "instances batch features"]) -> Float[Tensor, "instances batch hidden"]:
        """What the neurons say."""
        return torch.baddbmm(self.c[:, None, :], x, self.W).relu()

    def predict(self, x: Float[Tensor, "instances batch features"]) -> Float[Tensor, "instances batch features"]:
        """Logits over the tokens."""
        return torch.baddbmm(self.b[:, None, :], self.neurons(x), self.U)

    @property
    def directions(self) -> Float[Tensor, "instances features hidden"]:
        """W: how each token drives the neurons."""
        return self.W

    @property
    def bias(self) -> Float[Tensor, "instances features"]:
        """The bias on the logits."""
        return self.b


@dataclass(frozen=True, kw_only=True)
class TokenPredictor(Model):
    """`n_features` tokens, told apart through `n_hidden` ReLU neurons."""

    loss: ClassVar[str] = "CrossEntropy"

    def empty(self, instances: int) -> TokenPredictorModule:
        """W (instances, n, m), c (instances, m), U (instances, m, n), b (instances, n)."""
        return TokenPredictorModule(torch.empty(instances, self.n_features, self.n_hidden))
