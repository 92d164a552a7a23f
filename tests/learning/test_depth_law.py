"""The depth law begins at the one-step threshold and ends at l1's curve or at Bayes-AMP's; between, it is state evolution at its best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from tegum import theory
from tegum.learning import depth_dims, depth_success


@pytest.mark.parametrize(("denoiser", "limit"), [("posterior", theory.bayes_dims), ("soft", theory.lasso_dims)])
def test_ever_more_layers_come_down_to_what_the_iteration_needs(denoiser, limit):
    """An excess e of dims takes e^(-1/2) layers past a place where tau^2 nearly sticks, or 1/e where it falls by a factor of 1 - e a layer."""
    n, k = 256, 6
    few, many = depth_dims(n, k, [10, 20], denoiser=denoiser) - limit(n, k)
    assert 0 < many < 0.05 * limit(n, k)
    assert 2 < few / many < 4


def test_one_layer_is_a_threshold_on_the_correlations():
    n, k, d = 256, 6, np.array([60.0, 120.0, 240.0])
    tau = np.sqrt(k / d)
    threshold = 0.5 + tau**2 * np.log((n - k) / k)
    chance = ndtr((1 - threshold) / tau) ** k * ndtr(threshold / tau) ** (n - k)
    np.testing.assert_allclose(depth_success(d, n, k, 1), chance, rtol=1e-12)
    np.testing.assert_allclose(depth_success(d, n, k, 1, denoiser="soft"), chance, rtol=1e-12)


def test_later_layers_see_the_noise_of_state_evolution():
    n, k, d = 512, 8, np.array([40.0, 48.0, 55.0])
    for depth in (2, 3, 5):
        tau2 = theory.state_evolution(d, n, k, steps=depth - 1)[-1]
        threshold = theory.bayes_threshold(k / n, tau2)
        chance = ndtr((1 - threshold) / tau2**0.5) ** k * ndtr(threshold / tau2**0.5) ** (n - k)
        np.testing.assert_allclose(depth_success(d, n, k, depth), chance, rtol=1e-9)


@pytest.mark.parametrize("d", [20.0, 60.0, 200.0])
def test_no_threshold_is_better_than_the_best(d):
    """Two layers, of which the first thresholds: by all thresholds of a fine grid the noise left is no less, and the chance no greater."""
    n, k, alphas = 256, 6, np.linspace(0, 6, 601)
    tau2 = n / d * theory.soft_threshold_error("binary", k / n, k / d, alphas)
    threshold = theory.bayes_threshold(k / n, tau2)
    chance = ndtr((1 - threshold) / tau2**0.5) ** k * ndtr(threshold / tau2**0.5) ** (n - k)
    best = depth_success(d, n, k, 2, denoiser="soft")
    assert best >= chance.max() * (1 - 1e-12)
    assert best == pytest.approx(chance.max(), rel=1e-3)


@settings(max_examples=6)
@given(n=st.integers(20, 5000), k=st.integers(1, 12), depth=st.integers(1, 3), denoiser=st.sampled_from(["posterior", "soft"]))
def test_a_layer_more_never_needs_more_dims_and_the_posterior_never_more_than_thresholds(n, k, depth, denoiser):
    shallow, deep = depth_dims(n, k, [depth, depth + 1], denoiser=denoiser)
    assert deep <= shallow * (1 + 1e-9)
    assert depth_dims(n, k, depth) <= depth_dims(n, k, depth, denoiser="soft") * (1 + 1e-9)
    if np.isfinite(deep) and deep > 0:
        assert depth_success(deep, n, k, depth + 1, denoiser=denoiser) == pytest.approx(0.5, abs=1e-3)


def test_depths_and_dims_broadcast():
    both = depth_success(np.array([[50.0], [80.0]]), 256, 6, [1, 2, 4])
    assert both.shape == (2, 3)
    assert both[1, 2] == depth_success(80.0, 256, 6, 4)
    assert (np.diff(both[:, :2], axis=0) > 0).all()
    assert (np.diff(both, axis=1) > 0).all()


def test_sizes_that_make_no_sense_are_refused():
    for call, message in (
        (lambda: depth_success(0, 256, 6, 1), "d must be positive"),
        (lambda: depth_success(50, 256, 6, 0), "depth is 0"),
        (lambda: depth_success(50, 256, 256, 1), "density"),
        (lambda: depth_dims(256, 6, 1, success=1.0), "success must lie strictly"),
        (lambda: depth_dims(256, 6, 2, denoiser="hard"), "denoiser is 'hard'; it must be one of posterior, soft"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
