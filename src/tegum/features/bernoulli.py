"""Bernoulli: independent features, each active with its own density p = 1 - S (the inputs of *Toy Models of Superposition*)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tegum.features._base import Distribution, check_densities
from tegum.features._events import Bucket, by_density


@dataclass(frozen=True, kw_only=True, eq=False)
class Bernoulli(Distribution):
    """Each feature is active with probability `density`, one number or one a feature, independently of the others."""

    density: float | Sequence[float] | np.ndarray

    def _check(self) -> None:
        check_densities("density", self.density, self.n_features)

    def _events(self) -> tuple[Bucket, ...]:
        density = np.asarray(self.density, dtype=np.float64)
        return (Bucket(float(density), self.n_features),) if density.ndim == 0 else by_density(density)
