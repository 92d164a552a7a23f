"""Anticorrelated: sets of features of which at most one is active at a time.

Two definitions are found in the literature. `density_of="set"` (Elhage et al. 2022): the set is active with probability p and then one random
member fires, so that a member's marginal density is p / size. `density_of="feature"`: each member is marginally active with probability p, so
that the set is active with probability p * size, which must not exceed 1.
"""

from dataclasses import dataclass

from tegum.checks import check_probability
from tegum.features._base import Distribution, check_sets
from tegum.features._events import Bucket


@dataclass(frozen=True, kw_only=True, eq=False)
class Anticorrelated(Distribution):
    """`n_sets` equal sets of neighbouring features, at most one active in each; `density` is that of the 'set' or of the 'feature'."""

    n_sets: int
    density: float
    density_of: str = "set"

    def _check(self) -> None:
        check_sets(self.n_sets, self.n_features)
        check_probability("density", self.density)
        if self.density_of not in ("set", "feature"):
            raise ValueError(f"density_of is {self.density_of!r}; it must be 'set' or 'feature'")
        if self._set_density() > 1:
            size = self.n_features // self.n_sets
            raise ValueError(
                f"density is {self.density} a feature, but of {size} features that exclude each other each can have 1/{size} at most"
            )

    def _set_density(self) -> float:
        return float(self.density) * (1 if self.density_of == "set" else self.n_features // self.n_sets)

    def _events(self) -> tuple[Bucket, ...]:
        return (Bucket(self._set_density(), self.n_sets, size=self.n_features // self.n_sets, pick=1),)
