"""A phase diagram of small ReLU networks: trained over density and the extra feature's importance, beside the theory's and the exact optimum's.

Whatever the two diagrams of Elhage et al. 2022, 'Superposition as a phase change', share: the grid, the training, what is kept of it, the claims.
A subclass names its sizes, its candidates, its minima and how to tell the phase of weights.
"""

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import AfterValidator, Field, PositiveInt

from tegum import figures, theory
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments.toys._training import Density, Training
from tegum.features.bernoulli import Bernoulli
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import train

MARGIN = 0.02  # of a loss: what training may leave on the table, and the lead over another phase that makes a point sure


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(high <= low for low, high in itertools.pairwise(values)):
        raise ValueError("must ascend, each value once")
    return values


Axis = Annotated[tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], AfterValidator(_ascending)]


def log_grid(low: float, high: float, points: int) -> tuple[float, ...]:
    """`points` values from low to high in equal ratios, rounded to 4 digits so that they read well."""
    return tuple(float(f"{value:.4g}") for value in np.geomspace(low, high, points))


class PhaseGrid(Experiment):
    """Networks over density and the importance of the extra (last) feature; a cell is one density."""

    version = 6
    sizes: ClassVar[tuple[int, int]]
    phases: ClassVar[Sequence[str]]
    chance: ClassVar[tuple[float, str]]  # of one network to end in the best phase where that is sure, and whence it is known
    other: ClassVar[str]  # what the phase 'other' is, for captions

    class Params(Training):
        """The grid: densities, importances of the extra feature (the others' is 1); networks a point."""

        density: tuple[Density, ...] = log_grid(0.01, 1, 21)
        importance: Axis = log_grid(0.1, 10, 21)
        seeds: PositiveInt = 10

        def training_at(self, cell: Cell) -> dict[str, Any]:
            """`training` with a seed for each density, so that points are independent of each other."""
            return self.training() | {"seed": self.seed * len(self.density) + self.density.index(cell.density)}

    @abstractmethod
    def candidates(self, density: float, importance: np.ndarray) -> np.ndarray:
        """Loss of each candidate, (phases, importances): sum over features."""

    @abstractmethod
    def minima(self, density: float, importance: np.ndarray) -> theory.Minima:
        """Local minima of the exact loss, where every W and b is free."""

    @abstractmethod
    def phase(self, W: torch.Tensor) -> torch.Tensor:
        """Index into `phases` of each of W (..., features, hidden), or len(phases) for anything else."""

    def cells(self, params: Params) -> list[Cell]:
        """One a density: all its networks train side by side."""
        return [Cell(density=p) for p in params.density]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train every point's networks; of each point, the best, and how many of the others (the worst dropped) agree with it.

        `exact` is the least loss that a local minimum has in each phase, infinite where the phase has none; the last one's phase is 'other'.
        """
        n, m = self.sizes
        importance = torch.ones(len(params.importance), params.seeds, n)
        importance[:, :, -1] = torch.tensor(params.importance)[:, None]
        trained = train(
            ReLUOutput(n_features=n, n_hidden=m), Bernoulli(n_features=n, density=cell.density),
            importance=importance.flatten(0, 1), instances=len(params.importance) * params.seeds, **params.training_at(cell),
        )  # fmt: skip
        best = trained.best_of(params.seeds)
        losses = trained.loss.reshape(-1, params.seeds)
        phases = self.phase(trained.W).reshape(losses.shape)
        same = phases == phases.flatten()[best][:, None]
        ends = self.minima(cell.density, np.array(params.importance))
        found = self.phase(ends.W)
        each = [torch.where(found == k, ends.loss, torch.inf).amin(1) for k in range(len(self.phases) + 1)]
        return Row(
            phase=phases.flatten()[best],
            agree=_of_others(same, losses),
            loss=trained.loss[best] * n,
            candidates=self.candidates(cell.density, np.array(params.importance)),
            exact=torch.stack(each),
            W=trained.W[best],
            b=trained.b[best],
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Phase and loss against the closed form and against the exact optimum."""
        trained, candidates, loss = rows.values("phase"), rows.values("candidates"), rows.values("loss")
        optimum, best, lead = exact_optimum(rows)
        closed, two = candidates.argmin(axis=1), np.sort(candidates, axis=1)
        apart = ~np.isclose(two[:, 0], two[:, 1], rtol=1e-9)
        n, same = int(apart.sum()), int((optimum == closed)[apart].sum())
        sure = lead > MARGIN
        close, found = int((~sure)[apart].sum()), int((trained == closed)[apart].sum())
        if n:
            yield Claim(
                "networks are in the phase of the closed-form theory as often as the exact optimum is: difference of the two shares of the grid",
                (found - same) / n, expected=0, tolerance=close / n + 1 - self.floor(n, rows),
                reason=f"networks at {found} of {n} points (where two candidates tie left out), the exact optimum, every weight and bias free, "
                f"at {same}; at {close} no phase leads by {MARGIN:.0%}, and {self.odds(rows)}",
            )  # fmt: skip
        if sure.any():
            yield Claim(
                f"they are in the phase of the exact optimum wherever it leads by over {MARGIN:.0%}: share of such points",
                (trained == optimum)[sure].mean(), expected=(self.floor(sure.sum(), rows), None),
                reason=f"{sure.sum()} points of {sure.size}, where a network within {MARGIN:.0%} of the optimum can be in no other phase; "
                f"{self.odds(rows)}",
            )  # fmt: skip
        yield Claim(
            f"the best network of a point is within {MARGIN:.0%} of the exact optimum: share of the grid", (loss / best < 1 + MARGIN).mean(),
            expected=(self.floor(loss.size, rows), None),
            reason=f"{MARGIN:.0%} for training on samples with a finite learning rate; {self.odds(rows)}",
        )  # fmt: skip
        yield Claim(
            "no network does better than the exact optimum: least loss, as a ratio", (loss / best).min(),
            expected=(1, None), tolerance=1e-6,
            reason="a check of the search for the optimum, which has no certificate; both losses are exact, to the rounding of a minimum",
        )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Trained beside closed form and beside the exact optimum; how often training finds the best phase; the loss against the optimum."""
        order = np.argsort(rows.values("density"))
        rows = Rows(rows.params, [rows[int(i)] for i in order], rows.missing)
        densities, importance = rows.values("density"), np.array(rows.params.importance)
        trained, (optimum, best, _) = rows.values("phase"), exact_optimum(rows)
        names = [*self.phases, *["other"] * bool((np.maximum(trained, optimum) == len(self.phases)).any())]
        n, m = self.sizes
        what = f"{n} features in {m} dim{'s' * (m > 1)}, the last of importance I, the others 1"
        which = f"the best of {rows.params.seeds} networks a point by exact loss ({rows.params.how()})"
        axes = {"x": densities, "y": importance, "y_title": "importance of the extra feature, I"}
        curves, told = self.boundaries(rows), self.other * (names[-1] == "other")
        yield figures.phase_diagram(
            trained.T, rows.values("candidates").argmin(axis=1).T, **axes, categories=names, curves=curves,
            titles=["trained", "closed form", "where they differ"],
            caption=f"{what}: phase of {which}, beside the best closed-form candidate, and where the two differ. The candidates have bias 0 where "
            f"features share a dim; a free bias moves the borders in favour of sharing. Where candidates tie, the first is shown. {told}",
        )  # fmt: skip
        yield figures.phase_diagram(
            trained.T, optimum.T, **axes, categories=names, curves=curves, titles=["trained", "exact optimum", "where they differ"],
            caption=f"{what}: phase of {which}, beside that of the least local minimum of the exact loss over all weights and biases, and where the "
            f"two differ. Where phases tie, the first is shown. {told}",
        )  # fmt: skip
        if rows.params.seeds > 2:
            yield figures.phase_diagram(
                rows.values("agree").T, **axes, value_title="share", titles=["agreement with the best"],
                caption=f"{what}: share of the other networks of a point, the worst one dropped, that are in the phase of the best.",
            )  # fmt: skip
        yield figures.phase_diagram(
            np.minimum(rows.values("loss") / best, 1.1).T, **axes, value_title="ratio", titles=["loss / exact optimum"], curves=curves,
            caption=f"{what}: exact loss of {which}, over the least over all weights and biases. 1.1 stands for all that is above.",
        )  # fmt: skip

    def floor(self, points: int, rows: Rows) -> float:
        """Least share of points that the best of a point's networks should find: with the odds below, fewer are found by one run in 40."""
        from scipy.stats import binom

        return float(binom.ppf(1 / 40, points, 1 - self.missed(rows))) / points if points else 0.0

    def missed(self, rows: Rows) -> float:
        """The share of points that all networks miss."""
        return (1 - self.chance[0]) ** rows.params.seeds

    def odds(self, rows: Rows) -> str:
        """The reason for `floor`."""
        chance, why = self.chance
        n = rows.params.seeds
        return f"at a chance of {chance:.2g} ({why}) all {n} miss at {self.missed(rows):.1%} of the points; one run in 40 misses more"

    def boundaries(self, rows: Rows) -> dict[str, tuple[np.ndarray, np.ndarray]]:  # noqa: ARG002 - some have none
        """Curves between the phases, for the figures."""
        return {}


def exact_optimum(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Phase and loss of the exact optimum and its lead: the best of another phase, local minimum or candidate, over it, less 1."""
    exact, candidates = rows.values("exact"), rows.values("candidates")
    phase, loss = exact.argmin(axis=1), exact.min(axis=1)
    reached = exact.copy()
    reached[:, :-1] = np.minimum(reached[:, :-1], candidates)
    np.put_along_axis(reached, phase[:, None], np.inf, axis=1)
    return phase, loss, reached.min(axis=1) / loss - 1


def _of_others(same: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Share of True in each row, the least and the largest of `losses` left out; NaN where nothing is left."""
    order = losses.argsort(dim=1, stable=True)[:, 1:-1]
    return same.gather(1, order).double().mean(1)
