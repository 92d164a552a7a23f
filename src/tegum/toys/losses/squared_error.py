"""SquaredError: mean over features of I_i (x_i - x'_i)^2, the loss of *Toy Models of Superposition* (its notebook's normalisation)."""

from dataclasses import dataclass

from torch import Tensor

from tegum.features import Distribution
from tegum.shapes import Float
from tegum.toys.losses._base import Loss


@dataclass(frozen=True, kw_only=True)
class SquaredError(Loss):
    """Importance-weighted squared error, averaged over features."""

    def applies(self, features: Distribution) -> str:
        """It takes any features."""
        del features
        return ""

    def per_sample(
        self,
        output: Float[Tensor, "instances batch features"],
        x: Float[Tensor, "instances batch features"],
        importance: Float[Tensor, "#instances features"],
    ) -> Float[Tensor, "instances batch"]:
        """Mean over features of I (x - x')^2."""
        return ((output - x).square() * importance[:, None, :]).mean(-1)
