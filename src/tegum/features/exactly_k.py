"""ExactlyK: a uniform k-subset of the features is active (the codes of compressed sensing, and of Gadzinski, 'When Numbers Are Bits')."""

from dataclasses import dataclass

from tegum.checks import check_count
from tegum.features._base import Distribution
from tegum.features._events import Bucket


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactlyK(Distribution):
    """Exactly `n_active` of `n_features` features are active, every subset equally likely."""

    n_active: int
    values: str = "binary"

    def _check(self) -> None:
        check_count("n_active", self.n_active)
        if self.n_active > self.n_features:
            raise ValueError(f"n_active is {self.n_active} but there are {self.n_features} features")

    def _events(self) -> tuple[Bucket, ...]:
        return (Bucket(1.0, 1, size=self.n_features, pick=self.n_active),)
