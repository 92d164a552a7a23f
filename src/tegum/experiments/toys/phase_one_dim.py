"""Superposition as a phase change: two features in one dim are dropped, kept alone or opposed, and the borders between these are sharp.

Trained networks beside the closed-form candidates, whose losses cross at r = 2s/(4-5s) and its inverse up to the triple point s = 4/7.
"""

from collections.abc import Iterable

import numpy as np
import torch

from tegum import theory
from tegum.experiments import Claim, Rows
from tegum.experiments.toys._phase_grid import PhaseGrid, log_grid
from tegum.experiments.toys._training import quick


class PhaseOneDim(PhaseGrid):
    """n = 2, m = 1, over density and the second feature's importance."""

    id = "A4"
    title = "Phase change: two features in one dimension"
    source = "Elhage et al. 2022, 'Superposition as a phase change'; Cho 2024, 'Superposition Hypothesis'"
    sizes = (2, 1)
    phases = theory.ONE_DIM_PHASES
    free = 0.858

    presets = {
        "quick": PhaseGrid.Params(density=log_grid(0.01, 1, 9), importance=log_grid(0.1, 10, 11), **quick(seeds=8, steps=800)),
        "paper": PhaseGrid.Params(),
    }

    def candidates(self, density: float, importance: np.ndarray) -> np.ndarray:
        """Extra dropped, first dropped, antipodal."""
        return np.stack(list(theory.one_dim_candidates(density, importance).values()))

    def phase(self, W: torch.Tensor) -> torch.Tensor:
        """By which of the two weights exceed 1/2, and their signs."""
        first, extra = W[..., 0, 0], W[..., 1, 0]
        keeps_first, keeps_extra = first.abs() > 0.5, extra.abs() > 0.5
        phase = torch.full(first.shape, len(self.phases))
        phase[keeps_first & ~keeps_extra] = 0
        phase[~keeps_first & keeps_extra] = 1
        phase[keeps_first & keeps_extra & (first * extra < 0)] = 2
        return phase

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Where the trained boundary lies, besides the agreement."""
        yield from super().claims(rows)
        importance = np.array(rows.params.importance)
        step = np.log(importance[1:] / importance[:-1]).max() if len(importance) > 1 else np.inf
        off = [_boundary_error(row.density, row.phase, importance) for row in rows if row.density < theory.triple_point()[0]]
        found = [value for value in off if value is not None]
        if found:
            yield Claim(
                "below the triple point the trained border of the antipodal phase lies at r = 2s/(4-5s): largest deviation of ln r", max(found),
                expected=(None, step), reason=f"one step of the grid in ln r; {len(found)} densities have their border on the grid",
            )  # fmt: skip

    def boundaries(self, densities: np.ndarray, importance: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The two borders of the antipodal phase, from the theory."""
        s = np.geomspace(densities.min(), theory.triple_point()[0], 200)
        lower, upper = (np.asarray(border) for border in theory.one_dim_boundaries(s))
        inside = (lower >= importance.min()) & (upper <= importance.max())
        return {"r = 2s/(4−5s)": (s[inside], lower[inside]), "r = (4−5s)/2s": (s[inside], upper[inside])}


def _boundary_error(density: float, phase: np.ndarray, importance: np.ndarray) -> float | None:
    """|ln r - ln r_theory| of the first border from 'extra dropped' to 'antipodal' going up, None where the grid does not hold it."""
    paired = np.flatnonzero(phase == 2)
    lower = float(theory.one_dim_boundaries(density).lower)
    if not len(paired) or paired[0] == 0 or lower < importance[0]:
        return None
    return abs(float(np.log(np.sqrt(importance[paired[0] - 1] * importance[paired[0]]) / lower)))
