"""What every engine must do, over whatever is discovered: train as a loop written by hand does, one network at a time.

Each is asked for float64 where it takes it, or else for float32, with the bounds that go with it.
"""

import dataclasses
import math

import pytest
import torch

from tegum import parts
from tegum.features.bernoulli import Bernoulli
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.toys.engines import Plan
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models.relu_output import ReLUOutput

N, M, STEPS = 5, 2, 25
# 25 steps of a few hundred roundings of 1.1e-16 in numbers of order 1, and a hundredfold margin. In float32 (6e-8 each, which add up to 1e-6 of a
# gradient like a random walk, and 25 steps of .02 each) that is 5e-5; a schedule that is one step late moves weights by 1e-3.
ROUNDING = {torch.float64: 1e-11, torch.float32: 1e-4}
OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
SCHEDULES = {"constant": lambda t: 1.0, "linear": lambda t: 1 - t, "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2}

every = pytest.mark.parametrize("engine", [pytest.param(part(), id=n) for n, part in parts.discover("engines").items()])


def plan(**changes):
    """Three networks that differ in features, importance and seed."""
    features = (
        Bernoulli(n_features=N, density=0.4),
        ExactlyK(n_features=N, n_active=2, values="uniform"),
        Bernoulli(n_features=N, density=0.1),
    )
    return Plan(**{
        "model": ReLUOutput(n_features=N, n_hidden=M),
        "features": features,
        "importance": torch.tensor([[1.0] * N, [0.9**i for i in range(N)], [0.0, 2, 1, 1, 1]], dtype=torch.float64),
        "seeds": torch.tensor([3, 2**40 + 1, 3]),
        "instance_ids": torch.tensor([0, 5, 9]),
        "steps": STEPS,
        "batch_size": 32,
        "lr": 0.02,
        "weight_decay": 0.1,
        "optimizer": "adamw",
        "schedule": "constant",
        "loss": SquaredError(),
        "record": (),
        "device": torch.device("cpu"),
        "dtype": torch.float64,
    } | changes)  # fmt: skip


def plan_for(engine, **changes):
    """`plan` in the first dtype that the engine takes."""
    asked = [plan(dtype=dtype, **changes) for dtype in ROUNDING]
    return next(one for one in asked if not engine.applies(one))


def only(whole, i):
    """The plan of network i alone."""
    return dataclasses.replace(
        whole,
        features=whole.features[i : i + 1],
        importance=whole.importance[i : i + 1],
        seeds=whole.seeds[i : i + 1],
        instance_ids=whole.instance_ids[i : i + 1],
    )


def by_hand(whole, i):
    """Network i of a ReLU output plan by the formulas and torch's own optimizer: (loss, W, b) before each step, and at the end."""
    seed, instance, importance = int(whole.seeds[i]), int(whole.instance_ids[i]), whole.importance[i]
    start = whole.model.build(1, seed, first_instance=instance, dtype=torch.float64)
    W, b = start.directions.detach()[0].clone().requires_grad_(), start.bias.detach()[0].clone().requires_grad_()
    optimizer = OPTIMIZERS[whole.optimizer]([W, b], lr=whole.lr, weight_decay=whole.weight_decay, foreach=False)
    for step in range(whole.steps + 1):
        x = whole.features[i].sample(whole.batch_size, seed, instance=instance, step=step, dtype=torch.float64).dense()
        loss = (importance * (x - torch.relu(x @ W @ W.T + b)) ** 2).mean()
        if whole.hidden_l1 is not None:
            loss = loss + whole.hidden_l1[i] * (x @ W).abs().sum(1).mean()
        yield float(loss.detach()), W.detach().clone(), b.detach().clone()
        optimizer.param_groups[0]["lr"] = whole.lr * SCHEDULES[whole.schedule](step / whole.steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def trained(engine, whole, progress=lambda done: None):
    return engine.train(whole, progress)


def close(a, b):
    torch.testing.assert_close(a, b.to(a.dtype), rtol=0, atol=ROUNDING[a.dtype])


@every
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_trains_as_the_loop_by_hand_does(engine, optimizer, schedule):
    whole = plan_for(engine, optimizer=optimizer, schedule=schedule, record=tuple(range(STEPS + 1)))
    out = trained(engine, whole)
    for i in range(3):
        loss, W, b = zip(*by_hand(whole, i), strict=True)
        close(out.state["W"][i], W[-1])
        close(out.state["b"][i], b[-1])
        close(out.history.W[:, i], torch.stack(W))
        close(out.history.b[:, i], torch.stack(b))
        close(out.history.loss[:, i], torch.tensor(loss, dtype=torch.float64))
        assert not W[-1].equal(W[0])


@every
def test_with_a_penalty_on_hidden_activations_too(engine):
    """One network has none; the others' is a tenth and a third of their losses."""
    whole = plan_for(engine, hidden_l1=torch.tensor([0.05, 0.0, 0.2], dtype=torch.float64), record=tuple(range(STEPS + 1)))
    out, without = trained(engine, whole), trained(engine, dataclasses.replace(whole, hidden_l1=None))
    for i in range(3):
        loss, W, b = zip(*by_hand(whole, i), strict=True)
        close(out.history.W[:, i], torch.stack(W))
        close(out.history.b[:, i], torch.stack(b))
        close(out.history.loss[:, i], torch.tensor(loss, dtype=torch.float64))
        assert out.state["W"][i].equal(without.state["W"][i]) == (i == 1)


@every
@pytest.mark.parametrize("dtype", ROUNDING)
def test_a_network_trains_in_company_as_it_does_alone(engine, dtype):
    whole = plan(dtype=dtype)
    if reason := engine.applies(whole):
        pytest.skip(reason)
    together = trained(engine, whole).state
    for i in range(3):
        one = trained(engine, only(whole, i)).state
        for name, value in one.items():
            close(together[name][i], value[0])


@every
def test_training_again_gives_the_same_bits(engine):
    whole = plan_for(engine, record=(3, 20))
    once, again = trained(engine, whole), trained(engine, whole)
    assert all(once.state[name].equal(value) for name, value in again.state.items())
    assert once.history.loss.equal(again.history.loss)


@every
def test_it_keeps_the_steps_asked_for_and_no_others(engine):
    out = trained(engine, plan_for(engine, record=(0, 7, STEPS)))
    assert out.history.steps.tolist() == [0, 7, STEPS]
    assert out.history.W.shape == (3, 3, N, M)
    assert out.history.W[-1].equal(out.state["W"])
    assert out.history.feature_dimensionality().shape == (3, 3, N)
    none = trained(engine, plan_for(engine)).history
    assert [len(none.steps), *none.loss.shape, *none.W.shape, *none.b.shape] == [0, 0, 3, 0, 3, N, M, 0, 3, N]


@every
def test_it_tells_how_far_it_is(engine):
    seen = []
    out = trained(engine, plan_for(engine), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == STEPS == out.steps_done


@every
def test_interrupted_it_returns_what_is_trained_so_far(engine):
    def interrupt(done):
        if done >= 7:
            raise KeyboardInterrupt

    many = 100 * STEPS  # an engine may tell how far it is once in some steps
    whole = plan_for(engine, steps=many, record=(0, 3, many))
    out = trained(engine, whole, interrupt)
    assert 7 <= out.steps_done < many
    shorter = trained(engine, dataclasses.replace(whole, steps=out.steps_done, record=()))
    for name, value in shorter.state.items():
        close(out.state[name], value)
    assert out.history.steps.tolist() == [0, 3, out.steps_done]
    assert out.history.W[-1].equal(out.state["W"])
    assert len(trained(engine, plan_for(engine, steps=many), interrupt).history.steps) == 0  # nothing was to be recorded


@every
@pytest.mark.parametrize("model", [pytest.param(m, id=n) for n, m in parts.discover("models").items()])
def test_every_model_learns_by_it_and_comes_back_by_the_names_of_its_parameters(engine, model):
    one = model(n_features=N, n_hidden=M)
    features = (OneHot(n_features=N),) * 3
    asked = {"model": one, "features": features, "loss": parts.find("losses", one.loss)(), "steps": 100, "batch_size": 64}
    reasons = [engine.applies(plan(dtype=dtype, **asked)) for dtype in ROUNDING]
    if all(reasons):
        pytest.skip(reasons[-1])
    out = trained(engine, plan_for(engine, **asked, record=(0, 100)))
    assert {name: value.shape for name, value in out.state.items()} == {name: v.shape for name, v in one.empty(3).state_dict().items()}
    assert (out.history.loss[-1] < 0.9 * out.history.loss[0]).all()
