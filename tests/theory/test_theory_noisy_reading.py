"""Reading by message passing through noise: against the channel itself, state evolution, its fixed points, and what is known without noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tegum.theory import (
    amp_reading_dims,
    amp_reading_success,
    bayes_dims,
    bayes_reading_dims,
    bayes_reading_success,
    bayes_threshold_success,
    fixed_points,
    lasso_dims,
    minimax_alpha,
    state_evolution,
    topk_dims,
)
from tegum.theory.noisy_reading import _Bayes, _settled, _Soft

N, K, TRIALS = 300, 6, 6_000
PLACES = [(40.0, 0.05), (60.0, 0.15), (60.0, 0.21), (300.0, 0.22), (20.0, 0.1)]  # the last but one is mostly noise; at the last it sticks
STEPS = 60


def seen(variance, seed):
    """r = z + tau g of every entry, active ones first."""
    z = np.repeat((1.0, 0.0), (K, N - K))
    return z, z + np.sqrt(variance) * np.random.default_rng(seed).standard_normal((TRIALS, N))


@pytest.mark.parametrize(("d", "noise"), PLACES)
def test_bayes_amp_reads_what_posterior_means_read_through_the_channel(d, noise):
    """6,000 codes through the channel of the fixed point that state evolution sticks at; 5 standard errors: 1 false alarm in 10^6."""
    variance = state_evolution(d, N, K, noise_std=noise, steps=STEPS)[-1]
    z, r = seen(variance, 1)
    chance = 1 / (1 + (N - K) / K * np.exp(np.minimum((0.5 - r) / variance, 700)))
    share = np.mean((chance.round() == z).all(1))
    exact = bayes_reading_success(d, N, K, noise)
    assert share == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / TRIALS) + 1 / TRIALS)


@pytest.mark.parametrize(("d", "noise"), PLACES)
def test_amp_reads_what_its_threshold_reads_through_the_channel(d, noise):
    """As above; the threshold is the decoder's own."""
    alpha = float(minimax_alpha(min(d / N, 0.95)))
    variance = state_evolution(d, N, K, alpha=alpha, noise_std=noise, steps=STEPS)[-1]
    z, r = seen(variance, 2)
    share = np.mean((np.maximum(r - alpha * np.sqrt(variance), 0).round() == z).all(1))
    exact = amp_reading_success(d, N, K, noise)
    assert share == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / TRIALS) + 1 / TRIALS)


@pytest.mark.parametrize(("d", "noise"), [*PLACES[1:], (10.0, 1.0), (60.0, 0.0)])
def test_the_iteration_settles_where_it_is_told_to(d, noise):
    """After 60 steps, to 1e-6: slopes at these fixed points are below .75. Without noise the last place is above both folds."""
    alpha = float(minimax_alpha(min(d / N, 0.95)))
    for error, law in ((_Bayes(np.float64(K), np.float64(N - K)), {}), (_Soft(np.float64(K), np.float64(N - K), alpha), {"alpha": alpha})):
        found = _settled(error, np.float64(d), np.float64(noise**2))
        assert found == pytest.approx(state_evolution(d, N, K, noise_std=noise, steps=STEPS, **law)[-1], rel=1e-6, abs=1e-12)
        points = fixed_points(d, N, K, noise_std=noise, **law)
        assert not points.size or np.abs(points / found - 1).min() < 1e-9 if found else points[0] == 0


def test_a_threshold_that_lets_too_much_through_settles_above_its_start_or_never():
    """Half of all entries pass a threshold of 0 and bring tau^2 / 2 of error each: settled at s^2 / (1 - n / 2d), and for d < n / 2 nowhere."""
    error = _Soft(np.float64(0.01), np.float64(N), 0.0)  # next to nothing is on, or it would count
    assert _settled(error, np.float64(2 * N), np.float64(0.01)) == pytest.approx(0.01 / (1 - 1 / 4), rel=1e-4)
    assert _settled(error, np.float64(N / 3), np.float64(0.01)) == np.inf


