"""What `train` returns: losses that can be trusted, the best of the networks, any of them as a module, and tables."""

import dataclasses

import numpy as np
import pytest
import torch

import tegum
from tegum import geometry, theory
from tegum.features.bernoulli import Bernoulli
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.models.token_predictor import TokenPredictor

N = 4
MODEL, FEATURES = ReLUOutput(n_features=N, n_hidden=2), Bernoulli(n_features=N, density=0.3)
QUICK = {"steps": 40, "batch_size": 32, "lr": 0.02, "progress": False}


@pytest.fixture(scope="module")
def run():
    return tegum.train(MODEL, FEATURES, importance=0.8 ** np.arange(N), instances=5, seed=1, **QUICK)


@pytest.mark.parametrize("model", [ReLUOutput, LinearAutoencoder])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loss_is_the_exact_expected_one_where_there_is_one(model, dtype):
    features = [FEATURES, FEATURES, ExactlyK(n_features=N, n_active=2), OneHot(n_features=N)]
    importance = np.linspace(0.2, 1.0, 4 * N).reshape(4, N)
    run = tegum.train(model(n_features=N, n_hidden=2), features, importance=importance, dtype=dtype, **QUICK)
    assert run.loss_kind == "exact expected loss"
    assert not run.loss_se.any()
    for i, one in enumerate(features):
        exact = theory.expected_loss(run.W[i], run.b[i], one, importance[i], model=model.exact)
        assert run.loss[i].item() == pytest.approx(exact.item(), rel=1e-12)  # the same sums of positive terms, in another order


def independent(run, i, x):
    """Loss and standard error of network i on samples that the run never saw."""
    loss = (run.importance[i] * (run.module(i)(x).detach() - x) ** 2).mean(1)
    return loss.mean().item(), (loss.std() / len(x) ** 0.5).item()


def test_elsewhere_the_loss_is_a_mean_over_samples_with_its_standard_error():
    n, samples = 13, 1 << 17
    features = [Bernoulli(n_features=n, density=0.5), Bernoulli(n_features=n, density=0.5), Bernoulli(n_features=n, density=0.2)]
    run = tegum.train(
        ReLUOutput(n_features=n, n_hidden=3), features, importance=0.8 ** np.arange(n), dtype="float64", **QUICK | {"steps": 150}
    )
    assert run.loss_kind == "mean over 32,768 common samples"
    for i, one in enumerate(features):
        mean, se = independent(run, i, one.sample(samples, seed=77, dtype=torch.float64).dense())
        # 5 standard errors of the difference, 3 networks: a false alarm once in 500,000 runs
        assert abs(run.loss[i].item() - mean) <= 5 * (run.loss_se[i].item() ** 2 + se**2) ** 0.5
        assert run.loss_se[i].item() == pytest.approx(
            2 * se, rel=0.1
        )  # a quarter of the samples; spreads of 32,768 agree within a few percent


def test_two_networks_are_compared_on_the_same_samples():
    n = 13
    run = tegum.train(ReLUOutput(n_features=n, n_hidden=3), Bernoulli(n_features=n, density=0.5), instances=3, seed=[4, 4, 5], **QUICK)
    assert run.loss[0] == run.loss[1] != run.loss[2]


def test_the_best_is_the_one_of_the_smallest_loss(run):
    best = run.best()
    assert best.index == int(run.loss.argmin())
    assert best.loss == float(run.loss.min()) < float(run.loss.max())
    assert best.W.equal(run.W[best.index])
    assert best.b.equal(run.b[best.index])


def test_a_network_that_diverged_is_never_the_best():
    run = tegum.train(MODEL, FEATURES, instances=4, **QUICK)
    run.loss[[0, 2]] = torch.nan
    assert run.best().index == (1 if run.loss[1] < run.loss[3] else 3)
    assert run.best_of(2).tolist() == [1, 3]


def test_the_best_of_each_group_of_neighbours():
    other = Bernoulli(n_features=N, density=0.6)
    run = tegum.train(MODEL, [FEATURES] * 3 + [other] * 3, **QUICK)
    assert run.best_of(3).tolist() == [int(run.loss[:3].argmin()), 3 + int(run.loss[3:].argmin())]
    assert run.best_of(1).tolist() == list(range(6))
    assert [run[i].loss for i in run.best_of(3)] == run.loss.reshape(2, 3).amin(1).tolist()


def test_networks_that_differ_in_what_they_are_asked_are_not_compared():
    other = Bernoulli(n_features=N, density=0.6)
    mixed = tegum.train(MODEL, [FEATURES, FEATURES, other], **QUICK)
    with pytest.raises(ValueError, match="instances 0 and 2 differ in features or importance"):
        mixed.best()
    weighted = tegum.train(MODEL, FEATURES, importance=[[1.0] * N, [0.5] * N], instances=2, **QUICK)
    with pytest.raises(ValueError, match="instances 0 and 1 differ"):
        weighted.best()
    with pytest.raises(ValueError, match="3 instances do not fall into groups of 2"):
        mixed.best_of(2)
    alike = tegum.train(MODEL, [Bernoulli(n_features=N, density=0.3) for _ in range(2)], **QUICK)
    assert alike.best().loss == float(alike.loss.min())  # one distribution, written down twice


