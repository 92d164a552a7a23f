"""The stratified gradient against the sampled one: noise times time, over how many features there are and how often each is on.

Half the variance is worth half the batch, so what decides is the variance of a step's gradient times the seconds of a step. Both train the same
networks on the same engine, the one that `engine="auto"` picks; the variances are those of T1 (`tegum run estimators`), at weights after a short
training. The peer here is tegum itself: the plain batch is what the notebook of Elhage et al. 2022 does.
"""

import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import tegum
from bench.interleave import RESULTS, Result, Side, interleave
from bench.limits import gemm_seconds
from tegum.experiments.toys._gradient_noise import Draws, gradient_noise
from tegum.features import Distribution
from tegum.features.bernoulli import Bernoulli
from tegum.toys.engines import Plan
from tegum.toys.estimators import ESTIMATORS
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import _engine

SIZES = {(5, 2): 1000, (20, 5): 400, (100, 20): 60, (400, 30): 12}  # (features, dims): steps that are timed
DENSITIES = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
INSTANCES, BATCH, TRAINED, SAMPLES, ROUNDS = 2, 1024, 300, 1 << 21, 5


@dataclass(frozen=True)
class Point:
    """One number of features at one density: the race, its steps, and the variance of one sample's gradient for either estimator."""

    n_features: int
    density: float
    steps: int
    race: Result  # stratified first
    variances: tuple[float, float]  # sampled, stratified

    @property
    def gain(self) -> float:
        """(variance x seconds) of sampled over that of stratified: above 1 the strata pay."""
        stratified, sampled = self.race.medians
        return self.variances[0] * sampled / (self.variances[1] * stratified)

    def __str__(self) -> str:
        stratified, sampled = (seconds / self.steps * 1e6 for seconds in self.race.medians)
        less = self.variances[0] / self.variances[1]
        return f"  {self.n_features:5} {self.density:7g} {sampled:12.1f} {stratified:12.1f} {less:14.4g} {self.gain:14.4g}"


@dataclass(frozen=True)
class Table:
    """All points, printed as one table and saved as one file."""

    points: tuple[Point, ...]

    def __str__(self) -> str:
        head = f"estimators: {INSTANCES} instances, batch {BATCH:,}, ReLU output, float32; times in us a step, median of {ROUNDS} rounds"
        names = f"  {'n':>5} {'p':>7} {'sampled':>12} {'stratified':>12} {'less variance':>14} {'and by time':>14}"
        return "\n".join([head, names, *map(str, self.points)])

    def save(self, folder: Path = RESULTS) -> Path:
        """Write `<date>-estimators.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-estimators.json"
        lines = [asdict(point) | {"median_seconds": point.race.medians, "gain": point.gain} for point in self.points]
        file.write_text(json.dumps({"name": "estimators", "points": lines}, indent=1) + "\n")
        return file


def contest() -> Table:
    """Every size at every density."""
    return Table(tuple(point(n, m, p, steps) for (n, m), steps in SIZES.items() for p in DENSITIES))


def point(n: int, m: int, density: float, steps: int) -> Point:
    """One race, and the noise at what `TRAINED` steps give."""
    features, model = Bernoulli(n_features=n, density=density), ReLUOutput(n_features=n, n_hidden=m)
    products = 6 * 2 * INSTANCES * BATCH * n * m * steps
    sides = [Side(f"tegum, {name}", timed(model, features, name, steps)) for name in ESTIMATORS]
    work = f"{steps} steps, {INSTANCES} instances of n={n} m={m}, batch {BATCH}, density {density:g}, float32"
    limit = "the six matrix products of a dense batch, at the rate of a large one", gemm_seconds(products)
    race = interleave("estimators", work, sides[1], sides[0], limit=limit, rounds=ROUNDS)
    run = tegum.train(model, features, steps=TRAINED, batch_size=256, lr=0.005, estimator=ESTIMATORS[1], progress=False)
    draws = [Draws(SAMPLES // n, 1, stratified=name == ESTIMATORS[1]) for name in ESTIMATORS]
    sampled, stratified = (gradient_noise(run.W[0], run.b[0], features, how).variance for how in draws)
    return Point(n, density, steps, race, (sampled, stratified))


def timed(model: ReLUOutput, features: Distribution, estimator: str, steps: int):
    """A call that trains, and does nothing else: `tegum.train` also measures the loss of what came out."""
    plan = Plan(
        model=model, features=(features,) * INSTANCES, importance=torch.ones(INSTANCES, model.n_features, dtype=torch.float64),
        seeds=torch.zeros(INSTANCES, dtype=torch.int64), instance_ids=torch.arange(INSTANCES), steps=steps, batch_size=BATCH, lr=1e-3,
        weight_decay=0.01, optimizer="adamw", schedule="constant", loss=SquaredError(), estimator=estimator, record=(),
        device=torch.device("cpu"), dtype=torch.float32,
    )  # fmt: skip
    engine = _engine("auto", plan)
    return lambda: engine.train(plan, lambda done: None)  # noqa: ARG005
