"""When to use which gradient estimator: the paper's batch of samples, or the stratified one, over how sparse and how many the features are.

A batch of sparse features holds mostly samples with nothing or one thing active, whose contribution has a closed form. The stratified estimator
(`tegum.toys.estimators`) takes those exactly and samples the rest with weights. Here is its noise beside that of the plain batch, at initial and at
trained weights, and how many steps either needs to the same loss. Which one to use also depends on what a step costs: that is timed here, once,
and drawn; but it is a matter of the machine and of what else it does, so no claim rests on it (a quiet race: `python -m bench estimators`).

Two thresholds were chosen after looking at a first table: that a factor of 2 is what counts as worth having where np <= 1 (it came to about 3 at
least), and that 25% is nothing where np >= 10 (it came to 7%).
"""

from collections.abc import Iterable

import numpy as np
import torch
from pydantic import PositiveInt
from torch import Tensor

from tegum import draws, figures, theory
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments.toys._gradient_noise import Draws, gradient_noise, worst_deviation
from tegum.experiments.toys._training import Density, Training
from tegum.features import Distribution
from tegum.features.bernoulli import Bernoulli
from tegum.toys.estimators import ESTIMATORS, at_most_one_active, strata
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import train

WEIGHTS = ("initial", "trained")
FEW, MANY = 1.0, 10.0  # active features on average, up to which and from which the claims speak
LISTED = 6  # features whose gradient is compared with the exact one
BETTER = ("sampled, over 2 times", "sampled", "stratified", "stratified, over 2 times", "stratified, over 10 times")
EVALUATED = 2048  # samples on which a course of training is measured, by strata: the rest is exact


