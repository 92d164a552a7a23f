"""The squared error of one rectified output against integrals done another way."""

from itertools import product
from math import ceil

import mpmath
import numpy as np
import pytest
import torch
from scipy import integrate, stats

from tegum.theory.rectified import VALUES, leaked, missed


def split_quadrature(bias, gains, own=None):
    """E relu(y)^2, or E u_own relu(y), by Gauss-Legendre between the kinks of each nested integral: positive weights, polynomial pieces."""
    gain, rest = gains[-1], gains[:-1]
    corners = {bias + sum(a for a, on in zip(rest, s, strict=True) if on) for s in product((0, 1), repeat=len(rest))}
    kinks = sorted({-c / gain for c in corners if gain and 0 < -c / gain < 1})
    nodes, weights = np.polynomial.legendre.leggauss(ceil((len(gains) + 4) / 2))
    total = 0.0
    for lo, hi in zip([0.0, *kinks], [*kinks, 1.0], strict=True):
        for node, weight in zip(lo + (hi - lo) * (nodes + 1) / 2, weights * (hi - lo) / 2, strict=True):
            level = bias + gain * node
            if own == len(gains) - 1:
                total += weight * node * (split_first(level, rest) if len(rest) else max(level, 0.0))
            elif len(rest):
                total += weight * split_quadrature(level, rest, own)
            else:
                total += weight * max(level, 0.0) ** 2
    return total


def split_first(bias, gains):
    """E relu(y), likewise."""
    gain, rest = gains[-1], gains[:-1]
    corners = {bias + sum(a for a, on in zip(rest, s, strict=True) if on) for s in product((0, 1), repeat=len(rest))}
    kinks = sorted({-c / gain for c in corners if gain and 0 < -c / gain < 1})
    nodes, weights = np.polynomial.legendre.leggauss(4)
    return sum(
        weight * (split_first(bias + gain * node, rest) if len(rest) else max(bias + gain * node, 0.0))
        for lo, hi in zip([0.0, *kinks], [*kinks, 1.0], strict=True)
        for node, weight in zip(lo + (hi - lo) * (nodes + 1) / 2, weights * (hi - lo) / 2, strict=True)
    )


def corner_sum(bias, gains):
    """E relu(y)^2 by the alternating sum over corners, in 150 digits, where its cancellation does no harm."""
    with mpmath.workdps(150):
        gains, bias = [mpmath.mpf(a) for a in gains], mpmath.mpf(bias)
        k, total = len(gains), mpmath.mpf(0)
        for s in product((0, 1), repeat=k):
            v = bias + sum(a for a, on in zip(gains, s, strict=True) if on)
            total += (-1) ** (k - sum(s)) * max(v, mpmath.mpf(0)) ** (2 + k)
        return total * 2 / mpmath.factorial(2 + k) / mpmath.fprod(gains)


def corner_product(bias, gains, own):
    """E u_own relu(y) by parts in u_own, likewise."""
    with mpmath.workdps(150):
        others = [a for j, a in enumerate(gains) if j != own]
        upper = corner_sum(mpmath.mpf(bias) + gains[own], others) if others else max(mpmath.mpf(bias) + gains[own], 0) ** 2
        return (upper - corner_sum(bias, gains)) / (2 * mpmath.mpf(gains[own]))


def ours(bias, gains, own, values="uniform"):
    gains, bias = torch.tensor(gains, dtype=torch.float64), torch.tensor(bias, dtype=torch.float64)
    return leaked(gains, bias, values).item(), missed(gains, bias, torch.eye(len(gains), dtype=torch.float64)[own], values).item()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_uniform_values_equal_quadrature_split_at_every_kink(k):
    rng = np.random.default_rng(k)
    for _ in range(12):
        gains, bias, own = rng.normal(size=k), rng.normal(scale=0.5), int(rng.integers(k))
        squared, product_ = split_quadrature(bias, gains), split_quadrature(bias, np.append(np.delete(gains, own), gains[own]), k - 1)
        # quadrature of polynomial pieces and our sum both round at eps times the largest value squared
        assert ours(bias, gains, own) == pytest.approx((squared, 1 / 3 - 2 * product_ + squared), abs=1e-13 * (1 + abs(gains).sum()) ** 2)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
