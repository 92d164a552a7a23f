"""`train`: the one door to training toy networks. It checks everything once, picks an engine, and tells the loss of what came out."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tegum import parts
from tegum.checks import check_below, check_count
from tegum.features import Distribution
from tegum.progress import bar
from tegum.toys.engines import Engine, Plan
from tegum.toys.engines.reference import OPTIMIZERS, SCHEDULES
from tegum.toys.estimators import ESTIMATORS, why_not
from tegum.toys.evaluate import final_loss
from tegum.toys.losses import Loss
from tegum.toys.models import Model
from tegum.toys.run import Run

Numbers = int | float | Sequence | np.ndarray | Tensor  # one, or an array of them


def train(
    model: Model,
    features: Distribution | Sequence[Distribution],
    *,
    importance: Numbers = 1.0,
    instances: int | None = None,
    steps: int = 10_000,
    batch_size: int = 1024,
    lr: float = 1e-3,
    weight_decay: float = 0.01,
    optimizer: str = "adamw",
    schedule: str = "constant",
    loss: str | Loss | None = None,
    hidden_l1: Numbers = 0.0,
    seed: Numbers = 0,
    engine: str = "auto",
    estimator: str = "sampled",
    record: Numbers = 0,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | str = torch.float32,
    progress: bool | None = None,
) -> Run:
    """Train `instances` networks side by side on fresh samples of `features`.

    Parameters
    ----------
    features : one distribution, or one an instance (a sweep in one call).
    importance : I_i, one number, one a feature, or (instances, features).
    steps, batch_size, instances : at least 1.
    loss : the name of one, or one; by default the model's own.
    hidden_l1 : weight of sum_k |h_k|, the sizes of the hidden activations, in what is minimised; one for all, or one an instance. The losses of
        the run are without it, those of its history with it.
    estimator : 'sampled', the mean over a batch of samples; or 'stratified', for independent features, squared error and tied weights: what
        at most one active feature contributes is exact, the rest is sampled with weights. It has far less noise where few features are
        active at once, and nothing to give where ten or more are (`tegum.toys.estimators`).
    seed : one for all (instance i draws its own numbers from it), or one an instance (then each trains as it would alone with that seed).
    engine : 'auto' takes the quickest that applies and the run's settings name it; 'compiled' (tied models, squared error, float32 on the CPU)
        or 'reference' (anything, anywhere) takes that one, or says why it can not.
    schedule : 'constant', 'linear' or 'cosine' decay of the learning rate; optimizer : 'adamw', 'adam' or 'sgd'.
    record : after which steps W, b and the loss are kept: a list, or how many (log-spaced, the start and the end included; fewer where the
        first of them fall on one step; 1 keeps the end alone).
    progress : a bar on stderr; by default only on a terminal.

    Raises ValueError for whatever does not fit, before any work. Ctrl-C ends training early and returns what is trained so far.
    """
    plan = _plan(
        model, features, importance, instances, steps, batch_size, lr, weight_decay, optimizer, schedule, loss, hidden_l1, estimator, seed,
        record, device, dtype,
    )  # fmt: skip
    chosen = _engine(engine, plan)
    begin = time.perf_counter()
    with bar("training", plan.steps, "steps", progress) as tick:
        trained = chosen.train(plan, tick)
    seconds = time.perf_counter() - begin
    last = plan.model.restored(trained.state)
    value, error, kind = final_loss(last, plan)
    return Run(
        model=model,
        features=plan.features,
        importance=plan.importance,
        settings={
            "steps": plan.steps, "batch_size": plan.batch_size, "lr": plan.lr, "weight_decay": plan.weight_decay,
            "optimizer": optimizer, "schedule": schedule, "loss": type(plan.loss).__name__,
            "hidden_l1": _numbers("hidden_l1", hidden_l1).tolist(), "engine": type(chosen).__name__, "estimator": plan.estimator,
            "seed": _numbers("seed", seed).tolist(), "device": str(plan.device), "dtype": str(plan.dtype),
        },
        state=trained.state,
        W=last.directions.detach(),
        b=last.bias.detach(),
        loss=value,
        loss_se=error,
        loss_kind=kind,
        history=trained.history,
        steps_done=trained.steps_done,
        seconds=seconds,
    )  # fmt: skip


def _plan(
    model: Any, features: Any, importance: Any, instances: Any, steps: Any, batch_size: Any, lr: Any, weight_decay: Any,
    optimizer: Any, schedule: Any, loss: Any, hidden_l1: Any, estimator: Any, seed: Any, record: Any, device: Any, dtype: Any,
) -> Plan:  # fmt: skip
    """Everything that `train` was asked for, checked."""
    if not isinstance(model, Model):
        raise ValueError(f"model is {_shown(model)}; it must be a toy model such as tegum.toys.ReLUOutput(n_features=20, n_hidden=5)")
    several = not isinstance(features, Distribution)
    if several and not (isinstance(features, Sequence) and features and all(isinstance(f, Distribution) for f in features)):
        raise ValueError(
            f"features is {_shown(features)}; it must be a distribution such as tegum.features.Bernoulli(...), or a list of them, one an instance"
        )
    if instances is None:
        instances = len(features) if several else 1
    for name, value in (("instances", instances), ("steps", steps), ("batch_size", batch_size)):
        check_count(name, value)
    if several and len(features) != instances:
        raise ValueError(f"{len(features)} distributions were given for {instances} instances; give one, or one an instance")
    each = tuple(features) if several else (features,) * int(instances)
    for i, f in enumerate(each):
        if f.n_features != model.n_features:
            raise ValueError(
                f"the model has {model.n_features} features but the distribution{f' of instance {i}' if several else ''} has {f.n_features}"
            )
    for name, value in (("lr", lr), ("weight_decay", weight_decay)):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)) or not 0 <= value < np.inf:
            raise ValueError(f"{name} is {_shown(value)}; it must be a finite number of at least 0")
    for name, value, known in (
        ("optimizer", optimizer, list(OPTIMIZERS)),
        ("schedule", schedule, list(SCHEDULES)),
        ("estimator", estimator, list(ESTIMATORS)),
    ):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; {parts.did_you_mean(str(value), known)}")
    kind = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if kind not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {_shown(dtype)}; toy networks train in float32 or float64")
    device = _device(device)
    seeds, ids = _seeds(seed, int(instances), device)
    chosen = _loss(loss, model, each)
    for distinct in dict.fromkeys(each):
        if reason := why_not(estimator, model, chosen, distinct):
            raise ValueError(f"the estimator {estimator!r} does not apply: {reason}")
    penalty = _penalty(hidden_l1, int(instances))
    if penalty is not None and estimator != "sampled":
        raise ValueError(f"the estimator {estimator!r} does not apply: it has no closed form of hidden_l1, a penalty on hidden activations")
    return Plan(
        model=model,
        features=each,
        importance=_importance(importance, int(instances), model.n_features),
        seeds=seeds,
        instance_ids=ids,
        steps=int(steps),
        batch_size=int(batch_size),
        lr=float(lr),
        weight_decay=float(weight_decay),
        optimizer=optimizer,
        schedule=schedule,
        loss=chosen,
        estimator=estimator,
        record=_moments(record, int(steps)),
        device=device,
        dtype=kind,
        hidden_l1=penalty,
    )


def _device(device: Any) -> torch.device:
    try:
        place = torch.device(device)
        torch.zeros(1, dtype=torch.float64, device=place).item()  # draws are made there, in float64
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        raise ValueError(f"device is {str(device)!r}, which can not be used here: {reason}") from None
    return place


def _importance(importance: Any, instances: int, n: int) -> Tensor:
    value = torch.from_numpy(_numbers("importance", importance).astype(np.float64))
    if value.shape not in ((), (n,), (instances, n)):
        raise ValueError(
            f"importance has shape {tuple(value.shape)}; give one number, ({n},) one a feature, or ({instances}, {n}) by instance"
        )
    fit = torch.isfinite(value) & (value >= 0)
    if not bool(fit.all()):
        raise ValueError(f"importance holds {float(value[~fit][0])}; every importance must be finite and not negative")
    return value.expand(instances, n).clone()


def _penalty(hidden_l1: Any, instances: int) -> Tensor | None:
    value = torch.from_numpy(_numbers("hidden_l1", hidden_l1).astype(np.float64))
    if value.shape not in ((), (instances,)):
        raise ValueError(f"hidden_l1 has shape {tuple(value.shape)}; give one number, or {instances}, one an instance")
    fit = torch.isfinite(value) & (value >= 0)
    if not bool(fit.all()):
        raise ValueError(f"hidden_l1 holds {float(value[~fit][0])}; every weight must be finite and not negative")
    return value.expand(instances).clone() if value.any() else None


def _seeds(seed: Any, instances: int, device: torch.device) -> tuple[Tensor, Tensor]:
    given = _numbers("seed", seed)
    fits = given.dtype.kind in "iu" and given.shape in ((), (instances,))
    if not fits or (given < 0).any() or (given > np.iinfo(np.int64).max).any():
        raise ValueError(f"seed is {_shown(seed)}; give one integer from 0 to 2^63 - 1, or {instances}, one an instance")
    if given.ndim == 0:
        check_below("instances - 1", instances - 1, 2**24)
        return torch.full((instances,), int(given), dtype=torch.int64, device=device), torch.arange(instances, device=device)
    return torch.as_tensor(given.astype(np.int64), device=device), torch.zeros(instances, dtype=torch.int64, device=device)


def _moments(record: Any, steps: int) -> tuple[int, ...]:
    if isinstance(record, (int, np.integer)):
        check_count("record", record, at_least=0)
        if record < 2:
            return (steps,) if record else ()
        between = np.geomspace(1, steps, int(record) - 1).round().astype(int).tolist() if record > 2 else []
        return tuple(sorted({0, steps, *between}))
    given = _numbers("record", record)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ValueError(f"record is {_shown(record)}; give how many moments to keep, or the steps to keep as a list of integers")
    moments = sorted(set(given.astype(int).tolist()))
    if moments and not 0 <= moments[0] <= moments[-1] <= steps:
        raise ValueError(f"record asks for steps {moments[0]} to {moments[-1]} of a training of {steps} steps")
    return tuple(moments)


def _loss(loss: Any, model: Model, each: tuple[Distribution, ...]) -> Loss:
    chosen = loss if isinstance(loss, Loss) else _part("losses", "loss", loss or model.loss)()
    for features in dict.fromkeys(each):
        if reason := chosen.applies(features):
            raise ValueError(f"the loss {type(chosen).__name__} does not apply: {reason}")
    return chosen


def _engine(name: Any, plan: Plan) -> Engine:
    if name == "auto":
        best_first = sorted(parts.discover("engines").values(), key=lambda engine: -engine.rank)
        return next(engine for engine in (one() for one in best_first) if not engine.applies(plan))  # the reference trains anything
    wanted = name.title() if isinstance(name, str) and name.islower() else name
    engine = _part("engines", "engine", wanted)()
    if reason := engine.applies(plan):
        raise ValueError(f"the engine {wanted} does not apply: {reason}")
    return engine


def _part(room: str, what: str, name: Any) -> Any:
    if not isinstance(name, str):
        one = "one, or its name" if room == "losses" else "its name"
        raise ValueError(f"{what} is {_shown(name)}; give {one}, of {', '.join(parts.discover(room))}")
    try:
        return parts.find(room, name)
    except parts.UnknownPart as error:
        raise ValueError(str(error)) from None


def _numbers(name: str, value: Any) -> np.ndarray:
    try:
        given = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value)
    except ValueError:  # rows of unequal length
        given = np.asarray(None)
    if given.size and given.dtype.kind not in "iuf":
        raise ValueError(f"{name} is {_shown(value)}; it must hold numbers")
    return given


def _shown(value: Any) -> str:
    """A value as an error shows it: on one line, not too long."""
    line = " ".join(repr(value).split())
    return line if len(line) <= 80 else f"{line[:77]}..."
