"""How many bits a k-subset of n features carries: log2 of n choose k, for n up to 10^60 and beyond.

The difference of three log-gammas of size n ln n loses every digit once n passes 10^15. Stirling's formula with its remainder delta has no
such difference:

    ln C(n, k) = k ln(n/k) - (n-k) ln(1 - k/n) - ln(2 pi k (n-k)/n) / 2 + delta(n) - delta(k) - delta(n-k),

delta(x) = ln Gamma(x+1) - (x + 1/2) ln x + x - ln(2 pi)/2 = 1/(12 x) - 1/(360 x^3) + ... (Abramowitz & Stegun 6.1.41); both leading terms
are positive. Small x are brought to where the series holds by delta(x) - delta(x+1) = (x + 1/2) ln(1 + 1/x) - 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_SHIFTS = 10


def subset_bits(n: float | np.ndarray | Sequence, k: float | np.ndarray | Sequence) -> np.ndarray | np.generic:
    """log2 C(n, k) in bits, to about 1e-15 relative; n and k broadcast, Python integers of any size are taken exactly.

    Non-integers are read through the gamma function. Raises ValueError unless 0 <= k <= n.
    """
    whole, part = _exact(n), _exact(k)
    rest = np.asarray(whole - part)
    if not (np.all(part >= 0) and np.all(rest >= 0)):
        raise ValueError(f"k must be from 0 to n, got n={n} and k={k}")
    few, many = (np.asarray(pick(part, rest)).astype(np.float64) for pick in (np.minimum, np.maximum))
    whole = whole.astype(np.float64)
    empty = few == 0
    few, many, whole = np.where(empty, 1.0, few), np.where(empty, 1.0, many), np.where(empty, 2.0, whole)
    leading = few * np.log(whole / few) - many * np.log1p(-few / whole)
    nats = leading - np.log(2 * np.pi * few * (many / whole)) / 2 + _remainder(whole) - _remainder(few) - _remainder(many)
    return np.where(empty, 0.0, nats / np.log(2))[()]


def _exact(count: float | np.ndarray | Sequence) -> np.ndarray:
    """Integers as Python's own, so that n - k keeps every digit beyond 2^53; floats as they are."""
    array = np.asarray(count)
    return array.astype(object) if array.dtype.kind in "iu" else array


def _remainder(x: Any) -> Any:
    """delta(x), what Stirling's formula leaves out of ln Gamma(x + 1)."""
    steps = x[..., None] + np.arange(_SHIFTS)
    small = x < _SHIFTS
    shifted = np.where(small, ((steps + 0.5) * np.log1p(1 / steps) - 1).sum(-1), 0.0)
    inverse = 1 / np.where(small, x + _SHIFTS, x)
    return shifted + inverse * np.polyval(_SERIES[::-1], inverse * inverse)
