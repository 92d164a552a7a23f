"""The compiled engine's gradient is that of float64 autograd up to a bound of float32's rounding, by both its passes, on whatever can be asked."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tegum.features.anticorrelated import Anticorrelated
from tegum.features.bernoulli import Bernoulli
from tegum.features.correlated import Correlated
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.features.zipf import Zipf
from tegum.toys.engines import Plan, compiled
from tegum.toys.engines.compiled import Compiled
from tegum.toys.engines.reference import Reference
from tegum.toys.estimators import strata
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput

EPS = 2.0**-24  # a float32 operation rounds by this part of its result at most
LR = 2.0**20  # W - LR * gradient, divided by LR, is the gradient to EPS of itself and of W / LR: multiplying by a power of 2 is exact
UNDERFLOW = 2.0**-100  # float32 has no numbers below 2^-149; a million of these lost, times the largest weights
VALUES = ("uniform", "binary", "signed", "gaussian")
MODELS = (ReLUOutput, LinearAutoencoder)

both_passes = pytest.mark.parametrize("through_gram", [False, True], ids=["by lanes", "through the Gram matrix"])


def started(model, W, b):
    """A model of that kind whose networks begin at these weights instead of drawing their own."""

    class Started(model):
        def build(self, instances=1, seed=0, *, first_instance=0, device="cpu", dtype=torch.float32):
            return self.restored({"W": W.to(dtype), "b": b.to(dtype)})

    return Started(n_features=W.shape[1], n_hidden=W.shape[2])


def plan(model, features, **changes):
    instances = len(features)
    return Plan(**{
        "model": model,
        "features": tuple(features),
        "importance": torch.ones(instances, model.n_features, dtype=torch.float64),
        "seeds": torch.arange(instances) + 2**40,
        "instance_ids": torch.arange(instances),
        "steps": 1,
        "batch_size": 100,
        "lr": LR,
        "weight_decay": 0.0,
        "optimizer": "sgd",
        "schedule": "constant",
        "loss": SquaredError(),
        "record": (0,),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
    } | changes)  # fmt: skip


def weights(instances, n, m, seed, size=1.0):
    """Random weights of the sizes that trained networks have, of both signs; here and there a feature without a direction, or without a bias."""
    generator = torch.Generator().manual_seed(seed)
    W = size * torch.randn(instances, n, m, generator=generator) / math.sqrt(m)
    b = 0.3 * torch.randn(instances, n, generator=generator)
    W[torch.rand(instances, n, generator=generator) < 0.1] = 0
    b[torch.rand(instances, n, generator=generator) < 0.1] = 0
    return W, b


def stepped(engine, whole):
    """The gradients by W and b, (instances, ...) float64, and the losses, of the step that the engine took."""
    start = whole.model.build(dtype=torch.float64)
    out = engine.train(whole, lambda done: None)
    return [(getattr(start, name).detach() - out.state[name].double()) / LR for name in ("W", "b")], out.history.loss[0].double()


def by_autograd(W, b, x, importance, rectified):
    W, b = W.double().requires_grad_(), b.double().requires_grad_()
    y = x @ W @ W.T + b
    loss = (importance * ((y.relu() if rectified else y) - x) ** 2).mean()
    return torch.autograd.grad(loss, (W, b)), loss.detach()


def slack(W, b, x, importance, rectified, weight=None, alone=None):
    """How far float32 may be from the gradients by W and b and from the loss.

    Each is a sum of products. Roundings, one after the other, change it by at most their number times EPS of the sum of the terms' sizes (Higham
    2002, section 3.1). A ReLU whose input is as near 0 as its own error may stand on either side, and then all that comes through it is in doubt.
    `alone` are the probabilities of one active feature and of none, where their closed form is added: at a value of 1 a feature has its largest
    gradient, or its mean one.
    """
    samples, n = x.shape
    W, b = W.double(), b.double()
    weight = torch.full((samples,), 1 / samples, dtype=torch.float64) if weight is None else weight / samples
    by_output = (8 + 2 * n + W.shape[1]) * EPS
    by_sum = (16 + 2 * n + 2 * samples) * EPS  # along the samples, and in the products with W
    if alone is not None:
        x, weight = torch.cat([x, torch.eye(n, dtype=torch.float64), torch.zeros(1, n, dtype=torch.float64)]), torch.cat([weight, alone])
        by_output *= 4  # the closed form has polynomials of the output, and the place of the kink
    y, size = x @ W @ W.T + b, x.abs() @ W.abs() @ W.abs().T + b.abs()
    unsure = (y.abs() <= by_output * size) if rectified else torch.zeros_like(y, dtype=torch.bool)
    if alone is None:
        unsure &= size > 0  # a sum of zeros is 0 without a doubt, and nothing comes through there
    # of a feature that is alone some values come through where 1 does not
    through = unsure | (y > 0) if rectified and alone is None else torch.ones_like(unsure)
    error = ((y.relu() if rectified else y) - x).abs() if alone is None else size + x.abs()
    error_slack, scale = by_output * (size + x.abs()), 2 * importance * weight[:, None] / n
    g, g_slack = scale * error * through, scale * (error_slack * through + (error + error_slack) * unsure)
    A, A_slack = x.abs().T @ g, x.abs().T @ g_slack
    by_W = (A_slack + A_slack.T + by_sum * (A + A.T)) @ W.abs()
    by_b = g_slack.sum(0) + by_sum * g.sum(0)
    tiny = 2 * EPS / LR  # of W, which the gradient is read off
    by_loss = (scale * error * error_slack + by_sum * scale / 2 * error**2).sum()
    return (by_W + tiny * W.abs() + UNDERFLOW, by_b + tiny * b.abs() + UNDERFLOW), by_loss + UNDERFLOW


@st.composite
def distributions(draw, n, kinds=("one", "each", "zipf", "together", "apart", "k", "one-hot")):
    density = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-3, 0.03, 0.3, 1.0]))
    values = draw(st.sampled_from(VALUES))
    n_sets = draw(st.sampled_from([sets for sets in range(1, n + 1) if n % sets == 0]))
    match draw(st.sampled_from(kinds)):
        case "one":
            return Bernoulli(n_features=n, density=draw(density), values=values)
        case "each":
            return Bernoulli(n_features=n, density=draw(st.lists(density, min_size=n, max_size=n)), values=values)
        case "zipf":
            return Zipf(n_features=n, density=draw(density), exponent=draw(st.floats(0, 2)), values=values)
        case "together":
            return Correlated(n_features=n, n_sets=n_sets, density=draw(density), values=values)
        case "apart":
            return Anticorrelated(n_features=n, n_sets=n_sets, density=draw(density), values=values)
        case "k":
            return ExactlyK(n_features=n, n_active=draw(st.integers(1, n)), values=values)
    return OneHot(n_features=n, density=draw(density), values=values)


@st.composite
def cases(draw, kinds=None):
    """What `plan` takes, for one to three networks of one size that differ in features, seed and weights.

    The plan itself is made by the test: its tuple is checked by beartype, which picks an item at random, and a strategy may not be random.
    """
    n, m = draw(st.integers(1, 70)), draw(st.integers(1, 20))
    features = draw(st.lists(distributions(n, kinds) if kinds else distributions(n), min_size=1, max_size=3))
    W, b = weights(len(features), n, m, seed=draw(st.integers(0, 2**32)), size=draw(st.sampled_from([0.1, 1.0, 2.0])))
    importance = draw(st.lists(st.sampled_from([0.0, 0.01, 0.5, 1.0, 3.0]), min_size=n, max_size=n))
    return {
        "model": started(draw(st.sampled_from(MODELS)), W, b),
        "features": features,
        "importance": torch.tensor(importance, dtype=torch.float64).expand(len(features), n).contiguous(),
        "seeds": torch.tensor(draw(st.lists(st.integers(0, 2**63 - 1), min_size=len(features), max_size=len(features)))),
        "batch_size": draw(st.one_of(st.integers(1, 200), st.sampled_from([1, 63, 64, 65, 129, 500, 1025, 2200]))),
    }


def check_gradient(whole, through_gram):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_gram_is_quicker", lambda *_: through_gram)
        gradients, losses = stepped(Compiled(), whole)
    start, rectified = whole.model.build(dtype=torch.float64), whole.model.exact == "relu"
    for i, features in enumerate(whole.features):
        W, b = start.W[i].detach(), start.b[i].detach()
        x = features.sample(whole.batch_size, int(whole.seeds[i]), instance=int(whole.instance_ids[i]), dtype=torch.float64).dense()
        exact, loss = by_autograd(W, b, x, whole.importance[i], rectified)
        bounds, loss_bound = slack(W, b, x, whole.importance[i], rectified)
        for ours, theirs, bound in zip(gradients, exact, bounds, strict=True):
            assert ((ours[i] - theirs).abs() <= bound).all()
        assert abs(losses[i] - loss) <= loss_bound


@both_passes
@settings(max_examples=100)
@given(case=cases())
def test_the_gradient_and_the_loss_are_those_of_float64_autograd(through_gram, case):
    check_gradient(plan(**case), through_gram)


@both_passes
@pytest.mark.parametrize(("n", "m"), [(85, 7), (130, 40), (257, 3)], ids=str)
@pytest.mark.parametrize("model", MODELS)
def test_so_are_they_where_outputs_need_several_tiles(model, n, m, through_gram):
    features = [Bernoulli(n_features=n, density=0.02), ExactlyK(n_features=n, n_active=n // 2), Zipf(n_features=n, density=0.9)]
    check_gradient(plan(started(model, *weights(3, n, m, seed=n)), features, batch_size=333), through_gram)


@both_passes
@pytest.mark.parametrize("batch_size", [1024, 1025, 2200])
def test_so_are_they_where_a_batch_fills_blocks_and_goes_beyond(batch_size, through_gram):
    features = [
        Bernoulli(n_features=30, density=0.2),
        Bernoulli(n_features=30, density=[0.9**i for i in range(30)], values="gaussian"),
        Correlated(n_features=30, n_sets=6, density=0.3, values="signed"),
        Anticorrelated(n_features=30, n_sets=6, density=1.0),
    ]
    check_gradient(plan(started(ReLUOutput, *weights(4, 30, 6, seed=2)), features, batch_size=batch_size), through_gram)


def test_the_bound_would_see_a_sample_left_out():
    W, b = weights(1, 20, 5, seed=1)
    x = Bernoulli(n_features=20, density=0.1).sample(500, dtype=torch.float64).dense()
    large = (x.square().sum(1) > 1.5).nonzero().flatten()
    bounds, loss_bound = slack(W[0], b[0], x, torch.ones(20), rectified=True)
    whole, loss = by_autograd(W[0], b[0], x, torch.ones(20), rectified=True)
    for left_out in large[[0, 10, -1]].tolist():
        rest, other_loss = by_autograd(W[0], b[0], x.index_fill(0, torch.tensor([left_out]), 0), torch.ones(20), rectified=True)
        assert all(((a - c).abs() > 5 * bound).any() for a, c, bound in zip(whole, rest, bounds, strict=True))
        assert abs(loss - other_loss) > 5 * loss_bound


@both_passes
@settings(max_examples=30)
@given(case=cases(kinds=("one", "each", "zipf")))
def test_the_stratified_gradient_is_that_of_the_reference_in_float64(through_gram, case):
    whole = plan(**case, estimator="stratified")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_gram_is_quicker", lambda *_: through_gram)
        gradients, losses = stepped(Compiled(), whole)
    exact, loss = stepped(Reference(), plan(**case, estimator="stratified", dtype=torch.float64))
    start, rectified = whole.model.build(dtype=torch.float64), whole.model.exact == "relu"
    for i, features in enumerate(whole.features):
        split = strata(features)
        x = split.proposal.sample(whole.batch_size, int(whole.seeds[i]), instance=int(whole.instance_ids[i]), dtype=torch.float64).dense()
        weight, alone = split.weights[(x != 0).sum(1)], torch.cat([split.alone, torch.tensor([split.silent], dtype=torch.float64)])
        bounds, loss_bound = slack(start.W[i].detach(), start.b[i].detach(), x, whole.importance[i], rectified, weight, alone)
        for ours, theirs, bound in zip(gradients, exact, bounds, strict=True):
            assert ((ours[i] - theirs[i]).abs() <= bound).all()
        assert abs(losses[i] - loss[i]) <= loss_bound
