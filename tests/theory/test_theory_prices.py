"""Prices against closed forms of the derivative, and capacities against the rules they invert."""

import numpy as np
import pytest
from scipy.special import digamma, log_ndtr, ndtr

from tegum.theory import (
    RULES,
    active_features,
    bayes_active,
    bayes_dims,
    capacity_table,
    dims_per_bit,
    lasso_active,
    lasso_alpha,
    lasso_dims,
    marginal_dims,
    subset_bits,
    threshold_active,
    threshold_dims,
    threshold_dims_asymptotic,
    topk_active,
    topk_dims,
    topk_dims_asymptotic,
)

N = np.array([1024, 4096, 10**60], dtype=object)
K = np.array([1, 16, 10**20], dtype=object)
DIGITS = 1e-8  # differences of fourth order leave 1e-12 of the fifth derivative, and a thousand roundings of 1e-12 at most


def test_rules_of_thumb_have_their_closed_prices():
    log_n, log_k = np.log(N.astype(float)), np.log(K.astype(float))
    assert marginal_dims(threshold_dims_asymptotic, N, K) == pytest.approx(8 * log_n, rel=DIGITS)
    root = np.sqrt(log_n[1:]) + np.sqrt(log_k[1:])
    assert marginal_dims(topk_dims_asymptotic, N[1:], K[1:]) == pytest.approx(2 * root**2 + 2 * root / np.sqrt(log_k[1:]), rel=DIGITS)


@pytest.mark.parametrize("signed", [False, True])
def test_the_price_under_l1_follows_by_the_envelope_theorem(signed):
    """d50 is a minimum over tau, so tau may be held: dd/dk = 1 + tau^2 - kappa G(tau)."""
    n, k = N[:2], K[:2]
    tau = np.asarray(lasso_alpha(n, k, signed=signed))
    tail = (1 + tau**2) * ndtr(-tau) - tau * np.exp(-(tau**2) / 2) / np.sqrt(2 * np.pi)
    price = 1 + tau**2 - (2 if signed else 1) * tail
    assert marginal_dims(RULES["l1, signed" if signed else "l1"], n, k) == pytest.approx(price, rel=DIGITS)


def test_the_last_features_price_is_a_half_under_l1_or_not_told():
    """1 + tau^2 - G(tau) as tau, which is (n - k) m_1 / k, goes to 0: 1/2 + 4 m_1 tau / 2 or so."""
    n = 10 ** np.array([5, 7, 9], dtype=object)
    assert marginal_dims(lasso_dims, n, n - 1) == pytest.approx(0.5 + np.sqrt(2 / np.pi) * 0.4 / n.astype(float), abs=1e-4)
    assert marginal_dims(lasso_dims, 10**7, 10**7 - 1) == pytest.approx(0.5, abs=1e-6)
    assert np.isnan(marginal_dims(lasso_dims, 10**15, 10**15 - 1))
    assert np.isnan([marginal_dims(rule, 10**60, 10**60 - 1) for rule in (lasso_dims, RULES["one dim a bit"])]).all()


def test_the_price_of_a_threshold_follows_by_implicit_differentiation():
    n, k = 4096.0, 16.0
    d = float(threshold_dims(4096, 16))
    a, b = np.sqrt(d / (k - 1)) / 2, np.sqrt(d / k) / 2
    pull_a, pull_b = (np.exp(-x * x / 2) / np.sqrt(2 * np.pi) / ndtr(x) * x for x in (a, b))
    by_k = log_ndtr(a) - log_ndtr(b) - k * pull_a / (2 * (k - 1)) - (n - k) * pull_b / (2 * k)
    by_d = (k * pull_a + (n - k) * pull_b) / (2 * d)
    assert marginal_dims(threshold_dims, 4096, 16) == pytest.approx(-by_k / by_d, rel=DIGITS)


def test_a_bit_a_dim_prices_a_feature_at_its_odds():
    """The derivative of log2 C(n, k) is [psi(n - k + 1) - psi(k + 1)] / ln 2, also at k = 1, where differences go forward."""
    n, k = np.array([1024, 4096]), np.array([1, 16])
    exact = (digamma(n - k + 1.0) - digamma(k + 1.0)) / np.log(2)
    assert marginal_dims(RULES["one dim a bit"], n, k) == pytest.approx(exact, rel=DIGITS)


def test_one_more_feature_costs_seven_times_as_much_by_threshold_as_by_a_bit_a_dim():
    """Seed: 8 ln N against log2(N/k)."""
    ratio = marginal_dims(threshold_dims, 65536, 16) / marginal_dims(RULES["one dim a bit"], 65536, 16)
    assert 5 < ratio < 8 * np.log(65536) / np.log2(65536 / 16)


def test_capacity_inverts_every_rule():
    n, d = 65536, 120
    for rule in RULES.values():
        k = active_features(rule, n, d)
        assert 1 < k < n / 2
        assert rule(n, k) == pytest.approx(d, rel=1e-9)


def test_capacities_by_name():
    assert threshold_dims(1000, threshold_active(1000, 300, 0.9), 0.9) == pytest.approx(300)
    assert topk_dims(1000, topk_active(1000, 300, 0.9), 0.9) == pytest.approx(300)
    assert lasso_dims(1000, lasso_active(1000, 300, signed=True, success=0.9), True, 0.9) == pytest.approx(300)
    assert bayes_dims(1000, bayes_active(1000, 300, "gaussian"), "gaussian") == pytest.approx(300)


def test_no_feature_fits_in_too_few_dims_and_half_in_many():
    assert topk_active(4096, 3) == 0
    assert lasso_active(4096, 4000) == 2048
    assert active_features(RULES["one dim a bit"], 4096, 12.0) == 1.0


def test_the_capacity_table_ranks_the_rules():
    names = ["threshold, rule of thumb", "threshold", "top-k", "l1, signed", "l1", "l1 in the box", "Bayes-AMP"]
    table = capacity_table(65536, dims=(1600,), rules={name: RULES[name] for name in names})
    assert list(table.index) == [1600]
    assert (np.diff(table[names].to_numpy(), axis=1) > 0).all()


def test_dims_per_bit_of_the_bits_are_one():
    assert dims_per_bit(RULES["one dim a bit"], 4096, [1, 16, 300]) == pytest.approx(1.0)
    assert dims_per_bit(lasso_dims, 4096, 16) == pytest.approx(0.7005, abs=5e-5)
    assert subset_bits(4096, 16) * dims_per_bit(topk_dims, 4096, 16) == pytest.approx(topk_dims(4096, 16))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="k must be from 1 to n - 1"):
        marginal_dims(lasso_dims, 5, 5)
    with pytest.raises(ValueError, match="n must be at least 2"):
        active_features(lasso_dims, 1, 10)
    with pytest.raises(ValueError, match="d must be positive"):
        lasso_active(100, 0)
