"""Loss: what an instance pays for a batch."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from tegum.features import Distribution
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class Loss(ABC):
    """A loss of every sample, so that a mean and its standard error can be told."""

    @abstractmethod
    def applies(self, features: Distribution) -> str:
        """Why this loss can not be had on `features`; empty when it can."""

    @abstractmethod
    def per_sample(
        self,
        output: Float[Tensor, "instances batch features"],
        x: Float[Tensor, "instances batch features"],
        importance: Float[Tensor, "#instances features"],
    ) -> Float[Tensor, "instances batch"]:
        """The loss of each sample; an instance's training loss is its mean over the batch."""
