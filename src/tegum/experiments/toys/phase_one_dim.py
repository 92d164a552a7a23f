"""Superposition as a phase change: two features in one dim are dropped, kept alone or opposed, and the borders between these are sharp.

Trained networks beside the closed-form candidates, whose losses cross at r = 2s/(4-5s) and its inverse up to the triple point s = 4/7, and beside
the exact optimum, whose antipodal phase is wider: its bias and norms are free.

Settled after a first look: the claims (the first ones took the closed form for the optimum), the odds that a point is missed (measured on other
seeds), the quick grid (it began at density .01 and took 800 steps), and that every density draws initial weights of its own (with common ones,
misses came in columns).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from tegum import theory
from tegum.experiments import Cell, Claim, Row, Rows
from tegum.experiments.toys._phase_grid import MARGIN, PhaseGrid, log_grid
from tegum.experiments.toys._training import quick
from tegum.geometry import represented

LAST_PAIR = 0.71  # the density up to which the exact optimum at r = 1 is an antipodal pair
MISSED = ", but at the preset 'paper' none of the 10 networks at s = .631 finds that pair, though it costs 6% less than the best of them (one run)"
WIDTH = 0.05  # in ln r, how far from a border a lead of MARGIN is reached: losses part there with a slope of 0.4 to 0.6


class PhaseOneDim(PhaseGrid):
    """n = 2, m = 1, over density and the second feature's importance."""

    id = "A4"
    title = "Phase change: two features in one dimension"
    source = "Elhage et al. 2022, 'Superposition as a phase change'; Cho 2024, 'Superposition Hypothesis'"
    sizes = (2, 1)
    phases = theory.ONE_DIM_PHASES
    chance = (1 / 2, "two random weights have opposite signs; of 24 networks at each of 54 points, eight would all miss at 0.15%")
    other = "In 'other' the two features are both kept on one side, or neither is."

    presets = {
        "quick": PhaseGrid.Params(density=log_grid(0.0316, 1, 9), importance=log_grid(0.1, 10, 11), **quick(seeds=8, steps=700)),
        "paper": PhaseGrid.Params(),
        "fine": PhaseGrid.Params(density=log_grid(0.01, 1, 100), importance=log_grid(0.1, 10, 100), **quick(seeds=10)),
    }

    def candidates(self, density: float, importance: np.ndarray) -> np.ndarray:
        """Extra dropped, first dropped, antipodal."""
        return np.stack(list(theory.one_dim_candidates(density, importance).values()))

    def minima(self, density: float, importance: np.ndarray) -> theory.Minima:
        """From each candidate."""
        return theory.one_dim_minima(density, importance)

    def phase(self, W: torch.Tensor) -> torch.Tensor:
        """By which of the two weights exceed 1/2, and their signs."""
        first, extra = W[..., 0, 0], W[..., 1, 0]
        keeps_first, keeps_extra = represented(W).unbind(-1)
        phase = torch.full(first.shape, len(self.phases))
        phase[keeps_first & ~keeps_extra] = 0
        phase[~keeps_first & keeps_extra] = 1
        phase[keeps_first & keeps_extra & (first * extra < 0)] = 2
        return phase

    def run(self, cell: Cell, params: PhaseGrid.Params) -> Row:
        """With the border of the exact optimum below r = 1, which is NaN where every feature is always on."""
        border = theory.pair_border(cell.density) if cell.density < 1 else np.nan
        return Row(**dict(super().run(cell, params)), border=border)

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Where the borders of the antipodal phase lie, trained, exact and in closed form, besides the agreement."""
        yield from super().claims(rows)
        importance = np.array(rows.params.importance)
        step = float(np.log(importance[1:] / importance[:-1]).max()) if len(importance) > 1 else np.inf
        there = [row for row in rows if importance[0] < row.border < 1 and 1 / row.border < importance[-1]]
        sides = {
            "below r = 1": [lower_border(row.phase, importance) / row.border for row in there],
            "above it": [lower_border(row.phase[::-1], 1 / importance[::-1]) / row.border for row in there],
        }
        for side, ratios in sides.items() if there else ():
            yield Claim(
                f"the trained border of the antipodal phase {side} is the exact optimum's: largest deviation of ln r", _largest(ratios),
                expected=(0, 0.5 * step), tolerance=WIDTH,
                reason=f"half a step of the grid, and {WIDTH:g} where no phase leads by {MARGIN:.0%}; {len(there)} densities have it on the grid",
            )  # fmt: skip
        triple = theory.triple_point()[0]
        if below := [row for row in rows if row.density < triple]:
            yield self._closed_form(below)
        alike = np.isclose(importance, 1)
        if alike.any() and any(triple < row.density < LAST_PAIR for row in rows):
            paired = [row.density for row in rows if (row.phase[alike] == 2).any()]
            yield self._last_pair(paired, triple, missed=rows.params == self.presets["paper"])

    def _closed_form(self, below: Sequence[Row]) -> Claim:
        return Claim(
            "the closed form r = 2s/(4-5s) is the exact optimum's border: largest deviation of ln r",
            _largest([row.border / float(theory.one_dim_boundaries(row.density).lower) for row in below]),
            expected=0, tolerance=0.01, reason="1%, a hundred times the precision of the exact border",
            on_record="refuted", record_reason="the theory fixes b = 0 and norm 1 for the pair; with both free it costs less, and its border in "
            "ln r lies 0.16 lower for rare features and 0.3 lower at s = 0.56",
        )  # fmt: skip

    def _last_pair(self, paired: Sequence[float], triple: float, *, missed: bool) -> Claim:
        found = f"a density of the grid; that of the exact optimum is the largest below {LAST_PAIR:g}"
        return Claim(
            "no pair outlives the triple point s = 4/7, r = 1: largest density with an antipodal pair at r = 1", max(paired, default=0.0),
            expected=(None, triple), reason=found + MISSED if missed else found, on_record="holds" if missed else "refuted",
            record_reason="" if missed else "the theory fixes b = 0 and norm 1; the pair of the exact optimum stays the best at r = 1 up to s = "
            f"{LAST_PAIR:g}",
        )  # fmt: skip

    def boundaries(self, rows: Rows) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The two borders of the antipodal phase, in closed form and of the exact optimum."""
        densities = rows.values("density")
        s = np.geomspace(densities.min(), theory.triple_point()[0], 200)
        lower = np.asarray(theory.one_dim_boundaries(s).lower)
        return {
            "closed form": _both(s, lower),
            "exact optimum": _both(densities, rows.values("border")),
        }


def lower_border(phase: np.ndarray, importance: np.ndarray) -> float:
    """Importance at which the antipodal phase begins, going up: between two grid points their geometric mean; 1 where it does not by r = 1."""
    paired = np.flatnonzero((phase == 2) & (importance < 1 + 1e-9))
    if not len(paired):
        return 1.0
    return float(np.sqrt(importance[max(paired[0] - 1, 0)] * importance[paired[0]]))


def _largest(ratios: Sequence[float]) -> float:
    """max |ln ratio|, NaN of none."""
    return max((abs(float(np.log(ratio))) for ratio in ratios), default=np.nan)


def _both(s: np.ndarray, lower: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A border and its inverse as one curve with a gap."""
    return np.concatenate((s, [np.nan], s)), np.concatenate((lower, [np.nan], 1 / lower))
