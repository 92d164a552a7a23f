"""How many features a coordinate carries: the participation ratio of their squared weights on it.

Coordinate a gets sum_i w_i D_ia^2 from features of energy w_i (mean square code; 1 where codes are not known), and

    (sum_i w_i D_ia^2)^2 / sum_i (w_i D_ia^2)^2

is how many of them that is: 1 for a neuron of one feature, N where all have the same part. Directions at random give about N/3, and what a table has
after a random rotation is what it would have in a basis that means nothing to it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.auditing._hold_babel import one_table
from tegum.checks import check_count, check_seed
from tegum.geometry import haar_rotation
from tegum.results import Result
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd

_HELD = 1 << 22  # numbers at a time


@dataclass(frozen=True, eq=False, repr=False)
class Polysemanticity(Result):
    """`features[a]` is how many features coordinate a carries, 0 where there is none; `rotated` the mean of that over coordinates of turned tables.

    `top[a]` are the features with the largest parts of it, `shares[a]` their parts.
    """

    features: Float[Tensor, " dims"]
    rotated: float
    top: Int[Tensor, "dims few"]
    shares: Float[Tensor, "dims few"]

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a coordinate, those that carry most first."""
        import pandas as pd

        parts = zip(self.top.tolist(), self.shares.tolist(), strict=True)
        found = [", ".join(f"{i} ({share:.1%})" for i, share in zip(*both, strict=True)) for both in parts]
        frame = pd.DataFrame({"coordinate": range(len(self.features)), "features": self.features.numpy(), "largest parts": found})
        return frame.sort_values("features", ascending=False, kind="stable", ignore_index=True)

    def __repr__(self) -> str:
        return f"Polysemanticity({float(self.features.mean()):.4g} features a coordinate on average, {self.rotated:.4g} after rotations)"


@torch.no_grad()
def polysemanticity(
    directions: Tensor, energy: Tensor | None = None, *, n_rotations: int = 3, few: int = 3, seed: int = 0
) -> Polysemanticity:
    """Of directions (features, dims) and the features' mean square codes, which are 1 where they are not given.

    ValueError for tables of another shape, numbers that are not finite, and energies of another number of features.
    """
    table = one_table(directions).float()
    check_count("n_rotations", n_rotations)
    check_seed(seed)
    n, dims = table.shape
    if energy is not None and energy.shape != (n,):
        raise ValueError(f"energy has shape {tuple(energy.shape)}; it is one number for each of {n:,} directions")
    root = torch.ones(n) if energy is None else energy.double().clamp(min=0).sqrt().float()
    root = root / root.max().clamp(min=torch.finfo(root.dtype).tiny)
    own = _carried(table, root)
    turned = [_carried(table, root, haar_rotation(dims, seed, number).float()) for number in range(n_rotations)]
    parts = [(table[:, some] * root[:, None]).double().square() for some in torch.arange(dims).split(max(1, _HELD // n))]
    tops = [(part / part.sum(0).clamp(min=torch.finfo(part.dtype).tiny)).T.topk(min(few, n)) for part in parts]
    return Polysemanticity(
        own, float(torch.stack(turned).mean()), torch.cat([top.indices for top in tops]), torch.cat([top.values for top in tops])
    )


def _carried(table: Float[Tensor, "features dims"], root: Float[Tensor, " features"], Q: Tensor | None = None) -> Float[Tensor, " dims"]:
    first = torch.zeros(table.shape[1], dtype=torch.float64)
    second = first.clone()
    for rows, scale in zip(*(whole.split(max(1, _HELD // table.shape[1])) for whole in (table, root)), strict=True):
        part = ((rows if Q is None else rows @ Q) * scale[:, None]).double().square()
        first += part.sum(0)
        second += part.square().sum(0)
    return torch.where(second > 0, first.square() / torch.where(second > 0, second, 1), 0)
