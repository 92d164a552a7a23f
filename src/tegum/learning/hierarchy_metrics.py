"""Splitting and absorption where the truth is known: one true feature that several found ones share, or whose part another one takes over.

D_i are true directions, F_j found ones; a feature is on in the rows where its code is not 0. Found feature j is a *piece* of the true feature i for
which F1(i, j) = 2 #(i and j on) / (#(i on) + #(j on)) is the largest, among those with cos(D_i, F_j) >= `bound`; of none where no cosine is so large.
So a found feature is a piece of one true feature at most, and one for a child, which lies along its parent too, is a piece of the child.

In d dims two unrelated directions have a cosine of about 1 / sqrt(d): a bound should lie well above that.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.checks import check_probability
from tegum.results import Result
from tegum.shapes import Bool, Float, Int

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 1 << 14  # looked at at a time


@dataclass(frozen=True, eq=False)
class Splitting(Result):
    """Of each true feature, how many found ones are `pieces` of it, and in what share of its rows one of them is on.

    `best` is that of the piece that is on most often, `covered` that of all together; nan for a feature that is never on.
    """

    pieces: Int[Tensor, " true"]
    best: Float[Tensor, " true"]
    covered: Float[Tensor, " true"]
    gain: float

    @property
    def split(self) -> Bool[Tensor, " true"]:
        """Which true features are split: several pieces, that together cover more than `gain` beyond what the best does alone."""
        return (self.pieces > 1) & (self.covered - self.best > self.gain)

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a true feature."""
        import pandas as pd

        columns = {"pieces": self.pieces, "best": self.best, "covered": self.covered, "split": self.split}
        return pd.DataFrame({"true": range(len(self.pieces))} | {name: column.numpy() for name, column in columns.items()})

    def __repr__(self) -> str:
        found = self.pieces.double().mean()
        return f"Splitting({len(self.pieces)} true features, {found:.3g} pieces each on average, {int(self.split.sum())} are split)"


