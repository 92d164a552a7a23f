"""CodingRun: sparse coding under way. Codes of a batch for the directions of now, then directions for these and earlier codes, pass after pass.

Directions are fitted once a pass ("mod") or after each batch ("online"), but not before features have been on often enough to tell. At times features
that no code uses, and one of each two that point the same way, begin anew from what rows lack: from x - y of rows drawn with a chance in proportion
to |x - y|^2, so that those reconstructed worst come first and no outlier comes always.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from tegum import draws
from tegum.activations import Activations
from tegum.checks import check_count, check_number, check_probability, check_seed
from tegum.decoders import Decoder, decode
from tegum.dictionaries.dense import Dense
from tegum.features import SparseCodes
from tegum.learning._directions import Sums
from tegum.learning._training_folder import TrainingFolder
from tegum.learning.learnt_dictionary import LearntDictionary
from tegum.progress import bar
from tegum.shapes import Bool, Float, Int

WAYS, CENTRES = ("online", "mod"), ("fitted", "mean", "none")
_TELLING = 20  # times that a feature has been on, on average, before directions are fitted for the first time
_ROUND = 100  # times that it could have been on before it is replaced for never being on; and batches at least
_SETTLING = 10
_MARK_ROWS = 4096  # rows held out that are looked at after each pass
Report: TypeAlias = Mapping[str, int | float]


@dataclass(frozen=True)
class Plan:
    """What one call asks for, but for the activations, the decoder and the start. Raises ValueError for what is out of range."""

    directions: str
    centre: str
    passes: int
    batch_size: int
    forgetting: int | float
    alike: int | float
    seed: int
    held_out: int | float

    def __post_init__(self) -> None:
        for name, value, known in (("directions", self.directions, WAYS), ("centre", self.centre, CENTRES)):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
        check_count("passes", self.passes)
        check_count("batch_size", self.batch_size)
        check_number("forgetting", self.forgetting)
        check_probability("alike", self.alike)
        check_probability("held_out", self.held_out)
        check_seed(self.seed)


class CodingRun:
    """Directions D of unit length, the centre, sums over samples, and who was on since features were last replaced."""

    def __init__(
        self,
        D: Float[Tensor, "features dims"],
        centre: Float[Tensor, " dims"],
        train: Activations,
        held: Activations,
        decoder: Decoder,
        plan: Plan,
    ) -> None:
        self.train, self.held, self.decoder, self.plan = train, held, decoder, plan
        self.D, self.centre = D.double(), centre.double()
        self.sums = Sums.none(*D.shape, centred=plan.centre == "fitted")
        self.step = self.told = 0  # batches so far, and those that the sums stand for
        self.on, self.used = torch.zeros(
            2, len(D), dtype=torch.int64
        )  # rows that each feature was on in: since the last round, in this pass
        self.since = 0  # rows since the last round
        self.worst = _Worst.none(*D.shape)
        self.tally = _Tally(torch.zeros(D.shape[1], dtype=torch.float64))
        self.history: list[dict[str, int | float]] = []

    @property
    def a_pass(self) -> int:
        """How many batches."""
        return len(self.train) // self.plan.batch_size

    def go_on(
        self, folder: TrainingFolder, *, save_every: float, on_report: Callable[[Report], object] | None, progress: bool | None
    ) -> None:
        """From where the folder says to the last pass."""
        self._restore(folder)
        last, size = self.plan.passes * self.a_pass, self.plan.batch_size
        saved = began = time.monotonic()
        first = self.step
        with bar("sparse coding", last * size, "rows", progress) as tell:
            for x in self._batches():
                self._take(x)
                if self.step % self.a_pass == 0:
                    self._report(on_report)
                now = time.monotonic()
                shown = f"explained {self.history[-1].get('explained_variance', math.nan):.3f}, " if self.history else ""
                tell(self.step * size, f"{shown}{(self.step - first) * size / max(now - began, 1e-9):,.0f} a second")
                if now - saved >= save_every and self.step < last:
                    folder.keep(*self._state())
                    saved = now

    def learnt(self) -> LearntDictionary:
        """What there is so far."""
        return LearntDictionary(Dense(self.D.float()), self.centre.float(), self.decoder, list(self.history))

    def _batches(self) -> Iterator[Float[Tensor, "batch dims"]]:
        while self.step < self.plan.passes * self.a_pass:
            number, start = divmod(self.step, self.a_pass)
            yield from self.train.batches(self.plan.batch_size, seed=self.plan.seed, epoch=number, start=start)

    def _take(self, x: Float[Tensor, "batch dims"]) -> None:
        plan, centre = self.plan, self.centre.float()
        dictionary = Dense(self.D.float())
        z = decode(dictionary, x - centre, self.decoder, progress=False).z
        error = x - centre - dictionary.encode(z)
        counts = torch.bincount(z.indices[z.values != 0], minlength=len(self.D))
        self.on, self.used, self.since = self.on + counts, self.used + counts, self.since + len(x)
        self.tally.add(x, error, z)
        self.worst.add(error, plan.seed, self.step)
        if plan.directions == "online" and plan.forgetting:
            self.sums.forget((self.told / (self.told + 1)) ** plan.forgetting)
        self.sums.add(z, x if self.sums.centred else x - centre)
        self.step, self.told = self.step + 1, self.told + 1
        ends = self.step % self.a_pass == 0
        l0 = max(int(self.used.sum()) / self.tally.rows, 1e-3)
        if plan.directions == "mod":
            if ends:
                D, self.centre = self.sums.least_squares(self.D, self.centre)
                self.D = torch.nn.functional.normalize(torch.where(D.any(1, keepdim=True), D, self.D), dim=1)
                self.sums, self.told = Sums.none(*self.D.shape, centred=self.sums.centred), 0
                self._replace()
        else:
            if self.told * plan.batch_size * l0 >= _TELLING * len(self.D) or ends:
                self.D, self.centre = self.sums.descend(self.D, self.centre)
            round_of = min(self.a_pass * plan.batch_size, max(_SETTLING * plan.batch_size, _ROUND * len(self.D) / l0))
            if self.since >= round_of:
                self._replace()

    def _replace(self) -> None:
        """End a round: features begin anew, but for the last pass, where they could no more be fitted."""
        if self.step <= (self.plan.passes - 1) * self.a_pass:
            chosen = _unused_or_double(self.D, self.on, self.plan.alike)
            rows = self.worst.directions[self.worst.keys.isfinite()][: len(chosen)].double()
            chosen = chosen[: len(rows)]
            self.D[chosen] = rows
            self.sums.drop(chosen)
            self.tally.replaced += len(chosen)
        self.on, self.since, self.worst = torch.zeros_like(self.on), 0, _Worst.none(*self.D.shape)

    def _report(self, on_report: Callable[[Report], object] | None) -> None:
        told: dict[str, int | float] = {"pass": len(self.history) + 1, "rows": self.step * self.plan.batch_size}
        told |= self.tally.means(getattr(self.decoder, "penalty", None))
        told["dead_share"] = float((self.used == 0).double().mean())
        if len(self.held):
            seen = self.learnt().measure(self.held.select(slice(0, _MARK_ROWS)))
            told |= {"held_out_explained_variance": seen["explained_variance"], "held_out_l0": seen["l0"]}
        self.history.append({name: value for name, value in told.items() if math.isfinite(value)})
        self.used, self.tally = torch.zeros_like(self.used), _Tally(torch.zeros_like(self.tally.total))
        if on_report is not None:
            on_report(dict(self.history[-1]))

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {"D": self.D, "centre": self.centre, "A": self.sums.A, "B": self.sums.B, "on": self.on, "used": self.used}
        tensors |= {"worst_keys": self.worst.keys, "worst": self.worst.directions, "total": self.tally.total}
        numbers = {name: getattr(self.tally, name) for name in _Tally.NUMBERS}
        return tensors, {"step": self.step, "told": self.told, "since": self.since, "tally": numbers, "history": self.history}

    def _restore(self, folder: TrainingFolder) -> None:
        if (kept := folder.kept()) is None:
            return
        tensors, facts = kept
        self.D, self.centre, self.on, self.used = (tensors[name] for name in ("D", "centre", "on", "used"))
        self.sums = Sums(tensors["A"], tensors["B"], self.sums.centred)
        self.worst = _Worst(tensors["worst_keys"], tensors["worst"])
        self.step, self.told, self.since, self.history = (facts[name] for name in ("step", "told", "since", "history"))
        self.tally = _Tally(tensors["total"], **facts["tally"])


@dataclass(eq=False)
class _Worst:
    """What is left of some rows, at length 1: drawn without replacement, with a chance in proportion to |error|^2, in the order drawn.

    Each row has an exponential time at that rate; the first ones are kept (Efraimidis & Spirakis 2006, 'Weighted random sampling with a reservoir').
    """

    keys: Float[Tensor, " kept"]
    directions: Float[Tensor, "kept dims"]

    @classmethod
    def none(cls, room: int, n_dims: int) -> "_Worst":
        """Room for so many."""
        return cls(torch.full((room,), torch.inf, dtype=torch.float64), torch.zeros(room, n_dims))

    def add(self, error: Float[Tensor, "batch dims"], seed: int, step: int) -> None:
        """Look at a batch."""
        lengths = error.norm(dim=1)
        word = draws.words(seed, draws.SHUFFLES, 1, step, 0, torch.arange(len(error)))[0]
        keys = torch.cat([self.keys, -draws.log(draws.uniform32(word)) / lengths.double().square()])
        first = keys.topk(len(self.keys), largest=False).indices
        self.keys = keys[first]
        self.directions = torch.cat([self.directions, torch.nn.functional.normalize(error, dim=1)])[first]


@dataclass(eq=False)
class _Tally:
    """Sums over the rows of a pass."""

    NUMBERS = "rows", "square", "error", "size", "active", "replaced"

    total: Float[Tensor, " dims"]
    rows: int = 0
    square: float = 0.0
    error: float = 0.0
    size: float = 0.0
    active: int = 0
    replaced: int = 0

    def add(self, x: Float[Tensor, "batch dims"], error: Float[Tensor, "batch dims"], z: SparseCodes) -> None:
        """A batch."""
        x = x.double()
        self.total = self.total + x.sum(0)
        self.rows, self.square = self.rows + len(x), self.square + float(x.square().sum())
        self.error, self.size = self.error + float(error.double().square().sum()), self.size + float(z.values.abs().double().sum())
        self.active += int((z.values != 0).sum())

    def means(self, penalty: float | None) -> dict[str, int | float]:
        """Explained variance, |x - y|^2 and L0 a row, the lasso's objective a row where there is a penalty, and features that began anew."""
        spread = self.square - float(self.total.square().sum()) / self.rows
        told = {"explained_variance": 1 - self.error / spread if spread > 0 else math.nan, "error": self.error / self.rows}
        if penalty is not None:
            told["objective"] = (self.error / 2 + penalty * self.size) / self.rows
        return told | {"l0": self.active / self.rows, "replaced": self.replaced}


def _unused_or_double(D: Float[Tensor, "features dims"], on: Int[Tensor, " features"], alike: float) -> Int[Tensor, " some"]:
    """Features that are never on, and the less used of each two whose cosine is above `alike`."""
    anew = on == 0
    if alike >= 1:
        return anew.nonzero()[:, 0]
    for first, gram in Dense(D.float()).gram_blocks():
        rows = torch.arange(first, first + len(gram))
        i, j = ((gram > alike) & (rows[:, None] < torch.arange(len(D)))).nonzero(as_tuple=True)
        i = rows[i]
        both: Bool[Tensor, " pairs"] = ~anew[i] & ~anew[j]
        anew[torch.where(on[i] < on[j], i, j)[both]] = True
    return anew.nonzero()[:, 0]
