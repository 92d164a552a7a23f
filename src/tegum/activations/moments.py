"""Moments: mean, covariance and norms of a stream of rows, in one pass.

Sums are kept in float64 about the mean of the first rows, so that a mean far from 0 costs no digits (Chan, Golub & LeVeque 1983, 'Algorithms for
computing the sample variance').
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.results import Result
from tegum.shapes import Float

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Moments(Result):
    """Of `count` rows: their mean and covariance (over count, not count - 1), the mean and root mean square of |row|, in float64.

    `left_out` rows had a number that was not finite, and count in nothing.
    """

    count: int
    mean: Float[Tensor, " dims"]
    covariance: Float[Tensor, "dims dims"]
    mean_norm: float
    rms_norm: float
    left_out: int

    @property
    def variance(self) -> float:
        """The mean of |row - mean|^2."""
        return float(self.covariance.trace())

    @property
    def effective_dims(self) -> float:
        """(sum of eigenvalues)^2 / sum of squared eigenvalues of the covariance: the participation ratio; 0 for constant rows."""
        square = float(self.covariance.square().sum())
        return self.variance**2 / square if square else 0.0

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a dim."""
        import pandas as pd

        return pd.DataFrame(
            {"dim": range(len(self.mean)), "mean": self.mean.numpy(), "std": self.covariance.diag().clamp(min=0).sqrt().numpy()}
        )

    def __repr__(self) -> str:
        lost = f", {self.left_out:,} left out" if self.left_out else ""
        return f"Moments({self.count:,} rows in {len(self.mean)} dims, |row| {self.mean_norm:.4g}, {self.effective_dims:.1f} effective dims{lost})"


def moments_of(parts: Iterable[Float[Tensor, "_ dims"]], n_dims: int) -> Moments:
    """The moments of all parts together; nan where there are no rows."""
    count = left_out = 0
    shift, first = torch.zeros(n_dims, dtype=torch.float64), torch.zeros(n_dims, dtype=torch.float64)
    second = torch.zeros(n_dims, n_dims, dtype=torch.float64)
    norms = squares = 0.0
    for part in parts:
        finite = part.isfinite().all(1)
        if not finite.all():
            left_out += int((~finite).sum())
            part = part[finite]  # noqa: PLW2901
        if not len(part):
            continue
        rows = part.double()
        lengths = rows.square().sum(1)
        norms, squares = norms + float(lengths.sqrt().sum()), squares + float(lengths.sum())
        if not count:
            shift = rows.mean(0)
        rows = rows - shift
        first += rows.sum(0)
        second.addmm_(rows.T, rows)
        count += len(rows)
    if not count:
        nothing = torch.full((n_dims, n_dims), torch.nan, dtype=torch.float64)
        return Moments(0, nothing[0], nothing, torch.nan, torch.nan, left_out)
    mean = first / count
    return Moments(count, shift + mean, second / count - mean[:, None] * mean, norms / count, (squares / count) ** 0.5, left_out)
