"""Bits of a k-subset against integers and 100-digit log-gammas."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tegum.theory import subset_bits


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_small_subsets_equal_the_binomial_coefficient(n, k):
    n, k = max(n, k), min(n, k)
    with mpmath.workdps(40):
        exact = float(mpmath.log(math.comb(n, k), 2))
    assert float(subset_bits(n, k)) == pytest.approx(exact, rel=2e-15, abs=1e-15)


@given(st.integers(1, 10**60), st.floats(0, 1))
def test_huge_subsets_equal_log_gamma_in_100_digits(n, power):
    k = min(int(mpmath.mpf(n) ** power), n)
    with mpmath.workdps(100):
        exact = float((mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)) / mpmath.log(2))
    assert float(subset_bits(n, k)) == pytest.approx(exact, rel=2e-15, abs=1e-15)


def test_the_complement_of_a_huge_subset_keeps_its_digits():
    assert float(subset_bits(10**60, 10**60 - 3)) == float(subset_bits(10**60, 3))
    assert subset_bits(10**60, 1) == pytest.approx(60 * math.log2(10), rel=1e-15)


def test_arrays_broadcast():
    assert subset_bits(np.array([[4], [5]]), np.array([0, 2])) == pytest.approx(np.log2([[1, 6], [1, 10]]))
    assert subset_bits(4096.0, 16) == pytest.approx(147.7075395, abs=1e-6)


def test_too_many_chosen_is_refused():
    with pytest.raises(ValueError, match="k must be from 0 to n"):
        subset_bits(3, [1, 4])
