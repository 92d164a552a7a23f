"""What single architectures promise: penalties, thresholds, gates, and the course of a training, each against its formula."""

import numpy as np
import pytest
import torch

from tegum.learning import BatchTopKSAE, GatedSAE, JumpReLUSAE, ReLUSAE, TopKSAE
from tegum.learning._listed_stepping import ListStepper
from tegum.learning._stepping import TorchStepper
from tegum.learning._training_run import Plan
from tegum.learning.autoencoders._base import Moment
from tegum.learning.autoencoders._k_sparse import listed_above

M, D, B = 24, 10, 16


@pytest.fixture
def drawn():
    draw = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(M, D, generator=draw, dtype=torch.float64), dim=1)
    return directions, torch.randn(B, D, generator=draw, dtype=torch.float64)


def test_the_gradient_of_a_threshold_is_the_estimate_of_the_paper(drawn):
    """Rajamanoharan et al. 2024, eqs. 11 and 12: sums over what is within half a bandwidth."""
    directions, x = drawn
    one = JumpReLUSAE(n_features=M, penalty=0.7, bandwidth=0.8, first=0.4)
    weights = one.begin(directions, torch.zeros(D, dtype=torch.float64))
    threshold = weights["threshold"].requires_grad_()
    (gradient,) = torch.autograd.grad(one.loss(weights, x).total, threshold)
    before = one.before(weights, x)
    near = ((before - 0.4).abs() < 0.4) / 0.8
    z = torch.where(before > 0.4, before, 0)
    slope = -2 * (x - z @ directions) @ directions.T
    by_hand = (-near * (0.4 * slope + 0.7)).sum(0) / B
    assert near.any()
    torch.testing.assert_close(gradient, by_hand.detach())


def test_a_target_costs_what_is_away_from_it_in_squares(drawn):
    directions, x = drawn
    one = JumpReLUSAE(n_features=M, target=3.0, first=0.1)
    weights = one.begin(directions, torch.zeros(D, dtype=torch.float64))
    on = (one.encode(weights, x) > 0).sum(1)
    assert float(one.loss(weights, x, Moment(0.5)).terms["sparsity"]) == pytest.approx(float(0.5 * (2 / 3 * (on - 3.0).square()).mean()))


def test_an_l1_penalty_is_on_codes_by_the_lengths_of_their_directions(drawn):
    directions, x = drawn
    one = ReLUSAE(n_features=M, penalty=2.0)
    weights = one.begin(3 * directions, torch.zeros(D, dtype=torch.float64))
    assert float(one.loss(weights, x).terms["sparsity"]) == pytest.approx(float(2 * 3 * one.encode(weights, x).sum(1).mean()))


def test_gates_alone_teach_the_decoder_nothing(drawn):
    directions, x = drawn
    one = GatedSAE(n_features=M, penalty=0.0)
    weights = one.begin(directions, torch.zeros(D, dtype=torch.float64))
    leaves = {name: weights[name].clone().requires_grad_() for name in ("decoder", "b_dec", "encoder")}
    term = one.loss(weights | leaves, x).terms["gates"]
    decoder, b_dec, encoder = torch.autograd.grad(term, tuple(leaves.values()), allow_unused=True)
    assert decoder is None
    assert encoder.abs().max() > 0
    seen = one.before(weights, x).relu()
    through = 2 * (x - seen @ directions) @ directions.T * (seen > 0)
    torch.testing.assert_close(b_dec, (through @ directions).mean(0))  # by what is subtracted from x alone


def test_the_threshold_of_batch_top_k_is_a_running_mean_of_the_least_code_on(drawn):
    directions, x = drawn
    one = BatchTopKSAE(n_features=M, n_active=2)
    first = one.begin(directions, torch.zeros(D, dtype=torch.float64))
    least = [float(one.loss(first, part).codes[one.loss(first, part).codes > 0].min()) for part in (x[:8], x[8:])]
    told = one.loss(first, x[:8]).updates["threshold"]
    assert told.tolist() == pytest.approx([least[0]] * M)
    after = one.loss(first | {"threshold": told}, x[8:]).updates["threshold"]
    assert after.tolist() == pytest.approx([0.95 * least[0] + 0.05 * least[1]] * M)


def test_of_equal_codes_no_more_are_on_than_were_asked_for():
    before = torch.ones(6, 70)
    lists = listed_above(before, 15, float("nan"))
    assert len(lists.values) == 15
    assert lists.starts.tolist()[-1] == 15
    one = BatchTopKSAE(n_features=M, n_active=2.5)
    directions = torch.nn.functional.normalize(torch.randn(M, D, generator=torch.Generator().manual_seed(1)), dim=1)
    weights, x = one.begin(directions, torch.zeros(D)), torch.ones(8, D)
    assert [stepper(one, weights).step(x, 1e-3, Moment()).l0 for stepper in (TorchStepper, ListStepper)] == [2.5, 2.5]


def test_rates_rise_stay_and_fall_and_penalties_rise():
    plan = Plan(
        samples=1000, batch_size=10, lr=None, seed=0, held_out=0, warm_up=0.1, cool_down=0.2, silent_after=None, scale=True, engine="auto"
    )
    assert plan.steps == 100
    assert [plan.share(step) for step in (0, 4, 9, 50, 80, 90, 99)] == pytest.approx([0.1, 0.5, 1, 1, 1, 0.5, 0.05])
    assert [plan.ramp(step) for step in (0, 4, 9, 99)] == pytest.approx([0.1, 0.5, 1, 1])
    assert plan.lr_of(TopKSAE(n_features=4096, n_active=4), 50) == pytest.approx(4e-4)
    assert plan.lr_of(TopKSAE(n_features=2**14, n_active=4), 50) == pytest.approx(2e-4)


@pytest.mark.parametrize("bad", [{"n_active": 25}, {"n_active": 0}, {"revival": -1.0}, {"revival": np.nan}])
def test_fields_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        TopKSAE(**{"n_features": M, "n_active": 3} | bad)
    if "n_active" in bad:
        with pytest.raises(ValueError, match="n_active"):
            BatchTopKSAE(**{"n_features": M} | bad)
