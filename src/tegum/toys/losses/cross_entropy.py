"""CrossEntropy: -log softmax(output)[the active token], in nats, for inputs that have exactly one active feature (Cho 2024)."""

import math
from dataclasses import dataclass

from torch import Tensor

from tegum.features import Distribution
from tegum.shapes import Float
from tegum.toys.losses._base import Loss


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(Loss):
    """Importance-weighted cross-entropy of the logits `output` against the one-hot x."""

    def applies(self, features: Distribution) -> str:
        """A sample must be a token: one active feature, of value 1."""
        if features.values != "binary":
            return f"a token's value is 1, but the values of {type(features).__name__} are {features.values!r} (values='binary' is wanted)"
        if features.max_active != 1 or not math.isclose(features.mean_active(), 1):
            return (
                f"a sample must have exactly one active feature, but {type(features).__name__} has {features.mean_active():.3g} on average "
                f"and up to {features.max_active} (tegum.features.OneHot always has one)"
            )
        return ""

    def per_sample(
        self,
        output: Float[Tensor, "instances batch features"],
        x: Float[Tensor, "instances batch features"],
        importance: Float[Tensor, "#instances features"],
    ) -> Float[Tensor, "instances batch"]:
        """-sum_i I_i x_i log softmax(output)_i."""
        return -(importance[:, None, :] * x * output.log_softmax(-1)).sum(-1)
