"""Three features in two dims: the extra feature is dropped, drives another out, shares a dim, or makes the other two share one."""

import numpy as np
import torch

from tegum import theory
from tegum.experiments.toys._phase_grid import PhaseGrid, log_grid
from tegum.experiments.toys._training import quick

OPPOSED = -0.9  # cosine below which two directions count as sharing a dim from opposite ends


class PhaseTwoDims(PhaseGrid):
    """n = 3, m = 2, over density and the third feature's importance."""

    id = "A5"
    title = "Phase change: three features in two dimensions"
    source = "Elhage et al. 2022, 'Superposition as a phase change'"
    sizes = (3, 2)
    phases = theory.TWO_DIM_PHASES
    free = 0.828

    presets = {
        "quick": PhaseGrid.Params(density=log_grid(0.01, 1, 9), importance=log_grid(0.1, 10, 9), **quick(seeds=6, steps=1_000)),
        "paper": PhaseGrid.Params(),
    }

    def candidates(self, density: float, importance: np.ndarray) -> np.ndarray:
        """Extra dropped, first dropped, extra shares a dim, first two share a dim."""
        losses = theory.two_dim_candidates(density, importance).values()
        return np.stack([np.broadcast_to(loss, importance.shape) for loss in losses])

    def phase(self, W: torch.Tensor) -> torch.Tensor:
        """By which norms exceed 1/2 and, where all three do, which two are opposed."""
        kept = W.norm(dim=-1) > 0.5
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
