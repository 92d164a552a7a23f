"""Three features in two dims: the extra feature is dropped, drives another out, shares a dim, or makes the other two share one.

Settled after a first look: the claims (the first ones took the closed form for the optimum), the odds that a point is missed (measured on other
seeds), the quick grid (it began at density .01 and took 1,000 steps), and that every density draws initial weights of its own (with common ones,
misses came in columns).
"""

from collections.abc import Iterable

import numpy as np
import torch

from tegum import theory
from tegum.experiments import Claim, Rows
from tegum.experiments.toys._phase_grid import MARGIN, PhaseGrid, exact_optimum, log_grid
from tegum.experiments.toys._training import quick
from tegum.geometry import represented

OPPOSED = -0.9  # cosine below which two directions count as sharing a dim from opposite ends


class PhaseTwoDims(PhaseGrid):
    """n = 3, m = 2, over density and the third feature's importance."""

    id = "A5"
    title = "Phase change: three features in two dimensions"
    source = "Elhage et al. 2022, 'Superposition as a phase change'"
    sizes = (3, 2)
    phases = theory.TWO_DIM_PHASES
    chance = (0.4, "measured with room: of 18 networks at each of 36 points, six would all miss at 2.0%, ten at 0.5%")
    other = "In 'other' all three features share both dims, some 120 degrees apart below s = 1."

    presets = {
        "quick": PhaseGrid.Params(density=log_grid(0.0316, 1, 9), importance=log_grid(0.1, 10, 9), **quick(seeds=6, steps=900)),
        "paper": PhaseGrid.Params(),
    }

    def candidates(self, density: float, importance: np.ndarray) -> np.ndarray:
        """Extra dropped, first dropped, extra shares a dim, first two share a dim."""
        losses = theory.two_dim_candidates(density, importance).values()
        return np.stack([np.broadcast_to(loss, importance.shape) for loss in losses])

    def minima(self, density: float, importance: np.ndarray) -> theory.Minima:
        """A pair and a feature alone, or all three together."""
        return theory.two_dim_minima(density, importance)

    def phase(self, W: torch.Tensor) -> torch.Tensor:
        """By which norms exceed 1/2 and, where all three do, which two are opposed."""
        kept = represented(W)
        unit = torch.nn.functional.normalize(W, dim=-1)
        cosine = unit @ unit.mT
        shared = torch.stack([cosine[..., 0, 2], cosine[..., 1, 2], cosine[..., 0, 1]], -1)
        least = shared.min(-1)
        phase = torch.full(kept.shape[:-1], len(self.phases))
        phase[kept[..., :2].all(-1) & ~kept[..., 2]] = 0
        phase[(kept[..., :2].sum(-1) == 1) & kept[..., 2]] = 1
        opposed = kept.all(-1) & (least.values < OPPOSED)
        phase[opposed & (least.indices < 2)] = 2
        phase[opposed & (least.indices == 2)] = 3
        return phase

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """That the phase which three features add is there, besides the agreement."""
        yield from super().claims(rows)
        trained, (optimum, _, lead) = rows.values("phase"), exact_optimum(rows)
        there = (optimum == 3) & (lead > MARGIN)
        if there.any():
            yield Claim(
                "networks make the first two features share a dim where the exact optimum does: share of such points",
                (trained[there] == 3).mean(), expected=(self.floor(there.sum(), rows), None),
                reason=f"{there.sum()} points where it leads by over {MARGIN:.0%}; the floor as for all phases",
            )  # fmt: skip
