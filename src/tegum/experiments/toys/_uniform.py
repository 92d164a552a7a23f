"""Uniform superposition: n features of equal importance in m dims, of which sparsity alone decides how many are represented.

The networks of Elhage et al. 2022, 'The Geometry of Superposition', that A6 and A7 measure: a ReLU output, n = 400, m = 30, from dense to sparse.
The networks of a density depend on that density and the seed alone, so two experiments, or two grids, have the same ones where they meet.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import PositiveInt

from tegum.experiments import Cell, Experiment, Row, Rows
from tegum.experiments.toys._training import Density, Training
from tegum.features.bernoulli import Bernoulli
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.run import Run
from tegum.toys.train import train


def densities(*inverse: float) -> tuple[float, ...]:
    """The densities p of these 1/p."""
    return tuple(1 / x for x in inverse)


class Uniform(Experiment):
    """Networks over density; a cell is one density."""

    class Params(Training):
        """Sizes and densities."""

        n_features: PositiveInt = 400
        n_hidden: PositiveInt = 30
        density: tuple[Density, ...] = densities(1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 10, 15, 30, 100)
        seeds: PositiveInt = 5

        def training_at(self, cell: Cell) -> dict[str, Any]:
            """`training` with a seed for each density, so that densities are independent of each other."""
            return self.training() | {"seed": (self.seed * 1_000_003 + round(1e6 * cell.density)) % 2**63}

        def what(self) -> str:
            """The networks in words, for captions."""
            return f"{self.seeds} networks a density, {self.n_features} features of equal importance in {self.n_hidden} dims ({self.how()})"

    def cells(self, params: Params) -> list[Cell]:
        """One a density: all its networks train side by side."""
        return [Cell(density=p) for p in dict.fromkeys(params.density)]

    def networks(self, cell: Cell, params: Params) -> Run:
        """The trained networks of one density."""
        n, m = params.n_features, params.n_hidden
        features = Bernoulli(n_features=n, density=cell.density)
        return train(ReLUOutput(n_features=n, n_hidden=m), features, instances=params.seeds, **params.training_at(cell))


def by_sparsity(rows: Rows) -> tuple[list[Row], np.ndarray]:
    """The rows from dense to sparse, and their 1/p."""
    order = sorted(rows, key=lambda row: -row.density)
    return order, np.array([1 / row.density for row in order])


def within(inverse: float | np.ndarray, ends: Sequence[float]) -> Any:
    """Whether 1/p is between the ends, to the rounding of 1/(1/x)."""
    return (inverse > ends[0] - 1e-9) & (inverse < ends[1] + 1e-9)
