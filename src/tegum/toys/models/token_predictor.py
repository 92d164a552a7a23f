"""TokenPredictor: which token is it, through a few neurons: h = f(x W + c), logits = h U + b (Cho 2024; Bricken et al. 2023).

Trained with cross-entropy on one-hot inputs. With one neuron it is the model of the argument that cross-entropy prefers a polysemantic neuron
even where there is no superposition. That argument takes a neuron that fires or does not: `neuron="step"` is that one, trained by the slope of a
sigmoid in place of its own (the straight-through estimator, Bengio et al. 2013); a ReLU neuron has a level as well.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from tegum.shapes import Float
from tegum.toys.models._base import Model, ToyModule


class TokenPredictorModule(ToyModule):
    """Untied weights, a bias on the neurons and one on the logits."""

    def __init__(self, W: Float[Tensor, "instances features hidden"], neuron: str) -> None:
        super().__init__()
        self.neuron = neuron
        self.instances, n, m = W.shape
        self.W = nn.Parameter(W)
        self.c = nn.Parameter(W.new_empty(self.instances, m))
        self.U = nn.Parameter(W.new_empty(self.instances, m, n))
        self.b = nn.Parameter(W.new_empty(self.instances, n))
        self.hidden = nn.Identity()

    def neurons(self, x: Float[Tensor, "instances batch features"]) -> Float[Tensor, "instances batch hidden"]:
        """What the neurons say."""
        level = torch.baddbmm(self.c[:, None, :], x, self.W)
        if self.neuron == "relu":
            return self.hidden(level.relu())
        slope = level.sigmoid()
        return self.hidden((level > 0).to(level) + (slope - slope.detach()))

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
    """`n_features` tokens, told apart through `n_hidden` neurons that are 'relu' or 'step' (1 above 0, else 0)."""

    loss: ClassVar[str] = "CrossEntropy"
    neuron: str = "relu"

    def __post_init__(self) -> None:
        """Check the sizes and the kind of neuron."""
        super().__post_init__()
        if self.neuron not in ("relu", "step"):
            raise ValueError(f"neuron is {self.neuron!r}; it is 'relu' or 'step'")

    def empty(self, instances: int) -> TokenPredictorModule:
        """W (instances, n, m), c (instances, m), U (instances, m, n), b (instances, n)."""
        return TokenPredictorModule(torch.empty(instances, self.n_features, self.n_hidden), self.neuron)
