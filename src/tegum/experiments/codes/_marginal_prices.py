"""Prices of the next active feature, dd/dk, in closed form: what differences of the rules are held against.

l1's dims are least over tau, so tau may be held (envelope theorem): 1 + tau^2 - kappa G(tau). A threshold's follow from its chance of success
by implicit differentiation. One dim a bit is the logarithm of a ratio of gamma functions.
"""

import math

import numpy as np
from scipy.special import digamma, log_ndtr, ndtr

from tegum import theory


def closed_prices(n: int, k: np.ndarray) -> dict[str, np.ndarray]:
    """dd/dk of the rules of `theory.RULES` that have a closed form, for 1 < k < n, at 50% success."""
    d, rest = np.asarray(theory.threshold_dims(n, k)), n - k
    a, b = np.sqrt(d / (k - 1)) / 2, np.sqrt(d / k) / 2
    pull_a, pull_b = (np.exp(-x * x / 2 - log_ndtr(x)) / math.sqrt(2 * math.pi) * x for x in (a, b))
    by_k = log_ndtr(a) - log_ndtr(b) - k * pull_a / (2 * (k - 1)) - rest * pull_b / (2 * k)
    root = np.sqrt(math.log(n)) + np.sqrt(np.log(k))
    prices = {
        "threshold, rule of thumb": np.full(len(k), 8 * math.log(n)),
        "threshold": -2 * d * by_k / (k * pull_a + rest * pull_b),
        "top-k, rule of thumb": 2 * root**2 + 2 * root / np.sqrt(np.log(k)),
        "one dim a bit": (digamma(rest + 1) - digamma(k + 1)) / math.log(2),
    }
    for rule, tails in (("l1, signed", 2), ("l1", 1)):
        tau = np.asarray(theory.lasso_alpha(n, k, signed=tails == 2))
        G = (1 + tau**2) * ndtr(-tau) - tau * np.exp(-(tau**2) / 2) / math.sqrt(2 * math.pi)
        prices[rule] = 1 + tau**2 - tails * G
    return prices


def threshold_price(n: float) -> float:
    """8 (ln n - ln(4 pi ln n) / 2 - ln ln 2): what n Q(sqrt(d/k) / 2) = ln 2 comes to for large n, by Q(x) = phi(x) / x at x^2 = 2 ln n."""
    return 8 * (math.log(n) - math.log(4 * math.pi * math.log(n)) / 2 - math.log(math.log(2)))
