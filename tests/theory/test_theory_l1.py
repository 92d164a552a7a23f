"""The l1 curve against its definition in many digits, published thresholds, projections of Gaussian vectors, and linear programs."""

import math

import mpmath
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from tegum.theory import (
    box_dims,
    box_success,
    box_width,
    face_dims,
    lasso_alpha,
    lasso_dims,
    lasso_dims_per_bit,
    lasso_success,
    lasso_width,
    minimax_alpha,
    subset_bits,
    weak_threshold,
)
from tegum.theory._tails import tail


def tail_square(t):
    """G(t) by its plain form, in as many digits as mpmath is set to."""
    return (1 + t**2) * mpmath.ncdf(-t) - t * mpmath.npdf(t)


@pytest.mark.parametrize("t", [0, 0.3, 1.9, 2.0, 3.0, 10.0, 45.0, 1000.0])
def test_tail_moments_equal_their_plain_forms_in_a_thousand_digits(t):
    """Below 2 they are taken upwards from Q, which loses up to 100 units of rounding; above, by the continued fraction."""
    log_q, ratios = tail(np.float64(t))
    with mpmath.workdps(1000 if t < 100 else 500_000 // 500):
        x = mpmath.mpf(t)
        q = mpmath.erfc(x / mpmath.sqrt(2)) / 2
        moments = [q, mpmath.npdf(x) - x * q]
        for j in range(1, 4):
            moments.append(j * moments[j - 1] - x * moments[j])
        assert log_q == pytest.approx(float(mpmath.log(q)), rel=1e-14)
        for j, ratio in enumerate(ratios):
            assert ratio == pytest.approx(float(moments[j + 1] / moments[j]), rel=2e-14)


@pytest.mark.parametrize(("signed", "published"), [(True, 0.38569), (False, 0.55823)])
def test_the_lasso_threshold_equals_the_donoho_tanner_curve(signed, published):
    """Donoho & Tanner 2009: rho_W(1/2), to the five digits given."""
    assert weak_threshold(0.5, signed) == pytest.approx(published, abs=5e-6)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("delta", [1e-30, 1e-6, 0.1, 0.5, 0.99])
def test_weak_thresholds_are_the_maximum_of_donohos_expression(delta, signed):
    kappa = 2 if signed else 1

    def rho(z):
        with mpmath.workdps(80):
            square = kappa * tail_square(mpmath.mpf(z))
            return float((1 - square / mpmath.mpf(delta)) / (1 + mpmath.mpf(z) ** 2 - square))

    z = minimax_alpha(delta, signed=signed)
    assert weak_threshold(delta, signed) == pytest.approx(rho(z), rel=1e-12)
    assert rho(z) >= max(rho(z * (1 - 1e-4)), rho(z * (1 + 1e-4)))
    best = scipy.optimize.minimize_scalar(lambda t: -rho(t), bounds=(0.2 * z, 3 * z), method="bounded", options={"xatol": 1e-9})
    assert -best.fun == pytest.approx(rho(z), rel=1e-9)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("n", "k"), [(10, 3), (4096, 16), (10**60, 1000), (10**60, 10**59), (100, 99)])
def test_the_50_percent_point_is_the_least_mean_squared_distance(n, k, signed):
    kappa = 2 if signed else 1
    with mpmath.workdps(120):

        def distance(tau):
            return k * (1 + tau**2) + kappa * (n - k) * tail_square(tau)

        tau = mpmath.mpf(float(lasso_alpha(n, k, signed=signed)))
        least = distance(tau)
        assert lasso_dims(n, k, signed) == pytest.approx(float(least), rel=1e-13)
        assert least < min(distance(tau * (1 - mpmath.mpf("1e-5"))), distance(tau * (1 + mpmath.mpf("1e-5"))))


def test_l1_on_few_features_is_the_same_curve():
    """Two parametrisations of one curve: rho_W(d50/n) = k/d50, and the two thresholds agree."""
    n, k = 10**12, np.array([10**3, 10**9, 10**11])
    for signed in (False, True):
        d = lasso_dims(n, k, signed)
        assert weak_threshold(d / n, signed) == pytest.approx(k / d, rel=1e-12)
        assert minimax_alpha(d / n, signed=signed) == pytest.approx(lasso_alpha(n, k, signed=signed), rel=1e-10)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("n", "k"), [(256, 16), (1024, 4)])
