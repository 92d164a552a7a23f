"""Zipf: independent features whose densities fall as a power of their rank, p_i = density * (i + 1)^-exponent, as words' frequencies do."""

from dataclasses import dataclass

import numpy as np

from tegum.checks import check_probability
from tegum.features._base import Distribution
from tegum.features._events import Bucket, by_density


@dataclass(frozen=True, kw_only=True, eq=False)
class Zipf(Distribution):
    """Feature i is active with probability `density` * (i + 1)^-`exponent`; `density` is that of the most frequent feature."""

    density: float
    exponent: float = 1.0

    def _check(self) -> None:
        check_probability("density", self.density)
        if not isinstance(self.exponent, (int, float, np.integer, np.floating)) or not 0 <= self.exponent < np.inf:
            raise ValueError(f"exponent is {self.exponent!r}; it must be finite and not negative")

    def _events(self) -> tuple[Bucket, ...]:
        return by_density(float(self.density) * np.arange(1, self.n_features + 1, dtype=np.float64) ** -float(self.exponent))
