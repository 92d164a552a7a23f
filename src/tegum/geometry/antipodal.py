"""Antipodal pairs: two features that share one dim by pointing opposite ways, the first shape superposition takes (Elhage et al. 2022)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.geometry._directions import Directions, as_directions, cosine_blocks, stacked, unit
from tegum.results import Result, table
from tegum.shapes import Int

if TYPE_CHECKING:
    import pandas as pd

_TIE = 1e-6  # cosines closer than this are equal, so rounding never chooses a partner


@dataclass(frozen=True, repr=False)
class AntipodalPairs(Result):
    """`partner[..., i]` is the feature opposite to i, or -1."""

    partner: Int[Tensor, "*batch features"]

    @property
    def count(self) -> Int[Tensor, " *batch"]:
        """Pairs in each instance."""
        return (self.partner >= 0).sum(-1) // 2

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a feature: its partner, or -1."""
        return table("feature", partner=self.partner)

    def __repr__(self) -> str:
        if self.partner.ndim == 1:
            return f"AntipodalPairs({', '.join(map(str, self.pairs)) or 'none'})"
        return f"AntipodalPairs({int(self.count.sum())} pairs in {self.count.numel()} tables of {self.partner.shape[-1]} features)"

    @property
    def pairs(self) -> list:
        """The pairs (i, j), i < j, in the order of i; with leading dims, nested lists of such lists."""

        def listed(partner: list) -> list:
            if partner and isinstance(partner[0], list):
                return [listed(one) for one in partner]
            return [(i, j) for i, j in enumerate(partner) if i < j]

        return listed(self.partner.tolist())


def antipodal_pairs(W: Directions, cosine: float = -0.9, threshold: float = 0.5) -> AntipodalPairs:
    """Pair features with cos(W_i, W_j) <= `cosine` and both |W| > `threshold` (see `represented`), each feature in one pair at most.

    The most opposed pair is taken first, then the most opposed among features still free; of equals (rounded to 1e-6) the one with the
    lowest i, then the lowest j. At the default -0.9 two features are within 26 degrees of opposite, so a square or an octahedron is made of
    such pairs, and a pentagon (cosine -0.81) or a triangle has none.
    """
    W = as_directions(W)
    flat = stacked(W.detach())
    there = torch.linalg.vector_norm(flat, dim=-1) > threshold
    partner = torch.full(flat.shape[:-1], -1, dtype=torch.int64)
    found: list[tuple[int, float, int, int]] = []
    for first, row, column, cosines in cosine_blocks(unit(flat)):
        both = (
            there[first : first + len(cosines), row : row + cosines.shape[-2], None]
            & there[first : first + len(cosines), None, column : column + cosines.shape[-1]]
        )
        opposed = (cosines <= cosine) & both
        if row == column:
            opposed = opposed.triu(1)
        instances, rows, columns = opposed.nonzero(as_tuple=True)
        ranks = (cosines[opposed] / _TIE).round()
        found += zip((first + instances).tolist(), ranks.tolist(), (row + rows).tolist(), (column + columns).tolist(), strict=True)
    for instance, _, i, j in sorted(found):
        if partner[instance, i] < 0 and partner[instance, j] < 0:
            partner[instance, i], partner[instance, j] = j, i
    return AntipodalPairs(partner.reshape(W.shape[:-1]).to(W.device))
