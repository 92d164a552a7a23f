"""The scalar channel against quadrature of its definition, at its corners: tau from 1e-8 to 1e4, r far outside and at the ends of the values."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from tegum.features import Bernoulli
from tegum.theory import priors

TAUS = (1e-8, 1e-4, 0.01, 0.1, 0.3, 1 / 3, 0.5, 2.0, 100.0, 1e4)
POINTS = (-40.0, -1.0, -1e-3, 0.0, 0.2, 0.4999, 0.5, 0.8, 1.0, 1.002, 2.5, 30.0)
STEPS = (-30.0, -6.0, -2.1, -1.9, -0.5, 0.5, 3.0)  # in units of tau, from either end


def corners(tau):
    return np.concatenate((POINTS, tau * np.array(STEPS), 1 - tau * np.array(STEPS)))


def quadrature(r, variance, order=64):
    """log f1/f0, mean and variance for U[0,1]: Gauss's rule over all that lies within 45 nats of the highest density.

    With t the distance from the highest point, at z = top, the exponent falls by t (t + 2 (top - r)) / (2 variance), free of cancellation.
    """
    nodes, weights = np.polynomial.legendre.leggauss(order)
    top = np.clip(r, 0, 1)
    gap = abs(top - r)
    reach = 90 * variance / (np.sqrt(gap**2 + 90 * variance) + gap)
    low, high = max(-reach, -top), min(reach, 1 - top)
    t = low + (high - low) * (nodes + 1) / 2
    mass = weights * np.exp(-t * (t + 2 * (top - r)) / (2 * variance))
    step = mass @ t / mass.sum()
    ratio = math.log(mass.sum() * (high - low) / 2) + top * (2 * r - top) / (2 * variance)
    return ratio, top + step, mass @ (t - step) ** 2 / mass.sum()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("tau", TAUS)
def test_a_uniform_value_equals_quadrature(tau, dtype):
    """The textbook form ends where 1 + a h - h^2 loses 40 units of rounding; three for erfc on top: 200 units, and a tenth of that for the mean."""
    r = torch.tensor(corners(tau), dtype=dtype)
    variance = torch.tensor(tau**2, dtype=dtype)
    found = priors.channel("uniform", r, variance)
    expected = np.array([quadrature(float(x), float(variance)) for x in r])
    unit = max(torch.finfo(dtype).eps, 1e-15)  # the quadrature's own error
    assert found.log_ratio.double().numpy() == pytest.approx(expected[:, 0], rel=10 * unit, abs=20 * unit)
    assert found.mean.double().numpy() == pytest.approx(expected[:, 1], rel=20 * unit, abs=0)
    assert found.variance.double().numpy() == pytest.approx(expected[:, 2], rel=200 * unit, abs=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("values", ["binary", "signed"])
@pytest.mark.parametrize("density", [1e-60, 0.01, 0.7])
def test_discrete_values_follow_bayes_rule(values, density, dtype):
    tau, unit = 0.2, torch.finfo(dtype).eps
    r = torch.linspace(-3, 3, 41, dtype=dtype)
    found = priors.posterior(values, r, tau**2, log_odds=priors.log_odds(density))
    states = {1.0: density} if values == "binary" else {1.0: density / 2, -1.0: density / 2}
    x = r.double().numpy()
    mass = {z: p * np.exp((2 * x * z - z * z) / (2 * tau**2)) for z, p in states.items()}  # against that of 0
    total = 1 - density + sum(mass.values())
    chance = sum(mass.values()) / total
    mean = sum(z * m for z, m in mass.items()) / total
    others = chance * (1 - density) / total if values == "binary" else (chance * (1 - density) + 4 * mass[1.0] * mass[-1.0] / total) / total
    loss = 2 * unit * (abs(priors.log_odds(density)) + 3.5 / tau**2)  # a rounding of the log-odds' terms is this much in the odds
    floor = 4e-35  # chances below exp(-80) are given as that
    for got, expected in zip(found, (chance, mean, others), strict=True):
        assert (np.abs(got.double().numpy() - expected) <= loss * np.abs(expected) + unit * chance * (expected is mean) + floor).all()


def test_gaussian_values_are_shrunk():
    r, variance = torch.linspace(-4, 4, 9, dtype=torch.float64), 0.3
    ratio, mean, spread = priors.channel("gaussian", r, variance)
    expected = (r**2 / 0.3 - r**2 / 1.3) / 2 - math.log(1.3 / 0.3) / 2
    torch.testing.assert_close(ratio, expected, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(mean, r / 1.3, rtol=1e-15, atol=0)
    torch.testing.assert_close(spread, torch.full_like(r, 0.3 / 1.3), rtol=1e-15, atol=0)


@pytest.mark.parametrize("values", ["binary", "uniform", "signed", "gaussian"])
def test_the_slope_of_the_mean_is_the_variance_over_the_channels(values):
    """Tweedie, by automatic difference: a step of 1e-5 tau leaves 1e-10 of curvature and 1e-11 of rounding."""
    tau, step = 0.3, 3e-6
    r = torch.linspace(-1.5, 2.5, 33, dtype=torch.float64)
    below, middle, above = (priors.posterior(values, r + s, tau**2, log_odds=priors.log_odds(0.02)) for s in (-step, 0.0, step))
    torch.testing.assert_close((above.mean - below.mean) / (2 * step), middle.variance / tau**2, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("values", ["binary", "uniform", "signed", "gaussian"])
def test_no_corner_gives_anything_but_probabilities_and_moments(values):
    for dtype in (torch.float32, torch.float64):
        for tau in TAUS:
            r = torch.tensor(corners(tau), dtype=dtype)
            for density in (1e-60, 0.5, 1 - 1e-9):
                chance, mean, spread = priors.posterior(values, r, tau**2, log_odds=priors.log_odds(density))
                assert ((chance >= 0) & (chance <= 1)).all()
                assert ((mean >= 0) | torch.tensor(values in ("signed", "gaussian"))).all()
                assert (mean.abs() <= torch.where(torch.tensor(values == "gaussian"), r.abs(), 1.0)).all()
                assert ((spread >= 0) & torch.isfinite(spread)).all()


@pytest.mark.parametrize("values", ["binary", "uniform", "signed", "gaussian"])
def test_variances_and_log_odds_broadcast(values):
    r = torch.linspace(-1, 2, 12).reshape(3, 4)
    variance, odds = torch.tensor([[0.1], [0.5], [20.0]]), torch.tensor([[-3.0], [-30.0], [1.0]])
    together = priors.posterior(values, r, variance, log_odds=odds)
    crossed = priors.posterior(values, r[:, 0], variance, log_odds=odds)
    for row in range(3):
        alone = priors.posterior(values, r[row], float(variance[row]), log_odds=float(odds[row]))
        for all_rows, cross, one in zip(together, crossed, alone, strict=True):
            torch.testing.assert_close(all_rows[row], one, rtol=1e-6, atol=1e-9)
            torch.testing.assert_close(cross[row, row], one[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("values", ["binary", "uniform", "signed", "gaussian"])
def test_moments_are_those_of_the_distributions(values):
    first, second = priors.value_moments(values)
    features = Bernoulli(n_features=1, density=1.0, values=values)
    z = features.sample(20_000, seed=0).values.double()
    assert float(z.mean()) == pytest.approx(first, abs=5 / 20_000**0.5)  # 5 standard errors: values' variance is at most 1, of squares 2
    assert float(z.square().mean()) == pytest.approx(second, abs=5 * 2**0.5 / 20_000**0.5)


def test_unknown_kinds_and_densities_are_refused():
    with pytest.raises(ValueError, match="values is 'ternary'"):
        priors.channel("ternary", torch.zeros(1), 1.0)
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        priors.log_odds(0.0)


@pytest.mark.gpu
@pytest.mark.parametrize("values", ["binary", "uniform", "signed", "gaussian"])
def test_the_gpu_agrees(values):
    r = torch.tensor(corners(0.1), dtype=torch.float64)
    here = priors.posterior(values, r, 0.01, log_odds=-6.0)
    there = priors.posterior(values, r.cuda(), 0.01, log_odds=-6.0)
    for a, b in zip(here, there, strict=True):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-12, atol=1e-300)


def test_what_decoders_need_of_theory_needs_no_scipy():
    """A bare GPU box has torch and NumPy alone."""
    code = "import sys; sys.modules['scipy'] = None; import tegum.theory as t; print(float(t.minimax_alpha(0.5)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(0.50605, abs=1e-4)
