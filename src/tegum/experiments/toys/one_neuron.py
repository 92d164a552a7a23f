"""Two features, one ReLU neuron: they share it, pointing opposite ways, only when they seldom meet.

The smallest model with superposition: n = 2 features of unequal importance, m = 1 hidden dim, ReLU output. When both features are often on at
once, the model spends its one dim on the more important and leaves the other out. When they are sparse, it takes both, at opposite ends: the
ReLU then filters the interference away whenever one is on alone.
"""

from collections.abc import Iterable

import numpy as np
import torch
from pydantic import PositiveInt

from tegum import figures, geometry, theory
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.toys._training import Density, Importance, Training, quick
from tegum.features.bernoulli import Bernoulli
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import train


class OneNeuron(Experiment):
    """Two features through one neuron, over density."""

    id = "A15"
    title = "Two features in one dimension: opposite ends, only when sparse"
    version = 3
    source = "Cho 2024, 'Superposition Hypothesis', section 'Compression'; Elhage et al. 2022, 'Superposition as a phase change'"

    class Params(Training):
        """Densities to train at, and the importances of the two features: equal ones would leave a dense pair nothing to choose by."""

        density: tuple[Density, ...] = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02)
        importance: tuple[Importance, Importance] = (1.0, 0.7)
        seeds: PositiveInt = 20
        starts: PositiveInt = 12

    presets = {"quick": Params(**quick(density=(1.0, 0.5, 0.2, 0.1, 0.05, 0.02), seeds=8, steps=1_200, starts=2)), "paper": Params()}

    def cells(self, params: Params) -> list[Cell]:
        """One a density."""
        return [Cell(density=p) for p in params.density]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train `seeds` networks; keep all, and which is best by exact expected loss."""
        features = Bernoulli(n_features=2, density=cell.density)
        trained = train(
            ReLUOutput(n_features=2, n_hidden=1), features, importance=params.importance, instances=params.seeds, **params.training()
        )
        best = trained.best()
        first, second = params.importance
        candidates = theory.one_dim_candidates(cell.density, second / first)
        optimum = theory.best_one_dim(cell.density, second / first, starts=params.starts, seed=params.seed)
        return Row(
            opposed=bool(_opposed(best.W[None])[0]),
            share_opposed=float(_opposed(trained.W).double().mean()),
            loss=best.loss,
            losses=trained.loss,
            W=trained.W,
            b=trained.b,
            best=best.index,
            optimum=optimum.loss * first / 2,
            candidates=np.array([float(loss) for loss in candidates.values()]) * first / 2,
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Opposed where sparse, not where dense, and as good as the exact optimum."""
        dense, sparse = max(rows.params.density), min(rows.params.density)
        yield Claim(
            f"at density {sparse:g} the best network puts the two features at opposite ends", rows.at(density=sparse).opposed, expected=True
        )
        yield Claim(f"at density {dense:g} it does not", rows.at(density=dense).opposed, expected=False)
        ratio = max(float(row.loss / row.optimum) for row in rows if row.optimum > 1e-12)
        yield Claim(
            "at every density the best network is within 5% of the least exact loss over all W and b: largest ratio", ratio,
            expected=(None, 1.05),
            reason="5% is for training on samples at a finite rate. At the densities of the presets every other phase costs at least 14% (p = .5); "
            "where two phases meet, as --set can have it, another may cost less and pass",
        )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Loss against density beside the candidates of theory; how many networks oppose the two."""
        table = rows.to_dataframe()
        names = theory.ONE_DIM_PHASES
        curves = {name: (rows.values("density"), rows.values("candidates")[:, i]) for i, name in enumerate(names)}
        curves["exact optimum"] = (rows.values("density"), rows.values("optimum"))
        order = np.argsort(rows.values("density"))
        yield figures.lines(
            table, "density", "loss", log_x=True, log_y=True, x_title="density p", y_title="expected loss, mean over features",
            curves={name: (x[order], y[order]) for name, (x, y) in curves.items()},
            caption=f"Exact expected loss of the best of {rows.params.seeds} networks a density ({rows.params.how()}), beside the closed-form "
            "candidates (bias 0 where both features are kept) and the least exact loss over every W and b.",
        )  # fmt: skip
        share = rows.values("share_opposed")
        ends = np.array([wilson(round(float(p) * rows.params.seeds), rows.params.seeds)[1] for p in share])
        yield figures.lines(
            {"density": rows.values("density"), "share": share, "low": ends[:, 0], "high": ends[:, 1]},
            "density", "share", error=("low", "high"), log_x=True, x_title="density p", y_title="share of networks",
            caption=f"Share of the {rows.params.seeds} networks a density that keep both features (|W| > 1/2) at opposite ends of the neuron, "
            "with its Wilson 95% interval. A sparse network that misses the pair nearly always began with both weights on one side, from where few "
            "get across.",
        )  # fmt: skip


def _opposed(W: torch.Tensor) -> torch.Tensor:
    return (W[:, 0, 0] * W[:, 1, 0] < 0) & geometry.represented(W).all(-1)
