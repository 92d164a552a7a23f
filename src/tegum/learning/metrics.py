"""Metrics of a dictionary and its codes, each with its formula, for tools of the field disagree on several without saying so.

x are rows of activations, y their reconstructions, z codes. Where the truth is known, found features are assigned to true ones one to one, so that
the sum of what the metric is a mean of is the largest possible (Hungarian algorithm; Kuhn 1955, by scipy).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.features import SparseCodes
from tegum.results import Result
from tegum.shapes import Bool, Float, Int

if TYPE_CHECKING:
    import pandas as pd


def explained_variance(x: Float[Tensor, "rows dims"], y: Float[Tensor, "as_many as_wide"]) -> float:
    """1 - sum |x - y|^2 / sum |x - mean x|^2, the sums over all rows and dims: SAELens' explained_variance.

    1 where y is x, 0 where it is the mean of x, below 0 where it is worse; nan where x does not vary. ValueError for rows of different shapes.
    """
    _alike(x, y)
    error, spread = _squares(x - y).sum(), _squares(x - x.double().mean(0).to(x.dtype)).sum()
    return float(1 - error / spread) if spread > 0 else float("nan")


def explained_variance_centred(x: Float[Tensor, "rows dims"], y: Float[Tensor, "as_many as_wide"]) -> float:
    """1 - sum |e - mean e|^2 / sum |x - mean x|^2 for e = x - y: dictionary_learning's frac_variance_explained.

    An error that is the same in every row counts as none, so it is at least `explained_variance`. ValueError as there.
    """
    _alike(x, y)
    error, spread = (_squares(part - part.double().mean(0).to(part.dtype)).sum() for part in (x - y, x))
    return float(1 - error / spread) if spread > 0 else float("nan")


def explained_variance_legacy(x: Float[Tensor, "rows dims"], y: Float[Tensor, "as_many as_wide"]) -> float:
    """The mean over rows of 1 - |x - y|^2 / |x - mean x|^2: SAELens' explained_variance_legacy.

    A row near the mean counts as much as any other, so it is lower than `explained_variance`. ValueError as there.
    """
    _alike(x, y)
    spread = _squares(x - x.double().mean(0).to(x.dtype))
    kept = spread > 0
    return float((1 - _squares(x - y)[kept] / spread[kept]).mean()) if kept.any() else float("nan")


def mean_cosine(x: Float[Tensor, "rows dims"], y: Float[Tensor, "as_many as_wide"]) -> float:
    """The mean over rows of x . y / |x||y|; rows of length 0 count as 0."""
    _alike(x, y)
    return float(torch.nn.functional.cosine_similarity(x.double(), y.double(), dim=1, eps=1e-30).mean())


def norm_ratio(x: Float[Tensor, "rows dims"], y: Float[Tensor, "as_many as_wide"]) -> float:
    """The mean over rows of |y| / |x|, over rows with x not 0: below 1 where reconstructions shrink."""
    _alike(x, y)
    lengths = _squares(x).sqrt()
    kept = lengths > 0
    return float((_squares(y).sqrt()[kept] / lengths[kept]).mean()) if kept.any() else float("nan")


def shrinkage(x: Float[Tensor, "rows dims"], y: Float[Tensor, "as_many as_wide"]) -> float:
    """sum |y|^2 / sum x . y: the factor by which y is too small a multiple of x, 1 where none is better than y itself.

    Rajamanoharan et al. 2024, 'Improving dictionary learning with gated sparse autoencoders', eq. 10 (relative reconstruction bias): y / g is nearest
    to x for this g.
    """
    _alike(x, y)
    along = (x.double() * y.double()).sum()
    return float(_squares(y).sum() / along) if along != 0 else float("nan")


def mean_l0(z: SparseCodes | Float[Tensor, "rows features"]) -> float:
    """The mean number of codes that are not 0."""
    active = z.values != 0 if isinstance(z, SparseCodes) else z != 0
    return float(active.sum(1).double().mean())


def firing_rates(z: SparseCodes | Float[Tensor, "rows features"]) -> Float[Tensor, " features"]:
    """Of each feature the share of rows in which its code is not 0."""
    if isinstance(z, SparseCodes):
        on = z.indices[z.values != 0]
        return torch.bincount(on, minlength=z.n_features).double() / max(1, len(z.values))
    return (z != 0).double().mean(0)


def dead_share(z: SparseCodes | Float[Tensor, "rows features"]) -> float:
    """The share of features that are 0 in every row given: of how many rows that is must be said with it."""
    return float((firing_rates(z) == 0).double().mean())


@dataclass(frozen=True, eq=False)
class Matched(Result):
    """Found features assigned to true ones: `found[i]` is that of true feature i (-1: none is left), `score` what the two share."""

    found: Int[Tensor, " true"]
    score: Float[Tensor, " true"]

    @property
    def mean(self) -> float:
        """The mean over true features; one that has no partner counts as 0."""
        return float(self.score.mean())

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a true feature."""
        import pandas as pd

        return pd.DataFrame({"true": range(len(self.found)), "found": self.found.numpy(), "score": self.score.numpy()})

    def __repr__(self) -> str:
        return f"Matched({len(self.found)} true features, mean {self.mean:.4g}, {int((self.score > 0.9).sum())} above .9)"


