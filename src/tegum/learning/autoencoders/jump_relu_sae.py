"""JumpReLU: pre-activations above a threshold that each feature learns (Rajamanoharan et al. 2024, 'Jumping ahead').

|x - y|^2 + penalty * (how many codes are on), whose gradient with respect to a threshold is that of the expected loss, estimated from the
pre-activations within half a bandwidth of it (sec. 4 there). With `target` instead of a penalty, 2 / target * (on - target)^2, as
SAELens has it after Gemma Scope 2.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from tegum.checks import check_number
from tegum.learning.autoencoders._base import ALONE, Autoencoder, Loss, Moment, Weights, squared_error
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class JumpReLUSAE(Autoencoder):
    """Each code that is on costs `penalty`; or, where `target` is given, being away from so many of them a sample does.

    `first` is the threshold that training begins with; `bandwidth` is that of the estimate of its gradient.
    """

    in_units: ClassVar[tuple[str, ...]] = ("b_enc", "b_dec", "threshold")
    per_code: ClassVar[tuple[str, ...]] = ("encoder", "b_enc", "threshold")

    penalty: int | float = 1.0
    target: int | float | None = None
    first: int | float = 0.5
    bandwidth: int | float = 0.5

    def _check(self) -> None:
        check_number("penalty", self.penalty)
        check_number("first", self.first)
        check_number("bandwidth", self.bandwidth, zero=False)
        if self.target is not None:
            check_number("target", self.target, zero=False)

    def begin(self, decoder: Float[Tensor, "features dims"], centre: Float[Tensor, " dims"]) -> dict[str, Tensor]:
        """As every autoencoder, and the first threshold."""
        return super().begin(decoder, centre) | {"threshold": decoder.new_full((self.n_features,), self.first)}

    def encode(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """The positive pre-activations above their thresholds."""
        before = self.before(weights, x)
        return torch.where(before > weights["threshold"], before.relu(), 0)

    def loss(self, weights: Weights, x: Float[Tensor, "batch dims"], now: Moment = ALONE) -> Loss:
        """Squared error, what is on, revival. A threshold below 0 counts as 0."""
        before = self.before(weights, x)
        threshold = weights["threshold"].clamp(min=0)
        z = _Jump.apply(before, threshold, self.bandwidth)
        on = _Step.apply(before, threshold, self.bandwidth).sum(1)  # pyright: ignore[reportAttributeAccessIssue]
        cost = self.penalty * on if self.target is None else 2 / self.target * (on - self.target).square()
        y = self.decode(weights, z)
        terms = {"error": squared_error(x, y), "sparsity": now.ramp * cost.mean()}
        return Loss(terms | self._revive(weights, before, x - y, now), z)


def _near(before: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
    return ((before - threshold).abs() < bandwidth / 2).to(before.dtype) / bandwidth


class _Jump(torch.autograd.Function):
    """before where it exceeds the threshold."""

    @staticmethod
    def forward(ctx: Any, before: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(before, threshold)
        ctx.bandwidth = bandwidth
        return torch.where(before > threshold, before, 0)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, None]:
        before, threshold = ctx.saved_tensors
        (gradient,) = gradients
        return gradient * (before > threshold), (-threshold * _near(before, threshold, ctx.bandwidth) * gradient).sum(0), None


class _Step(torch.autograd.Function):
    """1 where before exceeds the threshold."""

    @staticmethod
    def forward(ctx: Any, before: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(before, threshold)
        ctx.bandwidth = bandwidth
        return (before > threshold).to(before.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Tensor, None]:
        before, threshold = ctx.saved_tensors
        (gradient,) = gradients
        return None, (-_near(before, threshold, ctx.bandwidth) * gradient).sum(0), None
