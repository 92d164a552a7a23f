"""Learning as geometry: two sets of three correlated features part, open into triangles, and turn until they are an octahedron.

The second phenomenon of 'Superposition and Learning Dynamics' in *Toy Models of Superposition*: n = 6 features in m = 3 dims, two sets of 3 that
are always on together. The paper shows one run in distinct regimes, each a simple geometric transformation visible in the loss, and says that
others reach the same end, an octahedron with features of different sets at opposite ends, by other ways.

A stage is dated at the first recorded step from which its criterion holds to the end. The criteria are of the six unit directions, and were settled
before the runs; each looks at something else, so that they can come in any order.

- *Split*: every feature lies on its own set's side, its cosine with the line between the two sets' means at least half of the octahedron's 1/sqrt(3).
- *Triangles*: within each set the three cosines are within .3 of each other, and their mean is 1/2 or less (60 degrees).
- *Antiprism*: every feature has one of the other set opposite it (cosine -.9 or less), all other cosines are within .25 of 0 (15 degrees), and all
  six norms exceed 1/2. The octahedron is the triangular antiprism of this height.

A pilot of 24 runs on another seed chose the density (at .2 and more other shapes have less loss) and the length of training, for the turn of the
triangles is slow; that norms count for the antiprism was added after it, where a run had the directions but one feature near 0. Sixteen more, at
the quick preset, were put to the claims before these runs were made; nothing was changed after.
"""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, NonNegativeInt

from tegum import figures, theory
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.toys._events import Meeting
from tegum.experiments.toys._training import Density, Training, quick
from tegum.features.correlated import Correlated
from tegum.shapes import Bool, Float, Int
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import train

N, M, SET = 6, 3, 3
STAGES = ("split", "triangles", "antiprism")
SIDE = 0.5 / 3**0.5
ALIKE, OPEN = 0.3, 0.5
OPPOSED, SQUARE = -0.9, 0.25
KEPT = 0.5
ABOUT = 1.25  # a date's surroundings: from a 1.25th of it to 1.25 times
RESAMPLES = 9_999
TURN = (
    "the loss falls while the triangles open, and hardly as they turn: when the antiprism is dated, within 15 degrees of the octahedron, ln loss has "
    "come 99% of its way, and other runs, many still opening theirs, fall faster. The last regime is a plateau of the loss, not a drop"
)


