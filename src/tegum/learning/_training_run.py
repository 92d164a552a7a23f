"""TrainingRun: autoencoders in training on one stream of batches, from the first step or from where a folder says, to the last.

x is scaled so that its mean square is the number of dims; what comes back is in the units of the activations that went in. The rate rises by a line
over the first steps and falls by a line to 0 over the last ones; penalties grow as the rate rises.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from tegum import draws
from tegum.activations import Activations
from tegum.checks import check_count, check_number, check_probability, check_seed
from tegum.learning._listed_stepping import ListStepper, compiled_for
from tegum.learning._stepping import Stepper, Took, TorchStepper
from tegum.learning._training_folder import TrainingFolder
from tegum.learning.autoencoders._base import Autoencoder, Moment
from tegum.learning.measuring import measure
from tegum.learning.sparse_autoencoder import SparseAutoencoder
from tegum.progress import bar
from tegum.shapes import Float

ENGINES = "auto", "torch", "lists"
_LOOKED_AT = 1 << 16  # rows that the scale and the mean are taken from
_MOST_SILENT = 10_000_000  # samples: what long runs use (Gao et al. 2024)
_MARKS = 10  # looks at rows held out, and how many of these rows each takes
_MARK_ROWS = 4096
_MEMORY = 0.98  # of the mean L0 by which it is told how long a feature may be silent
_SHOWN = 0.2  # seconds between two looks at the bar
Report: TypeAlias = Mapping[str, int | float]
Listener: TypeAlias = Callable[[int, Report], object]


@dataclass(frozen=True)
class Plan:
    """What one call of `fit` asks for, but for the activations and the autoencoders. Raises ValueError for what is out of range."""

    samples: int
    batch_size: int
    lr: int | float | None
    seed: int
    held_out: int | float
    warm_up: int | float
    cool_down: int | float
    silent_after: int | None
    scale: bool
    engine: str
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_count("samples", self.samples)
        check_count("batch_size", self.batch_size)
        if self.lr is not None:
            check_number("lr", self.lr, zero=False)
        check_seed(self.seed)
        for name in ("held_out", "warm_up", "cool_down"):
            check_probability(name, getattr(self, name))
        if self.silent_after is not None:
            check_count("silent_after", self.silent_after)
        if self.engine not in ENGINES:
            raise ValueError(f"engine is {self.engine!r}; it must be one of {', '.join(ENGINES)}")

    @property
    def steps(self) -> int:
        """How many batches."""
        return max(1, self.samples // self.batch_size)

    def share(self, step: int) -> float:
        """Of the rate, at a step counted from 0."""
        rise, fall = self.warm_up * self.steps, self.cool_down * self.steps
        return min(1.0, (step + 1) / rise if rise else 1.0, (self.steps - step) / fall if fall else 1.0)

    def lr_of(self, one: Autoencoder, step: int) -> float:
        """The rate of an autoencoder at a step: 2e-4 sqrt(2^14 / n_features) if none is given, times its share."""
        return self.share(step) * (self.lr or 2e-4 * math.sqrt(2**14 / one.n_features))

    def ramp(self, step: int) -> float:
        """Of the penalties."""
        rise = self.warm_up * self.steps
        return min(1.0, (step + 1) / rise) if rise else 1.0


class TrainingRun:
    """Steppers, for how many samples each feature has been off, reports so far."""

    def __init__(
        self,
        described: Sequence[Autoencoder],
        train: Activations,
        held: Activations,
        plan: Plan,
        device: torch.device,
        start: SparseAutoencoder | None = None,
    ) -> None:
        self.train, self.held, self.plan, self.device = train, held, plan, device
        seen = train.read(train.order(plan.seed)[:_LOOKED_AT])
        square = float(seen.double().square().sum(1).mean())
        self.factor = math.sqrt(seen.shape[1] / square) if plan.scale and square > 0 else 1.0
        seen = seen * self.factor
        centre = seen.double().mean(0).float()
        self.spread = float((seen - centre).double().square().sum(1).mean())
        first = None if start is None else self._from(start)
        begun = [first or self._begun(i, one, seen[: plan.batch_size], centre) for i, one in enumerate(described)]
        self.steppers = [self._stepper(one, weights) for one, weights in zip(described, begun, strict=True)]
        self.quiet = [torch.zeros(one.n_features, dtype=torch.int64) for one in described]  # samples since each feature was on
        self.l0 = [float(getattr(one, "n_active", one.n_features / 16)) for one in described]  # a running mean
        self.tallies = [_Tally() for _ in described]
        self.history: list[list[dict[str, int | float]]] = [[] for _ in described]
        self.step = 0

    def _from(self, start: SparseAutoencoder) -> dict[str, Tensor]:
        """Its weights in the units and the dtype of a training, at directions of length 1."""
        weights = {name: value.detach().float().cpu() for name, value in start.weights.items()}
        return start.architecture.with_unit_directions(start.architecture.scaled(weights, self.factor))

    def _begun(self, number: int, one: Autoencoder, x: Float[Tensor, "batch dims"], centre: Float[Tensor, " dims"]) -> dict[str, Tensor]:
        """Random directions; the encoder is as long as reconstructs the first batch best."""
        rows = torch.arange(one.n_features)
        directions = draws.normals(self.plan.seed, draws.WEIGHTS, rows, x.shape[1], instance=number)
        weights = one.begin(torch.nn.functional.normalize(directions, dim=1).float(), centre)
        if "encoder" in weights:
            z = one.loss(weights, x).codes
            y = z @ weights["decoder"]
            length = float((y * (x - centre)).sum() / y.square().sum().clamp(min=1e-30))
            weights["encoder"] = weights["encoder"] * (length if 0 < length < 1 else 1.0)
        return weights

    def _stepper(self, one: Autoencoder, weights: Mapping[str, Tensor]) -> Stepper:
        """The quickest that takes it, or the one that was asked for."""
        weights, plan = {name: value.to(self.device) for name, value in weights.items()}, self.plan
        if unknown := [name for name in plan.frozen if name not in weights]:
            raise ValueError(f"frozen names {', '.join(unknown)}, but {type(one).__name__} has {', '.join(weights)}")
        listed = compiled_for(one, weights["decoder"], plan.frozen) is not None
        if plan.engine == "lists" and not listed:
            what = f"{one} on {self.device}" + (f" with {', '.join(plan.frozen)} frozen" if plan.frozen else "")
            raise ValueError(
                f"engine 'lists' takes k-sparse autoencoders on the CPU, where numba is installed, their decoder frozen or not; not {what}"
            )
        if listed and plan.engine != "torch":
            return ListStepper(one, weights, plan.frozen)  # pyright: ignore[reportArgumentType]
        return TorchStepper(one, weights, plan.frozen)

    def go_on(
        self, folder: TrainingFolder, *, save_every: float, report_every: int, on_report: Listener | None, progress: bool | None
    ) -> None:
        """From where the folder says to the last step."""
        plan = self.plan
        self._restore(folder)
        saved = since = shown = time.monotonic()
        began = self.step
        with bar("training", plan.steps * plan.batch_size, "samples", progress) as tell:
            for x in self._batches():
                for tally, took in zip(self.tallies, self.take(x), strict=True):
                    tally.add(took)
                now = time.monotonic()
                if self.step % report_every == 0 or self.step == plan.steps:
                    pace = (self.step - began) * plan.batch_size / max(now - since, 1e-9)
                    since, began = now, self.step
                    for i in range(len(self.steppers)):
                        self._report(i, self.tallies[i], pace, on_report)
                    self.tallies = [_Tally() for _ in self.steppers]
                if now - shown >= _SHOWN:
                    shown = now
                    tell(self.step * plan.batch_size, _line([h[-1] for h in self.history if h]))
                if now - saved >= save_every and self.step < plan.steps and all(tally.finite for tally in self.tallies):
                    folder.keep(*self._state())
                    saved = time.monotonic()

    def take(self, x: Float[Tensor, "batch dims"]) -> list[Took]:
        """One step of each."""
        plan, all_took = self.plan, []
        for i, stepper in enumerate(self.steppers):
            one = stepper.architecture
            silent = self.quiet[i] >= self._patience(i)
            now = Moment(plan.ramp(self.step), silent.to(self.device) if bool(silent.any()) else None)
            took = stepper.step(x, plan.lr_of(one, self.step), now)
            self.quiet[i] = torch.where(took.on.cpu(), 0, self.quiet[i] + len(x))
            self.l0[i] = _MEMORY * self.l0[i] + (1 - _MEMORY) * took.l0
            all_took.append(took)
        self.step += 1
        return all_took

    def _patience(self, i: int) -> int:
        """How many samples a feature may be silent for."""
        plan, one = self.plan, self.steppers[i].architecture
        if plan.silent_after is not None:
            return plan.silent_after
        return int(min(max(plan.samples / 20, 20 * one.n_features / max(self.l0[i], 1e-3)), _MOST_SILENT))

    def _batches(self) -> Iterator[Float[Tensor, "batch dims"]]:
        """From this step on; each pass has an order of its own."""
        plan, a_pass = self.plan, len(self.train) // self.plan.batch_size
        while self.step < plan.steps:
            epoch, start = divmod(self.step, a_pass)
            for x in self.train.batches(plan.batch_size, seed=plan.seed, epoch=epoch, start=start):
                yield (x * self.factor).to(self.device)
                if self.step >= plan.steps:
                    return

    def _report(self, i: int, tally: "_Tally", pace: float, on_report: Listener | None) -> None:
        """Tell, and keep, how it has gone since the last report."""
        plan, one = self.plan, self.steppers[i].architecture
        dead = float((self.quiet[i] >= self._patience(i)).double().mean())
        lr = plan.lr_of(one, self.step - 1)
        told: dict[str, int | float] = {"step": self.step, "samples": self.step * plan.batch_size} | tally.means()
        if not math.isfinite(told["loss"]):
            raise ValueError(
                f"the loss of {one} is {told['loss']} at step {self.step:,}: it diverged. Try a lower lr than {lr:.3g}, or look at the activations"
            )
        told |= {"explained_variance": 1 - told.pop("left") / self.spread if self.spread else math.nan, "dead_share": dead, "lr": lr}
        told["samples_per_second"] = pace
        if len(self.held) and self._at_mark(i):
            seen = measure(self._exported(i), self.held.select(slice(0, _MARK_ROWS)))
            told |= {"held_out_explained_variance": seen["explained_variance"], "held_out_l0": seen["l0"]}
        self.history[i].append({name: value for name, value in told.items() if math.isfinite(value)})
        if on_report is not None:
            on_report(i, dict(self.history[i][-1]))

    def _at_mark(self, i: int) -> bool:
        """Whether a tenth of the run has ended since the last report with a look at rows held out."""
        before = max((int(h["step"]) for h in self.history[i] if "held_out_l0" in h), default=0)
        return self.step * _MARKS // self.plan.steps > before * _MARKS // self.plan.steps

    def finished(self, activations: Mapping[str, Any]) -> list[SparseAutoencoder]:
        """The autoencoders, with notes: what is known of the activations, how the training went, what it led to."""
        return [self._noted(i, dict(activations)) for i in range(len(self.steppers))]

    def _exported(self, i: int) -> SparseAutoencoder:
        one = self.steppers[i].architecture
        weights = {name: value.detach().cpu() for name, value in self.steppers[i].weights.items()}
        return SparseAutoencoder(one, one.scaled(weights, 1 / self.factor))

    def _noted(self, i: int, activations: dict[str, Any]) -> SparseAutoencoder:
        sae = self._exported(i)
        patience = self._patience(i)
        settings = asdict(self.plan) | {"scale_factor": self.factor, "silent_after": patience}
        sae.notes = {"activations": activations, "training": settings, "history": self.history[i]}
        if len(self.held):
            sae.notes["held_out"] = measure(sae, self.held, rates=True)
        return sae

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {f"{i}/{name}": value for i, stepper in enumerate(self.steppers) for name, value in stepper.state().items()}
        tensors |= {f"{i}/quiet": quiet for i, quiet in enumerate(self.quiet)}
        tallies = [[tally.count, tally.sums] for tally in self.tallies]
        return tensors, {"step": self.step, "history": self.history, "l0": self.l0, "tallies": tallies}

    def _restore(self, folder: TrainingFolder) -> None:
        if (kept := folder.kept()) is None:
            return
        tensors, facts = kept
        self.step, self.history, self.l0 = facts["step"], facts["history"], facts["l0"]
        self.tallies = [_Tally(count, sums) for count, sums in facts["tallies"]]
        for i, stepper in enumerate(self.steppers):
            stepper.restore({name.partition("/")[2]: value for name, value in tensors.items() if name.startswith(f"{i}/")})
            self.quiet[i] = tensors[f"{i}/quiet"]


class _Tally:
    """Means over the steps since the last report."""

    def __init__(self, count: int = 0, sums: dict[str, float] | None = None) -> None:
        self.count, self.sums = count, dict(sums or {})

    def add(self, took: Took) -> None:
        """One step."""
        self.count += 1
        for name, value in {"loss": sum(took.terms.values()), **took.terms, "left": took.error, "l0": took.l0}.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    @property
    def finite(self) -> bool:
        """Whether all that was added up is: a training that diverged has no state worth keeping."""
        return all(map(math.isfinite, self.sums.values()))

    def means(self) -> dict[str, float]:
        """Of loss, its terms, the squared error, and L0."""
        return {name: value / self.count for name, value in self.sums.items()}


def _line(last: Sequence[Report]) -> str:
    if not last:
        return ""
    told = "; ".join(
        f"loss {h['loss']:.4g}, L0 {h['l0']:.1f}, explained {h.get('explained_variance', math.nan):.3f}, dead {h['dead_share']:.1%}"
        for h in last
    )
    return f"{told}, {last[0]['samples_per_second']:,.0f} a second"
