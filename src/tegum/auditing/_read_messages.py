"""Message passing on real activations: whether it applies is tried, for its theory does not say so of them.

Bayes-AMP is derived for dictionaries with independent entries, VAMP for ones whose right singular vectors look random, both for codes that are
independent draws of one law that is told (here U[0, 1], or N(0, 1) for signed codes, at the scale of the codes at hand). Learnt directions crowd,
features fire at rates that differ a thousandfold, and what the dictionary lacks is no white noise. So both are run on some training rows: the one
that settles on more of them is used, if it does on at least half.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tegum.auditing._read_refit import refitted
from tegum.auditing._subject import HELD, Subject
from tegum.auditing.readers import largest
from tegum.decoders import Decoder, Status, Values, decode
from tegum.decoders.bayes_amp import BayesAMP
from tegum.decoders.vector_amp import VAMP
from tegum.features import SparseCodes
from tegum.learning import metrics
from tegum.shapes import Float, Int

HALF = 0.5  # of the rows must settle
_STEPS = 50
_SECOND_MOMENT = {Values.NONNEGATIVE: 1 / 3, Values.SIGNED: 1.0}  # of U[0, 1] and N(0, 1)


@dataclass(frozen=True)
class Tried:
    """What came of the trial: the name of the one that applies, "" for none, and of each what share settled, at what explained variance."""

    name: str
    scale: float
    n_active: int
    settled: dict[str, float]
    explained: dict[str, float]

    def decoder(self, values: Values) -> Decoder:
        """The one that applies. Raises KeyError where none does."""
        return _decoders(self.n_active, values)[self.name]

    @property
    def words(self) -> str:
        """One sentence."""
        told = ", ".join(f"{name} on {share:.0%}" for name, share in self.settled.items())
        if self.name:
            return f"Message passing is {self.name}, which applies: of the rows tried, {told} settled."
        return (
            f"Message passing does not apply here and is left out: it settled on too few of the rows tried ({told}; half would do). Its theory asks "
            "for directions like random ones and for codes of one known law."
        )


def tried(subject: Subject, x: Float[Tensor, "rows dims"], codes: SparseCodes, most: Int[Tensor, " rows"]) -> Tried:
    """Try both on x, whose codes by another reader give the scale of values."""
    size = float(codes.values.double().square().sum() / max(1, int(codes.n_active.sum())))
    scale = (size / _SECOND_MOMENT[subject.values]) ** 0.5 or 1.0
    count = max(1, round(float(most.double().mean())))
    settled: dict[str, float] = {}
    explained: dict[str, float] = {}
    centred = x - subject.centre
    for name, decoder in _decoders(count, subject.values).items():
        found = decode(subject.dictionary, centred / scale, decoder, batch_size=max(1, HELD // subject.n_features), progress=False)
        settled[name] = float((found.status == Status.OK).double().mean())
        z = refitted(subject.dictionary, centred, largest(subject, found.z, most), subject.values)
        explained[name] = metrics.explained_variance(x, subject.decode(z))
    best = max(settled, key=lambda name: settled[name])
    return Tried(best if settled[best] >= HALF else "", scale, count, settled, explained)


def _decoders(count: int, values: Values) -> dict[str, Decoder]:
    told: dict[str, Any] = {"prior": "gaussian" if values is Values.SIGNED else "uniform", "n_active": count, "noise_std": None}
    return {"VAMP": VAMP(max_steps=_STEPS, **told), "Bayes-AMP": BayesAMP(max_steps=_STEPS, **told)}
