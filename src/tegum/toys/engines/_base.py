"""Engine: what trains a plan. The plan is checked already; the engine owes the same samples and the same gradient as every other engine."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from tegum.features import Distribution
from tegum.results import Result
from tegum.shapes import Float, Int
from tegum.toys.losses import Loss
from tegum.toys.models import Model

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A training run, whole and checked: what `train` was asked for, an entry an instance where it may differ by instance."""

    model: Model
    features: tuple[Distribution, ...]  # one an instance
    importance: Float[Tensor, "instances features"]
    seeds: Int[Tensor, " instances"]
    instance_ids: Int[Tensor, " instances"]
    steps: int
    batch_size: int
    lr: float
    weight_decay: float
    optimizer: str
    schedule: str
    loss: Loss
    record: tuple[int, ...]  # steps after which W, b and loss are kept, ascending; 0 is before training
    device: torch.device
    dtype: torch.dtype
    estimator: str = "sampled"  # or 'stratified' (tegum.toys.estimators)
    hidden_l1: Float[Tensor, " instances"] | None = None  # weights of |h|_1 in the training loss; None where all are 0

    @property
    def instances(self) -> int:
        """How many networks train side by side."""
        return len(self.features)


@dataclass(frozen=True, eq=False)
class History(Result):
    """What was recorded after each of `steps`: the loss on the batch that comes next, W and b. D_i is computed from W when asked."""

    steps: Int[Tensor, " times"]
    loss: Float[Tensor, "times instances"]
    W: Float[Tensor, "times instances features hidden"]
    b: Float[Tensor, "times instances features"]

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a recorded step and instance: step, instance, loss, |W|_F^2."""
        import pandas as pd

        times, instances = self.loss.shape
        return pd.DataFrame(
            {
                "step": self.steps.repeat_interleave(instances).numpy(),
                "instance": torch.arange(instances).repeat(times).numpy(),
                "loss": self.loss.flatten().numpy(),
                "squared_norm": self.W.square().sum((-2, -1)).flatten().numpy(),
            }
        )

    def __repr__(self) -> str:
        times, instances = self.loss.shape
        kept = f"steps {int(self.steps[0])} to {int(self.steps[-1])}" if times else "no steps"
        return f"History({times} moments of {instances} instances, {kept})"

    def feature_dimensionality(self) -> Float[Tensor, "times instances features"]:
        """D_i of every feature at every recorded step."""
        from tegum.geometry import feature_dimensionality

        return feature_dimensionality(self.W)


@dataclass(frozen=True, eq=False)
class Trained:
    """What an engine returns: the parameters by name, the history, and how many steps were done (fewer than planned after Ctrl-C)."""

    state: dict[str, Tensor]
    history: History
    steps_done: int


class Engine(ABC):
    """A way to train toy networks. Of those that apply, `engine="auto"` takes the one of the highest `rank`."""

    rank: ClassVar[int] = 0

    @abstractmethod
    def applies(self, plan: Plan) -> str:
        """Why this engine can not train the plan; empty when it can."""

    @abstractmethod
    def train(self, plan: Plan, progress: Callable[[int], None]) -> Trained:
        """Train; call `progress(steps done)` now and then. KeyboardInterrupt ends training early and returns what there is."""