class LearningGeometry(Experiment):
    """Two sets of three correlated features in three dims, at log-spaced moments of many runs."""

    id = "A13"
    title = "Learning as geometry: split, triangles, antiprism"
    version = 2
    source = "Elhage et al. 2022, 'Superposition and Learning Dynamics', phenomenon 2"

    class Params(Training):
        """Chance that a set is on, how many moments are recorded, random starts of the search for the least exact loss.

        The search also starts from the octahedron.
        """

        seeds: Annotated[int, Field(ge=2)] = 200
        steps: Annotated[int, Field(ge=1)] = 30_000
        density: Density = 0.05
        moments: Annotated[int, Field(ge=10)] = 300
        starts: NonNegativeInt = 12

    presets = {"quick": Params(**quick(seeds=60, steps=6_000, lr=0.005, schedule="constant", starts=0)), "paper": Params()}

    def cells(self, params: Params) -> list[Cell]:
        """One: all runs train side by side."""
        return [Cell(density=params.density)]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train, record, and measure the exact loss at every recorded moment; half precision keeps W to 5e-4."""
        features = Correlated(n_features=N, n_sets=2, density=cell.density)
        trained = train(
            ReLUOutput(n_features=N, n_hidden=M), features, instances=params.seeds, record=params.moments, **params.training()
        )  # fmt: skip
        history = trained.history
        loss = [theory.expected_loss(W, b, features) for W, b in zip(history.W, history.b, strict=True)]
        optimum = theory.optimal_loss(features, M, starts=params.starts, seed=params.seed, initial=[_octahedron()])
        return Row(
            steps=history.steps,
            loss=torch.stack(loss).float(),
            W=history.W.half(),
            ends=trained.loss,
            optimum=optimum.loss,
            optimum_W=optimum.W,
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Where runs end, in which order they get there, and whether the loss shows it."""
        row = rows[0]
        dated = dates(row.steps, row.W)
        runs, ends = len(dated), dated[:, 2] >= 0
        over = f"Wilson 95% interval over {{}} runs ({rows.params.how()})"
        if rows.params.starts:  # a search from the octahedron alone would find nothing else
            yield Claim(
                "the least exact loss over all W and b is an antiprism's", bool(holds(row.optimum_W)[2]), expected=True,
                reason=f"the best local minimum by BFGS on the closed form, from the octahedron and {rows.params.starts} random starts",
            )  # fmt: skip
        share, interval = wilson(ends.sum(), runs)
        lacking = int((np.linalg.norm(row.W[-1, ~ends].astype(np.float64), axis=-1) <= KEPT).any(-1).sum())
        yield Claim(
            "most runs end in the antiprism: share of runs", share, interval=interval, expected=(0.5, None),
            reason=f"{over.format(runs)}; of the {runs - ends.sum()} others {lacking} lack a feature",
        )  # fmt: skip
        if ends.any():
            ordered = in_order(dated[ends])
            share, interval = wilson(ordered.sum(), len(ordered))
            yield Claim(
                "of the runs that end in the antiprism most come to it through split, then triangles, each dated after the one before: share",
                share, interval=interval, expected=(0.5, None), reason=over.format(len(ordered)),
            )  # fmt: skip
        for stage, name in enumerate(STAGES):
            factor, interval = _falls(row.steps, row.loss, dated[:, stage]).factor(RESAMPLES, rows.params.seed)
            known = "holds" if name != "antiprism" else "undecided" if rows.params == self.presets["quick"] else "refuted"
            yield Claim(
                f"the loss shows the stage '{name}': fall of ln loss about its date over that of other runs at the same steps", factor,
                interval=interval, expected=(1, None),
                reason=f"from a {ABOUT}th of the date to {ABOUT} times; {(dated[:, stage] > 0).sum()} runs, bootstrap over runs, 95%",
                on_record=known, record_reason=TURN if name == "antiprism" else "",
            )  # fmt: skip
        yield Claim(
            "no run ends lower than the octahedron's exact minimum, and the best within 2% of it: ratio", row.ends.min() / row.optimum,
            expected=(1, 1.02), tolerance=1e-6,
            reason="every run is a search for a better shape from a random start; 2% is for training on samples at a constant rate; 1e-6 for where "
            "BFGS stops",
        )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """When runs reach each stage; one run's course, its animation and its four shapes."""
        row, params = rows[0], rows.params
        steps, dated = row.steps, dates(row.steps, row.W)
        what = f"Two sets of three correlated features in {M} dims, each set on with probability {params.density:g}"
        runs = f"{params.seeds} runs ({params.how()})"
        at = np.unique(np.geomspace(1, steps[-1], 40).round())
        reached = [((dated[:, stage] >= 0) & (dated[:, stage] <= step)).mean() for stage in range(3) for step in at]
        names = [f"{number} {name}" for number, name in enumerate(STAGES, 1)]
        yield figures.lines(
            {"step": np.tile(at, 3), "share": reached, "stage": np.repeat(names, len(at))},
            "step", "share", "stage", colour_title="", log_x=True, y_title="share of runs that have reached it",
            caption=f"{what}: when each stage is reached for good, over {runs}.",
        )  # fmt: skip
        one = shown(dated)
        W, loss = row.W[:, one].astype(np.float32), row.loss[:, one]
        marks = {name: int(date) for name, date in zip(STAGES, dated[one], strict=True) if date > 0}
        in_time = bool(in_order(dated[one]))
        passed = (
            "the one that passes the stages in order with the median date of the last" if in_time else "one, for none passes them in order"
        )
        which = f"{what}: of {runs} {passed}"
        side, range_, worst, _ = measures(W)
        yield figures.over_training(
            steps, loss,
            {
                "split: least cosine with own side × √3": side * 3**0.5,
                "triangles: 1 − range of cosines within a set": 1 - range_,
                "antiprism: −largest cosine with a partner": -worst,
            },
            marks=marks, log_x=True, y_title="1 is the octahedron",
            caption=f"{which}. Above, the exact expected loss; beneath, what the criteria look at, 1 in the octahedron; the last is -1 where two "
            "features have the same partner. Dotted lines are the dates of the stages.",
        )  # fmt: skip
        views, sets = _views(W), ["first set"] * SET + ["second set"] * SET
        yield figures.moving_directions(
            views, steps, loss, sets, ["along the line between the sets", "from the side"], marks=marks, log_x=True,
            caption=f"{which}, over training: the six directions in two projections, which the last step settles. The triangles of the two sets turn "
            "into an antiprism, seen as a hexagon in the first. Press play, or move the slider.",
        )  # fmt: skip
        moments = [0, *(int(np.searchsorted(steps, date)) for date in marks.values())]
        names = [f"{name}, step {steps[k]:,}" for name, k in zip(("start", *marks), moments, strict=True)]
        yield figures.grouped_directions(
            views[:, moments].reshape(-1, N, 2), sets, names + [""] * len(names), columns=len(moments),
            caption=f"{which}: its six directions at the start and at the date of each stage, along the line between the sets (above) and from the "
            "side (beneath).",
        )  # fmt: skip


