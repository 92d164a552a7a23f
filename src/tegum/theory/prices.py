"""What one more active feature costs, and how many fit: every rule for the dims that k of n features need, turned round.

The price of a feature is dd/dk, dims per bit is d over log2 C(n, k), and the capacity of d dims is the real k that needs d of them. All
rules are functions of (n, k); `RULES` names them, with their chance of success at 50% unless said. Prices known in closed form: 8 ln n for
the threshold's rule of thumb, log2(n/k) or so for one dim a bit, and by the envelope theorem (1 + tau^2) - kappa G(tau) for l1.

Source: Gadzinski, *When Numbers Are Bits*, 'marginal price per feature'.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tegum.features._subset_bits import subset_bits
from tegum.theory._counts import Real, counts, positive
from tegum.theory._numbers import Numbers
from tegum.theory._roots import rising_root
from tegum.theory.amp_evolution import bayes_dims
from tegum.theory.l1 import box_dims, lasso_dims
from tegum.theory.one_step import (
    bayes_threshold_dims,
    threshold_dims,
    threshold_dims_asymptotic,
    topk_dims,
    topk_dims_asymptotic,
)

if TYPE_CHECKING:
    import pandas as pd

Rule = Callable[[Numbers, Numbers], Real | np.generic]
RULES: Mapping[str, Rule] = {
    "threshold, rule of thumb": threshold_dims_asymptotic,
    "threshold": threshold_dims,
    "top-k, rule of thumb": topk_dims_asymptotic,
    "Bayes's threshold": bayes_threshold_dims,
    "top-k": topk_dims,
    "one dim a bit": lambda n, k: subset_bits(np.asarray(n), np.asarray(k)),
    "l1, signed": lambda n, k: lasso_dims(n, k, signed=True),
    "l1": lasso_dims,
    "l1 in the box": box_dims,
    "Bayes-AMP": bayes_dims,
}
DIMS = (768, 1600, 4096, 12288)  # residual streams of language models, from small to large


def dims_per_bit(rule: Rule, n: Numbers, k: Numbers) -> Real:
    """The dims that `rule` asks for, over log2 C(n, k). Raises ValueError as the rule does."""
    return np.asarray(rule(n, k), dtype=np.float64) / np.asarray(subset_bits(np.asarray(n), np.asarray(k)), dtype=np.float64)


def marginal_dims(rule: Rule, n: Numbers, k: Numbers) -> Real:
    """The price of one more active feature, dd/dk of `rule`: differences of fourth order over a few thousandths of k, right to about 1e-8.

    Near k = n to 1e-14 k / (n - k) or so; nan where n - k < 1e-10 k, for there the digits of k and of its dims do not tell neighbours apart.
    Raises ValueError unless 1 <= k < n, and as the rule does.
    """
    whole, part, rest = counts(n, k)
    if not np.all(rest > 0):
        raise ValueError(f"k must be from 1 to n - 1, got n={n} and k={k}")
    step = np.minimum(part / 1000, rest / 8)
    first = np.where(part - 2 * step < 1, 0.0, -2.0)  # at k = 1 there is nothing below to take a difference with
    at = [np.asarray(rule(n, part + (first + i) * step), dtype=np.float64) for i in range(5)]
    forward = (-25 * at[0] + 48 * at[1] - 36 * at[2] + 16 * at[3] - 3 * at[4]) / (12 * step)
    central = (at[0] - 8 * at[1] + 8 * at[3] - at[4]) / (12 * step)
    price = np.where(first == 0, forward, central)
    return np.reshape(np.where(rest < 1e-10 * part, np.nan, price), whole.shape)[()]


def threshold_active(n: Numbers, d: Numbers, success: Numbers = 0.5) -> Real:
    """The real k that a threshold at 1/2 reads from d dims with chance `success`; 0 if not even one. Raises ValueError as `threshold_dims` does."""
    return active_features(lambda n, k: threshold_dims(n, k, success), n, d)


def topk_active(n: Numbers, d: Numbers, success: Numbers = 0.5) -> Real:
    """The real k, n/2 at most, that top-k reads from d dims with chance `success`; 0 if not even one. Raises ValueError as `topk_dims` does."""
    return active_features(lambda n, k: topk_dims(n, k, success), n, d)


def lasso_active(n: Numbers, d: Numbers, signed: bool = False, success: Numbers = 0.5) -> Real:  # noqa: FBT001 (as lasso_dims)
    """The real k, n/2 at most, that l1 reads from d dims with chance `success`; 0 if not even one. Raises ValueError as `lasso_dims` does."""
    return active_features(lambda n, k: lasso_dims(n, k, signed, success), n, d)


def bayes_active(n: Numbers, d: Numbers, values: str = "binary") -> Real:
    """The real k, n/2 at most, that Bayes-AMP reads from d dims; 0 if not even one. Raises ValueError as `bayes_dims` does."""
    return active_features(lambda n, k: bayes_dims(n, k, values), n, d)


def active_features(rule: Rule, n: Numbers, d: Numbers) -> Real:
    """The real k from 1 to n/2 for which `rule` asks for d dims; 0 where it asks for more than d for one, n/2 where it asks for less for all.

    Beyond n/2 it is shorter to say what is absent. Raises ValueError unless n >= 2 and d > 0, and as the rule does.
    """
    d = positive("d", d)
    whole = np.asarray(n)
    half = whole.astype(np.float64) / 2
    if not np.all(half >= 1):
        raise ValueError(f"n must be at least 2, got {n}")
    half, d = np.broadcast_arrays(half, d)
    guess = np.sqrt(half)
    least, usual, most = (np.asarray(rule(whole, k), dtype=np.float64) for k in (1, guess, half))
    target = np.where((d > least) & (d < most), d, usual)

    def missing(k: Real) -> Real:
        return np.asarray(rule(whole, np.clip(k, 1, half)), dtype=np.float64) - target

    return np.where(d < least, 0.0, np.where(d == least, 1.0, np.where(d < most, rising_root(missing, guess), half)))[()]


def capacity_table(n: int, dims: Sequence[int] = DIMS, rules: Mapping[str, Rule] = RULES) -> "pd.DataFrame":
    """How many of n features may be active at once under each rule: a row for each of `dims`, a column for each rule, k a real number.

    Raises ValueError unless n >= 2 and the dims are positive.
    """
    import pandas as pd

    found = {name: active_features(rule, n, list(dims)) for name, rule in rules.items()}
    return pd.DataFrame(found, index=pd.Index(list(dims), name="dims"))
