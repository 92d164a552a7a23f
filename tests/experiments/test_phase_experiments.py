"""The phase diagrams: perfect training gets every verdict on record, and for each claim there are networks that do not."""

import math

import numpy as np
import pytest
import torch

from tegum import theory
from tegum.experiments import Cell, Row, Rows
from tegum.experiments.toys._phase_grid import MARGIN, _of_others, exact_optimum, log_grid
from tegum.experiments.toys.phase_one_dim import PhaseOneDim, lower_border
from tegum.experiments.toys.phase_two_dims import PhaseTwoDims

ONE, TWO = PhaseOneDim(), PhaseTwoDims()
GRID = {ONE: {"density": (0.1, 0.2738, 0.4216, 0.6493), "seeds": 8}, TWO: {"density": (0.2, 0.4216, 0.6493), "seeds": 8}}

CLOSED, PHASE, LOSS, FLOOR, BELOW, ABOVE, FORM, TRIPLE, SHARE = (
    "networks are in the phase of the closed-form",
    "they are in the phase of the exact optimum",
    "the best network of a point is within",
    "no network does better",
    "the trained border of the antipodal phase below",
    "the trained border of the antipodal phase above",
    "the closed form r = 2s/(4-5s)",
    "no pair outlives",
    "networks make the first two features share",
)


def perfect(experiment):
    """Rows of networks that are the exact optimum."""
    params = experiment.presets["quick"].model_copy(update={"importance": log_grid(0.1, 10, 11)} | GRID[experiment])
    importance = np.array(params.importance)
    rows = []
    for cell in experiment.cells(params):
        ends = experiment.minima(cell.density, importance)
        phases, least = experiment.phase(ends.W), ends.loss.argmin(1, keepdim=True)
        exact = [torch.where(phases == k, ends.loss, torch.inf).amin(1) for k in range(len(experiment.phases) + 1)]
        rows.append(
            Row(
                phase=phases.gather(1, least)[:, 0],
                agree=torch.ones(len(importance)),
                loss=ends.loss.amin(1),
                candidates=experiment.candidates(cell.density, importance),
                exact=torch.stack(exact),
                border=theory.pair_border(cell.density),
            ).of(cell)
        )
    return Rows(params, rows)


@pytest.fixture(scope="module")
def optima():
    return {experiment: perfect(experiment) for experiment in (ONE, TWO)}


def changed(rows, **change):
    """The rows with the fields that `change` computes of each."""
    told = [{name: value for name, value in dict(row).items() if name != "density"} for row in rows]
    return Rows(
        rows.params, [Row(**old | {n: f(row) for n, f in change.items()}).of(row.cell) for old, row in zip(told, rows, strict=True)]
    )


def off_record(experiment, rows):
    """The openings of the statements whose verdict is not the one on record."""
    known = (CLOSED, PHASE, LOSS, FLOOR, BELOW, ABOVE, FORM, TRIPLE, SHARE)
    return {next(k for k in known if claim.statement.startswith(k)) for claim in experiment.claims(rows) if not claim.as_recorded}


@pytest.mark.parametrize("experiment", [ONE, TWO])
def test_perfect_training_gets_the_verdicts_on_record(optima, experiment):
    assert off_record(experiment, optima[experiment]) == set()


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["quick", "paper"])
@pytest.mark.parametrize("experiment", [ONE, TWO])
def test_perfect_training_gets_the_verdicts_on_record_at_every_preset(monkeypatch, experiment, preset):
    params = experiment.presets[preset]
    cells = {"density": tuple(s for s in params.density if s < 1), "seeds": params.seeds}
    monkeypatch.setitem(GRID, experiment, cells | {"importance": params.importance})
    assert off_record(experiment, perfect(experiment)) == set()


@pytest.mark.parametrize(
    ("experiment", "refuted"), [(ONE, {CLOSED, PHASE, LOSS, BELOW, ABOVE, TRIPLE}), (TWO, {CLOSED, PHASE, LOSS, SHARE})]
)
def test_untrained_networks_have_no_claim_that_is_about_them(optima, experiment, refuted):
    params = optima[experiment].params.model_copy(update={"steps": 1, "batch_size": 64})
    assert off_record(experiment, Rows(params, [experiment.run(cell, params).of(cell) for cell in experiment.cells(params)])) == refuted


