"""One active feature in closed form, in numba: against exact rational integrals, quadrature, differences, and autograd of the theory."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import quad

from tegum import theory
from tegum.theory.rectified import leaked, missed
from tegum.toys.engines._one_active_numba import MOMENTS, slopes_of, value_of

EPS = 2.0**-52
NUMBERS = st.one_of(
    st.floats(-2, 2, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-100),
    st.floats(-1e-6, 1e-6, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-100),
    st.sampled_from([0.0, 1e-12, -1e-12, 1e-100, -1e-100, 1.0, -1.0]),
)
SLOPES, VALUE = {kind: slopes_of(kind) for kind in MOMENTS}, {kind: value_of(kind) for kind in MOMENTS}
every_kind = pytest.mark.parametrize("kind", MOMENTS)


def exact_uniform(gain, bias):
    """The five integrals over [0, 1] as fractions: antiderivatives at the ends of where y > 0."""
    a, b, low, high = Fraction(gain), Fraction(bias), Fraction(0), Fraction(1)
    if a > 0:
        low = min(max(-b / a, low), high)
    elif a < 0:
        high = max(min(-b / a, high), low)
    elif b <= 0:
        high = low
    none, first, second = ((high ** (k + 1) - low ** (k + 1)) / (k + 1) for k in range(3))
    return a * a * second + 2 * a * b * first + b * b * none, a * second + b * first, a * first + b * none, first, second


@every_kind
@pytest.mark.parametrize(("gain", "bias"), [(0.5, math.nan), (math.nan, 0.1), (math.nan, math.nan), (math.inf, -math.inf)])
def test_what_is_no_number_stays_none(kind, gain, bias):
    assert not all(math.isfinite(found) for found in MOMENTS[kind](gain, bias))


@given(gain=NUMBERS, bias=NUMBERS)
@example(gain=1e-9, bias=-1e-9 * (1 - 1e-7))
@example(gain=-3e-8, bias=1e-8)
@example(gain=1.0, bias=-1 + 1e-12)
@example(gain=-1.0, bias=1 - 1e-12)
@example(gain=1e-100, bias=0.7)
def test_uniform_moments_are_right_to_the_last_digits_however_small_the_gain(gain, bias):
    # the sum gain + bias is correctly rounded, and what comes after adds positive numbers; 1 - share is off by eps where it is small and matters
    # less: a dozen roundings of eps / 2
    for found, wanted in zip(MOMENTS["uniform"](gain, bias), exact_uniform(gain, bias), strict=True):
        assert abs(Fraction(found) - wanted) <= 8 * EPS * wanted + 1e-290


@every_kind
@pytest.mark.parametrize("bias", [-1.3, -0.4, -1e-3, 0.0, 1e-3, 0.4, 1.3])
@pytest.mark.parametrize("gain", [-1.7, -0.5, -1e-4, 0.0, 1e-4, 0.5, 1.7])
def test_moments_are_the_integrals(kind, gain, bias):
    def integral(f):
        if kind in ("binary", "signed"):
            points = (1.0,) if kind == "binary" else (1.0, -1.0)
            return sum(f(u) for u in points) / len(points)
        low, high, density = (
            (0.0, 1.0, lambda u: 1.0) if kind == "uniform" else (-12.0, 12.0, lambda u: math.exp(-u * u / 2) / math.sqrt(2 * math.pi))
        )
        kink = min(max(-bias / gain, low), high) if gain else low
        return sum(quad(lambda u: f(u) * density(u), a, b, epsabs=1e-13, epsrel=1e-13)[0] for a, b in ((low, kink), (kink, high)))

    wanted = [
        integral(lambda u: max(gain * u + bias, 0) ** 2),
        integral(lambda u: u * max(gain * u + bias, 0)),
        integral(lambda u: max(gain * u + bias, 0)),
        integral(lambda u: u * (gain * u + bias > 0)),
        integral(lambda u: u * u * (gain * u + bias > 0)),
    ]
    np.testing.assert_allclose(MOMENTS[kind](gain, bias), wanted, rtol=0, atol=1e-12)  # two integrals, each to 1e-13, of numbers up to 5


def row(generator, n=7):
    """A row of gains of every size and sign, biases and importances."""
    gains = generator.normal(size=n) * 10.0 ** generator.integers(-9, 1, size=n)
    return gains, generator.normal(size=n) * 0.3, generator.uniform(size=n)


@every_kind
@pytest.mark.parametrize("seed", range(5))
def test_value_and_slopes_are_those_of_the_theorys_integrals(kind, seed):
    gains, bias, importance = row(np.random.default_rng(seed))
    n, active = len(gains), seed % len(gains)
    g, b = torch.from_numpy(gains).requires_grad_(), torch.from_numpy(bias).requires_grad_()
    others = torch.arange(n) != active
    weights = torch.from_numpy(importance)
    loss = (weights[others] * leaked(g[others, None], b[others], kind)).sum()
    loss = loss + weights[active] * missed(g[active, None], b[active], torch.ones(1, dtype=torch.float64), kind)
    loss.backward()
    to_gains, to_bias = np.full(n, 3.0), np.full(n, -2.0)
    SLOPES[kind](active, gains, bias, importance, 0.25, to_gains, to_bias)
    # sums of a dozen numbers of order 1; the theory states a small multiple of eps (|bias| + |gain|)^2 for its own
    assert VALUE[kind](active, gains, bias, importance) == pytest.approx(loss.item(), abs=1e-14)
    np.testing.assert_allclose(to_gains, 3 + 0.25 * g.grad.numpy(), rtol=0, atol=1e-14)
    np.testing.assert_allclose(to_bias, -2 + 0.25 * b.grad.numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", ["uniform", "gaussian"])
def test_slopes_are_the_differences_of_the_value(kind):
    gains, bias, importance = row(np.random.default_rng(8))
    n, active, h = len(gains), 2, 1e-6
    to_gains, to_bias = np.zeros(n), np.zeros(n)
    SLOPES[kind](active, gains, bias, importance, 1.0, to_gains, to_bias)
    for j in range(n):
        for array, slope in ((gains, to_gains), (bias, to_bias)):
            ends = []
            for way in (h, -h):
                moved = array.copy()
                moved[j] += way
                ends.append(VALUE[kind](active, *((moved, bias) if array is gains else (gains, moved)), importance))
            # eps / h of a value of order 1, and h^2 times its third derivative, which a gain as small as h makes as large as 1 / h
            assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(slope[j], abs=3e-6)


@every_kind
@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_rows_make_the_gradient_of_the_weights(kind, number):
    """(C + C^T) W and the biases' slopes, against autograd of theory.one_active_loss through W."""
    generator = np.random.default_rng(4)
    n, m = 9, 3
    W, b = torch.from_numpy(generator.normal(size=(n, m)) / 2), torch.from_numpy(generator.normal(size=n) / 4)
    importance, alone = generator.uniform(size=n), generator.uniform(size=n)
    W.requires_grad_()
    b.requires_grad_()
    terms = theory.one_active_loss(W, b, importance, kind)
    (torch.from_numpy(alone) * (terms.benefit + terms.interference)).sum().backward()
    gram = (W @ W.T).detach().numpy().astype(number)
    bias, weights = b.detach().numpy().astype(number), importance.astype(number)
    C, to_bias = np.zeros((n, n), number), np.zeros(n, number)
    for i in range(n):
        SLOPES[kind](i, gram[i], bias, weights, alone[i], C[i], to_bias)
    bound = 1e-13 if number is np.float64 else 1e-5  # a hundred roundings of numbers of order 1
    np.testing.assert_allclose((C + C.T) @ W.detach().numpy(), W.grad, rtol=0, atol=bound)
    np.testing.assert_allclose(to_bias, b.grad, rtol=0, atol=bound)
