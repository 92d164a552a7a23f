"""What every engine must do with a plan of the stratified estimator, over whatever is discovered: train as a loop written by hand does."""

import pytest
import torch

from tegum import parts, theory
from tegum.features.bernoulli import Bernoulli
from tegum.features.zipf import Zipf
from tegum.toys.engines import Plan
from tegum.toys.estimators import strata
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput

N, M, STEPS = 5, 2, 25
# float64: 25 steps of a few hundred roundings of 1.1e-16 in numbers of order 1, and a hundredfold margin; float32's eps is 5e8 times as large
ROUNDING = {torch.float64: 1e-11, torch.float32: 1e-4}

every = pytest.mark.parametrize("engine", [pytest.param(part(), id=n) for n, part in parts.discover("engines").items()])


def plan(model, dtype):
    features = (
        Bernoulli(n_features=N, density=0.4),
        Bernoulli(n_features=N, density=[1.0, 0.1, 0.2, 0.05, 0.0], values="signed"),
        Zipf(n_features=N, density=0.3, values="gaussian"),
        Bernoulli(n_features=N, density=0.01, values="binary"),
    )
    return Plan(
        model=model(n_features=N, n_hidden=M),
        features=features,
        importance=torch.tensor([[1.0] * N, [0.9**i for i in range(N)], [0.0, 2, 1, 1, 1], [1.0] * N], dtype=torch.float64),
        seeds=torch.tensor([3, 2**40 + 1, 3, 8]),
        instance_ids=torch.tensor([0, 5, 9, 2]),
        steps=STEPS,
        batch_size=48,
        lr=0.02,
        weight_decay=0.1,
        optimizer="adamw",
        schedule="constant",
        loss=SquaredError(),
        estimator="stratified",
        record=(0, STEPS // 2, STEPS),
        device=torch.device("cpu"),
        dtype=dtype,
    )


def by_hand(whole, i):
    """Network i alone, in float64: (loss, W, b) before each step and at the end. A sample's weight is the ratio of the two chances of its set."""
    features, importance, relu = whole.features[i], whole.importance[i], whole.model.exact == "relu"
    proposal, p, n = strata(features).proposal, features.marginal_density(), N
    q = proposal.marginal_density()
    start = whole.model.build(1, int(whole.seeds[i]), first_instance=int(whole.instance_ids[i]), dtype=torch.float64)
    W, b = start.directions.detach()[0].clone().requires_grad_(), start.bias.detach()[0].clone().requires_grad_()
    optimizer = torch.optim.AdamW([W, b], lr=whole.lr, weight_decay=whole.weight_decay, foreach=False)
    mean, second = {"uniform": (1 / 2, 1 / 3), "binary": (1.0, 1.0)}.get(features.values, (0.0, 1.0))
    for step in range(whole.steps + 1):
        x = proposal.sample(
            whole.batch_size, int(whole.seeds[i]), instance=int(whole.instance_ids[i]), step=step, dtype=torch.float64
        ).dense()
        on = x != 0
        weight = torch.where(on, p, 1 - p).prod(1) / torch.where(on, q, 1 - q).prod(1) * (on.sum(1) > 1)
        output = x @ W @ W.T + b
        each = (importance * (x - (output.relu() if relu else output)) ** 2).mean(1)
        loss = (weight * each).mean()
        terms = theory.one_active_loss(W, b, importance, features.values)
        for j in range(n):
            only = p[j] * (1 - p[torch.arange(n) != j]).prod()
            if relu:
                loss = loss + only * (terms.benefit[j] + terms.interference[j]) / n
            else:
                gap = torch.eye(n, dtype=torch.float64)[j] - W @ W[j]
                loss = loss + only * (importance * (second * gap**2 - 2 * mean * gap * b + b**2)).mean()
        silent = b.relu() if relu else b
        loss = loss + (1 - p).prod() * (importance * silent**2).mean()
        yield float(loss.detach()), W.detach().clone(), b.detach().clone()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@every
@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
@pytest.mark.parametrize("model", [ReLUOutput, LinearAutoencoder])
def test_it_trains_as_the_loop_by_hand_does(engine, model, dtype):
    whole = plan(model, dtype)
    if reason := engine.applies(whole):
        pytest.skip(reason)
    out = engine.train(whole, lambda done: None)
    for i in range(whole.instances):
        loss, W, b = zip(*by_hand(whole, i), strict=True)
        for ours, theirs in (
            (out.history.W[:, i], torch.stack([W[t] for t in whole.record])),
            (out.history.b[:, i], torch.stack([b[t] for t in whole.record])),
            (out.history.loss[:, i], torch.tensor([loss[t] for t in whole.record], dtype=torch.float64)),
        ):
            torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=ROUNDING[dtype])
        assert not W[-1].equal(W[0])