def measures(
    W: Float[np.ndarray, "... features hidden"],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."], Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """What the criteria look at, of unit directions.

    The least cosine of a feature with its own side of the line between the two sets' means; the largest range of the cosines within a set; the
    largest cosine of a feature with its partner in the other set, 1 where two have the same partner; the largest magnitude of all other cosines.
    """
    U = _unit(W)
    first, second = U[..., :SET, :], U[..., SET:, :]
    line = _unit(first.mean(-2) - second.mean(-2))
    side = np.minimum((first @ line[..., None]).min((-2, -1)), -(second @ line[..., None]).max((-2, -1)))
    within = _within(U)
    between = first @ np.swapaxes(second, -1, -2)
    partner = between.argmin(-1)
    alone = (np.sort(partner, -1) == np.arange(SET)).all(-1)
    opposite = partner[..., None] == np.arange(SET)
    worst = np.where(alone, np.where(opposite, between, -1).max((-2, -1)), 1)
    rest = np.maximum(np.where(opposite, 0, np.abs(between)).max((-2, -1)), np.abs(within).max((-2, -1)))
    return side, np.ptp(within, axis=-1).max(-1), worst, rest


def holds(W: Float[np.ndarray, "... features hidden"]) -> Bool[np.ndarray, "... stages"]:
    """Which of `STAGES` the directions meet the criterion of."""
    side, range_, worst, rest = measures(W)
    opened = _within(_unit(W)).mean(-1).max(-1) <= OPEN
    there = (np.linalg.norm(W.astype(np.float64), axis=-1) > KEPT).all(-1)
    return np.stack([side >= SIDE, (range_ <= ALIKE) & opened, (worst <= OPPOSED) & (rest <= SQUARE) & there], -1)


def dates(steps: Int[np.ndarray, " times"], W: Float[np.ndarray, "times runs features hidden"]) -> Int[np.ndarray, "runs stages"]:
    """The first recorded step from which a stage's criterion holds to the end; -1 where it does not hold at the end."""
    lasting = np.logical_and.accumulate(holds(W)[::-1])[::-1]
    return np.where(lasting[-1], steps[lasting.argmax(0)], -1)


def in_order(dated: Int[np.ndarray, "... stages"]) -> Bool[np.ndarray, "..."]:
    """Whether every stage was reached after the one before, and the first after the start."""
    return (dated[..., 0] > 0) & (np.diff(dated, axis=-1) > 0).all(-1)


def shown(dated: Int[np.ndarray, "runs stages"]) -> int:
    """Of the runs that pass the stages in order the one with the median date of the last; run 0 where there is none."""
    ordered = np.flatnonzero(in_order(dated))
    return int(ordered[np.argsort(dated[ordered, 2], kind="stable")[len(ordered) // 2]]) if len(ordered) else 0


def _falls(steps: Int[np.ndarray, " times"], loss: Float[np.ndarray, "times runs"], dated: Int[np.ndarray, " runs"]) -> Meeting:
    """How far ln loss falls about each run's date, in each run."""
    at, course = np.log(np.maximum(steps, 0.5)), np.log(loss.astype(np.float64)).T
    found = np.zeros((len(dated), len(dated)))
    for run in np.flatnonzero(dated > 0):
        ends = np.log(dated[run]) + np.log(ABOUT) * np.array([-1, 1])
        found[run] = [-np.diff(np.interp(ends, at, one))[0] for one in course]
    return Meeting(found, (dated > 0).astype(float))


def _views(W: Float[np.ndarray, "times features hidden"]) -> Float[np.ndarray, "views times features plane"]:
    """Along the line between the sets' means at the last moment, and from the side, with the first feature to the right."""
    line = _unit(W[-1, :SET].mean(0) - W[-1, SET:].mean(0))
    right = _unit(W[-1, 0] - (W[-1, 0] @ line) * line)
    away = np.cross(line, right)
    return np.stack([W @ np.stack([right, away], -1), W @ np.stack([right, line], -1)])


def _within(U: Float[np.ndarray, "... features hidden"]) -> Float[np.ndarray, "... sets pairs"]:
    sets = U.reshape(*U.shape[:-2], 2, SET, U.shape[-1])
    return (sets @ np.swapaxes(sets, -1, -2))[..., *np.triu_indices(SET, 1)]


def _unit(W: Float[np.ndarray, "... hidden"]) -> Float[np.ndarray, "... hidden"]:
    W = W.astype(np.float64)
    return W / np.maximum(np.linalg.norm(W, axis=-1, keepdims=True), 1e-12)


def _octahedron() -> tuple[torch.Tensor, torch.Tensor]:
    """W with the two sets at opposite ends of the axes, and no bias."""
    axes = torch.eye(M, dtype=torch.float64)
    return torch.cat([axes, -axes]), torch.zeros(N, dtype=torch.float64)