def test_a_pair_everywhere_has_no_borders(optima):
    rows = changed(optima[ONE], phase=lambda row: np.full_like(row.phase, 2), loss=lambda row: row.candidates[2])
    assert off_record(ONE, rows) == {CLOSED, PHASE, LOSS, BELOW, ABOVE}


@pytest.mark.parametrize("dropped", [0, 1])
def test_a_feature_dropped_everywhere_has_no_borders_and_no_pair(optima, dropped):
    rows = changed(optima[ONE], phase=lambda row: np.full_like(row.phase, dropped), loss=lambda row: row.candidates[dropped])
    assert off_record(ONE, rows) == {CLOSED, PHASE, LOSS, BELOW, ABOVE, TRIPLE}


@pytest.mark.parametrize(("experiment", "refuted"), [(ONE, {PHASE, LOSS, TRIPLE, BELOW, ABOVE}), (TWO, {PHASE, LOSS})])
def test_networks_that_are_the_candidates_are_not_the_optimum(optima, experiment, refuted):
    rows = changed(optima[experiment], phase=lambda row: row.candidates.argmin(0), loss=lambda row: row.candidates.min(0))
    assert refuted <= off_record(experiment, rows)


@pytest.mark.parametrize("steps", [-2, 2])
def test_a_border_two_steps_off_is_refuted(optima, steps):
    def moved(phase):  # the half below r = 1 up or down, its end repeated
        return np.where(np.arange(11) < 5, phase[np.clip(np.arange(11) - steps, 0, 5)], phase)

    assert BELOW in off_record(ONE, changed(optima[ONE], phase=lambda row: moved(row.phase)))


def test_each_border_is_judged_on_its_own_side(optima):
    def without(phase, side):
        return np.where((phase == 2) & side, 0, phase)

    below, above = np.arange(11) < 5, np.arange(11) > 5
    assert {BELOW} == off_record(ONE, changed(optima[ONE], phase=lambda row: without(row.phase, below))) & {BELOW, ABOVE}
    assert {ABOVE} == off_record(ONE, changed(optima[ONE], phase=lambda row: without(row.phase, above))) & {BELOW, ABOVE}


def test_an_optimum_that_a_network_beats_is_none(optima):
    for experiment in (ONE, TWO):
        assert off_record(experiment, changed(optima[experiment], loss=lambda row: row.loss * (1 - 1e-4))) == {FLOOR}


def test_a_border_at_the_closed_form_would_change_the_verdict_on_it(optima):
    rows = changed(optima[ONE], border=lambda row: float(theory.one_dim_boundaries(row.density).lower))
    assert FORM in off_record(ONE, rows)


def test_the_first_two_features_must_be_seen_to_share_a_dim(optima):
    rows = changed(optima[TWO], phase=lambda row: np.where(row.phase == 3, 1, row.phase))
    assert SHARE in off_record(TWO, rows)


def test_losses_three_percent_above_the_optimum_are_too_far(optima):
    assert off_record(ONE, changed(optima[ONE], loss=lambda row: 1.03 * row.loss)) == {LOSS}


def test_the_lower_border_lies_between_two_points_of_the_grid():
    importance = np.array([0.1, 0.2, 0.5, 1.0, 2.0])
    assert lower_border(np.array([0, 0, 2, 2, 1]), importance) == pytest.approx(math.sqrt(0.1))
    assert lower_border(np.array([2, 2, 2, 2, 2]), importance) == pytest.approx(0.1)
    assert lower_border(np.array([0, 0, 0, 2, 1]), importance) == pytest.approx(math.sqrt(0.5))
    assert lower_border(np.array([0, 0, 0, 0, 2]), importance) == 1
    assert lower_border(np.array([3, 3, 3, 3, 3]), importance) == 1