@pytest.mark.parametrize(("n", "k", "noise"), [(1024, 8, 0.0), (1024, 8, 0.1), (4096, 16, 0.15), (100, 10, 0.05)])
def test_below_its_fold_bayes_amp_reads_nothing_and_above_it_reads_what_noise_leaves(n, k, noise):
    """Both functions look for the fold on grids of their own: to 1e-3 of d they agree."""
    d = bayes_reading_dims(n, k, noise)
    assert bayes_reading_success(d * (1 - 1e-3), n, k, noise) < 0.5 < bayes_reading_success(d * (1 + 1e-3), n, k, noise)


@pytest.mark.parametrize(
    ("n", "k", "noise", "success"),
    [(1024, 8, 0.19, 0.5), (1024, 8, 0.18, 0.69), (4096, 16, 0.17, 0.5), (50, 5, 0.2, 0.5), (3, 1, 0.1, 0.01), (3, 2, 0.1, 0.05)],
)
def test_near_its_end_bayes_amp_needs_just_the_dims_that_give_the_chance(n, k, noise, success):
    assert bayes_reading_success(bayes_reading_dims(n, k, noise, success), n, k, noise) == pytest.approx(success, rel=1e-6)


@pytest.mark.parametrize(
    ("n", "k", "noise", "success"),
    [
        (1024, 8, 0.05, 0.5), (1024, 8, 0.15, 0.52), (512, 8, 0.157, 0.5), (64, 60, 0.05, 0.9), (10, 5, 0.01, 1e-5), (3, 1, 0.1, 0.01),
    ],
)  # fmt: skip
def test_amp_needs_the_first_dims_that_are_enough(n, k, noise, success):
    """Success rises and may fall again as the threshold does: below what is told a grid of 40 finds none that is enough. The halving ends at
    1e-6."""
    d = amp_reading_dims(n, k, noise, success)
    assert amp_reading_success(d, n, k, noise) == pytest.approx(success, rel=1e-4)
    assert (amp_reading_success(np.geomspace(d / 8, d * (1 - 1e-5), 40), n, k, noise) < success).all()


@pytest.mark.parametrize(
    ("n", "k", "noise", "success"),
    [(20, 2, 0.27, 0.5), (10, 1, 0.32, 0.5), (10, 1, 0.32, 0.5325), (512, 8, 0.157, 0.425), (1024, 8, 0.15, 0.5219)],
)
def test_amp_finds_dims_that_are_enough_far_above_n_and_at_a_narrow_peak_below(n, k, noise, success):
    assert amp_reading_success(amp_reading_dims(n, k, noise, success), n, k, noise) == pytest.approx(success, rel=1e-4)


@pytest.mark.parametrize(("n", "k", "noise"), [(20, 2, 0.27), (10, 1, 0.32), (100, 10, 0.2)])
def test_amp_has_no_dims_that_are_enough_just_where_its_limit_is_below(n, k, noise):
    """No peak below .95 n is higher here. With dims without end each entry is seen through the noise alone."""
    limit = amp_reading_success(1e15, n, k, noise)
    assert np.isfinite(amp_reading_dims(n, k, noise, limit * (1 - 1e-6)))
    assert np.isinf(amp_reading_dims(n, k, noise, limit * (1 + 1e-6)))


def test_amp_may_read_at_a_peak_what_its_limit_does_not_reach():
    d = amp_reading_dims(1000, 1, 0.15, 0.8)
    assert amp_reading_success(1e15, 1000, 1, 0.15) < 0.7
    assert d < 950
    assert amp_reading_success(d, 1000, 1, 0.15) == pytest.approx(0.8, rel=1e-4)


