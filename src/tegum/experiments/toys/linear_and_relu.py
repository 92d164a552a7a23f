"""A linear model keeps the m most important features at every density; a ReLU on its output lets it keep more, the sparser they are.

The demonstration of *Toy Models of Superposition*: n features of importance I_i = decay^i in m hidden dims, x' = W W^T x + b with and without
a ReLU, from dense to sparse. The linear model does what principal components do. So does the ReLU model while features are dense. As they get
sparse it puts pairs of the less important ones at opposite ends of one dim, and at last nearly all of them in superposition.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np

from tegum import figures, geometry
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments.toys._training import Density, Training, quick
from tegum.features.bernoulli import Bernoulli
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import train

SIZES = {"small": (20, 5, 0.7), "large": (80, 20, 0.9)}
MODELS = {"linear": LinearAutoencoder, "relu": ReLUOutput}
DROPPED = 0.1  # a norm under which a feature moves its own output by less than 1%


class LinearAndReLU(Experiment):
    """n=20, m=5 and n=80, m=20, linear and ReLU output, over density."""

    id = "A2"
    title = "Linear against ReLU output: what sparsity lets a network keep"
    source = "Elhage et al. 2022, 'Demonstrating superposition'"

    class Params(Training):
        """Which sizes (small: 20 features in 5 dims, importance .7^i; large: 80 in 20, .9^i) and densities."""

        sizes: tuple[Literal["small", "large"], ...] = ("small", "large")
        density: tuple[Density, ...] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)

    presets = {"quick": Params(**quick(density=(1.0, 0.3, 0.1, 0.03, 0.003), seeds=2)), "paper": Params()}

    def cells(self, params: Params) -> list[Cell]:
        """One a size, model and density; the large ones first, for they take longest."""
        sizes = sorted(dict.fromkeys(params.sizes), key=lambda size: -SIZES[size][0])
        return [Cell(size=size, model=model, density=p) for size in sizes for model in MODELS for p in params.density]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train `seeds` networks and describe the best."""
        n, m, decay = SIZES[cell.size]
        features, importance = Bernoulli(n_features=n, density=cell.density), decay ** np.arange(n)
        model = MODELS[cell.model](n_features=n, n_hidden=m)
        trained = train(model, features, importance=importance, instances=params.seeds, **params.training())
        best = trained.best()
        norms, kept, shared = best.W.norm(dim=1), geometry.represented(best.W), geometry.superposition(best.W)
        dropped = norms < DROPPED
        mean, variance = float(features.mean()[0]), float(features.variance()[0])
        answered = best.b + mean * (
            best.W @ best.W.sum(0)
        )  # a dropped feature's mean output: its leftover weights let a little of the others through
        return Row(
            represented=int(kept.sum()),
            top_m=bool(kept[:m].all() and not kept[m:].any()),
            pairs=geometry.antipodal_pairs(best.W[kept]).count if kept.any() else 0,
            superposed=int((kept & (shared > 0.5)).sum()),
            order=_order(kept.numpy() & (shared > 0.5).numpy(), kept.numpy() & (shared <= 0.5).numpy()),
            bias_error=float((answered[dropped] - mean).abs().max() / (variance / params.batch_size) ** 0.5) if dropped.any() else 0.0,
            dropped=int(dropped.sum()),
            loss=best.loss,
            losses=trained.loss,
            norms=norms,
            superposition=shared,
            W=best.W,
            b=best.b,
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """What each of the two keeps, and in which order the ReLU model adds to it."""
        densities = sorted(rows.params.density, reverse=True)
        for size in rows.params.sizes:
            n, m, _ = SIZES[size]
            linear = [rows.at(size=size, model="linear", density=p) for p in densities]
            relu = [rows.at(size=size, model="relu", density=p) for p in densities]
            name = f"{n} features in {m} dims"
            yield Claim(
                f"{name}: the linear network keeps exactly the {m} most important at every density: densities where it does",
                sum(row.top_m for row in linear), expected=len(densities), reason="|W_i| > 1/2 counts as kept",
            )  # fmt: skip
            yield Claim(f"{name}: so does the ReLU network at density {densities[0]:g}", relu[0].top_m, expected=True)
            counts = np.array([row.represented for row in relu])
            yield Claim(
                f"{name}: the sparser, the more features the ReLU network keeps: least step from one density to the next",
                float(np.diff(counts).min()), expected=(0, None),
                reason="a count of one trained network; a step of 0 is allowed, for a network that keeps all cannot keep more",
            )  # fmt: skip
            yield Claim(
                f"{name}: at density {densities[-1]:g} it keeps more than twice its dims", int(counts[-1]), expected=(2 * m + 1, None)
            )
            yield from _beginning(name, relu)
            biased = [row.bias_error for row in relu if row.density >= 0.03 and row.dropped]
            if biased:
                yield Claim(
                    f"{name}: dropped features are answered with their mean (b_i = p/2) while p >= .03: largest deviation in errors of a batch",
                    max(biased), expected=(None, 4),
                    reason="the bias follows the mean of the batches, at the most as noisily as one batch; the largest of 75 normal deviates "
                    "passes 4 once in 200 runs. What a weight under .1 still lets through is added to the bias",
                )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """W Wᵀ and bias, norms coloured by superposition, and how many features are kept."""
        how = f"the best of {rows.params.seeds} networks by loss on common samples ({rows.params.how()})"
        for size in rows.params.sizes:
            n, m, decay = SIZES[size]
            for model, words in (("linear", "Linear"), ("relu", "ReLU")):
                found = rows.where(size=size, model=model)
                titles = [f"p = {row.density:g}" for row in found]
                if model == "relu" or size == "small":
                    yield figures.gram(
                        found.values("W"), found.values("b"), titles,
                        caption=f"{words} output, {n} features of importance {decay}^i in {m} dims: W Wᵀ and bias of {how}.",
                    )  # fmt: skip
            relu = rows.where(size=size, model="relu")
            yield figures.feature_bars(
                relu.values("norms"), relu.values("superposition"), [f"p = {row.density:g}" for row in relu],
                caption=f"ReLU output, {n} features in {m} dims: |W_i| coloured by how much of the feature's direction others use, for {how}.",
            )  # fmt: skip
        table = rows.to_dataframe()
        table["network"] = [f"{row.model}, {SIZES[row.size][0]} features" for row in rows]
        yield figures.lines(
            table, "density", "represented", "network", colour_title="", log_x=True, x_title="density p",
            y_title="features with |W<sub>i</sub>| > 1/2",
            levels={f"{m} dims": m for _, m, _ in (SIZES[size] for size in rows.params.sizes)},
            caption=f"Features represented, for {how}.",
        )  # fmt: skip


def _order(superposed: np.ndarray, alone: np.ndarray) -> float:
    """Chance that a random superposed feature has the larger index (is less important) than a random one with a dim of its own."""
    if not superposed.any() or not alone.any():
        return float("nan")
    return float(np.mean(np.flatnonzero(superposed)[:, None] > np.flatnonzero(alone)[None, :]))


def _beginning(name: str, relu: list[Row]) -> Iterable[Claim]:
    """How superposition begins: at the largest density that has any."""
    first = next((row for row in relu if row.superposed), None)
    if first is None:
        return
    yield Claim(
        f"{name}: superposition begins (density {first.density:g}) with antipodal pairs: share of the superposed features in one",
        2 * first.pairs / first.superposed, expected=(0.5, None), reason="more than half; three or more to a dim or plane would leave it at 0",
    )  # fmt: skip
    yield Claim(
        f"{name}: it begins (density {first.density:g}) with the less important features: chance that a superposed one ranks below one that is alone",
        first.order, expected=(0.9, None), reason="1 is perfect order, .5 is none; .9 leaves room for a local minimum's exchange of neighbours",
    )  # fmt: skip
