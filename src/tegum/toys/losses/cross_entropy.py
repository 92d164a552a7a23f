"""CrossEntropy: -log softmax(output)[the active token], in nats, for inputs that have exactly one active feature (seed 004)."""

from dataclasses import dataclass

from torch import Tensor

from tegum.shapes import Float
from tegum.toys.losses._base import Loss


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(Loss):
    """Importance-weighted cross-entropy of the logits `output` against the one-hot x."""

    def per_sample(
        self,
        output: Float[Tensor, "instances batch features"],
        x: Float[Tensor, "instances batch features"],
        importance: Float[Tensor, "#instances features"],
    ) -> Float[Tensor, "instances batch"]:
        """-sum_i I_i x_i log softmax(output)_i."""
        return -(importance[:, None, :] * x * output.log_softmax(-1)).sum(-1)