@pytest.mark.parametrize("s", [0.2, 0.3, 0.5])
def test_the_lower_border_of_the_closed_form_is_within_half_a_step(s):
    importance = np.geomspace(0.1, 10, 41)
    found = lower_border(theory.one_dim_phase(s, importance), importance)
    assert abs(np.log(found / theory.one_dim_boundaries(s).lower)) <= 0.5 * np.log(importance[1] / importance[0]) + 1e-9


def test_the_lead_is_over_the_best_of_the_other_phases_be_it_a_minimum_or_a_candidate():
    exact = np.array([[0.9], [np.inf], [1.0], [1.2]])  # extra dropped is the optimum; the pair's own minimum is beaten by its candidate
    row = Row(exact=exact, candidates=np.array([[0.95], [2.0], [0.99]])).of(Cell(density=0.5))
    phase, loss, lead = exact_optimum(Rows(PhaseOneDim.presets["quick"], [row]))
    assert (phase.item(), loss.item(), lead.item()) == (0, 0.9, pytest.approx(0.1))
    assert lead.item() > MARGIN


def test_the_floor_is_what_one_run_in_forty_falls_below(optima):
    rows = Rows(optima[ONE].params.model_copy(update={"seeds": 4}), optima[ONE])
    missed = np.random.default_rng(0).binomial(100, 1 / 16, 200_000)  # at a chance of 1/2 all of four miss at 1 point in 16
    below = (1 - missed / 100 < ONE.floor(100, rows) - 1e-9).mean()
    assert below <= 1 / 40 < (1 - missed / 100 < ONE.floor(100, rows) + 0.01 - 1e-9).mean()
    assert TWO.floor(100, rows) < ONE.floor(100, rows)
    assert ONE.floor(0, rows) == 0


def test_every_density_draws_initial_weights_of_its_own():
    params = ONE.presets["quick"]
    seeds = [params.training_at(cell)["seed"] for cell in ONE.cells(params)]
    assert len(set(seeds)) == len(params.density)
    others = params.model_copy(update={"seed": 1})
    assert not set(seeds) & {others.training_at(cell)["seed"] for cell in ONE.cells(others)}


@pytest.mark.parametrize("importance", [(10.0, 1.0, 0.1), (1.0, 1.0), (0.0, 1.0)])
def test_importances_that_do_not_ascend_from_above_zero_are_refused(importance):
    with pytest.raises(ValueError, match=r"importance"):
        ONE.Params(importance=importance)


@pytest.mark.parametrize(
    ("density", "importance", "left_out"), [((0.01,), (0.5, 2.0), {BELOW, ABOVE, TRIPLE}), ((0.9,), (1.0,), {BELOW, ABOVE, TRIPLE, FORM})]
)
def test_a_claim_that_a_grid_cannot_decide_is_not_made(monkeypatch, density, importance, left_out):
    monkeypatch.setitem(GRID, ONE, GRID[ONE] | {"density": density, "importance": importance})
    rows = perfect(ONE)
    made = [claim.statement for claim in ONE.claims(rows)]
    assert not any(statement.startswith(tuple(left_out)) for statement in made)
    assert off_record(ONE, rows) == set()


def test_agreement_leaves_out_the_best_and_the_worst():
    losses = torch.tensor([[0.1, 0.4, 0.2, 0.3]])
    assert _of_others(torch.tensor([[True, True, True, False]]), losses).item() == 0.5
    assert math.isnan(_of_others(torch.tensor([[True, True]]), losses[:, :2]).item())


def test_the_phase_of_each_candidate_of_the_theory_is_its_own():
    for experiment, models, features in ((ONE, theory.one_dim_models(0.1), 2), (TWO, theory.two_dim_models(0.1), 3)):
        turn = torch.linalg.qr(torch.randn(features - 1, features - 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[0]
        W = torch.stack([W for W, _ in models.values()]) @ turn
        assert experiment.phase(W).tolist() == list(range(len(models)))
        assert list(models) == list(experiment.phases)


def test_three_directions_at_120_degrees_are_in_no_phase_of_the_theory():
    assert TWO.phase(theory.polygon(3)[None]).tolist() == [len(theory.TWO_DIM_PHASES)]
    assert ONE.phase(torch.tensor([[[0.1], [0.1]], [[1.0], [1.0]]])).tolist() == [3, 3]
