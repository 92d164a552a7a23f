"""Run: what `train` returns: every instance's weights and loss, the best of them, any of them as a module, and saving to one safetensors file."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import torch
from torch import Tensor

from tegum import parts
from tegum.features import Distribution
from tegum.files import read_tensors, write_tensors
from tegum.results import Result, table
from tegum.shapes import Float, Int
from tegum.toys.engines import History
from tegum.toys.models import Model, ToyModule

if TYPE_CHECKING:
    import pandas as pd

_FORMAT = "toy run 1"


@dataclass(frozen=True, eq=False)
class Instance(Result):
    """One trained network: `index` in its run, W (n, m), b (n,), `loss`."""

    index: int
    W: Float[Tensor, "features hidden"]
    b: Float[Tensor, " features"]
    loss: float

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a feature: the norm of its direction, its bias."""
        return table("feature", norm=self.W.norm(dim=-1), bias=self.b)

    def __repr__(self) -> str:
        return f"Instance({self.index}, {self.W.shape[0]} features, {self.W.shape[1]} hidden, loss {self.loss:.4g})"


@dataclass(frozen=True, eq=False)
class Run(Result):
    """Trained instances, on the CPU. `loss` is the exact expected loss where `loss_kind` says so, else the mean over one common set.

    `seconds` are those of the training alone; measuring the loss comes on top.
    """

    model: Model
    features: tuple[Distribution, ...]
    importance: Float[Tensor, "instances features"]
    settings: dict[str, Any]
    state: dict[str, Tensor]
    W: Float[Tensor, "instances features hidden"]
    b: Float[Tensor, "instances features"]
    loss: Float[Tensor, " instances"]
    loss_se: Float[Tensor, " instances"]
    loss_kind: str
    history: History
    steps_done: int
    seconds: float

    def __len__(self) -> int:
        return len(self.loss)

    def __getitem__(self, index: SupportsIndex) -> Instance:
        at = range(len(self))[index]
        return Instance(at, self.W[at], self.b[at], float(self.loss[at]))

    def best(self) -> Instance:
        """The instance of the smallest loss. ValueError where instances differ in features or importance, or all have diverged."""
        return self[self.best_of(len(self))[0]]

    def best_of(self, n: int) -> Int[Tensor, " groups"]:
        """The index of the best of each `n` neighbours: for sweeps that give every setting n seeds side by side.

        Raises ValueError when neighbours differ in features or importance, for their losses do not compare, or have all diverged.
        """
        if n < 1 or len(self) % n:
            raise ValueError(f"{len(self)} instances do not fall into groups of {n}")
        described = {f: _describe(f) for f in dict.fromkeys(self.features)}
        for i, features in enumerate(self.features):
            first = i - i % n
            if described[features] != described[self.features[first]] or not self.importance[i].equal(self.importance[first]):
                raise ValueError(
                    f"instances {first} and {i} differ in features or importance, so their losses do not compare: "
                    "best_of(n) takes the best of each n neighbours that are alike"
                )
        losses = torch.where(self.loss.isfinite(), self.loss, torch.inf).reshape(-1, n)
        lost = losses.isinf().all(1).nonzero().flatten().tolist()
        if lost:
            which = f"all {n} instances" if n == len(self) else f"instances {lost[0] * n} to {lost[0] * n + n - 1}"
            raise ValueError(f"{which} diverged (their loss is not finite); try a smaller lr")
        return losses.argmin(1) + torch.arange(0, len(self), n)

    def module(self, index: SupportsIndex) -> ToyModule:
        """Instance `index` as a torch.nn.Module that takes (batch, features): for hooks and other people's tools."""
        at = range(len(self))[index]
        return self.model.restored(self.state, slice(at, at + 1))

    def to_dataframe(self) -> "pd.DataFrame":
        """One line an instance: loss, its standard error, features represented, dims per feature; the last two NaN where it diverged.

        Where instances differ in features there is a column that names them, and how many of them are active on average.
        """
        import pandas as pd

        from tegum import geometry

        alive = self.W.isfinite().flatten(1).all(1)
        W = torch.where(alive[:, None, None], self.W, 0)
        columns = {
            "instance": np.arange(len(self)),
            "loss": self.loss.numpy(),
            "loss_se": self.loss_se.numpy(),
            "represented": torch.where(alive, geometry.represented(W).sum(-1), torch.nan).numpy(),
            "dims_per_feature": torch.where(alive, geometry.dims_per_feature(W), torch.nan).numpy(),
        }
        if len(set(self.features)) > 1:
            columns |= {"mean_active": [f.mean_active() for f in self.features], "features": [_brief(f) for f in self.features]}
        return pd.DataFrame(columns)

    def save(self, path: str | Path) -> None:
        """Write everything to one safetensors file, whole or not at all; `tegum.load` reads it back. Nothing is pickled."""
        distinct: list[Distribution] = []
        for f in self.features:
            if not any(f is known for known in distinct):
                distinct.append(f)
        facts = {
            "tegum": _FORMAT,
            "model": _describe(self.model),
            "features": [_describe(f) for f in distinct],
            "features_of": [next(i for i, known in enumerate(distinct) if known is f) for f in self.features],
            "settings": self.settings,
            "loss_kind": self.loss_kind,
            "steps_done": self.steps_done,
            "seconds": self.seconds,
        }
        tensors = {f"state.{k}": v for k, v in self.state.items()}
        tensors |= {f"history.{f.name}": getattr(self.history, f.name) for f in dataclasses.fields(self.history)}
        tensors |= {"importance": self.importance, "loss": self.loss, "loss_se": self.loss_se, "W": self.W, "b": self.b}
        write_tensors(path, tensors, facts)

    def __repr__(self) -> str:
        told = self.loss[self.loss.isfinite()]
        loss = f"loss {float(told.min()):.4g} to {float(told.max()):.4g}, {self.loss_kind}" if len(told) else "no finite loss"
        lost = f", {len(self) - len(told)} diverged" if 0 < len(told) < len(self) else ""
        return f"Run({self.model}, {len(self)} instances, {self.steps_done:,} steps in {self.seconds:.3g} s, {loss}{lost})"


