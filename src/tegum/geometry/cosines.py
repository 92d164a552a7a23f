"""All cosines between pairs of a large table, as a histogram: 466 million for 30,522 directions, never all of them at once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.geometry._directions import Directions, cosine_blocks, some_directions, stacked, unit
from tegum.geometry._words import said
from tegum.results import Result, table
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class CosineHistogram(Result):
    """Cosines of all pairs i < j of features that are there. `mean` and `rms` are exact to rounding; the rest comes from the counts."""

    edges: Float[Tensor, " edges"]
    counts: Int[Tensor, "*batch bins"]
    mean: Float[Tensor, " *batch"]
    rms: Float[Tensor, " *batch"]
    smallest: Float[Tensor, " *batch"]
    largest: Float[Tensor, " *batch"]

    @property
    def n_pairs(self) -> Int[Tensor, " *batch"]:
        """Pairs counted."""
        return self.counts.sum(-1)

    @property
    def std(self) -> Float[Tensor, " *batch"]:
        """Standard deviation over pairs."""
        return (self.rms.square() - self.mean.square()).clamp(min=0).sqrt()

    @property
    def density(self) -> Float[Tensor, "*batch bins"]:
        """Probability density in each bin; 0 without pairs."""
        return self.counts / (self.n_pairs.clamp(min=1)[..., None] * (self.edges[1] - self.edges[0]))

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a bin: its ends, the pairs in it, their density."""
        low, high = (ends.expand(self.counts.shape) for ends in (self.edges[:-1], self.edges[1:]))
        return table("bin", low=low, high=high, pairs=self.counts, density=self.density)

    def __repr__(self) -> str:
        moments = f"mean {said(self.mean)}, std {said(self.std)}, smallest {said(self.smallest)}, largest {said(self.largest)}"
        return f"CosineHistogram({int(self.n_pairs.sum()):,} pairs in {self.counts.shape[-1]} bins, {moments})"

    def moment(self, power: int) -> Float[Tensor, " *batch"]:
        """Standardised central moment (3 skewness, 4 kurtosis) from bin centres, off by some (bin width / std)^2; 0 without spread."""
        centres = (self.edges[1:] + self.edges[:-1]) / 2
        total = self.n_pairs.clamp(min=1)
        mean = (self.counts * centres).sum(-1) / total
        off = centres - mean[..., None]
        variance = (self.counts * off.square()).sum(-1) / total
        raw = (self.counts * off.pow(power)).sum(-1) / total
        return torch.where(variance > 0, raw / torch.where(variance > 0, variance, 1).pow(power / 2), 0)

    def quantile(self, q: float) -> Float[Tensor, " *batch"]:
        """The cosine that a share `q` of the pairs lies below, right to one bin width; within [smallest, largest]; 0 without pairs."""
        if not 0 <= q <= 1:
            raise ValueError(f"q must be in [0, 1], not {q}")
        below = self.counts.cumsum(-1).to(torch.float64)
        wanted = q * below[..., -1:]
        bin_ = torch.searchsorted(below, wanted).clamp(max=below.shape[-1] - 1)
        count = self.counts.gather(-1, bin_).clamp(min=1)
        inside = ((wanted - (below.gather(-1, bin_) - count)) / count).clamp(0, 1)
        value = (self.edges[bin_] + inside * (self.edges[1] - self.edges[0])).squeeze(-1)
        return torch.minimum(torch.maximum(value, self.smallest.to(value)), self.largest.to(value))


def cosine_histogram(W: Directions, bins: int = 2000) -> CosineHistogram:
    """Count the cosines of all pairs of features in `bins` equal bins over [-1, 1], in the memory of the table twice and one block."""
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    W = some_directions(W).detach()
    batch = W.shape[:-2]
    every = [_one(unit(table), bins) for table in stacked(W)]
    counts, mean, rms, smallest, largest = (torch.stack(one).reshape(batch + one[0].shape) for one in zip(*every, strict=True))
    edges = torch.linspace(-1, 1, bins + 1, dtype=torch.float64, device=W.device)
    return CosineHistogram(edges, counts, mean, rms, smallest, largest)


def _one(U: Float[Tensor, "features dims"], bins: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    there = U.any(-1)
    U = U if there.all() else U[there]
    n = len(U)
    counts = torch.zeros(bins, dtype=torch.int64, device=U.device)
    smallest, largest = torch.zeros(2, dtype=U.dtype, device=U.device)
    if n < 2:
        nothing = torch.zeros((), dtype=torch.float64, device=U.device)
        return counts, nothing, nothing, smallest, largest
    smallest, largest = smallest + 1, largest - 1
    for _, row, column, cosines in cosine_blocks(U[None]):
        once = cosines[torch.ones_like(cosines, dtype=torch.bool).triu(1)] if row == column else cosines
        if once.numel():
            low, high = once.clamp_(-1, 1).aminmax()
            smallest, largest = torch.minimum(smallest, low), torch.maximum(largest, high)
            counts += torch.histc(once, bins, -1, 1).to(torch.int64)
    # over ordered pairs i != j: sum of cosines = |sum u|^2 - sum |u|^2, sum of squares = |U^T U|_F^2 - sum |u|^4
    own = torch.linalg.vector_norm(U, dim=-1, dtype=torch.float64).square()
    gram = sum(V.mT @ V for V in (rows.to(torch.float64) for rows in U.split(4096)))
    pairs = n * (n - 1)
    mean = (U.sum(0, dtype=torch.float64).square().sum() - own.sum()) / pairs
    rms = ((torch.as_tensor(gram).square().sum() - own.square().sum()) / pairs).clamp(min=0).sqrt()
    return counts, mean, rms, smallest, largest
