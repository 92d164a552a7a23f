"""The parameters that every toy experiment shares: how its networks are trained."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from tegum.experiments import Experiment

Density = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Importance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Training(Experiment.Params):
    """How many networks a setting gets, and how each is trained. The defaults are the notebook's of Elhage et al. 2022."""

    seeds: PositiveInt = 10
    steps: PositiveInt = 10_000
    batch_size: PositiveInt = 1024
    lr: PositiveFloat = 1e-3
    schedule: Literal["constant", "linear", "cosine"] = "constant"

    def training(self) -> dict[str, Any]:
        """The arguments of `tegum.train` that say how; `instances` is left to the experiment."""
        return {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "schedule": self.schedule,
            "seed": self.seed,
            "progress": False,
        }

    def how(self) -> str:
        """The same in words, for captions."""
        decay = "" if self.schedule == "constant" else f", {self.schedule} decay"
        return f"AdamW, lr {self.lr:g}{decay}, {self.steps:,} steps of {self.batch_size:,} samples"


def quick(**changes: Any) -> dict[str, Any]:
    """The training of the quick presets: a fifth of the steps on small batches, at a larger rate that decays; and what `changes` says."""
    return {"steps": 2_000, "batch_size": 256, "lr": 0.01, "schedule": "cosine", **changes}