def test_centre_and_width_are_those_of_projected_gaussian_vectors(n, k, signed):
    """20,000 projections: the mean to 5 standard errors, and by how much the least mean distance exceeds the mean least distance.

    That is the variance of the distance's slope in tau over twice its curvature, (k + kappa (n-k) m_2) / (k + kappa (n-k) Q) <= 1. The width
    leaves out the same in its square, 27 or more: 2%. And sampling: 5 / sqrt(2 x 20,000) = 2.5%.
    """
    faces = face_dims(n, k, signed=signed, trials=20_000, seed=1)
    error = 5 * faces.std() / len(faces) ** 0.5
    assert faces.mean() - error < lasso_dims(n, k, signed) < faces.mean() + error + 1
    assert lasso_width(n, k, signed=signed) == pytest.approx(faces.std(), rel=0.045)


def read_by_programs(n, k, d, trials, *, box, seed):
    """How often the least sum, of z >= 0 or of z in [0, 1], is the code itself."""
    rng = np.random.default_rng(seed)
    code = np.repeat((1.0, 0.0), (k, n - k))
    right = 0
    for _ in range(trials):
        directions = rng.standard_normal((d, n)) / d**0.5
        found = scipy.optimize.linprog(np.ones(n), A_eq=directions, b_eq=directions @ code, bounds=(0, 1 if box else None), method="highs")
        right += found.status == 0 and abs(found.x - code).max() < 1e-6
    return right / trials


def test_the_box_helps_linear_programs_as_much_as_it_says():
    """n = 48, k = 16: half of both curves' points apart. 5 standard errors of 100 programs, and .04 for the normal law at this size."""
    n, k, trials = 48, 16, 100
    d = round(float(box_dims(n, k)))
    slack = 5 * 0.5 / trials**0.5 + 0.04
    assert read_by_programs(n, k, d, trials, box=True, seed=0) == pytest.approx(box_success(d, n, k), abs=slack)
    assert lasso_success(d, n, k) < 0.05
    assert read_by_programs(n, k, d, trials // 2, box=False, seed=0) < 0.25


def test_the_box_alone_reads_half_dense_codes_from_half_the_dims():
    """The polar cone is then an orthant, whose volumes are binomial: mean n/2, variance n/4."""
    assert box_dims(100, 50) == pytest.approx(50)
    assert box_dims(100, 80) == pytest.approx(50)
    assert box_width(100, 80) == pytest.approx(5)


def test_the_box_matters_little_to_sparse_codes():
    assert box_dims(4096, 16) == pytest.approx(lasso_dims(4096, 16), rel=1e-3)
    assert box_dims(4096, 16) < lasso_dims(4096, 16)


def test_one_dim_per_bit_is_a_coincidence_of_scale():
    """.56 at ln(n/k) = 2, 1 near 19 (15 if signed), and 2 ln 2 in the end."""
    assert lasso_dims_per_bit(2.0) == pytest.approx(0.563, abs=5e-4)
    assert lasso_dims_per_bit(18.0) < 1 < lasso_dims_per_bit(19.0)
    assert lasso_dims_per_bit(15.0, signed=True) < 1 < lasso_dims_per_bit(16.0, signed=True)
    assert lasso_dims_per_bit(1e12) == pytest.approx(2 * math.log(2), rel=1e-9)


def test_dims_per_bit_are_dims_over_bits_when_many_are_active():
    """At k = 10^20 what Stirling adds to the bits, log2(k) / 2, is 10^-18 of them."""
    for signed in (False, True):
        ratio = lasso_dims(10**60, 10**20, signed) / subset_bits(10**60, 10**20)
        assert lasso_dims_per_bit(40 * math.log(10), signed=signed) == pytest.approx(ratio, rel=1e-12)


@settings(max_examples=15)
@given(n=st.integers(3, 10**12), share=st.floats(0, 1), success=st.floats(0.01, 0.99), signed=st.booleans())
def test_dims_and_success_are_inverse_and_rise(n, share, success, signed):
    """Up to 10^12: beyond, the width of the transition is lost in the rounding of its place."""
    k = min(int(n**share), n - 2)
    d, more_active, more_success = lasso_dims(n, [k, k + 1, k], signed, [success, success, success + 0.005])
    assert d < more_success
    assert d < more_active or k > n / 4  # close to all active, the transition narrows faster than it moves
    assert lasso_dims(n, k) <= lasso_dims(n, k, signed=True)
    if d > 0:
        assert lasso_success(d, n, k, signed=signed) == pytest.approx(success, rel=1e-6)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("n", "k"), [(10, 3), (4096, 16), (10**60, 1000), (100, 99), (10**15, 10**15 - 1), (10**60, 10**60 - 1)])