def test_a_network_is_a_module_for_hooks(run):
    x = FEATURES.sample(20, seed=3).dense()
    for i in (0, 4, -1):
        module, hidden = run.module(i), []
        module.hidden.register_forward_hook(lambda _, inputs, output, hidden=hidden: hidden.append(output))
        torch.testing.assert_close(module(x), torch.relu(x @ run.W[i] @ run.W[i].T + run.b[i]))
        torch.testing.assert_close(hidden[0][0], x @ run.W[i])
    with pytest.raises(IndexError):
        run.module(5)


def test_changing_a_module_leaves_the_run_as_it_was(run):
    before = run.W.clone()
    with torch.no_grad():
        run.module(0).W.zero_()
    assert run.W.equal(before)


def test_a_run_is_a_sequence_of_its_networks(run):
    assert len(run) == len(list(run)) == 5
    assert run[-1].index == 4
    assert [one.loss for one in run] == run.loss.tolist()
    assert repr(run[2]) == f"Instance(2, 4 features, 2 hidden, loss {run[2].loss:.4g})"
    with pytest.raises(IndexError):
        run[5]


def test_it_shows_what_it_is(run):
    text = repr(run)
    assert text.startswith("Run(ReLUOutput(n_features=4, n_hidden=2), 5 instances, 40 steps in ")
    assert text.endswith(f"loss {run.loss.min():.4g} to {run.loss.max():.4g}, exact expected loss)")
    page = run._repr_html_()
    assert page.count("<tr") == 6
    assert "Run(ReLUOutput(n_features=4" in page
    many = tegum.train(MODEL, FEATURES, instances=200, **QUICK | {"steps": 1})
    assert many._repr_html_().count("<tr") < 30


def test_its_table_has_a_line_a_network(run):
    table = run.to_dataframe()
    assert list(table.columns) == ["instance", "loss", "loss_se", "represented", "dims_per_feature"]
    assert table["loss"].tolist() == run.loss.tolist()
    assert table["represented"].tolist() == (run.W.norm(dim=2) > 0.5).sum(1).tolist()
    assert table["dims_per_feature"].to_numpy() == pytest.approx(geometry.dims_per_feature(run.W).numpy())


def test_it_remembers_what_was_asked(run):
    assert run.settings == {
        "steps": 40, "batch_size": 32, "lr": 0.02, "weight_decay": 0.01, "optimizer": "adamw", "schedule": "constant", "loss": "SquaredError",
        "hidden_l1": 0.0, "engine": "Compiled", "estimator": "sampled", "seed": 1, "device": "cpu", "dtype": "torch.float32",
    }  # fmt: skip
    assert run.model == MODEL
    assert run.features == (FEATURES,) * 5
    assert run.importance.tolist() == [(0.8 ** np.arange(N)).tolist()] * 5
    assert (run.W.dtype, run.loss.dtype) == (torch.float32, torch.float64)
    assert tegum.train(TokenPredictor(n_features=N, n_hidden=1), OneHot(n_features=N), **QUICK).settings["loss"] == "CrossEntropy"


def test_a_diverged_training_is_told_as_such_and_has_no_best():
    model, features = ReLUOutput(n_features=4, n_hidden=2), Bernoulli(n_features=4, density=0.5)
    run = tegum.train(model, features, instances=2, steps=60, batch_size=32, lr=1e6, optimizer="sgd", progress=False)
    assert not run.loss.isfinite().any()
    assert "no finite loss" in repr(run)
    assert run.to_dataframe()[["represented", "dims_per_feature"]].isna().all(axis=None)
    with pytest.raises(ValueError, match="all 2 instances diverged"):
        run.best()
    half = dataclasses.replace(run, loss=torch.tensor([torch.nan, 0.5]))
    assert half.best().index == 1
    assert "1 diverged" in repr(half)


def test_a_sweeps_table_names_its_features():
    sweep = [Bernoulli(n_features=4, density=p) for p in (0.5, 0.25)]
    run = tegum.train(ReLUOutput(n_features=4, n_hidden=2), sweep, steps=2, batch_size=8, record=2, progress=False)
    table = run.to_dataframe()
    assert table["mean_active"].tolist() == [2.0, 1.0]
    assert table["features"].str.contains("Bernoulli").all()
    assert "2 moments of 2 instances, steps 0 to 2" in repr(run.history)
    assert run.history.to_dataframe()[["step", "instance"]].to_numpy().tolist() == [[0, 0], [0, 1], [2, 0], [2, 1]]