@dataclass(frozen=True, eq=False)
class Absorption(Result):
    """Of each true feature, in what share of its rows it is absorbed (`rate`) and in what share no piece of it is on (`missed`).

    `by` is the found feature that absorbs it most often (-1: none). Shares are nan for a feature that is never on or has no piece.
    """

    rate: Float[Tensor, " true"]
    missed: Float[Tensor, " true"]
    by: Int[Tensor, " true"]

    @property
    def mean(self) -> float:
        """The mean rate over true features that have one."""
        return float(self.rate.nanmean())

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a true feature."""
        import pandas as pd

        columns = {"rate": self.rate, "missed": self.missed, "by": self.by}
        return pd.DataFrame({"true": range(len(self.rate))} | {name: column.numpy() for name, column in columns.items()})

    def __repr__(self) -> str:
        return f"Absorption({len(self.rate)} true features, mean rate {self.mean:.4g}, {int((self.rate > 0).sum())} are absorbed at times)"


def splitting(
    true: Float[Tensor, "true dims"],
    true_on: Bool[Tensor, "rows true_codes"],
    found: Float[Tensor, "found as_wide"],
    found_on: Bool[Tensor, "as_many found_codes"],
    *,
    bound: float = 0.4,
    least: float = 0.01,
    gain: float = 0.03,
) -> Splitting:
    """How many found features share each true one. A piece that is on in less than `least` of the rows where the true one is on does not count.

    Bricken et al. 2023, 'Towards monosemanticity', sec. 'Feature splitting', see one feature of a small dictionary become several nearby ones of a
    larger; Chanin et al. 2024, 'A is for absorption', call a feature split where a probe on one more latent gains much in F1. Here the truth is
    known, so no probe and no smaller dictionary is needed: coverage stands in for the probe. ValueError for sizes that do not go together.
    """
    cosines = _cosines(true, true_on, found, found_on)
    for name, value in (("bound", bound), ("least", least), ("gain", gain)):
        check_probability(name, value)
    times, together = true_on.sum(0).double(), true_on.double().T @ found_on.double()
    recall = together / times[:, None]
    mine = _pieces(cosines, times, found_on, together, bound) & (recall >= least)
    covered = torch.zeros_like(times)
    for first in range(0, len(true_on), _ROWS):
        on, is_on = found_on[first : first + _ROWS].double(), true_on[first : first + _ROWS]
        covered += (is_on & (on @ mine.double().T > 0)).sum(0)
    best = torch.where(mine, together, 0.0).amax(1)
    return Splitting(mine.sum(1), best / times, covered / times, gain)


def absorption(
    true: Float[Tensor, "true dims"],
    true_on: Bool[Tensor, "rows true_codes"],
    found: Float[Tensor, "found as_wide"],
    found_on: Bool[Tensor, "as_many found_codes"],
    *,
    bound: float = 0.4,
) -> Absorption:
    """How often each true feature is absorbed: it is on, none of its pieces is, and a found feature that is on has cos(D_i, F_j) >= `bound`.

    rate_i = #(rows where that is so) / #(rows where i is on). Chanin et al. 2024, 'A is for absorption', have no truth: in place of D_i they take a
    linear probe, in place of 'i is on' that the probe says so and is right, as pieces the latents by which k-sparse probes gain, and they ask that
    the absorbing latent lie along the probe and have by far the largest effect on the output when it is ablated. Theirs finds what
    matters to the model's answer; this counts every row, at a bound that chance does not reach. ValueError for sizes that do not go together.
    """
    cosines = _cosines(true, true_on, found, found_on)
    check_probability("bound", bound)
    times, together = true_on.sum(0).double(), true_on.double().T @ found_on.double()
    mine = _pieces(cosines, times, found_on, together, bound)
    others = ((cosines >= bound) & ~mine).double()
    off = torch.zeros(len(true), dtype=torch.float64)
    taken, by = torch.zeros_like(off), torch.zeros_like(cosines)
    for first in range(0, len(true_on), _ROWS):
        on, is_on = found_on[first : first + _ROWS].double(), true_on[first : first + _ROWS]
        missed = is_on & (on @ mine.double().T == 0)
        absorbed = missed & (on @ others.T > 0)
        off, taken = off + missed.sum(0), taken + absorbed.sum(0)
        by += (absorbed.double().T @ on) * others
    known = (times > 0) & mine.any(1)
    nothing = torch.full_like(off, torch.nan)
    most = torch.where((taken > 0) & known, by.argmax(1), -1)
    return Absorption(torch.where(known, taken / times, nothing), torch.where(known, off / times, nothing), most)


def _pieces(cosines: Tensor, times: Tensor, found_on: Tensor, together: Tensor, bound: float) -> Bool[Tensor, "true found"]:
    """Who is a piece of whom."""
    f1 = 2 * together / (times[:, None] + found_on.sum(0)).clamp(min=1)
    f1 = torch.where(cosines >= bound, f1, 0.0)
    owner = torch.zeros_like(f1, dtype=torch.bool).scatter_(0, f1.argmax(0, keepdim=True), True)
    return owner & (f1 > 0)


def _cosines(true: Tensor, true_on: Tensor, found: Tensor, found_on: Tensor) -> Float[Tensor, "true found"]:
    if true.shape[1] != found.shape[1]:
        raise ValueError(f"true directions have {true.shape[1]} dims, found ones {found.shape[1]}")
    if len(true_on) != len(found_on) or not len(true_on):
        raise ValueError(
            f"there are {len(true_on):,} rows of true codes and {len(found_on):,} of found ones; they must be as many, and some"
        )
    if (true_on.shape[1], found_on.shape[1]) != (len(true), len(found)):
        raise ValueError(
            f"there are {len(true)} true and {len(found)} found directions, but codes of {true_on.shape[1]} and {found_on.shape[1]} features"
        )
    units = [torch.nn.functional.normalize(D.double(), dim=1) for D in (true, found)]
    return units[0] @ units[1].T
