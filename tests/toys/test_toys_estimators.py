"""The stratified estimator: what it draws, how it weighs it, and that its gradient is on average the exact one, with less noise."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tegum
from tegum import theory
from tegum.features.bernoulli import Bernoulli
from tegum.features.zipf import Zipf
from tegum.toys.engines import reference
from tegum.toys.estimators import VALUE_MOMENTS, at_most_one_active, best_tilt, strata
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput

N, M = 5, 2
IMPORTANCE = 0.8 ** np.arange(N)
DENSITIES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-12, 1e-3, 1 - 1e-12])), min_size=1, max_size=6)


def supports(p):
    """Every set of active features as a 0-1 row, and its probability under independent features of densities p."""
    rows = np.array(list(itertools.product((0, 1), repeat=len(p))))
    return rows, np.where(rows == 1, p, 1 - np.asarray(p)).prod(1)


@given(p=DENSITIES)
def test_proposal_times_weight_is_the_probability_of_every_set_of_two_or_more(p):
    split = strata(Bernoulli(n_features=len(p), density=p))
    rows, wanted = supports(p)
    _, drawn = supports(split.proposal.marginal_density().numpy())
    count = rows.sum(1)
    # 1 - q has lost up to log2(t) of its digits: what is off has a relative rounding error of eps / (1 - q) a feature, weighed by its chance
    np.testing.assert_allclose((drawn * split.weights.numpy()[count])[count > 1], wanted[count > 1], rtol=1e-9, atol=1e-15)
    assert (split.weights[:2] == 0).all()


@given(p=DENSITIES)
def test_the_chances_of_none_and_of_one_are_those_of_the_list(p):
    split = strata(Bernoulli(n_features=len(p), density=p))
    rows, chance = supports(p)
    assert split.silent == pytest.approx(chance[rows.sum(1) == 0].sum(), rel=1e-13)  # six factors
    alone = [chance[(rows.sum(1) == 1) & (rows[:, i] == 1)].sum() for i in range(len(p))]
    np.testing.assert_allclose(split.alone, alone, rtol=1e-13)


def second_moment(p, t):
    """E w^2 K (K - 1) under the tilt t, over the list of all sets."""
    rows, chance = supports(p)
    _, drawn = supports(t * p / (1 + (t - 1) * p))
    count = rows.sum(1)
    some = (count > 1) & (chance > 0)
    return (chance[some] ** 2 / drawn[some] * count[some] * (count[some] - 1)).sum()


@pytest.mark.parametrize(
    "p", [[0.3] * 5, [0.01] * 6, [0.9] * 4, [0.5, 0.1, 0.01, 0.001], [1.0, 0.02, 0.02, 0.3], [1.0, 1, 0.1, 0.05], [1e-7, 1e-3, 0.2]]
)
def test_the_tilt_is_where_the_second_moment_is_least(p):
    p = np.array(p)
    t = best_tilt(p)
    least = second_moment(p, t)
    assert t >= 1
    for other in (t * 0.97, t * 1.03, max(1, t / 3), t * 3):
        assert second_moment(p, other) > least


def test_rare_features_are_drawn_two_at_a_time_and_common_ones_one_more_than_they_are():
    def active(n, p):
        return strata(Bernoulli(n_features=n, density=p)).proposal.mean_active()

    assert active(5, 1e-6) == pytest.approx(2, abs=1e-5)
    assert active(400, 1e-6) == pytest.approx(2, abs=1e-3)  # to the first order in sum p = 4e-4
    for p in (0.001, 0.003, 0.01, 0.03):
        assert active(400, p) == pytest.approx(1 + math.sqrt(1 + (400 * p) ** 2), rel=p)  # the law of rare events is off by O(p)


def test_two_features_are_drawn_together_most_of_the_time():
    assert strata(Bernoulli(n_features=2, density=0.01)).proposal.mean_active() == pytest.approx(1.9, abs=1e-5)


@pytest.mark.parametrize("p", [[0.0, 0.0], [0.3], [1.0, 1.0, 1.0], [0.99, 0.99]])
def test_where_nothing_is_to_be_tilted_the_features_themselves_are_drawn(p):
    features = Bernoulli(n_features=len(p), density=p)
    split = strata(features)
    assert split.proposal is features
    assert set(split.weights.tolist()) <= {0.0, 1.0}
    assert split.weights[-1] == (len(p) > 1)


def test_the_proposal_is_one_density_where_the_features_have_one():
    assert np.ndim(strata(Bernoulli(n_features=4, density=0.1)).proposal.density) == 0
    assert strata(Bernoulli(n_features=4, density=0.1, values="signed")).proposal.values == "signed"
    tilted = strata(Zipf(n_features=6, density=0.5, exponent=2.0)).proposal
    assert (np.diff(tilted.density) < 0).all()


@pytest.mark.parametrize("model", [ReLUOutput, LinearAutoencoder])
@pytest.mark.parametrize("values", VALUE_MOMENTS)
@pytest.mark.parametrize("p", [[0.2, 0.1, 0.4, 0.05, 0.3], [1.0, 0.1, 0.4, 0.05, 0.3]])
def test_the_exact_part_is_the_networks_own_loss_with_none_and_with_one_active(model, values, p):
    """By quadrature over the one value: the midpoint rule, or Gauss-Hermite's, on the module that is trained."""
    generator = torch.Generator().manual_seed(3)
    module = model(n_features=N, n_hidden=M).build(1, seed=2, dtype=torch.float64)
    module.load_state_dict({"W": module.W.detach(), "b": 0.3 * torch.randn(1, N, generator=generator, dtype=torch.float64)})
    nodes = {
        "uniform": (np.arange(20_000) + 0.5) / 20_000,
        "binary": np.ones(1),
        "signed": np.array([-1.0, 1.0]),
        "gaussian": np.linspace(-9, 9, 40_001),
    }[values]
    weights = np.exp(-(nodes**2) / 2) if values == "gaussian" else np.ones(len(nodes))
    weights = torch.from_numpy(weights / weights.sum())

    def mean_loss(x):
        return SquaredError().per_sample(module(x), x, torch.from_numpy(IMPORTANCE)[None])

    rows, chance = supports(p)
    split = strata(Bernoulli(n_features=N, density=p, values=values))
    wanted = chance[rows.sum(1) == 0][0] * mean_loss(torch.zeros(1, 1, N, dtype=torch.float64))[0, 0]
    for row, probability in zip(rows, chance, strict=True):
        if row.sum() == 1:
            wanted = wanted + probability * (weights * mean_loss(torch.from_numpy(nodes[:, None] * row)[None])[0]).sum()
    ours = at_most_one_active(
        module.directions[0], module.bias[0], torch.from_numpy(IMPORTANCE), torch.tensor(split.silent).double(), split.alone,
        values=values, model=str(module_exact(model)),
    )  # fmt: skip
    parameters = list(module.parameters())
    # The slope of a feature's own error jumps at its kink by up to 2 |u| I / n times its chance, .3 here, and a sum over nodes is off by up to half
    # a node there: 1e-6 for the 20,000, 1e-5 for the 40,000 (spacing 4.5e-4, density .4, |u| = 1); the value itself by a node's width less
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-8)
    for a, b in zip(torch.autograd.grad(ours, parameters), torch.autograd.grad(wanted, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=4e-5 if values == "gaussian" else 4e-6)


def module_exact(model):
    return model(n_features=N, n_hidden=M).exact


def stepped(model, features, estimator, instances, batch_size, steps=2):
    """The gradients of the last of `steps` steps of SGD, and the exact ones at the same weights: (instances, parameters)."""
    run = tegum.train(
        model, features, importance=IMPORTANCE, instances=instances, steps=steps, batch_size=batch_size, lr=0.5, optimizer="sgd",
        weight_decay=0.0, estimator=estimator, record=[steps - 1, steps], dtype="float64", engine="reference", progress=False,
    )  # fmt: skip
    seen = [torch.cat([one.flatten(1) for one in (run.history.W[t], run.history.b[t])], dim=1) for t in (0, 1)]
    W, b = run.history.W[0].clone().requires_grad_(), run.history.b[0].clone().requires_grad_()
    loss = theory.expected_loss(W, b, features, IMPORTANCE, model=model.exact)
    loss.sum().backward()
    return (seen[0] - seen[1]) / 0.5, torch.cat([W.grad.flatten(1), b.grad], dim=1), run.history.loss[0] - loss.detach()


CASES = [
    pytest.param(ReLUOutput, Bernoulli(n_features=N, density=0.02), id="ReLU, rare"),
    pytest.param(ReLUOutput, Bernoulli(n_features=N, density=0.5), id="ReLU, common"),
    pytest.param(ReLUOutput, Bernoulli(n_features=N, density=[1.0, 0.1, 0.02, 0.3, 0.0]), id="ReLU, one always on, one never"),
    pytest.param(ReLUOutput, Bernoulli(n_features=N, density=[1.0, 1.0, 0.1, 0.2, 0.1]), id="ReLU, two always on"),
    pytest.param(ReLUOutput, Zipf(n_features=N, density=0.3, values="signed"), id="ReLU, Zipf, signed"),
    pytest.param(ReLUOutput, Bernoulli(n_features=N, density=0.1, values="gaussian"), id="ReLU, Gaussian"),
    pytest.param(ReLUOutput, Bernoulli(n_features=N, density=0.1, values="binary"), id="ReLU, binary"),
    pytest.param(LinearAutoencoder, Bernoulli(n_features=N, density=0.1), id="linear"),
    pytest.param(LinearAutoencoder, Zipf(n_features=N, density=1.0, values="gaussian"), id="linear, Zipf, Gaussian"),
]


@pytest.mark.parametrize(("model", "features"), CASES)
def test_the_gradient_is_the_exact_one_on_average_and_so_is_the_loss(model, features):
    instances = 400
    gradient, exact, loss_error = stepped(model(n_features=N, n_hidden=M), features, "stratified", instances, 64)
    difference = gradient - exact
    # 400 networks, each with weights of its own: the mean of what is off, in standard errors. A normal deviate passes 5 once in 1.7 million;
    # 15 of them in each of 9 cases, and as many losses: a false alarm in 12,000. 1e-14 is for a parameter without noise
    error = difference.std(0) / instances**0.5 + 1e-14
    assert (difference.mean(0).abs() / error).max() < 5
    assert abs(float(loss_error.mean())) < 5 * float(loss_error.std() / instances**0.5 + 1e-14)
    assert exact.square().mean() > 25 * error.square().mean()  # the comparison sees a fifth of the gradient


@pytest.mark.parametrize("p", [0.1, 0.03])
def test_its_noise_is_far_less_where_few_features_are_active(p):
    model, features = ReLUOutput(n_features=N, n_hidden=M), Bernoulli(n_features=N, density=p)
    noise = {}
    for estimator in ("sampled", "stratified"):
        gradient, exact, _ = stepped(model, features, estimator, 200, 256, steps=1)
        noise[estimator] = float((gradient - exact).square().sum(1).mean())
    # of 200 networks' squared errors each mean has a standard error under 15%; 15 at p = .1 and 380 at p = .03 are the ratios of long runs
    assert noise["sampled"] > {0.1: 8, 0.03: 150}[p] * noise["stratified"]


def test_a_batch_is_the_sample_that_the_proposal_gives(monkeypatch):
    drawn = {}

    def draw(x, plan, step):
        real(x, plan, step)
        drawn[step] = x.clone()

    real = reference.draw_batch
    monkeypatch.setattr(reference, "draw_batch", draw)
    features = Bernoulli(n_features=N, density=0.1)
    model = ReLUOutput(n_features=N, n_hidden=M)
    tegum.train(model, features, instances=2, steps=4, batch_size=40, seed=9, estimator="stratified", engine="reference", progress=False)
    for i in range(2):
        assert drawn[3][i].equal(strata(features).proposal.sample(40, seed=9, instance=i, step=3).dense())


def test_networks_of_unlike_features_train_beside_each_other_as_alone():
    features = [
        Bernoulli(n_features=N, density=0.05),
        Bernoulli(n_features=N, density=[1.0, 0.1, 0.1, 0.2, 0.3], values="signed"),
        Zipf(n_features=N, density=0.4, values="gaussian"),
        Bernoulli(n_features=N, density=0.3),
    ]
    asked = {
        "steps": 30,
        "batch_size": 32,
        "lr": 0.02,
        "dtype": torch.float64,
        "estimator": "stratified",
        "engine": "reference",
        "progress": False,
    }
    model = ReLUOutput(n_features=N, n_hidden=M)
    importance = np.outer([1, 2, 0.5, 1], IMPORTANCE)
    whole = tegum.train(model, features, importance=importance, seed=range(4), **asked)
    for i in range(4):
        one = tegum.train(model, features[i], importance=importance[i], seed=i, **asked)
        torch.testing.assert_close(one.W[0], whole.W[i], rtol=0, atol=1e-11)  # rounding, as in test_toys_company
        torch.testing.assert_close(one.b[0], whole.b[i], rtol=0, atol=1e-11)


def test_training_by_it_ends_at_least_as_low():
    model, features = ReLUOutput(n_features=N, n_hidden=M), Bernoulli(n_features=N, density=0.02)
    asked = {"instances": 10, "steps": 250, "batch_size": 64, "lr": 0.03, "schedule": "cosine", "engine": "reference", "progress": False}
    sampled, stratified = (tegum.train(model, features, estimator=name, **asked) for name in ("sampled", "stratified"))
    assert sampled.loss_kind == stratified.loss_kind == "exact expected loss"
    # one to one, for each begins at the same weights; a worse optimum found by chance leaves room in two of the ten
    assert int((stratified.loss <= sampled.loss).sum()) >= 8
    assert stratified.loss.min() <= sampled.loss.min()


def test_the_run_says_by_which_estimator_it_was_trained(tmp_path):
    model, features = ReLUOutput(n_features=N, n_hidden=M), Bernoulli(n_features=N, density=0.1)
    for name in ("sampled", "stratified"):
        run = tegum.train(model, features, steps=2, batch_size=8, estimator=name, engine="reference", progress=False)
        run.save(tmp_path / "run.safetensors")
        assert run.settings["estimator"] == tegum.load(tmp_path / "run.safetensors").settings["estimator"] == name
    assert tegum.train(model, features, steps=2, batch_size=8, progress=False).settings["estimator"] == "sampled"
