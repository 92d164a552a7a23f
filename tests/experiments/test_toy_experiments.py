"""The toy-model experiments: run whole at a size of seconds, and right about the shapes they name.

That their claims hold at the quick preset is what `make demo` checks, with exit 1 where a verdict differs from the one on record; what refutes
each is in test_refutations.
"""

import math

import numpy as np
import pytest
import torch

from tegum import parts, theory
from tegum.experiments import Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.toys.five_in_two import _spacing_error
from tegum.experiments.toys.linear_and_relu import _order
from tegum.experiments.toys.loss_terms import _by_number, _quadrature
from tegum.features import Bernoulli
from tegum.toys import TokenPredictor

UNTRAINED = {"steps": 1, "batch_size": 64, "seeds": 2}
TINY = {
    "five_in_two": {"density": (1.0, 0.05), "starts": 1},
    "one_neuron": {"density": (1.0, 0.05), "starts": 1},
    "linear_and_relu": {"density": (1.0, 0.1), "sizes": ("small",)},
    "loss_terms": {"density": (1.0, 0.1), "samples": 5_000},
    "phase_one_dim": {"density": (0.05, 0.5), "importance": (0.2, 1.0, 4.0)},
    "phase_two_dims": {"density": (0.05, 0.5), "importance": (0.2, 1.0, 4.0)},
    "token_neuron": {"record": 5},
}


@pytest.fixture(scope="module")
def tiny():
    """name -> rows of untrained networks."""

    def rows(name):
        experiment = parts.find("experiments", name)()
        params = type(experiment.presets["quick"]).model_validate(UNTRAINED | TINY[name])
        return experiment, Rows(params, [experiment.run(cell, params).of(cell) for cell in experiment.cells(params)])

    return {name: rows(name) for name in TINY}


@pytest.mark.parametrize("name", TINY)
def test_every_figure_has_a_caption_that_says_how_it_was_made(tiny, name):
    experiment, rows = tiny[name]
    captions = [figure.layout.meta["caption"] for figure in experiment.figures(rows)]
    assert captions
    assert all(len(caption) > 60 for caption in captions)
    assert len(set(captions)) == len(captions)


@pytest.mark.parametrize("name", TINY)
def test_statements_differ_and_say_what_they_measure(tiny, name):
    experiment, rows = tiny[name]
    statements = [claim.statement for claim in experiment.claims(rows)]
    assert len(set(statements)) == len(statements) >= 3


def test_the_loss_terms_hold_for_any_weights_and_only_the_formula_without_the_mean_fails(tiny):
    experiment, rows = tiny["loss_terms"]
    verdicts = {claim.statement: claim for claim in experiment.claims(rows)}
    told = {
        statement: claim.verdict
        for statement, claim in verdicts.items()
        if statement.startswith(("the linear", "the one-active", "the losses"))
    }
    assert len(told) == 6
    for statement, verdict in told.items():
        # 5,000 samples, 6 comparisons each within 4 standard errors: a false alarm once in 2,600 seeds; this seed is fixed
        assert verdict == verdicts[statement].on_record, statement


def test_a_pentagon_has_no_spacing_error_and_a_square_has_eighteen_degrees():
    assert _spacing_error(theory.polygon(5).numpy()) == pytest.approx(0, abs=1e-9)
    assert _spacing_error(theory.polygon(4).numpy()) == pytest.approx(18, abs=1e-9)
    assert _spacing_error(theory.polygon(5).numpy()[:1]) == 360


def test_the_order_is_the_chance_that_a_superposed_feature_is_the_less_important():
    alone, superposed = np.array([1, 1, 0, 0], dtype=bool), np.array([0, 0, 1, 1], dtype=bool)
    assert _order(superposed, alone) == 1
    assert _order(alone, superposed) == 0
    assert _order(np.array([1, 0, 0, 1], dtype=bool), np.array([0, 1, 1, 0], dtype=bool)) == 0.5
    assert math.isnan(_order(alone, ~alone & ~superposed))


def test_the_one_active_integral_by_quadrature_is_the_one_known_by_hand():
    W, b = np.eye(8, 3), np.zeros(8)
    lost = 0.9 ** np.arange(8)[3:]  # three features answered exactly, five by 0: E x^2 = 1/3 each
    assert _quadrature(W, b) == pytest.approx(lost.sum() / 3, rel=1e-10)


def test_losses_by_number_of_active_features_add_up_to_the_expected_loss():
    generator = torch.Generator().manual_seed(0)
    W, b = torch.randn(8, 3, dtype=torch.float64, generator=generator), torch.randn(8, dtype=torch.float64, generator=generator)
    whole = theory.expected_loss(W, b, Bernoulli(n_features=8, density=0.3), importance=0.9 ** np.arange(8))
    assert _by_number(W, b, 0.3).sum() == pytest.approx(float(whole), rel=1e-12)


def test_wilson_intervals_are_the_two_roots_of_the_score_equation():
    share, ends = wilson(7, 9)
    z = 1.959963984540054
    assert share == 7 / 9
    for p in ends:
        assert abs(share - p) == pytest.approx(z * math.sqrt(p * (1 - p) / 9), rel=1e-12)
    assert wilson(0, 5)[1][0] == pytest.approx(0, abs=1e-15)
    assert wilson(5, 5)[1][1] == pytest.approx(1, rel=1e-15)


def test_a_step_neuron_is_on_or_off_and_still_has_a_slope():
    module = TokenPredictor(n_features=4, n_hidden=1, neuron="step").build(3, seed=1)
    level = module.neurons(torch.eye(4).expand(3, 4, 4))
    assert set(level.detach().flatten().tolist()) <= {0.0, 1.0}
    level.sum().backward()
    assert bool((module.W.grad.abs() > 0).all())
    with pytest.raises(ValueError, match="'relu' or 'step'"):
        TokenPredictor(n_features=4, n_hidden=1, neuron="sigmoid")
