"""`train`: the one door to training toy networks. It checks everything once, picks an engine, and tells the loss of what came out."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tegum import parts
from tegum.features import Distribution
from tegum.features._base import check_count
from tegum.toys.engines import Engine, Plan
from tegum.toys.engines.reference import _OPTIMIZERS, SCHEDULES
from tegum.toys.evaluate import final_loss
from tegum.toys.losses import Loss
from tegum.toys.models import Model
from tegum.toys.run import Run


def train(
    model: Model,
    features: Distribution | Sequence[Distribution],
    *,
    importance: float | Sequence[float] | np.ndarray | Tensor = 1.0,
    instances: int | None = None,
    steps: int = 10_000,
    batch_size: int = 1024,
    lr: float = 1e-3,
    weight_decay: float = 0.01,
    optimizer: str = "adamw",
    schedule: str = "constant",
    loss: str | Loss | None = None,
    seed: int | Sequence[int] = 0,
    engine: str = "auto",
    record: int | Sequence[int] = 0,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | str = torch.float32,
    progress: bool | None = None,
) -> Run:
    """Train `instances` networks side by side on fresh samples of `features`.

    Parameters
    ----------
    features : one distribution, or one an instance (a sweep in one call).
    importance : I_i, one number, one a feature, or (instances, features).
    seed : one for all (instance i draws its own numbers from it), or one an instance (then each trains as it would alone with that seed).
    schedule : 'constant', 'linear' or 'cosine' decay of the learning rate; optimizer : 'adamw', 'adam' or 'sgd'.
    record : how many moments of training to keep (log-spaced, the start and the end included), or at which steps.
    progress : a bar on stderr; by default only on a terminal and for long work.

    Raises ValueError for whatever does not fit, before any work. Ctrl-C ends training early and returns what is trained so far.
    """
    plan = _plan(
        model, features, importance, instances, steps, batch_size, lr, weight_decay, optimizer, schedule, loss, seed, record, device, dtype
    )
    chosen = _engine(engine, plan)
    begin = time.perf_counter()
    with _bar(plan.steps, progress) as tick:
        trained = chosen.train(plan, tick)
    last = plan.model.empty(plan.instances).to(plan.dtype)
    last.load_state_dict(trained.state)
    value, error, kind = final_loss(last, plan)
    return Run(
        model=model,
        features=plan.features,
        importance=plan.importance,
        settings={
            "steps": steps, "batch_size": batch_size, "lr": lr, "weight_decay": weight_decay, "optimizer": optimizer, "schedule": schedule,
            "loss": type(plan.loss).__name__, "seed": np.asarray(seed).tolist(), "engine": type(chosen).__name__,
            "device": str(device), "dtype": str(plan.dtype),
        },
        state=trained.state,
        W=last.directions.detach(),
        b=last.bias.detach(),
        loss=value,
        loss_se=error,
        loss_kind=kind,
        history=trained.history,
        steps_done=trained.steps_done,
        seconds=time.perf_counter() - begin,
    )  # fmt: skip


def _plan(
    model: Any, features: Any, importance: Any, instances: Any, steps: Any, batch_size: Any, lr: Any, weight_decay: Any,
    optimizer: Any, schedule: Any, loss: Any, seed: Any, record: Any, device: Any, dtype: Any,
) -> Plan:  # fmt: skip
    """Everything that `train` was asked for, checked."""
    if not isinstance(model, Model):
        raise ValueError(f"model is {model!r}; it must be a toy model such as tegum.toys.ReLUOutput(n_features=20, n_hidden=5)")
    several = not isinstance(features, Distribution)
    if several and (len(features) == 0 or not all(isinstance(f, Distribution) for f in features)):
        raise ValueError(
            "features must be a distribution such as tegum.features.Bernoulli(...), or a non-empty list of them, one an instance"
        )
    if instances is None:
        instances = len(features) if several else 1
    for name, value in (("instances", instances), ("steps", steps), ("batch_size", batch_size)):
        check_count(name, value)
    if several and len(features) != instances:
        raise ValueError(f"{len(features)} distributions were given for {instances} instances; give one, or one an instance")
    each = tuple(features) if several else (features,) * instances
    for i, f in enumerate(each):
        if f.n_features != model.n_features:
            raise ValueError(
                f"the model has {model.n_features} features but the distribution{f' of instance {i}' if several else ''} has {f.n_features}"
            )
    for name, value, low in (("lr", lr, 0.0), ("weight_decay", weight_decay, 0.0)):
        if not (isinstance(value, (int, float)) and low <= value < np.inf):
            raise ValueError(f"{name} is {value!r}; it must be a finite number of at least {low}")
    for name, value, known in (("optimizer", optimizer, list(_OPTIMIZERS)), ("schedule", schedule, list(SCHEDULES))):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; {parts.did_you_mean(str(value), known)}")
    dtype = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {dtype}; toy networks train in float32 or float64")
    if isinstance(device, str):
        try:
            device = torch.device(device)
        except RuntimeError:
            raise ValueError(f"device is {device!r}; 'cpu' and 'cuda' are known") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is 'cuda' but torch sees no CUDA device")
    seeds, ids = _seeds(seed, instances, device)
    return Plan(
        model=model,
        features=each,
        importance=_importance(importance, instances, model.n_features),
        seeds=seeds,
        instance_ids=ids,
        steps=steps,
        batch_size=batch_size,
        lr=float(lr),
        weight_decay=float(weight_decay),
        optimizer=optimizer,
        schedule=schedule,
        loss=loss if isinstance(loss, Loss) else parts.find("losses", loss or model.loss)(),
        record=_moments(record, steps),
        device=device,
        dtype=dtype,
    )


def _importance(importance: float | Sequence[float] | np.ndarray | Tensor, instances: int, n: int) -> Tensor:
    value = torch.as_tensor(np.asarray(importance, dtype=np.float64))
    if value.shape not in ((), (n,), (instances, n)):
        raise ValueError(
            f"importance has shape {tuple(value.shape)}; give one number, ({n},) one a feature, or ({instances}, {n}) by instance"
        )
    if not bool((torch.isfinite(value) & (value >= 0)).all()):
        wrong = value[~(torch.isfinite(value) & (value >= 0))].reshape(-1)[0]
        raise ValueError(f"importance holds {float(wrong)}; every importance must be finite and not negative")
    return value.expand(instances, n).clone()


def _seeds(seed: int | Sequence[int], instances: int, device: torch.device) -> tuple[Tensor, Tensor]:
    given = np.asarray(seed)
    if given.dtype.kind not in "iu" or given.shape not in ((), (instances,)) or (given < 0).any():
        raise ValueError(f"seed is {seed!r}; give one non-negative integer, or {instances}, one an instance")
    if given.ndim == 0:
        return torch.full((instances,), int(given), dtype=torch.int64, device=device), torch.arange(instances, device=device)
    return torch.as_tensor(given.astype(np.int64), device=device), torch.zeros(instances, dtype=torch.int64, device=device)


def _moments(record: int | Sequence[int], steps: int) -> tuple[int, ...]:
    if isinstance(record, (int, np.integer)):
        check_count("record", record, at_least=0)
        if record < 2:
            return (steps,) if record else ()
        return tuple(sorted({0, steps, *np.geomspace(1, steps, int(record) - 1).round().astype(int).tolist()}))
    moments = sorted({int(step) for step in record})
    if moments and not 0 <= moments[0] <= moments[-1] <= steps:
        raise ValueError(f"record asks for steps {moments[0]} to {moments[-1]} of a training of {steps} steps")
    return tuple(moments)


def _engine(name: str, plan: Plan) -> Engine:
    if name != "auto":
        engine = parts.find("engines", name.title() if name.islower() else name)()
        if reason := engine.applies(plan):
            raise ValueError(f"the {name} engine does not apply: {reason}")
        return engine
    return parts.find("engines", "Reference")()


@contextmanager
def _bar(steps: int, progress: bool | None) -> Iterator[Callable[[int], None]]:  # noqa: FBT001
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield lambda done: None  # noqa: ARG005
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("steps, left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=steps)
        yield lambda done: bar.update(task, completed=done)