def test_tiny_gains_cost_no_digits(k):
    rng = np.random.default_rng(10 + k)
    for trial in range(8):
        gains = rng.normal(size=k) * 10.0 ** -(rng.integers(0, 14, size=k) * rng.integers(0, 2, size=k))
        bias, own = (rng.normal(scale=0.3), -abs(gains[0]), 0.0, 1e-7)[trial % 4], int(rng.integers(k))
        squared = corner_sum(bias, gains.tolist())
        expected = float(squared), float(mpmath.mpf(1) / 3 - 2 * corner_product(bias, gains.tolist(), own) + squared)
        assert ours(bias, gains, own) == pytest.approx(expected, abs=1e-14 * (1 + abs(bias) + abs(gains).sum()) ** 2, rel=0)


def test_a_gain_of_zero_is_as_if_the_feature_were_not_there():
    assert ours(-0.2, [0.7, 0.0, -0.3], 0) == pytest.approx(ours(-0.2, [0.7, -0.3], 0), abs=1e-16)
    assert ours(0.2, [0.0, 0.0], 1) == pytest.approx((0.04, 1 / 3 - 0.2 + 0.04), abs=1e-16)
    assert leaked(torch.zeros(3, 0, dtype=torch.float64), torch.tensor([-1.0, 0.0, 2.0]).double(), "uniform").tolist() == [0.0, 0.0, 4.0]


def test_gaussian_values_equal_quadrature():
    gains, bias = [0.8, -0.5, 0.1], -0.3
    y = stats.norm(bias, np.linalg.norm(gains))
    squared, _ = integrate.quad(lambda t: t**2 * y.pdf(t), 0, np.inf, epsabs=1e-13)
    for own, gain in enumerate(gains):  # E[u_own | y] is linear in y
        product_, _ = integrate.quad(lambda t, gain=gain: t * gain * (t - bias) / y.var() * y.pdf(t), 0, np.inf, epsabs=1e-13)
        assert ours(bias, gains, own, "gaussian") == pytest.approx((squared, 1 - 2 * product_ + squared), abs=1e-11)
    assert ours(0.5, [0.0], 0, "gaussian") == pytest.approx((0.25, 1.25), abs=1e-15)


def test_signed_and_binary_values_equal_the_sum_over_their_values():
    gains, bias = np.array([0.8, -0.5, 0.1]), 0.05
    for values, corners in (("binary", [(1, 1, 1)]), ("signed", list(product((-1, 1), repeat=3)))):
        outputs = [max(bias + gains @ np.array(u), 0.0) for u in corners]
        squared, error = np.mean(np.square(outputs)), np.mean([(u[1] - out) ** 2 for u, out in zip(corners, outputs, strict=True)])
        assert ours(bias, gains, 1, values) == pytest.approx((squared, error), abs=1e-15)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("k", [1, 3])
def test_gradients_are_exact_at_zero_gains_too(values, k):
    generator = torch.Generator().manual_seed(k)
    gains = torch.randn(3, k, dtype=torch.float64, generator=generator)
    gains[0, 0], gains[1, 0] = 0.0, 1e-12
    bias = 0.5 * torch.randn(3, dtype=torch.float64, generator=generator)
    bias[0] = 0.4  # at all gains 0 and bias 0 the loss has a kink
    own = torch.eye(k, dtype=torch.float64)[0]
    inputs = (gains.requires_grad_(), bias.requires_grad_())
    assert torch.autograd.gradcheck(lambda g, c: leaked(g, c, values), inputs)
    assert torch.autograd.gradcheck(lambda g, c: missed(g, c, own, values), inputs)
