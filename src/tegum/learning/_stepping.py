"""Stepper: one autoencoder in training, a batch at a time. Torch's gradients here, of every architecture: what faster ways are held to.

Adam as Kingma & Ba 2015 have it. The rows of `decoder` keep length 1: the part of their gradient along themselves is left out, and they are
rescaled after each step.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tegum.learning.autoencoders._base import Autoencoder, Moment
from tegum.shapes import Bool, Float

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Took:
    """What one step saw: the terms of its loss, the squared error, the mean number of codes on, and which features were on at all."""

    terms: dict[str, float]
    error: float
    l0: float
    on: Bool[Tensor, " features"]


class Stepper(ABC):
    """An architecture, its weights, and two running means of gradients a weight that is trained: all but those that are `frozen`."""

    def __init__(self, architecture: Autoencoder, weights: Mapping[str, Tensor], frozen: Collection[str] = ()) -> None:
        self.architecture, self.frozen = architecture, frozenset(frozen)
        self.weights = {name: value.detach().clone() for name, value in weights.items()}
        self.trained = [name for name in weights if name not in {*architecture.untrained, *frozen}]
        self.means = {name: torch.zeros_like(self.weights[name]) for name in self.trained}
        self.squares = {name: torch.zeros_like(self.weights[name]) for name in self.trained}
        self.steps = 0

    @abstractmethod
    def step(self, x: Float[Tensor, "batch dims"], lr: float, now: Moment) -> Took:
        """Take one step."""

    def note(self, updates: Mapping[str, Tensor]) -> None:
        """Change weights that no gradient does, unless they are frozen."""
        for name, value in updates.items():
            if name not in self.frozen:
                self.weights[name].copy_(value)

    def state(self) -> dict[str, Tensor]:
        """All that a training needs to go on."""
        kinds = {"weights": self.weights, "means": self.means, "squares": self.squares}
        return {f"{kind}/{name}": value for kind, values in kinds.items() for name, value in values.items()} | {
            "steps": torch.tensor(self.steps)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        for kind, values in {"weights": self.weights, "means": self.means, "squares": self.squares}.items():
            for name, value in values.items():
                value.copy_(state[f"{kind}/{name}"])
        self.steps = int(state["steps"])

    def adam(self, lr: float) -> tuple[float, float]:
        """The size of this step, and what is added to roots: the two biases of running means divided out."""
        root = (1 - BETA2**self.steps) ** 0.5
        return lr * root / (1 - BETA1**self.steps), EPS * root


class TorchStepper(Stepper):
    """Any architecture, on any device, by torch's own gradients."""

    def step(self, x: Float[Tensor, "batch dims"], lr: float, now: Moment) -> Took:
        """Take one step."""
        leaves = {name: self.weights[name].requires_grad_() for name in self.trained}
        loss = self.architecture.loss(self.weights, x, now)
        gradients = torch.autograd.grad(loss.total, list(leaves.values()), allow_unused=True)
        with torch.no_grad():
            for leaf in leaves.values():
                leaf.requires_grad_(False)
            self._spend(dict(zip(leaves, gradients, strict=True)), lr)
            self.note(loss.updates)
            on = loss.codes != 0
            terms = {name: float(value) for name, value in loss.terms.items()}
            return Took(terms, terms["error"] if loss.left is None else float(loss.left), float(on.sum()) / len(x), on.any(0))

    def _spend(self, gradients: Mapping[str, Tensor | None], lr: float) -> None:
        self.steps += 1
        size, small = self.adam(lr)
        for name, gradient in gradients.items():
            if gradient is None:
                continue
            weight, mean, square = self.weights[name], self.means[name], self.squares[name]
            across = gradient - weight * (weight * gradient).sum(1, keepdim=True) if name == "decoder" else gradient
            mean.mul_(BETA1).add_(across, alpha=1 - BETA1)
            square.mul_(BETA2).addcmul_(across, across, value=1 - BETA2)
            weight.addcdiv_(mean, square.sqrt().add_(small), value=-size)
            if name == "decoder":
                weight.div_(weight.norm(dim=1, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny))
