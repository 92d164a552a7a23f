"""Bounds on the dims of linear access against directions and probes made to beat them, sums counted one by one, and integrals."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from tegum.dictionaries import spherical
from tegum.theory import (
    access_dims_bound,
    access_error_bound,
    best_probe_dims,
    best_probe_error,
    lasso_dims,
    linear_access,
    random_access_dims,
    rescaled_probes,
)


@pytest.mark.parametrize(("n", "d", "k"), [(3, 1, 1), (4, 2, 1), (5, 2, 1), (6, 2, 2), (6, 4, 2), (8, 3, 2), (12, 8, 3)])
def test_nothing_found_by_descent_beats_the_bound(n, d, k):
    """A and B descend from 40 starts on a smooth norm of their own worst case."""
    generator = torch.Generator().manual_seed(0)
    tables = torch.randn(2, 40, n, d, generator=generator, dtype=torch.float64, requires_grad=True)
    steps = torch.optim.Adam([tables], lr=0.05)
    own = torch.eye(n, dtype=torch.float64)
    for step in range(120):
        off = (tables[1] @ tables[0].mT - own).abs()
        loss = (off.topk(k, dim=2).values.sum(2) * (sharp := 2 + step / 2)).logsumexp(1) / sharp
        steps.zero_grad()
        loss.sum().backward()
        steps.step()
    found = [linear_access(A, rescaled_probes(A, B, n_active=k), n_active=k).error for A, B in zip(*tables.detach(), strict=True)]
    assert min(found) >= access_error_bound(n, d, k) - 1e-12


@given(n=st.integers(3, 10**6), k=st.integers(1, 40), eps=st.floats(0.01, 0.95))
def test_dims_and_errors_are_bounded_by_one_law(n, k, eps):
    k = min(k, n)
    d = int(access_dims_bound(n, k, eps))
    assert 1 <= d <= n
    assert access_error_bound(n, d, k) <= eps * (1 + 1e-6)
    if d > 1:
        assert access_error_bound(n, d - 1, k) >= eps * (1 - 1e-6)


def test_the_rank_bound_is_the_square_of_k_and_higher_orders_bring_the_logarithm():
    k, eps = 8, 0.5
    square = (k / eps - 1) ** 2
    few, more, many = (float(access_dims_bound(n, k, eps)) for n in (10**3, 10**6, 10**12))
    assert few == math.ceil(1e3 / (1 + (1e3 - 1) / square))
    assert square < more < many


@pytest.mark.parametrize(("n", "k"), [(20, 1), (40, 2), (30, 3)])
def test_random_directions_read_themselves_in_so_many_dims(n, k):
    """At most half fail if the bound is right: then 15 or more of 20 do with chance .02 at most."""
    d = math.ceil(random_access_dims(n, k, 0.45))
    draws = [spherical(n, d, seed, dtype=torch.float64) for seed in range(20)]
    failed = sum(linear_access(D, rescaled_probes(D, D, n_active=k), n_active=k).error > 0.45 for D in draws)
    assert failed < 15
    assert random_access_dims(n, k, 0.45, success=0.9) > random_access_dims(n, k, 0.45)


def test_the_union_bound_sums_what_it_says():
    n, k, eps, success = 60, 4, 0.5, 0.75
    d = float(random_access_dims(n, k, eps, success))
    s = k * eps / (k - eps)
    chances = [n * math.comb(n - 1, j) * 2**j * math.exp(-d * (s * j / k) ** 2 / (2 * j)) for j in (k, k - 1)]
    assert sum(chances) == pytest.approx(1 - success, rel=1e-9)


@pytest.mark.parametrize(("n", "k", "eps"), [(256, 2, 0.5), (1000, 3, 0.3), (10**6, 20, 0.7), (50, 5, 0.2)])
def test_the_best_probes_of_random_directions_take_the_least_of_an_integral(n, k, eps):
    square = (k / eps - 1) ** 2

    def dims(tau):
        beyond = quad(lambda g: (g - tau) ** 2 * norm.pdf(g), tau, tau + 12)[0]
        return square * tau**2 + 2 * (n - 1) * beyond

    expected = minimize_scalar(dims, bounds=(1e-6, 12), method="bounded", options={"xatol": 1e-10}).fun
    assert best_probe_dims(n, k, eps) == pytest.approx(max(expected, access_dims_bound(n, k, eps)), rel=1e-8)  # the bound's 47 at the last
    assert best_probe_error(n, expected, k) == pytest.approx(eps, rel=1e-7)


def test_they_cost_what_l1_asks_for_the_square_of_k():
    """Beside K itself the two differ by K parts of n."""
    n, k, eps = 10**7, 10, 0.5
    square = round((k / eps - 1) ** 2)
    assert best_probe_dims(n, k, eps) + square == pytest.approx(lasso_dims(n, square, signed=True), rel=square / n)


def test_nothing_is_left_to_read_wrong_in_as_many_dims_as_others_and_nothing_beats_0_in_a_few():
    np.testing.assert_array_equal(best_probe_error(100, [100, 150], 3), 0)
    np.testing.assert_array_equal(best_probe_error(1000, [1, 5], 20), 1)
    np.testing.assert_array_equal(access_error_bound([16, 16, 1], [16, 20, 1], 1), 0)


@pytest.mark.parametrize(("n", "d", "k", "least"), [(10, 9, 8, 0.32), (1000, 999, 500, 0.0316), (100, 99, 3, 0.03)])
def test_one_dim_short_of_all_the_typical_error_is_no_less_than_the_bound(n, d, k, least):
    assert best_probe_error(n, d, k) == access_error_bound(n, d, k) == pytest.approx(least, rel=2e-3)
    assert best_probe_dims(10, 8, 0.3) == access_dims_bound(10, 8, 0.3) == 10


def test_one_feature_alone_never_costs_more_than_a_half():
    """No cosine is above 1, so a direction scaled by 1/2 reads itself so."""
    np.testing.assert_allclose(best_probe_error([10**6, 400, 1000], [1, 2, 6], 1), 0.5, rtol=1e-12)
    np.testing.assert_array_equal(best_probe_dims(1000, 1, [0.5, 0.7]), 1)
    assert best_probe_error(1000, 40, 1) < 0.5


@given(n=st.integers(3, 5000), k=st.integers(1, 12), eps=st.floats(0.1, 0.9))
def test_below_typical_and_above_are_in_that_order(n, k, eps):
    """Typical is below above from 1 dim on for k > 1. For k = 1 and t near 1, a few dims, the law of many dims asks for a few too many."""
    k = min(k, n - 1)
    below, typical, above = access_dims_bound(n, k, eps), best_probe_dims(n, k, eps), random_access_dims(n, k, eps)
    assert below <= typical <= n
    assert below <= math.ceil(max(above, 1))
    if k > 1 or eps < 0.45:
        assert typical <= above


@pytest.mark.parametrize("bound", [access_dims_bound, random_access_dims, best_probe_dims])
def test_sizes_that_are_none_are_refused(bound):
    for n, k, eps in ((1, 1, 0.5), (10, 0, 0.5), (10, 11, 0.5), (10, 2, 0.0), (10, 2, 1.0)):
        with pytest.raises(ValueError, match="must"):
            bound(n, k, eps)
    with pytest.raises(ValueError, match="d must be at least 1"):
        access_error_bound(10, 0.5, 2)
