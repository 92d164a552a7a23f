"""Training finds the solutions that are known, at small cost: the best of a few short runs with cosine decay."""

import math

import numpy as np
import pytest
import torch

import tegum
from tegum import geometry, theory
from tegum.features.bernoulli import Bernoulli
from tegum.features.one_hot import OneHot
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.models.token_predictor import TokenPredictor

QUICK = {"schedule": "cosine", "lr": 5e-3, "progress": False}
FIVE = {"n_features": 5, "n_hidden": 2}
DECAY = 0.9 ** np.arange(5)


def test_dense_features_leave_room_for_the_two_most_important_only():
    features = Bernoulli(n_features=5, density=1.0)
    run = tegum.train(ReLUOutput(**FIVE), features, importance=DECAY, instances=4, steps=2000, batch_size=64, **QUICK)
    best = run.best()
    assert geometry.represented(best.W).tolist() == [True, True, False, False, False]
    assert torch.cosine_similarity(best.W[0], best.W[1], dim=0).abs() < 0.31  # five directions of a plane have a pair at cos 72 or more
    # what is dropped is answered by its mean, 1/2, and costs its variance, 1/12; any other pair would cost .09 / 2.2 = 4% more
    assert best.loss == pytest.approx(DECAY[2:].sum() / 12 / 5, rel=0.03)
    assert best.b[2:].numpy() == pytest.approx(0.5, abs=0.15)  # the loss is flat there: the optimizer's noise moves b
    assert best.b[:2].abs().max() < 0.15


def test_sparse_features_fold_into_a_pentagon():
    features = Bernoulli(n_features=5, density=0.02)
    run = tegum.train(ReLUOutput(**FIVE), features, importance=DECAY, instances=6, steps=1500, batch_size=128, **QUICK)
    W = run.best().W.double().numpy()
    angles = np.sort(np.degrees(np.arctan2(W[:, 1], W[:, 0])))
    gaps = np.diff(np.append(angles, angles[0] + 360))
    assert gaps == pytest.approx(72, abs=6)  # four directions, or six, would be off by 18 or 12 degrees: half the lesser
    assert (np.linalg.norm(W, axis=1) > 0.9).all()
    assert geometry.feature_dimensionality(run.best().W).numpy() == pytest.approx(0.4, abs=0.08)  # 2/5 each; a digon has 1/2


def test_a_linear_autoencoder_keeps_the_top_features_and_reaches_the_exact_optimum():
    n, m, density = 6, 3, 0.4
    importance = 0.7 ** np.arange(n)
    features = Bernoulli(n_features=n, density=density)
    run = tegum.train(
        LinearAutoencoder(n_features=n, n_hidden=m), features, importance=importance, instances=3, steps=1200, batch_size=128, **QUICK
    )
    assert geometry.represented(run.best().W).tolist() == [True] * m + [False] * (n - m)
    # weighted PCA of independent features drops those of least I_i Var x_i: no linear model does better, so the bound below is exact
    least = (importance[m:] * (density / 3 - density**2 / 4)).sum() / n
    assert (run.loss >= least * (1 - 1e-9)).all()
    assert run.best().loss < 1.02 * least  # finite learning rate and samples; the next best choice of features costs 1.43 - .7 = 33% more


def test_one_neuron_tells_four_tokens_apart_better_than_by_firing_for_one():
    run = tegum.train(
        TokenPredictor(n_features=4, n_hidden=1), OneHot(n_features=4), instances=10, steps=700, batch_size=64, lr=0.02, progress=False
    )
    assert run.loss_kind == "mean over 32,768 common samples"
    best = run.best()
    assert best.loss + 5 * run.loss_se[best.index] < theory.tokens_on_neuron_loss(4, 1)
    exact = torch.nn.functional.cross_entropy(run.module(best.index)(torch.eye(4)), torch.arange(4)).item()
    assert exact < theory.tokens_on_neuron_loss(4, 1) == pytest.approx(0.75 * math.log(3))
    assert abs(best.loss - exact) < 5 * run.loss_se[best.index]


def test_a_sweep_of_densities_in_one_call_passes_from_one_feature_to_two():
    features = [Bernoulli(n_features=2, density=p) for p in (1.0, 0.05) for _ in range(4)]
    run = tegum.train(ReLUOutput(n_features=2, n_hidden=1), features, importance=[1.0, 0.7], steps=800, batch_size=64, **QUICK)
    dense, sparse = run.W[run.best_of(4)]
    assert geometry.represented(dense).tolist() == [True, False]
    assert geometry.represented(sparse).tolist() == [True, True]
    assert dense[0].abs() > 0.5
    assert sparse.prod() < 0


def test_importance_by_instance_chooses_what_is_kept():
    importance, features = np.where(np.eye(3, dtype=bool), 1.0, 0.2), Bernoulli(n_features=3, density=1.0)
    run = tegum.train(
        ReLUOutput(n_features=3, n_hidden=1), features, importance=importance, instances=3, steps=1000, batch_size=64, **QUICK
    )
    assert run.W[:, :, 0].abs().argmax(1).tolist() == [0, 1, 2]
    assert geometry.represented(run.W).sum(1).tolist() == [1, 1, 1]
