"""What the recovery formulas take: n features of which k are active, d dims, a chance of success. Checked once, here."""

import numpy as np

from tegum.features._subset_bits import _exact
from tegum.theory._numbers import Numbers

Real = np.ndarray | np.float64  # what arithmetic on float64 arrays gives: an array, or one number


def counts(n: Numbers, k: Numbers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n, k and n - k as float64, broadcast; Python integers of any size are subtracted exactly. Raises ValueError unless 1 <= k <= n."""
    whole, part = _exact(np.asarray(n)), _exact(np.asarray(k))
    rest = np.asarray(whole - part)
    if not (np.all(part >= 1) and np.all(rest >= 0)):
        raise ValueError(f"k must be from 1 to n, got n={n} and k={k}")
    whole, part, rest = np.broadcast_arrays(*(np.asarray(a).astype(np.float64) for a in (whole, part, rest)))
    return whole, part, rest


def positive(name: str, value: Numbers) -> np.ndarray:
    """`value` as float64. Raises ValueError unless it is above 0 and finite."""
    array = np.asarray(value, dtype=np.float64)
    if not np.all((array > 0) & np.isfinite(array)):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return array


def between(name: str, value: Numbers, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """`value` as float64. Raises ValueError unless it lies strictly between `low` and `high`."""
    array = np.asarray(value, dtype=np.float64)
    if not np.all((array > low) & (array < high)):
        raise ValueError(f"{name} must lie strictly between {low:g} and {high:g}, got {value}")
    return array


def noise_variance(noise_std: Numbers) -> np.ndarray:
    """The squares of standard deviations. Raises ValueError unless they are 0 or above and finite."""
    std = np.asarray(noise_std, dtype=np.float64)
    if not np.all((std >= 0) & (std < np.inf)):
        raise ValueError(f"noise_std must be 0 or above and finite, got {noise_std}")
    return np.asarray(std**2)
