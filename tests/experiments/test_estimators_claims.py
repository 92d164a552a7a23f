"""T1: rows as theory has them get every verdict on record, and for each claim there are rows that refute it; the noise is what autograd says."""

import numpy as np
import pytest
import torch

from tegum.experiments import Row, Rows
from tegum.experiments.toys._gradient_noise import TILTS, Draws, gradient_noise, worst_deviation
from tegum.experiments.toys.estimators import BETTER, Estimators, better, noise_by_time, samples_of, speed_up, time_saved
from tegum.features.bernoulli import Bernoulli
from tegum.toys.estimators import best_tilt, strata

EXPERIMENT = Estimators()
UNBIASED, HALF, NOTHING, CUBE, TILT, STEPS = (
    "the stratified gradient is on average",
    "where at most one feature is active",
    "where ten or more are",
    "as features get rare",
    "the tilt that is used",
    "with the same batch",
)


def rows(**change):
    """A ratio of variances of 1 + 2 (np)^-3, known to 1%, and 1 + .1 / np of steps; `change` computes fields anew from a row."""
    params = EXPERIMENT.presets["quick"]
    found = []
    for cell in EXPERIMENT.cells(params):
        active = cell.n_features * cell.density
        fields = {
            "mean_active": active,
            "proposal_active": 1 + (1 + active**2) ** 0.5,
            "variance": np.array([[1 + 2 * active**-3, 1.0]] * 2),
            "excess": np.array([1.02, 1.0]),
            "deviation": 2.0 if cell.n_features <= 6 else float("nan"),
            "steps": np.array([0, 1, 10, 100, 300]),
            "losses": np.ones((2, 5, params.seeds)),
            "speed_up": (1 + 0.1 / active) * np.array([0.9, 1.0, 1.1, 1.0]),
            "seconds": np.array([1e-5, 2e-5]),
        }
        row = Row(**fields).of(cell)
        fields |= {name: f(row) for name, f in change.items()}
        found.append(Row(**fields, error=0.01 * fields["variance"]).of(cell))
    return Rows(params, found)


def verdicts(told):
    """Verdict by the opening of the statement."""
    openings = (UNBIASED, HALF, NOTHING, CUBE, TILT, STEPS)
    return {next(o for o in openings if claim.statement.startswith(o)): claim.verdict for claim in EXPERIMENT.claims(told)}


def test_rows_as_theory_has_them_hold_every_claim():
    assert verdicts(rows()) == dict.fromkeys((UNBIASED, HALF, NOTHING, CUBE, TILT, STEPS), "holds")


@pytest.mark.parametrize(
    ("claim", "change"),
    [
        (UNBIASED, {"deviation": lambda row: row.deviation + 4}),
        (UNBIASED, {"deviation": lambda row: np.inf if row.density == 0.01 else row.deviation}),
        (HALF, {"variance": lambda row: np.where(row.density == 0.01, [[1.5, 1.0]] * 2, row.variance)}),
        (NOTHING, {"variance": lambda row: row.variance * [[1.4, 1.0]]}),
        (NOTHING, {"variance": lambda row: row.variance * [[1.0, 1.4]]}),
        (CUBE, {"variance": lambda row: np.array([[row.mean_active**-2, 1.0]] * 2)}),
        (CUBE, {"variance": lambda row: np.array([[row.mean_active**-4, 1.0]] * 2)}),
        (TILT, {"excess": lambda row: row.excess + 0.1}),
        (STEPS, {"speed_up": lambda row: np.array([1.1, 1.2, 1.0, 1.3])}),
    ],
)
def test_every_claim_can_be_refuted(claim, change):
    assert verdicts(rows(**change))[claim] == "refuted"


def test_few_pairs_of_networks_that_disagree_decide_nothing():
    assert verdicts(rows(speed_up=lambda row: np.array([1.0, 9.0, 1.0, 9.0])))[STEPS] == "undecided"


def test_claims_are_made_only_where_the_densities_allow_them():
    params = EXPERIMENT.presets["quick"].model_copy(update={"n_features": (20,), "n_hidden": (5,), "density": (0.3, 0.1)})
    some = [row for row in rows() if row.n_features == 20 and row.density >= 0.1]
    assert set(verdicts(Rows(params, some))) == {TILT}


def test_sizes_that_do_not_pair_are_refused():
    quick = EXPERIMENT.presets["quick"]
    for change in ({"n_hidden": (2, 5)}, {"n_features": (5, 5, 20, 400)}):
        with pytest.raises(ValueError, match="different numbers of features, and a number of dims for each"):
            EXPERIMENT.cells(quick.model_copy(update=change))


def test_a_larger_network_is_measured_with_as_many_numbers():
    assert [samples_of(EXPERIMENT.presets["quick"], n) for n in (5, 20, 400)] == [2**18, 2**16, 3276]


