"""Packings against configurations that are known to be best, laws of cosines in closed form and in many digits, and random directions."""

import math

import mpmath
import numpy as np
import pytest

from tegum.geometry import welch_bound
from tegum.theory import (
    coherence_bound,
    cosine_quantile,
    cosine_tail,
    greedy_packing_dims,
    kabatjanskii_levenstein_exponent,
    log_cosine_tail,
    log_greedy_packing,
    log_packing_bound,
    log_random_packing,
    random_coherence,
    random_packing_dims,
)

# equiangular lines that meet Welch's bound: the icosahedron's 6, and 16, 28 and 276 lines in 6, 7 and 23 dims
EQUIANGULAR = [(6, 3, 1 / math.sqrt(5)), (16, 6, 1 / 3), (28, 7, 1 / 3), (276, 23, 1 / 5)]


def test_cosines_on_the_circle_and_the_sphere_have_closed_laws():
    eps = np.array([0.01, 0.3, 0.9])
    assert cosine_tail(2, eps) == pytest.approx(1 - 2 * np.arcsin(eps) / np.pi, rel=1e-13)
    assert cosine_tail(3, eps) == pytest.approx(1 - eps, rel=1e-13)
    assert cosine_quantile(3, 1 - eps) == pytest.approx(eps, rel=1e-13)


@pytest.mark.parametrize(("d", "eps"), [(100, 0.2), (4096, 0.1), (4096, 0.6), (12288, 0.3), (10**6, 0.05)])
def test_deep_tails_keep_their_digits(d, eps):
    with mpmath.workdps(50):
        a, x = mpmath.mpf(d - 1) / 2, 1 - mpmath.mpf(eps) ** 2
        front = a * mpmath.log(x) + mpmath.log(mpmath.mpf(eps)) - mpmath.log(a) - mpmath.log(mpmath.beta(a, 0.5))
        exact = float(front + mpmath.log(mpmath.hyp2f1(a + mpmath.mpf(1) / 2, 1, a + 1, x)))
    assert log_cosine_tail(d, eps) == pytest.approx(exact, rel=1e-12)


def test_random_directions_follow_the_law():
    """400 directions: 79,800 cosines, pairwise independent; 5 standard errors of the shares above each quantile."""
    u = np.random.default_rng(0).standard_normal((400, 50))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    cosines = abs((u @ u.T)[np.triu_indices(400, 1)])
    for chance in (0.5, 0.1, 0.01):
        share = np.mean(cosines >= cosine_quantile(50, chance))
        assert share == pytest.approx(chance, abs=5 * (chance * (1 - chance) / len(cosines)) ** 0.5)
    assert np.mean(cosines**2) == pytest.approx(1 / 50, rel=5 * (2 / len(cosines)) ** 0.5)


@pytest.mark.parametrize("n", [10**100, 10**124, 10**126, 10**160, 10**300])
@pytest.mark.parametrize("d", [2, 3, 30, 4096, 10**6])
def test_the_coherence_of_ever_so_many_directions_inverts_the_law(n, d):
    """Near 1 a rounding of eps moves ln P by d eps^2 / (1 - eps^2) of it."""
    eps = float(random_coherence(n, d))
    assert 0 < eps <= 1
    if eps < 1:
        goal = -math.log(n * (n - 1))  # half of all pairs, twice: success is 1/2
        assert log_cosine_tail(d, eps) == pytest.approx(goal, rel=1e-12 + 4e-16 * d / (1 - eps**2) / -goal)


@pytest.mark.parametrize(("n", "d", "eps"), EQUIANGULAR)
def test_equiangular_lines_meet_the_bounds(n, d, eps):
    assert coherence_bound(n, d) == pytest.approx(eps, rel=1e-12)
    assert log_packing_bound(d, eps) == pytest.approx(math.log(n), rel=1e-12)