def load(path: str | Path) -> Run:
    """A run that was saved. Raises ValueError when the file is not one, or not whole, or needs a part that is not installed."""
    tensors, facts = read_tensors(path)
    if facts.get("tegum") != _FORMAT:
        raise ValueError(f"{path} holds no toy run: it was not written by Run.save")
    try:
        return _restored(facts, tensors)
    except (KeyError, TypeError, ValueError, LookupError) as error:
        raise ValueError(f"{path} holds a toy run that can not be read: {type(error).__name__}: {error}") from None


def _restored(facts: dict[str, Any], tensors: dict[str, Tensor]) -> Run:
    distinct = [_rebuild("features", d) for d in facts["features"]]
    return Run(
        model=_rebuild("models", facts["model"]),
        features=tuple(distinct[i] for i in facts["features_of"]),
        importance=tensors["importance"],
        settings=facts["settings"],
        state={k.removeprefix("state."): v for k, v in tensors.items() if k.startswith("state.")},
        W=tensors["W"],
        b=tensors["b"],
        loss=tensors["loss"],
        loss_se=tensors["loss_se"],
        loss_kind=facts["loss_kind"],
        history=History(**{f.name: tensors[f"history.{f.name}"] for f in dataclasses.fields(History)}),
        steps_done=facts["steps_done"],
        seconds=facts["seconds"],
    )


def _brief(features: Distribution) -> str:
    words = " ".join(repr(features).split())
    return words if len(words) <= 100 else f"{words[:97]}..."


def _describe(part: Any) -> dict[str, Any]:
    fields = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    return {"name": type(part).__name__} | {
        k: np.asarray(v).tolist() if isinstance(v, (np.ndarray, Tensor)) else v for k, v in fields.items()
    }


def _rebuild(room: str, facts: dict[str, Any]) -> Any:
    return parts.find(room, facts["name"])(**{k: v for k, v in facts.items() if k != "name"})