def test_the_speed_up_is_read_off_the_two_courses():
    steps = np.array([0, 1, 10, 100, 1000])
    course = np.array([9.0, 8.0, 4.0, 2.0, 1.0])
    assert speed_up(steps, course, course) == 1
    faster = np.array([9.0, 4.0, 2.0, 1.0, 0.5])  # a tenth of the steps at every loss
    assert speed_up(steps, course, faster) == pytest.approx(10)
    assert speed_up(steps, faster, course) == pytest.approx(0.1)
    halfway = np.array([9.0, 8.0, 4.0, 2.0, 2.0**0.5])  # course is there midway from 100 to 1000
    assert speed_up(steps, halfway, course) == pytest.approx(10**0.5)
    assert speed_up(steps, course, np.array([0.9, 0.8, 0.7, 0.7, 0.7])) == pytest.approx(1000)  # there from the start


def test_which_is_better_weighs_noise_and_steps_by_seconds():
    row = next(row for row in rows() if row.n_features == 20 and row.density == 0.001)
    assert noise_by_time(row) == pytest.approx((1 + 2 * 0.02**-3) / 2)
    assert time_saved(row) == pytest.approx(6 * (0.9 * 1.1) ** 0.25 / 2)
    assert [BETTER[better(ratio)] for ratio in (0.4, 0.9, 1.1, 5, 11)] == list(BETTER)


@pytest.fixture(scope="module")
def network():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 2, generator=generator, dtype=torch.float64), 0.3 * torch.randn(4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("stratified", [False, True])
def test_the_noise_is_the_variance_of_autograds_gradients(network, stratified):
    features, samples = Bernoulli(n_features=4, density=0.2), 300
    gradients = []
    split = strata(features)
    z = (split.proposal if stratified else features).sample(samples, 5, dtype=torch.float64)
    for x, count in zip(z.dense(), z.n_active, strict=True):
        W, b = (value.clone().requires_grad_() for value in network)
        ((x - (x @ W @ W.T + b).relu()).square().mean() * (split.weights[count] if stratified else 1)).backward()
        gradients.append(torch.cat([W.grad.flatten(), b.grad]))
    each = torch.stack(gradients)
    found = gradient_noise(*network, features, Draws(samples, 5, stratified))
    assert found.variance == pytest.approx(float(each.var(0, correction=0).sum()), rel=1e-10)  # rounding of 300 terms of one sign
    assert found.error == pytest.approx(float(each.square().sum(1).std()) / samples**0.5, rel=1e-10)


def test_the_excess_compares_with_what_other_tilts_would_give(network):
    """The best on the grid, drawn for itself: its own variance is what reweighting says of it."""
    features = Bernoulli(n_features=4, density=0.2)
    mine = gradient_noise(*network, features, Draws(200_000, 1, stratified=True))
    tilts = np.maximum(1.0, best_tilt(features.marginal_density().numpy()) * np.array(TILTS))
    own = []
    with pytest.MonkeyPatch.context() as patch:
        for tilt in tilts:
            patch.setattr("tegum.toys.estimators.best_tilt", lambda p, tilt=tilt: float(tilt))
            own.append(gradient_noise(*network, features, Draws(200_000, 1, stratified=True)))
    least = min(own, key=lambda noise: noise.variance)
    # both ends are sampled: the difference of two means of 200,000, at 4 standard errors
    assert mine.excess == pytest.approx(mine.variance / least.variance, abs=4 * 2**0.5 * least.error / least.variance)
    assert max(noise.variance for noise in own) > 1.3 * least.variance


def test_a_gradient_that_is_off_is_seen(network):
    features, draws = Bernoulli(n_features=4, density=0.2), Draws(64 * 500, 1, stratified=True)
    from tegum import theory

    W, b = (value.clone().requires_grad_() for value in network)
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(theory.expected_loss(W, b, features), (W, b))])
    assert worst_deviation(*network, exact, features, draws) < 5.5
    assert worst_deviation(*network, 1.1 * exact, features, draws) > 5.5


def test_an_output_that_is_dead_hides_no_other(network):
    """Its slopes are 0 in every batch: no noise, and no deviation."""
    from tegum import theory

    features, draws, (W, b) = Bernoulli(n_features=4, density=0.2), Draws(64 * 100, 1, stratified=True), network
    b = b.clone()
    b[0] = -100
    W, b = W.clone().requires_grad_(), b.requires_grad_()
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(theory.expected_loss(W, b, features), (W, b))])
    assert worst_deviation(W.detach(), b.detach(), exact, features, draws) < 5.5
    assert worst_deviation(W.detach(), b.detach(), 1.5 * exact, features, draws) > 5.5
    assert worst_deviation(W.detach(), b.detach(), exact * torch.nan, features, draws) == np.inf


def test_a_small_run_gives_rows_that_figures_and_claims_can_read():
    params = EXPERIMENT.presets["quick"].model_copy(
        update={"n_features": (4, 7), "n_hidden": (2, 2), "density": (0.3, 0.02), "samples": 4000, "steps": 4, "moments": 3, "seeds": 2}
    )
    found = Rows(params, [EXPERIMENT.run(cell, params).of(cell) for cell in EXPERIMENT.cells(params)])
    assert {TILT, HALF, UNBIASED} <= set(verdicts(found))
    assert len(list(EXPERIMENT.figures(found))) == 4
    assert all(row.losses.shape == (2, len(row.steps), 2) and (row.losses > 0).all() for row in found)
    assert (found.values("losses")[:, 0, 0] == found.values("losses")[:, 1, 0]).all()  # both begin at the same weights