@pytest.mark.parametrize(("n", "k"), [(1024, 8), (200, 20)])
def test_as_noise_goes_to_nothing_the_needs_are_those_without_it(n, k):
    """Bayes-AMP's fold moves with s^2. AMP sticks at a tau too small to matter a little before the l1 curve: less than one dim in 10^4."""
    assert bayes_reading_dims(n, k, 1e-4) == pytest.approx(bayes_dims(n, k), rel=1e-5)
    assert bayes_reading_dims(n, k) == pytest.approx(bayes_dims(n, k), rel=1e-9)
    assert amp_reading_dims(n, k, 1e-4) == pytest.approx(lasso_dims(n, k), rel=1e-4)
    assert amp_reading_dims(n, k) == pytest.approx(lasso_dims(n, k), rel=1e-4)


@pytest.mark.parametrize(("n", "k"), [(1024, 8), (100, 10)])
def test_no_number_of_dims_is_enough_where_bayes_threshold_fails_in_noise_alone(n, k):
    """With dims without end each entry is seen through the noise alone."""
    low, high = 0.05, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if bayes_threshold_success(1e300, n, k, middle) > 0.5 else (low, middle)
    assert np.isfinite(bayes_reading_dims(n, k, low * (1 - 1e-6)))
    assert np.isinf(bayes_reading_dims(n, k, low * (1 + 1e-6)))
    assert np.isinf(amp_reading_dims(n, k, low * (1 + 1e-6)))  # which is not told when to stop counting the off ones in
    assert bayes_reading_success(1e9, n, k, low) == pytest.approx(0.5, abs=1e-3)
    assert np.isfinite(topk_dims(n, k, 0.5, low))  # it compares


def test_more_noise_needs_more_dims_and_more_is_asked_for_a_greater_chance():
    noise = np.array([0.0, 0.05, 0.1, 0.15, 0.18])
    for dims in (bayes_reading_dims(1024, 8, noise), amp_reading_dims(1024, 8, noise[:3])):
        assert (np.diff(dims) > 0).all()
    assert (np.diff(bayes_reading_dims(1024, 8, 0.19, [0.1, 0.3, 0.5, 0.57])) > 0).all()
    assert (bayes_reading_dims([100, 1000], [[4], [8]], 0.1) < amp_reading_dims([100, 1000], [[4], [8]], 0.1)).all()


@settings(max_examples=20, deadline=None)
@given(d=st.floats(2, 2000), noise=st.floats(0, 0.4), n=st.integers(20, 5000), share=st.floats(0.002, 0.3))
def test_more_dims_never_hurt_bayes_amp(d, noise, n, share):
    k = max(1, int(share * n))
    fewer, more = bayes_reading_success(np.array([d, 1.1 * d]), n, k, noise)
    assert 0 <= fewer <= more * (1 + 1e-9) <= 1 + 1e-9


def test_guessing_needs_no_dims():
    """Five of ten at random: all right once in 2^10."""
    assert bayes_reading_dims(10, 5, 0.01, 1e-5) == 0.0


@pytest.mark.parametrize("dims", [bayes_reading_dims, amp_reading_dims])
def test_needs_for_bad_input_are_refused(dims):
    for n, k in ((3, 3), (3, 0), (3, 4)):
        with pytest.raises(ValueError, match="k must be from 1 to n"):
            dims(n, k, 0.1)
    with pytest.raises(ValueError, match="noise_std must be 0 or above"):
        dims(30, 3, -0.1)
    with pytest.raises(ValueError, match="success must lie strictly between 0 and 1"):
        dims(30, 3, 0.1, 1.0)


@pytest.mark.parametrize("success", [bayes_reading_success, amp_reading_success])
def test_chances_for_bad_input_are_refused(success):
    with pytest.raises(ValueError, match="d must be positive"):
        success(0.0, 30, 3, 0.1)
    with pytest.raises(ValueError, match="k must be from 1 to n - 1"):
        success(10.0, 30, 30, 0.1)
    with pytest.raises(ValueError, match="noise_std must be 0 or above and finite"):
        success(10.0, 30, 3, np.inf)
    assert np.shape(success(np.array([[10.0], [20.0]]), 30, 3, np.array([0.1, 0.2, 0.3]))) == (2, 3)
