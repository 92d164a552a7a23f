"""Limits against brute force over all subsets, 40-digit sums, and the equations they solve."""

import itertools
import math

import mpmath
import numpy as np
import pytest

from tegum.theory import gaussian_capacity, integer_dims, noisy_dims, sign_sum_bits, subset_bits, subset_bits_approximate


def test_the_rule_of_thumb_for_bits_is_above_them_by_half_a_logarithm():
    """Stirling: log2(2 pi k)/2 more, plus k^2/2n nats from the n - k that follow n, to 1/12k nats."""
    n, k = 10**12, np.array([4, 100, 10**5])
    excess = subset_bits_approximate(n, k) - subset_bits(n, k)
    assert excess == pytest.approx(np.log2(2 * np.pi * k) / 2 + k**2 / (2 * n * math.log(2)), abs=0.15 / 4)


@pytest.mark.parametrize("k", [1, 2, 3, 10, 999, 1000, 1001, 1500])
def test_the_entropy_of_a_sum_of_signs_equals_its_sum_in_40_digits(k):
    with mpmath.workdps(40):
        chances = [mpmath.binomial(k, j) / mpmath.mpf(2) ** k for j in range(k + 1)]
        exact = float(-sum(p * mpmath.log(p, 2) for p in chances))
    assert sign_sum_bits(k) == pytest.approx(exact, rel=2e-13)


def test_sums_of_signs_tell_no_more_subsets_apart_than_counted():
    """All 560 subsets of 3 from 16, 200 dictionaries of +-1 a point: mean entropy of x, below d times that of one dim; close to it while d is 1."""
    n, k, dictionaries = 16, 3, 200
    subsets = np.array(list(itertools.combinations(range(n), k)))
    rng = np.random.default_rng(0)
    for d in (1, 2, 4):
        entropies = []
        for _ in range(dictionaries):
            x = rng.choice((-1, 1), (n, d))[subsets].sum(1)
            shares = np.unique(x, axis=0, return_counts=True)[1] / len(subsets)
            entropies.append(-np.sum(shares * np.log2(shares)))
        bound = d * sign_sum_bits(k)
        mean, error = np.mean(entropies), np.std(entropies) / dictionaries**0.5
        assert mean < bound
        assert mean + 5 * error < subset_bits(n, k)  # these d are all below the limit: no decoder can read every subset
        if d == 1:
            assert mean > 0.9 * bound
        assert d < integer_dims(n, k)


def test_all_subsets_are_told_apart_soon_after_the_limit():
    """The limit is 5.04 dims for 3 of 16. Two that differ by a swap agree in a dim with chance 1/2: 20 dims leave 560 x 39 / 2 such pairs 1%."""
    n, k, d = 16, 3, 20
    assert integer_dims(n, k) == pytest.approx(math.log2(560) / 1.8112781, rel=1e-6)
    subsets = np.array(list(itertools.combinations(range(n), k)))
    x = np.random.default_rng(1).choice((-1, 1), (n, d))[subsets].sum(1)
    assert len(np.unique(x, axis=0)) == len(subsets)


@pytest.mark.parametrize(("n", "k", "noise"), [(4096, 16, 0.1), (4096, 16, 0.27), (10**60, 1000, 1e-3), (10, 3, 1e-5), (4096, 16, 1e-33)])
def test_noisy_dims_carry_just_the_bits(n, k, noise):
    d = noisy_dims(n, k, noise)
    assert gaussian_capacity(d, k / (d * noise**2)) == pytest.approx(subset_bits(n, k), rel=1e-11)


@pytest.mark.parametrize(("n", "k", "noise"), [(4096, 16, 1e-33), (10**60, 10**60 - 1, 1e-3), (4096, 16, 1e-200), (2, 1, 1e-300)])
def test_next_to_no_noise_leaves_few_dims(n, k, noise):
    """The equation in 40 digits, by bisection of ln d."""
    with mpmath.workdps(400):
        nats = mpmath.log(mpmath.binomial(n, min(k, n - k)))
        d = mpmath.findroot(lambda d: d * mpmath.log1p(k / (d * mpmath.mpf(noise) ** 2)) / 2 - nats, (1e-6, 1e3), solver="anderson")
        exact = float(str(d))
    assert noisy_dims(n, k, noise) == pytest.approx(exact, rel=1e-13)


def test_beyond_some_noise_no_dims_are_enough():
    """k / (2 s^2 ln 2) bits is the most that any number of dims carries."""
    n, k = 4096, 16
    most = (k / (2 * math.log(2) * subset_bits(n, k))) ** 0.5
    assert noisy_dims(n, k, most * 0.999) > 1000
    assert noisy_dims(n, k, most * 1.001) == np.inf
    assert noisy_dims(k, k, 5.0) == 0


def test_arrays_broadcast():
    assert np.shape(noisy_dims(np.array([[100], [1000]]), np.array([2, 3, 4]), 0.1)) == (2, 3)
    assert np.shape(integer_dims(np.array([[100], [1000]]), np.array([2, 3, 4]))) == (2, 3)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="k must be from 1 to n"):
        noisy_dims(3, 4, 0.1)
    with pytest.raises(ValueError, match="noise_std must be positive"):
        noisy_dims(30, 4, 0.0)
    with pytest.raises(ValueError, match="snr must be positive"):
        gaussian_capacity(10, -1.0)
    with pytest.raises(ValueError, match="k must be at least 1"):
        sign_sum_bits(0.5)