class Estimators(Experiment):
    """Noise and steps, 'sampled' against 'stratified'."""

    id = "T1"
    version = 3
    title = "Two gradient estimators: how much noise a closed form takes away, and when"
    source = (
        "Elhage et al. 2022, 'Mathematical understanding' (the one-active loss); Owen, 'Monte Carlo theory, methods and examples', ch. 9"
    )

    class Params(Training):
        """Densities; how many features in how many dims; samples for the noise of the smallest network; moments of training that are kept.

        A network of k times as many features gets 1/k of the samples: as many numbers.
        """

        density: tuple[Density, ...] = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
        n_features: tuple[PositiveInt, ...] = (5, 20, 100, 400)
        n_hidden: tuple[PositiveInt, ...] = (2, 5, 20, 30)
        samples: PositiveInt = 1 << 21
        moments: PositiveInt = 16
        seeds: PositiveInt = 4

    presets = {
        "quick": Params(steps=300, batch_size=256, lr=0.005, samples=1 << 18, moments=6),
        "paper": Params(),
    }

    def cells(self, params: Params) -> list[Cell]:
        """One a number of features and density, the largest first."""
        if len(params.n_features) != len(params.n_hidden) or len(set(params.n_features)) != len(params.n_features):
            raise ValueError(
                f"n_features is {params.n_features} and n_hidden {params.n_hidden}: give different numbers of features, and a number of dims for each"
            )
        sizes = sorted(zip(params.n_features, params.n_hidden, strict=True), reverse=True)
        return [Cell(n_features=n, n_hidden=m, density=p) for n, m in sizes for p in dict.fromkeys(params.density)]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train the same networks by either estimator; the noise of both at the first network's weights, before and after."""
        features = Bernoulli(n_features=cell.n_features, density=cell.density)
        model = ReLUOutput(n_features=cell.n_features, n_hidden=cell.n_hidden)
        for name in ESTIMATORS:  # so that kernels are compiled before either is timed
            train(model, features, estimator=name, **params.model_copy(update={"steps": 1}).training())
        runs = [
            train(model, features, instances=params.seeds, estimator=name, record=params.moments, **params.training())
            for name in ESTIMATORS
        ]
        course = runs[1].history
        steps, deviation, samples = course.steps.numpy(), float("nan"), samples_of(params, cell.n_features)
        noise = []
        for at in (0, -1):
            W, b = course.W[at, 0], course.b[at, 0]
            noise.append([gradient_noise(W, b, features, Draws(samples, params.seed + 1, name == ESTIMATORS[1])) for name in ESTIMATORS])
        if cell.n_features <= LISTED:
            W, b = (value[-1, 0].double().clone().requires_grad_() for value in (course.W, course.b))
            exact = torch.autograd.grad(theory.expected_loss(W, b, features), (W, b))
            draws = Draws(samples, params.seed + 2, stratified=True)
            deviation = worst_deviation(W.detach(), b.detach(), torch.cat([g.flatten() for g in exact]), features, draws)
        losses = np.stack([_losses(run.history.W, run.history.b, features) for run in runs])
        return Row(
            mean_active=features.mean_active(),
            proposal_active=strata(features).proposal.mean_active(),
            variance=np.array([[one.variance for one in pair] for pair in noise]),
            error=np.array([[one.error for one in pair] for pair in noise]),
            excess=np.array([stratified.excess for _, stratified in noise]),
            deviation=deviation,
            steps=steps,
            losses=losses,
            speed_up=np.array([speed_up(steps, *losses[:, :, i]) for i in range(params.seeds)]),
            seconds=np.array([run.seconds for run in runs]) / (params.steps * params.seeds),
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Unbiased; far less noise where few features are active, none to gain where many are; fewer steps."""
        listed = [row for row in rows if row.n_features <= LISTED]
        if listed:
            yield Claim(
                f"the stratified gradient is on average the exact one (up to {LISTED} features): largest deviation in standard errors",
                max(row.deviation for row in listed), expected=(None, 5.5),
                reason=f"{len(listed)} comparisons of 64 batches, over every weight and bias: |t| of 63 degrees of freedom passes 5.5 once in 10^6",
            )  # fmt: skip
        few, many = [row for row in rows if row.mean_active <= FEW], [row for row in rows if row.mean_active >= MANY]
        if few:
            gain, interval, where = min(_gain(row, 1) for row in few)
            yield Claim(
                f"where at most one feature is active on average, it has at most half the variance at trained weights: least ratio ({where})",
                gain, interval=interval, expected=(2, None), reason="the delta method on the two variances, 95%",
            )  # fmt: skip
        if many:
            gain, interval, where = max((_gain(row, at) for row in many for at in (0, 1)), key=lambda found: abs(np.log(found[0])))
            yield Claim(
                f"where ten or more are, neither has less noise to speak of: the ratio of variances that is farthest from 1 ({where})", gain,
                interval=interval, expected=(0.8, 1.25),
                reason="the delta method on the two variances, 95%; a quarter less noise is not worth another estimator",
            )  # fmt: skip
        yield from _cube_law(rows)
        excess = max((float(row.excess[at]), _place(row)) for row in rows for at in (0, 1))
        yield Claim(
            f"the tilt that is used has nearly the least variance of all tilts: largest ratio to the least on a grid ({excess[1]})", excess[0],
            expected=(None, 1.1),
            reason="the same samples weighed for each tilt, so their noise is common to both; 10% of the variance is 10% of the batch",
        )  # fmt: skip
        rare = min((row for row in rows if row.n_features >= 20), key=lambda row: row.mean_active, default=None)
        if rare is not None and rare.mean_active <= 0.1:
            gain, interval = _mean_speed_up(rare.speed_up)
            yield Claim(
                f"with the same batch it takes less than half the steps to the loss at which sampling ends ({_place(rare)}): steps by one over the "
                "other", gain, interval=interval, expected=(2, None),
                reason=f"geometric mean over {len(rare.speed_up)} pairs of networks that start alike, Student's 95% interval",
            )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """Where the noise is less, against what, and the loss along training."""
        densities, sizes = sorted(set(rows.values("density"))), sorted(set(rows.values("n_features")))
        maps = np.array([[[_gain(rows.at(n_features=n, density=p), at)[0] for p in densities] for n in sizes] for at in (0, 1)])
        fine = np.geomspace(min(densities), max(densities), 50)
        lines = {f"np = {k:g}": (fine, k / fine) for k in (FEW, MANY)}
        inside = {name: (y >= 0.5 * min(sizes)) & (y <= 2 * max(sizes)) for name, (_, y) in lines.items()}
        counts = " to ".join(f"{samples_of(rows.params, n):,}" for n in dict.fromkeys((sizes[-1], sizes[0])))
        measured = f"measured with {counts} samples of either"
        initial, later = np.minimum(np.log10(maps), 3)
        yield figures.phase_diagram(
            initial, later, densities, sizes, difference=False, titles=[f"{name} weights" for name in WEIGHTS],
            x_title="density p", y_title="features n", value_title="log10 of the ratio (3: a thousand and more)",
            curves={name: (x[inside[name]], y[inside[name]]) for name, (x, y) in lines.items() if inside[name].any()},
            caption=f"Variance of the plain batch's gradient over that of the stratified one, {measured}, at the weights before and after "
            f"training ({rows.params.how()}). By noise alone the strata win where fewer than about two features are active at once; what a step of "
            "either costs is the machine's (bench/results).",
        )  # fmt: skip
        noise_time, time_to_loss = (
            np.array([[better(by(rows.at(n_features=n, density=p))) for p in densities] for n in sizes])
            for by in (noise_by_time, time_saved)
        )
        yield figures.phase_diagram(
            noise_time, time_to_loss, densities, sizes, difference=False, categories=BETTER,
            titles=["least noise for the time", "least time to the same loss"], x_title="density p", y_title="features n",
            curves={name: (x[inside[name]], y[inside[name]]) for name, (x, y) in lines.items() if inside[name].any()},
            caption=f"Which estimator to use, and by how much it is the better one. Left: variance of the gradient at trained weights times the "
            f"seconds of a step. Right: seconds to the worse of the two last losses, mean of {rows.params.seeds} pairs of networks "
            f"({rows.params.how()}). Seconds are those of these trainings on the machine that ran them, whatever else it did.",
        )  # fmt: skip
        yield figures.lines(
            {
                "active": rows.values("mean_active"),
                "ratio": [_gain(row, 1)[0] for row in rows],
                "n": rows.values("n_features"),
            },
            "active", "ratio", "n", colour_title="n =", log_x=True, log_y=True, x_title="features active on average, np",
            y_title="variance, sampled / stratified", levels={"nothing gained": 1.0},
            caption=f"The same ratio at trained weights against how many features are active on average, {measured}. As they get rare it grows as "
            "(np)⁻³: of the plain batch's noise a share np comes from samples with one feature, all of which is gone, and six in ten of the "
            "samples drawn have two or more.",
        )  # fmt: skip
        shown = int(min(sizes, key=lambda n: abs(np.log(n / 20))))
        found = sorted(rows.where(n_features=shown), key=lambda row: row.density)
        table = [
            {"step": max(int(step), 1), "loss": float(loss) / row.density, "which": f"p = {row.density:g}, {name}"}
            for row in found[:: -(-len(found) // 3)]
            for name, losses in zip(ESTIMATORS, row.losses, strict=True)
            for step, loss in zip(row.steps, losses.mean(1), strict=True)
        ]
        yield figures.lines(
            table, "step", "loss", "which", colour_title="", log_x=True, log_y=True, x_title="step", y_title="expected loss / p",
            caption=f"{shown} features: expected loss (at most one active exactly, more on {EVALUATED:,} weighted samples) along training, mean of "
            f"{rows.params.seeds} networks that start alike ({rows.params.how()}).",
        )  # fmt: skip


def samples_of(params: Estimators.Params, n_features: int) -> int:
    """With how many samples the noise of a network is measured."""
    return max(64, params.samples * min(params.n_features) // n_features)


def noise_by_time(row: Row) -> float:
    """Variance times seconds of 'sampled' over that of 'stratified', at trained weights."""
    sampled, stratified = row.variance[1] * row.seconds
    return float(sampled / stratified)


def time_saved(row: Row) -> float:
    """Seconds of 'sampled' over those of 'stratified' to the same loss."""
    return _mean_speed_up(row.speed_up)[0] * float(row.seconds[0] / row.seconds[1])


def better(ratio: float) -> int:
    """The place in `BETTER` of a cost of 'sampled' over one of 'stratified'."""
    return int(np.searchsorted((0.5, 1, 2, 10), ratio))


def speed_up(steps: np.ndarray, sampled: np.ndarray, stratified: np.ndarray) -> float:
    """Steps of 'sampled' over those of 'stratified' to the worse of their two last losses, on straight lines between moments in log-log."""
    target = max(sampled[-1], stratified[-1])

    def reaches(losses: np.ndarray) -> float:
        first = int(np.argmax(losses <= target))
        if first == 0 or steps[first - 1] == 0:
            return float(max(steps[first], 1))
        ends = np.log(losses[[first - 1, first]])
        share = (ends[0] - np.log(target)) / (ends[0] - ends[1])
        return float(np.exp(np.log(steps[first - 1]) * (1 - share) + np.log(steps[first]) * share))

    return reaches(sampled) / reaches(stratified)


def _losses(W: Tensor, b: Tensor, features: Distribution) -> np.ndarray:
    """The expected loss of every network at every moment (times, networks), the part of two or more active on one weighted set for all."""
    split = strata(features)
    drawn = split.proposal.sample(EVALUATED, step=draws.EVALUATION_STEP, dtype=torch.float64)
    x, weight = drawn.dense(), split.weights[drawn.n_active]
    silent, found = torch.tensor(split.silent, dtype=torch.float64), torch.empty(W.shape[:2], dtype=torch.float64)
    for place in np.ndindex(*found.shape):
        Wi, bi = W[place].double(), b[place].double()
        each = (x - (x @ Wi @ Wi.T + bi).relu()).square().mean(1)
        exact = at_most_one_active(Wi, bi, torch.ones_like(bi), silent, split.alone, values=features.values, model="relu")
        found[place] = (weight * each).mean() + exact
    return found.numpy()


def _gain(row: Row, at: int) -> tuple[float, tuple[float, float], str]:
    """The ratio of variances at the weights `at`, its 95% interval, and where."""
    sampled, stratified = row.variance[at]
    spread = 1.96 * float(np.hypot(*(row.error[at] / row.variance[at])))
    ratio = float(sampled / stratified)
    return ratio, (ratio * np.exp(-spread), ratio * np.exp(spread)), _place(row)


def _cube_law(rows: Rows) -> Iterable[Claim]:
    """The exponent with which the ratio grows, from the two rarest densities of the fewest features."""
    least = sorted((row for row in rows if row.n_features == min(rows.values("n_features"))), key=lambda row: row.density)[:2]
    if len(least) < 2 or least[1].mean_active > 0.05:
        return
    (rarer, _, _), (rare, _, _) = (_gain(row, 0) for row in least)
    apart = float(np.log(least[1].density / least[0].density))
    errors = np.concatenate([row.error[0] / row.variance[0] for row in least])
    half = 1.96 * float(np.sqrt((errors**2).sum())) / apart
    slope = float(np.log(rarer / rare)) / apart
    yield Claim(
        f"as features get rare the ratio grows as p^-3 (initial weights, n = {least[0].n_features}, p = {least[1].density:g} to "
        f"{least[0].density:g}): exponent", -slope, interval=(-slope - half, -slope + half), expected=-3, tolerance=0.25,
        reason="one active feature in a sample has a chance ~ np, and its noise is gone; pairs have a chance ~ (np)^2, and drawn in a quarter of "
        "the samples their weighted square is ~ (np)^4. What is left out is of order np <= .05; .25 tells it from -2 and -4; the 95% interval is "
        "the delta method's",
    )  # fmt: skip


def _mean_speed_up(ratios: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Geometric mean and Student's 95% interval; the interval of one pair is everything."""
    from scipy.special import stdtrit

    logs = np.log(ratios)
    if len(logs) < 2:
        return float(ratios[0]), (0.0, float("inf"))
    half = float(stdtrit(len(logs) - 1, 0.975)) * logs.std(ddof=1) / len(logs) ** 0.5
    return float(np.exp(logs.mean())), (float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half)))


def _place(row: Row) -> str:
    return f"n = {row.n_features}, p = {row.density:g}"
