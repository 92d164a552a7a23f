"""Errors of estimating one entry against sums of their definition on fine grids, in many digits where numbers are small, and against closed forms."""

import mpmath
import numpy as np
import pytest

from tegum.theory import mmse, soft_threshold_error

KINDS = ("binary", "signed", "gaussian", "uniform")
ALONE = {"binary": ([1.0], [1.0]), "signed": ([1.0, -1.0], [0.5, 0.5])}


def mixture(values, order=120):
    """Values and chances of an active entry; a continuum by points close enough for a channel of tau > .1: exact to rounding then."""
    if values == "gaussian":
        z = np.arange(-9, 9.01, 0.06)
        return z, 0.06 * np.exp(-z * z / 2) / (2 * np.pi) ** 0.5
    if values == "uniform":
        z, weight = np.polynomial.legendre.leggauss(order)
        return (z + 1) / 2, weight / 2
    return np.array(ALONE[values][0]), np.array(ALONE[values][1])


def over_r(variance, reach):
    """Trapezoids for integrals over r: for these analytic integrands, exact to rounding once the step is a fraction of tau^2."""
    step = min(variance, variance**0.5) / 16
    return np.arange(-reach, reach + 1, step), step


@pytest.mark.parametrize("values", KINDS)
@pytest.mark.parametrize("density", [1e-6, 0.1, 0.95])
@pytest.mark.parametrize("variance", [0.02, 0.2, 3.0])
def test_mmse_is_the_mean_posterior_variance(values, density, variance):
    z, chance = mixture(values)
    z, chance = np.append(z, 0.0), np.append(density * chance, 1 - density)
    r, step = over_r(variance, 10 * (1 + variance) ** 0.5)
    joint = chance * np.exp(-((r[:, None] - z) ** 2) / (2 * variance)) / (2 * np.pi * variance) ** 0.5
    total = joint.sum(1)
    seen = total > 1e-300
    mean = (joint @ z)[seen] / total[seen]
    exact = step * np.sum((joint[seen] * (z - mean[:, None]) ** 2).sum(1))
    assert mmse(values, density, variance) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("density", "variance"), [(1e-57, 0.0038), (1e-3, 1e-3)])
def test_rare_binary_entries_keep_their_digits(density, variance):
    """In 40 digits, with the integral cut where the posterior turns, within a standard deviation."""
    with mpmath.workdps(40):
        p, tau = mpmath.mpf(density), mpmath.sqrt(mpmath.mpf(variance))
        odds = mpmath.log(p / (1 - p))

        def integrand(g):
            return mpmath.npdf(g) / (1 + mpmath.exp(odds + (mpmath.mpf(1) / 2 + tau * g) / tau**2))

        turn = (-mpmath.mpf(1) / 2 - odds * tau**2) / tau
        cuts = sorted({*range(-36, 37, 2), *(turn + tau * s for s in range(-20, 21, 2))})
        exact = float(str(p * mpmath.quad(integrand, cuts)))
    assert mmse("binary", density, variance) == pytest.approx(exact, rel=1e-12)


def test_entries_that_are_almost_always_gaussian_are_shrunk():
    variance = np.array([1e-4, 0.3, 50.0])
    assert mmse("gaussian", 1 - 1e-12, variance) == pytest.approx(variance / (1 + variance), rel=1e-9)


@pytest.mark.parametrize(("values", "second"), [("binary", 1), ("signed", 1), ("gaussian", 1), ("uniform", 1 / 3)])
def test_nothing_is_known_through_much_noise_and_little_is_lost_through_none(values, second):
    """Continuous values are then known to tau = 1e-4, but for those of a few tau, some 1e-3 of all, which are taken for nothing or the reverse."""
    mean = {"binary": 1.0, "uniform": 0.5}.get(values, 0.0)
    assert mmse(values, 0.3, 1e8) == pytest.approx(0.3 * second - (0.3 * mean) ** 2, rel=1e-6)
    lost = mmse(values, 0.3, 1e-8) / 0.3e-8
    assert lost == (0 if values in ALONE else pytest.approx(1, abs=5e-3))


def test_a_known_error_falls_with_density_and_noise():
    density, variance = np.array([[1e-30], [1e-9], [0.01], [0.3]]), np.geomspace(1e-3, 1e3, 25)
    for values in KINDS:
        error = np.asarray(mmse(values, density, variance))
        assert error.shape == (4, 25)
        assert (np.diff(error, axis=0) > 0).all() or values in ALONE  # where few values leave no error that a float can hold
        assert (np.diff(error, axis=0) >= 0).all()
        assert (np.diff(error, axis=1) >= -1e-12 * error[:, 1:]).all()


@pytest.mark.parametrize(
    ("values", "signed"), [("binary", False), ("uniform", False), ("binary", True), ("signed", True), ("gaussian", True)]
)
@pytest.mark.parametrize("variance", [0.02, 0.5, 4.0])
def test_soft_thresholds_err_as_their_definition_says(values, signed, variance):
    """Trapezoids over g on 20,001 points; a kink costs up to a step squared, 1e-6."""
    for box in (False, True)[: 2 if values in ("binary", "uniform") and not signed else 1]:
        exact = by_trapezoids(values, variance, signed=signed, box=box)
        assert soft_threshold_error(values, 0.2, variance, 1.3, signed=signed, box=box) == pytest.approx(exact, rel=2e-6)


def by_trapezoids(values, variance, *, signed, box):
    density, alpha = 0.2, 1.3
    z, chance = mixture(values)
    z, chance = np.append(z, 0.0), np.append(density * chance, 1 - density)
    g, step = np.linspace(-9, 9, 20_001, retstep=True)
    exact = 0.0
    for value, share in zip(z, chance, strict=True):
        r, threshold = value + variance**0.5 * g, alpha * variance**0.5
        estimate = np.sign(r) * np.maximum(abs(r) - threshold, 0) if signed else np.maximum(r - threshold, 0)
        if box:
            estimate = np.minimum(estimate, 1)
        exact += share * step * np.sum(np.exp(-g * g / 2) / (2 * np.pi) ** 0.5 * (estimate - value) ** 2)
    return exact


def test_bayes_errs_least():
    for values, signed in (("binary", False), ("uniform", False), ("gaussian", True)):
        variance = np.geomspace(1e-3, 10, 9)
        alphas = np.linspace(0, 4, 41)[:, None]
        assert (soft_threshold_error(values, 0.05, variance, alphas, signed=signed) > mmse(values, 0.05, variance)).all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="values is 'ternary'"):
        mmse("ternary", 0.1, 1.0)
    with pytest.raises(ValueError, match="density must lie strictly"):
        mmse("binary", 1.0, 1.0)
    with pytest.raises(ValueError, match="variance must be positive"):
        mmse("binary", 0.1, 0.0)
    with pytest.raises(ValueError, match="never negative"):
        soft_threshold_error("gaussian", 0.1, 1.0, 1.0)
    for values, signed in (("gaussian", False), ("signed", False), ("binary", True)):
        with pytest.raises(ValueError, match="only kinds within it"):
            soft_threshold_error(values, 0.1, 1.0, 1.0, signed=signed, box=True)
    with pytest.raises(ValueError, match="alpha must be 0 or above"):
        soft_threshold_error("binary", 0.1, 1.0, -1.0)
