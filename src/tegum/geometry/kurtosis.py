"""Is the basis privileged? Kurtosis over coordinates, against the same directions turned at random.

A direction at random has kurtosis near 3, one that lies on a coordinate axis has m. Only a basis that training prefers makes the kurtosis
of a table differ from that of its rotations (Elhage, Lasenby & Olah 2023, 'Privileged bases in the transformer residual stream'). The
kurtosis here is about 0, m sum_a w_a^4 / (sum_a w_a^2)^2, since a mean over coordinates is itself a matter of the basis; for a uniformly
random direction its expectation is then exactly 3m/(m+2).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.checks import check_count, check_seed
from tegum.geometry._directions import Directions, as_directions, unit
from tegum.geometry._words import said
from tegum.geometry.rotations import haar_rotation
from tegum.results import Result, table
from tegum.shapes import Float

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 1024


@dataclass(frozen=True, repr=False)
class RotationTest(Result):
    """Mean coordinate kurtosis of a table, `observed`, and of the same table after each random rotation, `rotated`."""

    observed: Float[Tensor, " *batch"]
    rotated: Float[Tensor, "*batch rotations"]
    isotropic: float
    """3m/(m+2): the expectation over all rotations, whatever the table."""

    @property
    def excess(self) -> Float[Tensor, " *batch"]:
        """Observed kurtosis over that of an average rotation, less 1."""
        return self.observed / self.isotropic - 1

    @property
    def p_value(self) -> Float[Tensor, " *batch"]:
        """(1 + rotations at or above the observed) / (1 + rotations): exact for any number of rotations if the basis is like any other."""
        above = (self.rotated >= self.observed[..., None]).sum(-1, dtype=torch.float64)
        return (1 + above) / (1 + self.rotated.shape[-1])

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a rotation: its kurtosis, beside the observed one and the p value."""
        return table("rotation", rotated=self.rotated, observed=self.observed, p_value=self.p_value)

    def __repr__(self) -> str:
        turned = f"{self.rotated.shape[-1]} rotations"
        if self.rotated.numel():
            turned += f" {float(self.rotated.min()):.4g} to {float(self.rotated.max()):.4g}"
        return f"RotationTest(observed {said(self.observed)}, {turned}, isotropic {self.isotropic:.4g}, p {said(self.p_value)})"


def coordinate_kurtosis(W: Directions) -> Float[Tensor, "*batch features"]:
    """Kurtosis m sum_a W_ia^4 / (sum_a W_ia^2)^2 of each feature: 1 (coordinates of one size) to m (one coordinate); 0 for a zero row."""
    return _kurtosis(unit(as_directions(W)))


def kurtosis_against_rotations(W: Directions, n_rotations: int = 100, seed: int = 0) -> RotationTest:
    """Mean `coordinate_kurtosis` over the features that are there, and the same after each of `n_rotations` Haar rotations."""
    check_count("n_rotations", n_rotations)
    check_seed(seed)
    U = unit(as_directions(W).detach())
    dims = U.shape[-1]
    there = U.any(-1).sum(-1).clamp(min=1)
    turned = [_total_kurtosis(U, haar_rotation(dims, seed, r).to(U)) / there for r in range(n_rotations)]
    return RotationTest(_total_kurtosis(U) / there, torch.stack(turned, -1), 3 * dims / (dims + 2))


def _total_kurtosis(U: Float[Tensor, "*batch features dims"], Q: Float[Tensor, "dims dims"] | None = None) -> Float[Tensor, " *batch"]:
    """Summed over features, of U Q; a block of features at a time, so that a large table is turned in cache."""
    total = U.new_zeros(U.shape[:-2], dtype=torch.float64)
    for block in U.split(_ROWS, dim=-2):
        squared = (block if Q is None else block @ Q).square().flatten(-2)
        total += torch.linalg.vecdot(squared, squared)
    return U.shape[-1] * total


def _kurtosis(U: Float[Tensor, "*batch features dims"]) -> Float[Tensor, "*batch features"]:
    return U.shape[-1] * U.square().square().sum(-1)
