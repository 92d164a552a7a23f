"""The reference engine: torch autograd, any model, any loss, any device. It is the oracle that faster engines are tested against."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby

import torch
from torch import Tensor

from tegum.features._base import fill
from tegum.shapes import Float
from tegum.toys.engines._base import Engine, History, Plan, Trained
from tegum.toys.engines._interrupt import held_interrupt
from tegum.toys.estimators import at_most_one_active, strata
from tegum.toys.models import ToyModule

OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,  # noqa: ARG005
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}


class Reference(Engine):
    """All instances at once by batched products; their losses are summed, so each keeps its own gradient."""

    def applies(self, plan: Plan) -> str:
        """It trains anything."""
        del plan
        return ""

    def train(self, plan: Plan, progress: Callable[[int], None]) -> Trained:
        """One sampled batch an instance and step."""
        module = plan.model.build(plan.instances, plan.seeds, first_instance=plan.instance_ids, device=plan.device, dtype=plan.dtype)
        importance = plan.importance.to(plan.device, plan.dtype)
        fused = {"fused": True} if plan.device.type in ("cpu", "cuda") else {}
        optimizer = OPTIMIZERS[plan.optimizer](module.parameters(), lr=plan.lr, weight_decay=plan.weight_decay, **fused)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: SCHEDULES[plan.schedule](step / plan.steps))
        losses = (_stratified if plan.estimator == "stratified" else _sampled)(plan, module, importance)
        wanted, kept, done = set(plan.record), [], 0

        def keep(loss: torch.Tensor) -> None:
            if kept and kept[-1][0] == done:  # interrupted in the step that was just recorded
                return
            kept.append((done, loss.detach().cpu().clone(), module.directions.detach().cpu().clone(), module.bias.detach().cpu().clone()))

        try:
            with held_interrupt() as interrupted:
                while done < plan.steps and not interrupted():
                    loss = losses(done)
                    if done in wanted:
                        keep(loss)
                    module.zero_grad()
                    loss.sum().backward()
                    optimizer.step()
                    scheduler.step()
                    done += 1
                    progress(done)
        except KeyboardInterrupt:  # Ctrl-C twice, or raised by what a caller hooked in
            pass
        if done in wanted or (wanted and done < plan.steps):
            with torch.no_grad():
                keep(losses(done))
        return Trained({k: v.detach().cpu().clone() for k, v in module.state_dict().items()}, _history(kept, plan), done)


def _sampled(plan: Plan, module: ToyModule, importance: Tensor) -> Callable[[int], Float[Tensor, " instances"]]:
    """The loss of each instance at a step: the mean over its batch."""
    x = torch.empty(plan.instances, plan.batch_size, plan.model.n_features, device=plan.device, dtype=plan.dtype)

    def losses(step: int) -> Tensor:
        draw_batch(x, plan, step)
        return plan.loss.per_sample(module(x), x, importance).mean(-1)

    if plan.hidden_l1 is None:
        return losses
    weight, seen = plan.hidden_l1.to(plan.device, plan.dtype), []
    module.hidden.register_forward_hook(lambda _, __, hidden: seen.append(hidden))

    def penalised(step: int) -> Tensor:
        loss = losses(step)
        return loss + weight * seen.pop().abs().sum(-1).mean(-1)

    return penalised


def _stratified(plan: Plan, module: ToyModule, importance: Tensor) -> Callable[[int], Float[Tensor, " instances"]]:
    """The same, at most one active feature exactly and more of them by a weighted batch (`tegum.toys.estimators`)."""
    known = {features: strata(features) for features in dict.fromkeys(plan.features)}
    split = [known[features] for features in plan.features]
    proposed = replace(plan, features=tuple(one.proposal for one in split))
    weights = torch.stack([one.weights for one in split]).to(plan.device, plan.dtype)
    silent = torch.tensor([one.silent for one in split], device=plan.device, dtype=torch.float64)
    alone, exactly = torch.stack([one.alone for one in split]).to(plan.device), plan.importance.to(plan.device)
    kinds = {kind: [i for i, f in enumerate(plan.features) if f.values == kind] for kind in {f.values for f in plan.features}}
    x = torch.empty(plan.instances, plan.batch_size, plan.model.n_features, device=plan.device, dtype=plan.dtype)

    def losses(step: int) -> Tensor:
        draw_batch(x, proposed, step)
        weight = weights.gather(1, (x != 0).sum(-1))  # an active feature's value is never 0: words become numbers half a step off it
        total = (weight * plan.loss.per_sample(module(x), x, importance)).mean(-1)
        for kind, i in kinds.items():
            exact = at_most_one_active(
                module.directions[i], module.bias[i], exactly[i], silent[i], alone[i], values=kind, model=str(plan.model.exact)
            )
            total = total.index_add(0, torch.tensor(i, device=plan.device), exact.to(plan.dtype))
        return total

    return losses


def draw_batch(x: torch.Tensor, plan: Plan, step: int) -> None:
    """Overwrite x (instances, batch, features) with the batch of `step`: neighbours of one distribution are drawn together."""
    start = 0
    for features, group in groupby(plan.features):
        end = start + len(list(group))
        fill(x[start:end], features, plan.seeds[start:end], plan.instance_ids[start:end], step)
        start = end


def _history(kept: list[tuple[int, torch.Tensor, torch.Tensor, torch.Tensor]], plan: Plan) -> History:
    n, m = plan.model.n_features, plan.model.n_hidden
    if not kept:
        none = torch.empty(0, plan.instances, n, m, dtype=plan.dtype)
        return History(torch.empty(0, dtype=torch.int64), none[..., 0, 0], none, none[..., 0])
    steps, loss, W, b = zip(*kept, strict=True)
    return History(torch.tensor(steps), torch.stack(loss), torch.stack(W), torch.stack(b))
