"""A linear model keeps the m most important features at every density; a ReLU on its output lets it keep more, the sparser they are.

The demonstration of *Toy Models of Superposition*: n features of importance I_i = decay^i in m hidden dims, x' = W W^T x + b with and without
a ReLU, from dense to sparse. The linear model does what principal components do. So does the ReLU model while features are dense. As they get
sparse it puts pairs of the less important ones at opposite ends of one dim, and at last nearly all of them in superposition.

One test was changed after looking: of the bias of dropped features, first the deviation from their mean was held against the sampling error of a
batch, which no bias at all could pass; when the deviations were known, the ratio of the two, b/(p/2), replaced it.
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
BIAS_TOLERANCE = 0.05
STALLED = (
    "at the preset 'paper' the count goes 10, 10, 14, 13 from density .03 to .001 (one run): between near densities it need not grow, and 10,000 "
    "steps leave the rarest features behind, each of which is on in some 10,000 samples"
)


class LinearAndReLU(Experiment):
    """n=20, m=5 and n=80, m=20, linear and ReLU output, over density."""

    id = "A2"
    title = "Linear against ReLU output: what sparsity lets a network keep"
    version = 4
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
        superposed, paired = kept & (shared > 0.5), geometry.antipodal_pairs(best.W).partner >= 0
        return Row(
            represented=int(kept.sum()),
            top_m=bool(kept[:m].all() and not kept[m:].any()),
            superposed=int(superposed.sum()),
            paired=int((superposed & paired).sum()),
            order=_order(superposed.numpy(), (kept & ~superposed).numpy()),
            loss=best.loss,
            loss_kind=trained.loss_kind,
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
            stalls = size == "small" and rows.params == self.presets["paper"]
            yield Claim(
                f"{name}: the sparser, the more features the ReLU network keeps, until it keeps all: least step from one density to the next",
                float((np.diff(counts) + (counts[:-1] == n)).min()), expected=(1, None),
                reason=f"a count of one trained network; one that keeps all {n} cannot keep more, so from there a step of 0 counts as 1",
                on_record="refuted" if stalls else "holds", record_reason=STALLED if stalls else "",
            )  # fmt: skip
            yield Claim(
                f"{name}: at density {densities[-1]:g} it keeps more than twice its dims", int(counts[-1]), expected=(2 * m + 1, None)
            )
            yield from _beginning(name, relu)
            yield from _dropped(name, [row for row in relu if row.density >= 0.03])

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """W Wᵀ and bias, norms coloured by superposition, and how many features are kept."""
        networks = f"the best of {rows.params.seeds} networks by loss"
        for size in rows.params.sizes:
            n, m, decay = SIZES[size]
            for model, words in (("linear", "Linear"), ("relu", "ReLU")):
                found = rows.where(size=size, model=model)
                titles = [f"p = {row.density:g}" for row in found]
                how = f"{networks} ({_loss_kinds(found)}; {rows.params.how()})"
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
            caption=f"Features represented, for {networks} (linear: {_loss_kinds(rows.where(model='linear'))}; ReLU: "
            f"{_loss_kinds(rows.where(model='relu'))}; {rows.params.how()}).",
        )  # fmt: skip


def _order(superposed: np.ndarray, alone: np.ndarray) -> float:
    """Chance that a random superposed feature has the larger index (is less important) than a random one with a dim of its own."""
    if not superposed.any() or not alone.any():
        return float("nan")
    return float(np.mean(np.flatnonzero(superposed)[:, None] > np.flatnonzero(alone)[None, :]))


def _loss_kinds(rows: Rows) -> str:
    return " or ".join(dict.fromkeys(row.loss_kind for row in rows))


def _dropped(name: str, relu: list[Row]) -> Iterable[Claim]:
    """How dropped features are answered, at the density where their biases are farthest from the mean."""
    from scipy.special import stdtrit

    found = []
    for row in relu:
        ratio = row.b[row.norms < DROPPED] / (row.density / 2)
        if len(ratio) > 1:
            half = float(stdtrit(len(ratio) - 1, 0.975)) * ratio.std(ddof=1) / len(ratio) ** 0.5
            found.append((ratio.mean(), half, row.density, len(ratio)))
    if not found:
        return
    mean, half, density, count = max(found, key=lambda each: abs(each[0] - 1) + each[1])
    yield Claim(
        f"{name}: dropped features are answered with their mean while p >= .03: mean of b_i / (p/2) at the density where it may be farthest from 1",
        mean, interval=(mean - half, mean + half), expected=1, tolerance=BIAS_TOLERANCE,
        reason=f"b_i = E x_i is where the loss is flat in b_i, for a feature with no weight. Leftover weights, |W_i| < {DROPPED:g}, move this by "
        f"W_i . sum_j W_j, 1% on average where networks have learnt; {BIAS_TOLERANCE:.0%} is a choice that leaves room for training, "
        f"and no bias at all would be 0. Student's 95% interval over the {count} dropped features at p = {density:g}",
    )  # fmt: skip


def _beginning(name: str, relu: list[Row]) -> Iterable[Claim]:
    """How superposition begins: at the largest density that has any."""
    first = next((row for row in relu if row.superposed), None)
    if first is None:
        return
    yield Claim(
        f"{name}: superposition begins (density {first.density:g}) with antipodal pairs: share of the superposed features in one",
        first.paired / first.superposed, expected=(0.5, 1), reason="more than half; three or more to a dim or plane would leave it at 0",
    )  # fmt: skip
    yield Claim(
        f"{name}: it begins (density {first.density:g}) with the less important features of those it keeps: chance that a superposed one ranks "
        "below one that is alone",
        first.order, expected=(0.9, None),
        reason="dropped features are left out. 1 is perfect order, .5 is none; .9 leaves room for a local "
        "minimum's exchange of neighbours",
    )  # fmt: skip
