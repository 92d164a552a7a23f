"""Features jump between dimensionalities as a network learns, and the loss drops when they do.

The 'energy level jumps' of *Toy Models of Superposition*: equally important, equally sparse features, in a network that ends with every feature it
keeps in an antipodal pair (a digon, D_i = 1/2). The dimensionality D_i of a feature stays on plateaus and then jumps, often while others change
places with it, and 'as this happens, the loss curve also undergoes a sudden drop'.

Dates are made by rule, and the rules were settled before any meeting of jumps and drops was counted. A run is recorded at equally spaced moments;
a *reach* is a fortieth of it, some 250 steps at lr 1e-3, in which AdamW can turn a direction by about a right angle.

- A *jump* of a feature: D_i changes by .1 or more (the gap between the digon's 1/2 and the pentagon's 2/5) within a reach on either side, most of
  all at that moment, between two plateaus that are flat to half of it. Jumps of several features within a reach of each other are one.
- A *drop* of the loss: ln loss falls faster within a reach on either side than just before and just after, by 3 robust standard deviations.
- Only what comes after the first tenth of training counts: before, everything falls from its random start.

The loss is the mean over one set of samples common to all moments and runs, so its course has no sampling noise from one moment to the next. Chance
is what a run's jumps meet in the losses of other runs at the same moments.

Runs on another seed chose the sizes n = 20, m = 5, the density 1/3 and the length of training, after the rules were written: with n = 2m every
feature has its pair within the first tenth, and with sparser features the shapes they end in are many and near each other. Twelve of them, at the
quick preset, were put to the claims before these runs were made; nothing was changed after.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Self

import numpy as np
import torch
from pydantic import Field, PositiveInt, model_validator

from tegum import draws, figures
from tegum.experiments import Cell, Claim, Experiment, Row, Rows
from tegum.experiments._intervals import wilson
from tegum.experiments.toys._events import Meeting, across, drops, jumps, merged, near
from tegum.experiments.toys._training import Density, Training, quick
from tegum.features import Distribution
from tegum.features.bernoulli import Bernoulli
from tegum.shapes import Float
from tegum.toys import Run
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.train import train

JUMP = 0.1  # the gap between the digon's 1/2 and the pentagon's 2/5
DIGON = 0.05  # half of it
KEPT = 0.5  # |W_i| of a feature that is represented
EXCHANGES = 9_999


class LearningDynamics(Experiment):
    """Uniform features, D_i and the loss at equally spaced moments of many runs."""

    id = "A12"
    title = "Learning dynamics: features jump between dimensionalities, and the loss drops with them"
    version = 2
    source = "Elhage et al. 2022, 'Superposition and Learning Dynamics', phenomenon 1"

    class Params(Training):
        """Sizes, density, how many moments are recorded, and on how many samples the loss is measured at each."""

        seeds: Annotated[int, Field(ge=2)] = 100
        n_features: PositiveInt = 20
        n_hidden: PositiveInt = 5
        density: Density = 1 / 3
        moments: Annotated[int, Field(ge=80)] = 400
        samples: PositiveInt = 4_096

        @model_validator(mode="after")
        def _moments_are_steps(self) -> Self:
            if self.moments > self.steps:
                raise ValueError(f"{self.moments} moments of {self.steps} steps cannot be recorded")
            return self

        @property
        def reach(self) -> int:
            """Moments on either side of a date that belong to it."""
            return self.moments // 40

    presets = {"quick": Params(**quick(seeds=40, steps=4_000, lr=0.002, schedule="constant", samples=2_048)), "paper": Params()}

    def cells(self, params: Params) -> list[Cell]:
        """One: all runs train side by side."""
        return [Cell(density=params.density)]

    def run(self, cell: Cell, params: Params) -> Row:
        """Train and record; half precision keeps D_i and |W_i| to 5e-4."""
        features = Bernoulli(n_features=params.n_features, density=cell.density)
        steps = np.unique(np.linspace(0, params.steps, params.moments + 1).round().astype(np.int64))
        trained = train(
            ReLUOutput(n_features=params.n_features, n_hidden=params.n_hidden), features, instances=params.seeds, record=steps,
            **params.training(),
        )  # fmt: skip
        history = trained.history
        return Row(
            steps=history.steps,
            loss=_common_loss(trained, features, params).float(),
            levels=history.feature_dimensionality().half(),
            norms=history.W.norm(dim=-1).half(),
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """Jumps against drops, drops against jumps, and the loss that falls at jumps."""
        found, seed = Dated(rows[0], rows.params.reach), rows.params.seed
        runs = len(found.jumps)
        chance = f"with the losses of the other {runs - 1} runs in place of its own"
        boot = f"bootstrap of {EXCHANGES:,} draws of {runs} runs, 95%"
        share, interval = found.meeting.excess(EXCHANGES, seed)
        yield Claim(
            "a jump of D_i has a loss drop within its reach more often than by chance: share of jumps, less that by chance", share,
            interval=interval, expected=(0, None),
            reason=f"{found.meeting.share:.0%} of {int(found.meeting.total.sum())} jumps have one, {found.meeting.share - share:.0%} {chance}; "
            f"{boot}",
        )  # fmt: skip
        yield Claim(
            "the meeting of jumps and loss drops is no accident: p-value", found.meeting.p_value(EXCHANGES, seed), expected=(None, 0.05),
            reason=f"{EXCHANGES:,} random exchanges of the losses among {runs} runs, which keep what all runs have in common",
        )  # fmt: skip
        share, interval = found.converse.excess(EXCHANGES, seed)
        yield Claim(
            "a loss drop has a jump within its reach more often than by chance: share of drops, less that by chance", share,
            interval=interval, expected=(0, None),
            reason=f"{found.converse.share:.0%} of {int(found.converse.total.sum())} drops have one, {found.converse.share - share:.0%} by chance; "
            f"{boot}",
        )  # fmt: skip
        factor, interval = found.falls.factor(EXCHANGES, seed)
        yield Claim(
            "within reach of a jump ln loss falls faster than that of other runs does at the same steps: ratio of the two falls", factor,
            interval=interval, expected=(1, None), reason=boot,
        )  # fmt: skip
        ends = found.paired_at_the_end(rows[0])
        share, interval = wilson(ends.sum(), len(ends))
        yield Claim(
            f"most runs end with every feature they keep in an antipodal pair, D_i within {DIGON:g} of 1/2: share of runs", share,
            interval=interval, expected=(0.5, None),
            reason=f"Wilson 95% interval over {runs} runs; {DIGON:g} is half of what parts 1/2 from the pentagon's 2/5, and |W_i| > {KEPT:g} is kept",
        )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """One run's course and its animation; the loss about a jump; the share by chance."""
        row, params = rows[0], rows.params
        found = Dated(row, params.reach)
        one = found.most_jumps()
        upto = slice(found.last(one) + 4 * params.reach)
        kept = row.norms[-1, one] > KEPT
        order = np.argsort(~kept, kind="stable")
        levels, norms = (trace[upto, one][:, order].astype(np.float32) for trace in (row.levels, row.norms))
        steps, loss, ends = row.steps[upto], row.loss[upto, one], np.where(kept, "kept at the end", "dropped")[order]
        what = f"{params.n_features} equal features in {params.n_hidden} dims at density {params.density:.2g}"
        which = f"of {params.seeds} runs ({params.how()}) the one with the most jumps, up to where nothing jumps any more"
        polytopes = {"1/2 digon": 1 / 2, "2/5 pentagon": 2 / 5}
        jumped, dropped = row.steps[found.jumps[one]], row.steps[found.drops[one]]
        yield figures.over_training(
            steps, loss, {name: levels[:, ends == name] for name in ("kept at the end", "dropped")}, dates=jumped, drops=dropped, levels=polytopes,
            y_title="dimensionality D<sub>i</sub>",
            caption=f"{what}, {which}: the loss, and the dimensionality of each feature. Grey lines are jumps, triangles loss drops, both after "
            f"the first tenth of training and by the rules above. The loss is the mean over {params.samples:,} common samples.",
        )  # fmt: skip
        yield figures.moving_points(
            norms, levels, steps, loss, ends, x_title="norm |W<sub>i</sub>|", y_title="dimensionality D<sub>i</sub>", levels=polytopes, dates=jumped,
            caption=f"{what}, the same run over training: each mark is a feature. Those that are kept come to norm 1 and half a dim, the others "
            "fade. Grey lines are jumps. Press play, or move the slider.",
        )  # fmt: skip
        yield from self._about_a_jump(rows, found, what)
        chance = found.meeting.shuffled(EXCHANGES, params.seed)
        if total := int(found.meeting.total.sum()):
            edges = (np.arange(total + 2) - 0.5) / total  # one bin for each share that there can be
            yield figures.histogram(
                edges, np.histogram(chance, edges)[0], x_title="share of jumps with a loss drop within reach",
                marks={"own losses": found.meeting.share},
                caption=f"{what}: how many of the {total} jumps of {params.seeds} runs have a loss drop within their reach "
                f"when the losses are exchanged among the runs at random ({EXCHANGES:,} times), and with their own losses.",
            )  # fmt: skip

    def _about_a_jump(self, rows: Rows, found: "Dated", what: str) -> Iterable["figures.Figure"]:
        """The mean rate of fall of ln loss before, at and after a jump."""
        row, reach, seed = rows[0], rows.params.reach, rows.params.seed
        lags = np.arange(-3 * reach, 3 * reach + 1, max(1, reach // 2))
        between = float(row.steps[1] - row.steps[0])
        table: dict[str, list] = {"lag": [], "fall": [], "low": [], "high": [], "whose": []}
        for whose in ("its own run", "other runs"):
            for lag in lags:
                fall, (low, high) = found.fall_at(int(lag), own=whose == "its own run", times=999, seed=seed)
                for name, value in zip(table, (lag * between, *(1000 * v / between for v in (fall, low, high)), whose), strict=True):
                    table[name].append(value)
        if np.isfinite(table["fall"]).any():
            yield figures.lines(
                table, "lag", "fall", "whose", error=("low", "high"), colour_title="", x_title="steps from the jump",
                y_title="fall of ln loss in 1,000 steps",
                caption=f"{what}: how fast the loss falls before, at and after the jumps of {rows.params.seeds} runs, in the run that jumps and in "
                "the other runs at the same steps; bars are 95% intervals of a bootstrap over runs.",
            )  # fmt: skip


class Dated:
    """A row's dates: the moments of each run's jumps and drops after the first tenth, and what meets what."""

    def __init__(self, row: Row, reach: int) -> None:
        self.reach = reach
        self.loss = row.loss.astype(np.float64)
        times, runs = self.loss.shape
        counted = np.zeros(times, dtype=bool)
        counted[4 * reach : times - 3 * reach] = True
        levels = row.levels.astype(np.float64)
        sizes, jumped = np.abs(across(levels, reach)), jumps(levels, reach, JUMP) & counted[:, None, None]
        self.jumps = [merged(jumped[:, i], sizes[:, i], reach) for i in range(runs)]
        self.drops = [np.flatnonzero(each).tolist() for each in (drops(self.loss, reach) & counted[:, None]).T]

    @cached_property
    def meeting(self) -> Meeting:
        """Jumps with a drop within reach."""
        return self._meeting(self.jumps, self.drops)

    @cached_property
    def converse(self) -> Meeting:
        """Drops with a jump within reach."""
        return self._meeting(self.drops, self.jumps)

    @cached_property
    def falls(self) -> Meeting:
        """The fall of ln loss within reach of a run's jumps."""
        fall = -np.diff(np.log(self.loss), axis=0, append=np.log(self.loss[-1:]))
        windows = np.array([near(moments, len(fall), self.reach) for moments in self.jumps])
        return Meeting(windows @ fall, np.ones(len(windows)))

    def fall_at(self, lag: int, *, own: bool, times: int, seed: int) -> tuple[float, tuple[float, float]]:
        """Mean fall of ln loss from one moment to the next, `lag` moments after a jump, in its own run or in the others, with its interval."""
        fall = -np.gradient(np.log(self.loss), axis=0)
        runs = len(self.jumps)
        total = np.array([fall[np.array(moments, dtype=int) + lag].sum(0) if moments else np.zeros(runs) for moments in self.jumps])
        counts = np.array([len(moments) for moments in self.jumps], dtype=float)
        each = np.diagonal(total) if own else Meeting(total, counts).by_chance
        return Meeting(np.diag(each), counts).mean(times, seed)

    def most_jumps(self) -> int:
        """The run with the most jumps; of several the one that ends lowest."""
        return min(range(len(self.jumps)), key=lambda i: (-len(self.jumps[i]), self.loss[-1, i]))

    def last(self, run: int) -> int:
        """The moment of a run's last jump or drop; that of the last that counts where it has none."""
        return max(self.jumps[run] + self.drops[run], default=len(self.loss) - 3 * self.reach)

    def paired_at_the_end(self, row: Row) -> np.ndarray:
        """Runs whose kept features all have half a dim."""
        kept = row.norms[-1] > KEPT
        return (~kept | (np.abs(row.levels[-1].astype(np.float32) - 0.5) < DIGON)).all(1) & kept.any(1)

    def _meeting(self, events: list[list[int]], others: list[list[int]]) -> Meeting:
        close = np.array([near(moments, len(self.loss), self.reach) for moments in others])
        found = np.array([close[:, np.array(moments, dtype=int)].sum(1) for moments in events], dtype=float)
        return Meeting(found, np.array([len(moments) for moments in events], dtype=float))


def _common_loss(trained: Run, features: Distribution, params: LearningDynamics.Params) -> Float[torch.Tensor, "times runs"]:
    """The loss at every moment of every run, on samples that no training has drawn."""
    x = features.sample(params.samples, seed=params.seed, step=draws.EVALUATION_STEP).dense()
    W, b = trained.history.W, trained.history.b
    found = torch.empty(W.shape[:2])
    for i in range(W.shape[1]):
        for some in torch.arange(len(W)).split(32):
            w = W[some, i]
            output = torch.baddbmm(b[some, i, None], (x @ w), w.mT).relu_()
            found[some, i] = output.sub_(x).square_().mean((1, 2))
    return found
