"""State evolution against message passing itself, critical lines by plain quadrature, and the l1 curve."""

import itertools

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from tegum.theory import (
    bayes_critical_ratio,
    bayes_dims,
    box_dims,
    fixed_points,
    lasso_alpha,
    lasso_dims,
    minimax_alpha,
    mmse,
    state_evolution,
    subset_bits,
)


@pytest.mark.parametrize("density", [0.1, 0.4])
def test_the_critical_line_of_gaussian_entries_is_that_of_plain_quadrature(density):
    """.2076 and .5892: computed here, confirmed by independent quadrature: scipy's quad on E Var[z | r], and its maximum over ln tau^2."""

    def ratio(log_variance):
        variance = np.exp(log_variance)

        def error(r):
            on, off = (
                share * np.exp(-r * r / 2 / s2) / np.sqrt(2 * np.pi * s2)
                for share, s2 in ((density, 1 + variance), (1 - density, variance))
            )
            chance, mean = on / (on + off), r / (1 + variance)
            return (on + off) * (chance * (variance / (1 + variance) + mean**2) - (chance * mean) ** 2)

        edges = np.sqrt(1 + variance) * np.array([0, 0.05, 0.2, 0.5, 1, 2, 5, 9])
        return 2 * sum(scipy.integrate.quad(error, a, b, epsabs=0, epsrel=1e-10)[0] for a, b in itertools.pairwise(edges)) / variance

    best = scipy.optimize.minimize_scalar(lambda t: -ratio(t), bounds=(-9, 0), method="bounded", options={"xatol": 1e-5})
    assert bayes_critical_ratio(density) == pytest.approx(-best.fun, rel=1e-8)


@pytest.mark.parametrize(
    ("values", "density"), [("binary", 0.003), ("signed", 0.1), ("gaussian", 0.003), ("gaussian", 0.1), ("uniform", 0.05)]
)
def test_critical_ratios_are_the_maximum_over_a_fine_grid(values, density):
    """400 points, .05 apart in ln tau^2: the best is below the maximum by (.025)^2 / 2 times a curvature of a few."""
    variance = np.geomspace(1e-7, 1e2, 400)
    best = np.max(mmse(values, density, variance) / variance)
    assert best <= bayes_critical_ratio(density, values) * (1 + 1e-12)
    assert bayes_critical_ratio(density, values) == pytest.approx(best, rel=2e-3)


@pytest.mark.parametrize("values", ["binary", "gaussian"])
def test_bayes_amp_passes_above_its_critical_dims_and_sticks_below(values):
    n, k = 4096, 200
    critical = float(bayes_dims(n, k, values))
    assert state_evolution(critical * 1.1, n, k, values=values, steps=60)[-1] < 1e-6
    assert fixed_points(critical * 1.1, n, k, values=values) == pytest.approx([0.0])
    stuck = state_evolution(critical * 0.9, n, k, values=values, steps=60)[-1]
    points = fixed_points(critical * 0.9, n, k, values=values)
    assert len(points) == 3
    assert stuck == pytest.approx(points[-1], rel=1e-3)
    assert stuck > 1e-3


def test_noise_moves_the_critical_dims_and_then_smooths_them_away():
    quiet, noisy, loud = (bayes_dims(4096, 16, noise_std=s) for s in (0.0, 0.1, 1.0))
    assert quiet < noisy
    assert np.isnan(loud)
    above, below = (fixed_points(noisy * s, 4096, 16, noise_std=0.1) for s in (1.01, 0.99))
    assert len(above) == 1
    assert len(below) == 3
    assert above[0] == pytest.approx(0.01, rel=0.05)  # beside the noise itself


@pytest.mark.parametrize("signed", [False, True])
def test_amp_with_the_best_threshold_turns_at_the_l1_curve(signed):
    n, k = 4096, 16
    alpha, d50 = lasso_alpha(n, k, signed=signed), lasso_dims(n, k, signed)
    assert state_evolution(1.05 * d50, n, k, alpha=alpha, signed=signed, steps=200)[-1] < 1e-3
    assert state_evolution(0.95 * d50, n, k, alpha=alpha, signed=signed, steps=200)[-1] > 1e-2
    for other in (0.9 * alpha, 1.1 * alpha):
        assert state_evolution(d50, n, k, alpha=other, signed=signed, steps=400)[-1] > 1e-3


@pytest.mark.parametrize("k", [16, 1000])
def test_amp_in_the_box_turns_at_the_boxs_curve(k):
    n = 4096
    d50 = box_dims(n, k)
    alpha = minimax_alpha(d50 / n, box=True)
    end = state_evolution(np.array([1.05, 0.95]) * d50, n, k, alpha=alpha, box=True, steps=200)[-1]
    assert end[0] < 1e-3
    assert end[1] > 1e-2
    assert fixed_points(1.001 * d50, n, k, alpha=alpha, box=True) == pytest.approx([0.0])
    for other in (0.8 * alpha, 1.2 * alpha, minimax_alpha(d50 / n) if k > 16 else 0.9 * alpha):
        assert len(fixed_points(1.001 * d50, n, k, alpha=other, box=True)) > 1