def test_the_width_is_that_of_the_least_distance_in_200_digits(n, k, signed):
    kappa = 2 if signed else 1
    with mpmath.workdps(200):
        tau = mpmath.findroot(
            lambda t: k * t - kappa * (n - k) * (mpmath.npdf(t) - t * mpmath.ncdf(-t)), float(lasso_alpha(n, k, signed=signed))
        )
        moments = [mpmath.ncdf(-tau), mpmath.npdf(tau) - tau * mpmath.ncdf(-tau)]
        for j in range(1, 4):
            moments.append(j * moments[j - 1] - tau * moments[j])
        squared = kappa * moments[2]
        dims = k * (1 + tau**2) + (n - k) * squared
        variance = (n - k) * (kappa * moments[4] - squared**2) + k * (2 + 4 * tau**2) - 2 * dims
        exact = float(str(mpmath.sqrt(variance)))
    assert lasso_width(n, k, signed=signed) == pytest.approx(exact, rel=1e-12)


def test_the_normal_law_asks_for_no_less_than_no_dims_and_no_more_than_all():
    low, high = 1e-300, 1 - 1e-16
    n, k = np.array([10, 4096, 100]), np.array([1, 1, 99])
    for dims in (lasso_dims, box_dims):
        assert (dims(n, k, success=low) >= 0).all()
        assert (dims(n, k, success=high) <= n).all()
        assert dims(10, 1, success=low) == 0
        assert dims(10, 8, success=high) == 10


@pytest.mark.parametrize("delta", [1e-30, 1e-6, 0.1, 0.4, 0.499])
def test_the_boxs_threshold_reads_the_most_active_features_for_the_dims(delta):
    """The most k with k (1 + t^2) + (n - 2k) G(t) <= d is max over t of (d/n - G) / (1 + t^2 - 2G), in 80 digits."""

    def share(t):
        with mpmath.workdps(80):
            square = tail_square(mpmath.mpf(t))
            return (mpmath.mpf(delta) - square) / (1 + mpmath.mpf(t) ** 2 - 2 * square)

    alpha = float(minimax_alpha(delta, box=True))
    assert share(alpha) >= max(share(alpha * (1 - 1e-4)), share(alpha * (1 + 1e-4)))
    best = scipy.optimize.minimize_scalar(lambda t: -float(share(t) / delta), bounds=(0.2 * alpha, 3 * alpha), method="bounded")
    assert -best.fun == pytest.approx(float(share(alpha) / delta), rel=1e-8)
    k = float(share(alpha)) * 10**40
    assert box_dims(10**40, k) == pytest.approx(delta * 1e40, rel=1e-9)
    assert alpha < minimax_alpha(delta) or delta < 1e-20  # where a float does not tell them apart


def test_from_half_the_dims_on_the_box_needs_no_threshold():
    assert minimax_alpha([0.5 + 1e-12, 0.7, 0.99], box=True) == pytest.approx([0, 0, 0], abs=0)


def test_nothing_to_leave_out_takes_as_many_dims_as_features():
    assert lasso_dims(7, 7) == 7
    assert lasso_width(7, 7) == 0
    assert lasso_success([6, 7], 7, 7) == pytest.approx([0, 1])


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="k must be from 1 to n"):
        lasso_dims(3, 4)
    with pytest.raises(ValueError, match="success must lie strictly"):
        lasso_dims(30, 4, success=0.0)
    with pytest.raises(ValueError, match="delta must lie strictly"):
        weak_threshold(1.0)
    with pytest.raises(ValueError, match="d must be positive"):
        lasso_success(-1, 30, 4)
    with pytest.raises(ValueError, match="have no sign"):
        minimax_alpha(0.3, signed=True, box=True)
    with pytest.raises(ValueError, match="log_ratio must be positive"):
        lasso_dims_per_bit(0.0)