def test_the_orthoplex_bound_is_met_by_four_dims_in_twelve_lines():
    """The 24 corners of the 24-cell are 12 lines at 60 or 90 degrees, more than the 10 that could stay below 1/2."""
    roots = np.array([v for v in np.ndindex(3, 3, 3, 3) if (np.array(v) != 1).sum() == 2], dtype=float) - 1
    lines = roots[[tuple(v) > tuple(-v) for v in roots]] / math.sqrt(2)
    assert len(lines) == 12
    assert coherence_bound(12, 4) == 0.5 == np.max(abs(lines @ lines.T - np.eye(12))).round(12)
    assert log_packing_bound(4, 0.4999) <= math.log(10)


def test_real_bounds_are_no_weaker_than_the_common_ones():
    """Welch's constants hold for complex vectors too; order 1 is the same."""
    for n, d in ((100, 60), (10**4, 20), (10**9, 30)):
        assert coherence_bound(n, d) >= max(welch_bound(n, d, order) for order in range(1, 9)) - 1e-15


def test_bounds_invert_each_other():
    d, eps = np.array([10, 50, 1000]), np.array([0.2, 0.12, 0.05])
    n = np.exp(log_packing_bound(d, eps))
    assert (coherence_bound(n, d) <= eps * (1 + 1e-9)).all()
    assert (coherence_bound(n * 1.01, d) > eps).all()


def test_what_is_found_is_within_what_is_possible():
    d, eps = np.array([[8], [64], [512], [4096]]), np.array([0.05, 0.1, 0.2, 0.35])
    random, greedy, most = log_random_packing(d, eps), log_greedy_packing(d, eps), log_packing_bound(d, eps)
    assert (random <= greedy + math.log(2)).all()
    assert (greedy <= most).all()
    assert (random < most + math.log(2)).all()
    assert np.isfinite(most).all()


def test_random_packings_grow_as_the_exponential_of_eps_squared_d():
    """ln n over eps^2 d tends to 1/4 at random and 1/2 in order, as eps falls and eps^2 d grows: -ln(1 - eps^2) / eps^2 = 1 + eps^2/2."""
    d, eps = 10**6, 0.05
    assert log_random_packing(d, eps) / (eps**2 * d) == pytest.approx(0.25, rel=5e-3)
    assert log_greedy_packing(d, eps) / (eps**2 * d) == pytest.approx(0.5, rel=5e-3)


def test_the_union_bound_holds_for_random_directions():
    """300 sets of 30 directions in 40 dims: at least half clear the eps given for one half (4 standard errors), and not nearly all."""
    n, d, trials = 30, 40, 300
    u = np.random.default_rng(1).standard_normal((trials, n, d))
    u /= np.linalg.norm(u, axis=2, keepdims=True)
    largest = abs(u @ u.transpose(0, 2, 1) - np.eye(n)).max((1, 2))
    share = np.mean(largest < random_coherence(n, d, 0.5))
    assert 0.5 - 4 * 0.5 / trials**0.5 < share < 0.75  # pairs are nearly independent: exp(-1/2) = .61


@pytest.mark.parametrize("eps", [0.02, 0.3, 0.9])
def test_dims_needed_invert_how_many_fit(eps):
    for n in (30, 10**6, 10**60):
        assert log_random_packing(random_packing_dims(n, eps, 0.9), eps, 0.9) == pytest.approx(math.log(n), rel=1e-10)
        if greedy_packing_dims(n, eps) >= 2:
            assert log_greedy_packing(greedy_packing_dims(n, eps), eps) == pytest.approx(math.log(n), rel=1e-10)


def test_the_exponent_bounds_every_construction():
    """And is asymptotically eps^2/4 (1 + ln(4 / eps^2)) for small eps."""
    eps = np.linspace(0.01, 0.99, 50)
    assert (kabatjanskii_levenstein_exponent(eps) > -np.log1p(-(eps**2)) / 2).all()
    assert kabatjanskii_levenstein_exponent(1e-4) == pytest.approx(1e-8 / 4 * (1 + math.log(4e8)), rel=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="d must be at least 2"):
        cosine_tail(1, 0.1)
    with pytest.raises(ValueError, match="eps must lie strictly"):
        log_packing_bound(10, 1.0)
    with pytest.raises(ValueError, match="n must be at least 2"):
        coherence_bound(1, 10)
