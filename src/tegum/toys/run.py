"""Run: what `train` returns: every instance's weights and loss, the best of them, any of them as a module, and saving to one safetensors file."""

import dataclasses
import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tegum import parts
from tegum.features import Distribution
from tegum.shapes import Float, Int
from tegum.toys.engines import History
from tegum.toys.models import Model, ToyModule

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Instance:
    """One trained network: `index` in its run, W (n, m), b (n,), `loss`."""

    index: int
    W: Float[Tensor, "features hidden"]
    b: Float[Tensor, " features"]
    loss: float


@dataclass(frozen=True, eq=False)
class Run:
    """Trained instances. `loss` (instances,) is the exact expected loss where `loss_kind` says so, else that on one set common to all."""

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

    def __getitem__(self, index: int) -> Instance:
        index = range(len(self))[index]
        return Instance(index, self.W[index], self.b[index], float(self.loss[index]))

    def best(self) -> Instance:
        """The instance of the smallest loss. Only instances that share features and importance can be compared."""
        if len({id(f) for f in self.features}) > 1 or not bool((self.importance == self.importance[:1]).all()):
            raise ValueError(
                "the instances differ in features or importance, so their losses do not compare: use best_of(n) on equal neighbours"
            )
        return self[int(self.loss.nan_to_num(nan=torch.inf).argmin())]

    def best_of(self, n: int) -> Int[Tensor, " groups"]:
        """The index of the best of each `n` neighbours: for sweeps that give every setting n seeds side by side."""
        if n < 1 or len(self) % n:
            raise ValueError(f"{len(self)} instances do not fall into groups of {n}")
        return self.loss.nan_to_num(nan=torch.inf).reshape(-1, n).argmin(1) + torch.arange(0, len(self), n)

    def module(self, index: int) -> ToyModule:
        """Instance `index` as a torch.nn.Module that takes (batch, features): for hooks and other people's tools."""
        index = range(len(self))[index]
        module = self.model.empty(1).to(dtype=self.W.dtype)
        module.load_state_dict({name: value[index : index + 1] for name, value in self.state.items()})
        return module

    def to_dataframe(self) -> "pd.DataFrame":
        """One line an instance: loss, its standard error, features represented, dims per feature."""
        import pandas as pd

        from tegum import geometry

        return pd.DataFrame(
            {
                "instance": np.arange(len(self)),
                "loss": self.loss.numpy(),
                "loss_se": self.loss_se.numpy(),
                "represented": geometry.represented(self.W).sum(-1).numpy(),
                "dims_per_feature": geometry.dims_per_feature(self.W).numpy(),
            }
        )

    def save(self, path: str | Path) -> None:
        """Write everything to one safetensors file; `tegum.load` reads it back. Nothing is pickled."""
        from safetensors.torch import save_file

        distinct: list[Distribution] = []
        for f in self.features:
            if not any(f is known for known in distinct):
                distinct.append(f)
        facts = {
            "tegum": "toy run 1",
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
        scratch = Path(path).with_name(Path(path).name + ".part")
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, scratch, metadata={"tegum": json.dumps(facts)})
        scratch.replace(path)

    def __repr__(self) -> str:
        low, high = float(self.loss.min()), float(self.loss.max())
        return (
            f"Run({self.model}, {len(self)} instances, {self.steps_done:,} steps in {self.seconds:.3g} s, "
            f"loss {low:.4g} to {high:.4g}, {self.loss_kind})"
        )

    def _repr_html_(self) -> str:
        return f"<p><code>{html.escape(repr(self))}</code></p>{self.to_dataframe().to_html(index=False, float_format='%.4g')}"


def load(path: str | Path) -> Run:
    """A run that was saved. Raises ValueError when the file is not one."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("tegum", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None
    if facts.get("tegum") != "toy run 1":
        raise ValueError(f"{path} holds no toy run: it was not written by Run.save")
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


def _describe(part: Any) -> dict[str, Any]:
    fields = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    return {"name": type(part).__name__} | {
        k: np.asarray(v).tolist() if isinstance(v, (np.ndarray, Tensor)) else v for k, v in fields.items()
    }


def _rebuild(room: str, facts: dict[str, Any]) -> Any:
    return parts.find(room, facts["name"])(**{k: v for k, v in facts.items() if k != "name"})
