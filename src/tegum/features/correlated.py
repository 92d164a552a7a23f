"""Correlated: sets of features that always co-occur, with independent values (Elhage et al. 2022, 'Correlated and anticorrelated features')."""

from dataclasses import dataclass

from tegum.checks import check_probability
from tegum.features._base import Distribution, check_sets
from tegum.features._events import Bucket


@dataclass(frozen=True, kw_only=True, eq=False)
class Correlated(Distribution):
    """`n_sets` equal sets of neighbouring features; each set is active as a whole with probability `density`, its values independent."""

    n_sets: int
    density: float

    def _check(self) -> None:
        check_sets(self.n_sets, self.n_features)
        check_probability("density", self.density)

    def _events(self) -> tuple[Bucket, ...]:
        size = self.n_features // self.n_sets
        return (Bucket(float(self.density), self.n_sets, size=size, pick=size),)
