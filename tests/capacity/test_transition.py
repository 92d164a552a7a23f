"""The fit of a transition: d50 and its interval from counts."""

import numpy as np
import pytest
from scipy.special import ndtr

from tegum.capacity.transition import transition


def counts(d50, width, dims, trials, rng):
    return rng.binomial(trials, ndtr((dims - d50) / width))


@pytest.mark.parametrize(("d50", "width"), [(100.0, 8.0), (450.0, 60.0), (93.0, 3.0)])
def test_the_interval_holds_the_truth_as_often_as_it_says(d50, width):
    dims, rng = np.array([60, 80, 90, 100, 110, 120, 140, 200, 300, 400, 500, 700]), np.random.default_rng(1)
    held = 0
    for _ in range(60):
        fit = transition(dims, counts(d50, width, dims, 256, rng), np.full(len(dims), 256))
        assert fit is not None
        held += fit.interval[0] <= d50 <= fit.interval[1]
        assert fit.interval[0] <= fit.d50 <= fit.interval[1]
    assert held >= 50  # binomial(60, .95): below 50 once in 4,000


def test_more_trials_narrow_the_interval_and_find_the_width():
    dims, rng = np.arange(60, 150, 5), np.random.default_rng(2)
    few, many = (transition(dims, counts(100, 10, dims, n, rng), np.full(len(dims), n)) for n in (50, 5000))
    assert np.ptp(many.interval) < np.ptp(few.interval) / 5
    assert many.width == pytest.approx(10, rel=0.05)
    assert many.at(0.99) == pytest.approx(100 + 2.326 * 10, rel=0.02)


def test_both_intervals_hold_the_truth_where_counts_are_many_and_the_width_lies_between_any_grids():
    dims, rng, held = np.arange(60, 150, 3), np.random.default_rng(3), np.zeros(2)
    for width in (7.0, 7.4, 7.8, 8.2):
        for _ in range(15):
            fit = transition(dims, counts(100, width, dims, 1500, rng), np.full(len(dims), 1500))
            for i, (share, reach) in enumerate(((0.5, 0.0), (0.99, 2.3263))):
                low, high = fit.interval_at(share)
                held[i] += low <= 100 + reach * width <= high
    assert held.min() >= 50  # binomial(60, .95): below 50 once in 4,000


def test_what_a_law_in_one_over_d_never_reaches_takes_no_number_of_dims():
    dims = np.array([50, 100, 200, 400, 800, 1600, 12800])
    right = 1000 * ndtr((1 - 100 / dims) / 0.6)  # .952 from dims without end
    fit = transition(dims, right.round(), np.full(7, 1000))
    assert fit.at(0.9) == pytest.approx(100 / (1 - 0.6 * 1.2816), rel=0.1)
    assert np.isinf(fit.at(0.99))
    assert np.isinf(fit.interval_at(0.99)[1])


def test_a_jump_between_two_neighbours_has_its_middle_between_them():
    fit = transition(np.array([50, 100, 200]), np.array([0, 0, 64]), np.full(3, 64))
    assert 100 < fit.d50 < 200
    assert 100 < fit.interval[0] < 120
    assert 180 < fit.interval[1] < 200


@pytest.mark.parametrize("right", [[0, 0, 0], [64, 64, 64], [0, 10, 31]])
def test_a_transition_outside_of_what_was_measured_is_not_made_up(right):
    assert transition(np.array([50, 100, 200]), np.array(right), np.full(3, 64)) is None


def test_a_code_lost_far_above_the_threshold_does_not_move_it():
    dims, trials = np.array([25, 35, 50, 90, 160, 300, 450]), np.full(7, 128)
    plain, lost = (transition(dims, np.array([21, 102, 127, 128, 128, at_300, 128]), trials) for at_300 in (128, 127))
    assert lost.d50 == pytest.approx(plain.d50, rel=0.01)
