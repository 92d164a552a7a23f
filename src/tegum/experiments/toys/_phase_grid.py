"""A phase diagram of small ReLU networks: trained over density and the extra feature's importance, beside the candidates of the theory.

Whatever the two diagrams of Elhage et al. 2022, 'Superposition as a phase change', share: the grid, the training, what is kept of it, the claims.
A subclass names its sizes, its candidates and how to tell the phase of trained weights.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import torch
from pydantic import PositiveInt

from tegum import figures
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments.toys._training import Density, Importance, Training
from tegum.features.bernoulli import Bernoulli
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import train


def log_grid(low: float, high: float, points: int) -> tuple[float, ...]:
    """`points` values from low to high in equal ratios, rounded to 4 digits so that they read well."""
    return tuple(float(f"{value:.4g}") for value in np.geomspace(low, high, points))


class PhaseGrid(Experiment):
    """Networks over density and the importance of the extra (last) feature; a cell is one density."""

    sizes: ClassVar[tuple[int, int]]
    phases: ClassVar[Sequence[str]]
    free: ClassVar[
        float
    ]  # the least exact loss over all W and b, as a share of the best candidate's, where that share is least (s = 4/7, r = 1)

    class Params(Training):
        """The grid: densities, importances of the extra feature (the others' is 1); networks a point."""

        density: tuple[Density, ...] = log_grid(0.01, 1, 21)
        importance: tuple[Importance, ...] = log_grid(0.1, 10, 21)
        seeds: PositiveInt = 10

    @abstractmethod
    def candidates(self, density: float, importance: np.ndarray) -> np.ndarray:
        """Loss of each candidate, (phases, importances): sum over features."""

    @abstractmethod
    def phase(self, W: torch.Tensor) -> torch.Tensor:
        """Index into `phases` of each of W (..., features, hidden), or len(phases) for anything else."""

    def cells(self, params: Params) -> list[Cell]:
        """One a density: all its networks train side by side."""
        return [Cell(density=p) for p in params.density]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train every point's networks; of each point, the best, and how many of the others (the worst dropped) agree with it."""
        n, m = self.sizes
        importance = torch.ones(len(params.importance), params.seeds, n)
        importance[:, :, -1] = torch.tensor(params.importance)[:, None]
        trained = train(
            ReLUOutput(n_features=n, n_hidden=m), Bernoulli(n_features=n, density=cell.density),
            importance=importance.flatten(0, 1), instances=len(params.importance) * params.seeds, **params.training(),
        )  # fmt: skip
        best = trained.best_of(params.seeds)
        losses = trained.loss.reshape(-1, params.seeds)
        phases = self.phase(trained.W).reshape(losses.shape)
        kept = torch.ones_like(losses, dtype=torch.bool)
        if params.seeds > 1:
            kept.scatter_(1, losses.argmax(1, keepdim=True), False)
        same = (phases == phases.flatten()[best][:, None]) & kept
        return Row(
            phase=phases.flatten()[best],
            agree=same.sum(1) / kept.sum(1),
            loss=trained.loss[best] * n,
            candidates=self.candidates(cell.density, np.array(params.importance)),
            W=trained.W[best],
            b=trained.b[best],
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Agreement with the theory: over the whole grid, where it is sure, and in loss."""
        trained, candidates, loss = rows.values("phase"), rows.values("candidates"), rows.values("loss")
        theory, ordered = candidates.argmin(axis=1), np.sort(candidates, axis=1)
        agree, sure = trained == theory, ordered[:, 0] < self.free * ordered[:, 1]
        tied = np.isclose(ordered[:, 0], ordered[:, 1], rtol=1e-9)
        yield Claim(
            "trained and theory show the same phase: share of the grid (points where two candidates tie left out)", agree[~tied].mean(),
            expected=(0.8, None),
            reason=f"{agree[~tied].size} points; {sure[~tied].mean():.0%} of them have a leader beyond the reach of a free bias, where both must "
            "agree, and of "
            "the rest about half should",
        )  # fmt: skip
        yield Claim(
            "they do wherever the best candidate leads by more than a free bias can gain: share of such points", agree[sure].mean(),
            expected=(0.95, None),
            reason=f"{sure.sum()} points with a lead above {1 / self.free - 1:.0%}, the most that free weights and biases gain on the candidates "
            "(BFGS on the exact loss); up to half of single networks end in a worse phase, so all of "
            f"{rows.params.seeds} do at {2.0**-rows.params.seeds:.1%} of the points; 5% leaves room for three times as many",
        )  # fmt: skip
        ratio = loss / ordered[:, 0]
        yield Claim(
            "the best network of a point does at least as well as the best candidate, to 5%: share of the grid", (ratio < 1.05).mean(),
            expected=(0.95, None),
            reason="5% for training on samples with a finite learning rate; 5% of the points as above",
        )  # fmt: skip
        yield Claim(
            "no network gains more on the candidates than free weights and biases allow: least loss, as a ratio", ratio.min(),
            expected=(self.free, None),
            tolerance=0.001, reason="both losses are exact; the bound is BFGS's at the point where the phases meet, to three digits",
        )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Trained beside theory; how often training finds the best phase; the loss against the best candidate."""
        densities, importance = rows.values("density"), np.array(rows.params.importance)
        order = np.argsort(densities)
        trained, candidates = rows.values("phase")[order].T, rows.values("candidates")[order]
        names = [*self.phases, "other"] if (trained == len(self.phases)).any() else list(self.phases)
        n, m = self.sizes
        what = f"{n} features in {m} dim{'s' * (m > 1)}, the last of importance I, the others 1"
        best = f"the best of {rows.params.seeds} networks a point by exact loss ({rows.params.how()})"
        axes = {"x": densities[order], "y": importance, "y_title": "importance of the extra feature, I"}
        yield figures.phase_diagram(
            trained, candidates.argmin(axis=1).T, **axes, categories=names, curves=self.boundaries(densities[order], importance),
            caption=f"{what}: phase of {best}, beside the best closed-form candidate, and where the two differ. The candidates have bias 0 where "
            "features "
            "share a dim; a free bias moves the boundary a little in favour of sharing. At I = 1 candidates tie, and the theory shows the first.",
        )  # fmt: skip
        yield figures.phase_diagram(
            rows.values("agree")[order].T, **axes, value_title="share", titles=["agreement with the best"],
            caption=f"{what}: share of the networks of a point, the worst one dropped, that are in the phase of the best.",
        )  # fmt: skip
        yield figures.phase_diagram(
            np.minimum(rows.values("loss")[order] / candidates.min(axis=1), 1.1).T, **axes, value_title="ratio", titles=["loss / best candidate"],
            curves=self.boundaries(densities[order], importance),
            caption=f"{what}: exact loss of {best}, over that of the best candidate. Below 1, the network does better than every candidate; 1.1 "
            "stands for all that is above.",
        )  # fmt: skip

    def boundaries(self, densities: np.ndarray, importance: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:  # noqa: ARG002 - some have none
        """Curves between the phases, for the figures."""
        return {}