def match(scores: Float[Tensor, "true found"]) -> Matched:
    """The assignment of found to true features with the largest sum of scores."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(scores.double().cpu().numpy(), maximize=True)
    found = torch.full((len(scores),), -1)
    found[torch.from_numpy(rows)] = torch.from_numpy(columns)
    score = torch.zeros(len(scores), dtype=torch.float64)
    score[torch.from_numpy(rows)] = scores.double().cpu()[rows, columns]
    return Matched(found, score)


def matched_directions(true: Float[Tensor, "true dims"], found: Float[Tensor, "found as_wide"]) -> Matched:
    """By the cosines of directions, signs told apart: its mean is the field's MCC (mean max cosine under a one-to-one assignment)."""
    if true.shape[1] != found.shape[1]:
        raise ValueError(f"true directions have {true.shape[1]} dims, found ones {found.shape[1]}")
    units = [torch.nn.functional.normalize(D.double(), dim=1) for D in (true, found)]
    return match(units[0] @ units[1].T)


def matched_codes(true: Float[Tensor, "rows true"], found: Float[Tensor, "as_many found"]) -> Matched:
    """By Pearson's correlations of codes over rows: the mean correlation coefficient of independent component analysis (Hyvarinen & Morioka 2016).

    A code that does not vary correlates with nothing.
    """
    _as_long(true, found)
    centred = [z.double() - z.double().mean(0) for z in (true, found)]
    units = [torch.nn.functional.normalize(z, dim=0) for z in centred]
    return match(units[0].T @ units[1])


def matched_supports(true: Bool[Tensor, "rows true"], found: Bool[Tensor, "as_many found"]) -> Matched:
    """By the F1 of each pair over rows, 2 both / (true on + found on).

    (The rows in which both are on would be no good score to assign by: a feature that is always on has the most of them with any.)
    """
    _as_long(true, found)
    either = true.double().sum(0)[:, None] + found.double().sum(0)
    return match(2 * (true.double().T @ found.double()) / either.clamp(min=1))


@dataclass(frozen=True)
class SupportScores:
    """Of all codes together: precision, recall, and their harmonic mean F1."""

    precision: float
    recall: float
    f1: float


def one_to_one_scores(
    true: Bool[Tensor, "rows true"], found: Bool[Tensor, "as_many found"], matched: Matched | None = None
) -> SupportScores:
    """Who is on, feature by feature, under a one-to-one assignment: by default the one with the largest sum of F1 scores of pairs.

    A found feature without a partner counts against precision in every row in which it is on: F1 = 2 both / (true on + found on), over all pairs.
    """
    _as_long(true, found)
    together = true.double().T @ found.double()
    if matched is None:
        matched = matched_supports(true, found)
    kept = matched.found >= 0
    both = float(together[kept.nonzero()[:, 0], matched.found[kept]].sum())
    truly, seen = float(true.sum()), float(found.sum())
    precision, recall = (both / seen if seen else float("nan")), (both / truly if truly else float("nan"))
    return SupportScores(precision, recall, 2 * both / (truly + seen) if truly + seen else float("nan"))


def _squares(x: Float[Tensor, "rows dims"]) -> Float[Tensor, " rows"]:
    return x.double().square().sum(1)


def _alike(x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape or x.ndim != 2:
        raise ValueError(f"x has shape {tuple(x.shape)}, its reconstruction {tuple(y.shape)}: they must be alike, (rows, dims)")
    if not len(x):
        raise ValueError("there are no rows")


def _as_long(true: Tensor, found: Tensor) -> None:
    if len(true) != len(found) or not len(true):
        raise ValueError(f"there are {len(true):,} rows of true codes and {len(found):,} of found ones; they must be as many, and some")
