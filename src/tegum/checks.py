"""What the doors check alike: counts, numbers, probabilities, seeds. Each raises one ValueError that names the thing and shows the value."""

import math

import numpy as np

SEEDS = 2**63  # seeds are keys of the draws contract: integers from 0 to 2^63 - 1


def check_count(name: str, value: object, at_least: int = 1) -> None:
    """Raise ValueError unless `value` is an integer of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < at_least:
        raise ValueError(f"{name} is {value!r}; it must be an integer of at least {at_least}")


def check_below(name: str, value: object, end: int) -> None:
    """Raise ValueError unless `value` is an integer in [0, end)."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < end:
        raise ValueError(f"{name} is {value!r}; it must be an integer from 0 to {end - 1}")


def check_seed(seed: object) -> None:
    """Raise ValueError unless `seed` is an integer in [0, 2^63)."""
    check_below("seed", seed, SEEDS)


def check_number(name: str, value: object, *, zero: bool = True) -> None:
    """Raise ValueError unless `value` is a finite number above 0, or also 0 if `zero`."""
    numbers = int, float, np.floating, np.integer
    if isinstance(value, bool) or not isinstance(value, numbers) or not 0 <= value < math.inf or (value == 0 and not zero):
        raise ValueError(f"{name} is {value!r}; it must be a finite number {'of at least' if zero else 'above'} 0")


def check_probability(name: str, value: object) -> None:
    """Raise ValueError unless `value` lies in [0, 1]; NaN does not."""
    if not isinstance(value, (int, float, np.floating, np.integer)) or not 0 <= value <= 1:
        raise ValueError(f"{name} is {value!r}; it must lie in [0, 1]")
