"""OneHot: one feature at a time, all equally likely; the sparse limit of any distribution, and the tokens of Cho's model (2024)."""

from dataclasses import dataclass

from tegum.checks import check_probability
from tegum.features._base import Distribution
from tegum.features._events import Bucket


@dataclass(frozen=True, kw_only=True, eq=False)
class OneHot(Distribution):
    """With probability `density` (1: always) exactly one feature is active, each equally likely; otherwise none."""

    density: float = 1.0
    values: str = "binary"

    def _check(self) -> None:
        check_probability("density", self.density)

    def _events(self) -> tuple[Bucket, ...]:
        return (Bucket(float(self.density), 1, size=self.n_features, pick=1),)
