"""The one-neuron cross-entropy of Cho 2024, 'Superposition Hypothesis'."""

import math

import numpy as np
import pytest

from tegum.theory import tokens_on_neuron_loss


def test_four_tokens_cost_what_seed_004_says():
    assert tokens_on_neuron_loss(4, 1) == pytest.approx(0.75 * math.log(3), rel=1e-15)
    assert tokens_on_neuron_loss(4, 2) == pytest.approx(math.log(2), rel=1e-15)
    assert tokens_on_neuron_loss(4, [0, 4]) == pytest.approx(math.log(4), rel=1e-15)


def test_it_is_the_mean_log_loss_of_the_uniform_prediction_over_each_state():
    for on in range(1, 7):
        predicted = [1 / on] * on + [1 / (7 - on)] * (7 - on)
        assert tokens_on_neuron_loss(7, on) == pytest.approx(-np.mean(np.log(predicted)), rel=1e-14)


def test_an_even_split_is_best():
    assert np.argmin(tokens_on_neuron_loss(10, np.arange(11))) == 5


def test_more_tokens_on_than_there_are_is_refused():
    with pytest.raises(ValueError, match="n_on must be from 0"):
        tokens_on_neuron_loss(4, 5)