def test_state_evolution_predicts_each_iteration_of_amp_in_the_box():
    """AMP written out, 8 dictionaries of N = 2000, d = 800, k = 500, noise .05: 5 standard errors of their mean, and 1/sqrt(N) of bias."""
    n, d, k, noise, steps = 2000, 800, 500, 0.05, 8
    alpha = float(minimax_alpha(d / n, box=True))
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(8):
        columns = rng.standard_normal((d, n)) / d**0.5
        code = np.repeat((1.0, 0.0), (k, n - k))
        x = columns @ code + noise * rng.standard_normal(d)
        z, residual, course = np.zeros(n), x.copy(), []
        for _ in range(steps):
            tau = np.linalg.norm(residual) / d**0.5
            z = np.clip(z + columns.T @ residual - alpha * tau, 0, 1)
            residual = x - columns @ z + residual * np.sum((z > 0) & (z < 1)) / d
            course.append(np.mean((z - code) ** 2))
        errors.append(course)
    predicted = (state_evolution(d, n, k, alpha=alpha, box=True, noise_std=noise, steps=steps)[1:] - noise**2) * d / n
    mean, error = np.mean(errors, 0), np.std(errors, 0) / 8**0.5
    assert (abs(mean - predicted) < 5 * error + predicted / n**0.5).all()
    without = (state_evolution(d, n, k, alpha=alpha, noise_std=noise, steps=steps)[1:] - noise**2) * d / n
    assert (predicted < 0.8 * without).all()


def test_many_dims_and_noises_are_followed_at_once():
    d, noise, alpha = np.array([[100.0], [200.0]]), np.array([0.0, 0.1, 0.3]), np.array([1.5, 2.0, 2.5])
    for thresholds in (None, alpha):
        whole = state_evolution(d, 1000, 20, alpha=thresholds, noise_std=noise, steps=5)
        assert whole.shape == (6, 2, 3)
        one = None if thresholds is None else thresholds[2]
        assert whole[:, 1, 2] == pytest.approx(state_evolution(200, 1000, 20, alpha=one, noise_std=0.3, steps=5), rel=1e-12)
    assert np.asarray(bayes_dims(4096, 16, noise_std=[0.0, 0.1]))[1] == bayes_dims(4096, 16, noise_std=0.1)
    assert np.shape(bayes_critical_ratio(np.array([[0.1], [0.2]]), noise_std=np.array([0.0, 0.01]))) == (2, 2)
    with pytest.raises(ValueError, match="one d, alpha and noise_std at a time"):
        fixed_points(d, 1000, 20)


def test_state_evolution_predicts_each_iteration_of_message_passing():
    """Bayes-AMP written out, 8 dictionaries of N = 2000, d = 800, k = 200, noise .05: 5 standard errors of their mean, and 1/sqrt(N) of bias."""
    n, d, k, noise, steps = 2000, 800, 200, 0.05, 6
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(8):
        columns = rng.standard_normal((d, n)) / d**0.5
        code = np.zeros(n)
        code[:k] = 1
        x = columns @ code + noise * rng.standard_normal(d)
        z, residual, course = np.zeros(n), x.copy(), []
        for _ in range(steps):
            variance = residual @ residual / d
            chance = 1 / (1 + (n - k) / k * np.exp((0.5 - (z + columns.T @ residual)) / variance))
            residual = x - columns @ chance + residual * np.sum(chance * (1 - chance)) / variance / d
            z = chance
            course.append(np.mean((z - code) ** 2))
        errors.append(course)
    predicted = (state_evolution(d, n, k, noise_std=noise, steps=steps)[1:] - noise**2) * d / n
    mean, error = np.mean(errors, 0), np.std(errors, 0) / 8**0.5
    assert (abs(mean - predicted) < 5 * error + predicted / n**0.5).all()
    assert predicted[-1] < predicted[0] / 20


def test_bayes_amp_needs_less_than_l1_at_every_size():
    n = np.array([1024, 4096, 10**9, 10**60], dtype=object)
    k = np.array([4, 16, 1000, 10**20], dtype=object)
    assert (bayes_dims(n, k) < lasso_dims(n, k)).all()
    assert bayes_dims(4096, 16) / subset_bits(4096, 16) == pytest.approx(0.606, abs=5e-4)  # max of n mmse / tau^2 by scipy's quad: 89.523


def test_the_slope_of_error_at_small_noise_limits_dense_continuous_codes():
    """mmse -> p tau^2: at least k dims, and nearly all n features when nearly all are active."""
    assert bayes_critical_ratio(0.999) == pytest.approx(0.999, abs=2e-3)
    assert bayes_critical_ratio(0.9, "uniform") > 0.9


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="k must be from 1 to n - 1"):
        bayes_dims(3, 3)
    with pytest.raises(ValueError, match="noise_std must be 0 or above"):
        bayes_dims(30, 3, noise_std=-1.0)
    with pytest.raises(ValueError, match="values is 'ternary'"):
        bayes_dims(30, 3, "ternary")
    with pytest.raises(ValueError, match="d must be positive"):
        state_evolution(0, 30, 3)
