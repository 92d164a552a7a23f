"""What is recorded while networks train: W, b, the loss and D_i, at chosen steps."""

import numpy as np
import pytest
import torch

import tegum
from tegum.features.bernoulli import Bernoulli
from tegum.toys.models.relu_output import ReLUOutput

N, M = 4, 2
MODEL, FEATURES = ReLUOutput(n_features=N, n_hidden=M), Bernoulli(n_features=N, density=0.3)


def trained(record, steps=200, **changes):
    return tegum.train(
        MODEL, FEATURES, instances=3, **{"batch_size": 64, "lr": 0.01, "progress": False} | changes, steps=steps, record=record
    )


@pytest.mark.parametrize(
    ("record", "steps", "kept"),
    [
        (0, 200, []),
        (1, 200, [200]),
        (2, 200, [0, 200]),
        (3, 200, [0, 1, 200]),
        (5, 125, [0, 1, 5, 25, 125]),
        (9, 3, [0, 1, 2, 3]),
        (2, 1, [0, 1]),
        ([7], 10, [7]),
        ([10, 0, 3, 3], 10, [0, 3, 10]),
        (range(0, 11, 5), 10, [0, 5, 10]),
        (np.array([2, 4]), 10, [2, 4]),
        ([], 10, []),
    ],
    ids=str,
)
def test_the_steps_kept_are_the_ones_listed_or_log_spaced_from_start_to_end(record, steps, kept):
    history = trained(record, steps, batch_size=2).history
    assert history.steps.tolist() == kept
    assert history.loss.shape == (len(kept), 3)
    assert history.W.shape == (len(kept), 3, N, M)
    assert history.b.shape == (len(kept), 3, N)


def test_log_spaced_steps_are_as_many_as_asked_where_none_fall_together():
    assert trained(10, 256, batch_size=2).history.steps.tolist() == [0, *(2**i for i in range(9))]


def test_the_record_begins_with_the_drawn_weights_and_ends_with_the_trained_ones():
    run = trained([0, 50, 200])
    assert run.history.W[0].equal(MODEL.build(3).directions)
    assert not run.history.b[0].any()
    assert run.history.W[-1].equal(run.W)
    assert run.history.b[-1].equal(run.b)


def test_recording_changes_nothing():
    assert trained(20).W.equal(trained(0).W)


def test_what_is_recorded_midway_is_what_a_shorter_training_gives():
    middle, short = trained([80], dtype="float64"), trained(0, steps=80, dtype="float64")
    assert middle.history.W[0].equal(short.W)


def test_the_recorded_loss_is_that_of_the_batch_that_comes_next():
    history = trained([0, 50, 200], dtype="float64", seed=6).history
    for t, step in enumerate((0, 50, 200)):
        for i in range(3):
            x = FEATURES.sample(64, seed=6, instance=i, step=step, dtype=torch.float64).dense()
            loss = (torch.relu(x @ history.W[t, i] @ history.W[t, i].T + history.b[t, i]) - x).square().mean()
            assert history.loss[t, i].item() == pytest.approx(loss.item(), rel=1e-12)  # 256 terms of one sign


def test_feature_dimensionality_is_told_at_every_recorded_step():
    history = trained(5, 125).history
    dimensionality = history.feature_dimensionality()
    assert dimensionality.shape == (5, 3, N)
    W = history.W[3, 1].double().numpy()
    unit = W / np.linalg.norm(W, axis=1, keepdims=True)
    by_hand = (W**2).sum(1) / ((unit @ W.T) ** 2).sum(1)
    assert dimensionality[3, 1].numpy() == pytest.approx(by_hand, rel=1e-5)  # float32: a few dozen roundings of 6e-8
    assert (dimensionality.sum(-1) <= M + 1e-5).all()
