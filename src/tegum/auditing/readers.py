"""Readers: ways to read features out of rows, at as many features a row as one is told.

- encoder: the autoencoder's own, values and all; cut to its largest codes where fewer are asked for.
- encoder, refitted: the features that it chose, at the values that fit x best: what is left of the difference to OMP is which features are chosen.
- matched filter: the features whose directions x projects on most, refitted: one look, and nothing learnt.
- matching pursuit, OMP: greedy recovery (Mallat & Zhang 1993; Pati, Rezaiifar & Krishnaprasad 1993).
- lasso: FISTA at one penalty for all rows (Beck & Teboulle 2009), refitted, for the penalty shrinks values. A row has as many features as it needs.
- message passing: VAMP (Rangan, Schniter & Fletcher 2019) or Bayes-AMP, the largest of its posterior means, refitted. See `_read_messages`.

The encoder may spend more features on one row than on another. A reader that is told one number for all rows could not, and would be held back by
that and not by how it reads; so by default every row has as many as the encoder uses there.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.auditing._read_refit import refitted
from tegum.auditing._subject import HELD, Source, Subject, subject_of
from tegum.checks import check_number
from tegum.decoders import FISTA, OMP, Decoded, Decoder, MatchingPursuit, Status, TopK, decode
from tegum.features import SparseCodes
from tegum.learning import SparseAutoencoder, metrics
from tegum.learning.autoencoders.top_k_sae import TopKSAE
from tegum.results import Result
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd

ENCODER, REFITTED, FILTER, PURSUIT, ORTHOGONAL, LASSO, MESSAGES = (
    "encoder", "encoder, refitted", "matched filter", "matching pursuit", "OMP", "lasso", "message passing",
)  # fmt: skip
READERS = ENCODER, REFITTED, FILTER, PURSUIT, ORTHOGONAL, LASSO, MESSAGES
NEAR = 0.01  # of the mean L0 that is asked for: how near the lasso is brought to it
_TOLERANCE = 1e-2  # of the lasso's objective: which features are on is settled long before their values are, and these are refitted
_LEAST = 1e-4  # of the penalty at which nothing is on: where so little sets too few on, less hardly sets more, and takes ever longer
_LOOKS, _SOME, _ROUGH = 20, 256, 0.05  # the first of them are at some rows, to within so much
_STATES = 4  # message passing holds so many times as much of a row as other decoders, or more


@dataclass(frozen=True, eq=False)
class Reading(Result):
    """Codes of rows by one reader; `settled` is the share of rows whose decoder ended well; `told` says what it was told beside x."""

    reader: str
    codes: SparseCodes
    settled: float
    seconds: float
    told: dict[str, float] = field(default_factory=dict)

    @property
    def l0(self) -> float:
        """The mean number of features on."""
        return metrics.mean_l0(self.codes)

    def explained_variance(self, x: Float[Tensor, "rows dims"], subject: Source | Subject) -> float:
        """Of these rows, by these codes in that dictionary, as `tegum.learning.metrics` defines it."""
        return metrics.explained_variance(x, subject_of(subject).decode(self.codes))

    def agreement(self, other: SparseCodes) -> float:
        """F1 of what is on here and in the other codes of these rows, 2 both / (one + other); nan where nothing is on."""
        sizes = int(self.codes.n_active.sum() + other.n_active.sum())
        return 2 * int(in_both(self.codes, other).sum()) / sizes if sizes else float("nan")

    def to_dataframe(self) -> "pd.DataFrame":
        """One line an active feature: sample, feature, value."""
        return self.codes.to_dataframe()

    def __repr__(self) -> str:
        return f"Reading(by {self.reader}: {self.codes!r}, {self.settled:.0%} settled, {self.seconds:.3g} s)"


def read_by(
    reader: str,
    x: Float[Tensor, "rows dims"],
    subject: Source | Subject,
    n_active: int | float | Int[Tensor, " one_a_row"] | None = None,  # noqa: PYI041 - as ints come
    *,
    messages: Decoder | None = None,
    scale: float = 1.0,
) -> Reading:
    """Read x by one of `READERS`.

    `n_active` is how many features a row may have: one number (a fraction is met on average: some rows have one more), one a row, or None for as many
    as the encoder uses. The lasso's penalty is one for all rows, such that its mean L0 is that of n_active to 1%; "message passing" is told a decoder
    and the scale of values (see `_read_messages`).

    Raises ValueError for another reader, x of other dims or without rows, and a subject without an encoder where one is needed.
    """
    told = subject_of(subject)
    if reader not in READERS:
        raise ValueError(f"reader is {reader!r}; it must be one of {', '.join(READERS)}")
    if x.ndim != 2 or x.shape[1] != told.n_dims or not len(x):
        raise ValueError(f"x has shape {tuple(x.shape)}; {told.name} reads rows, (rows, {told.n_dims})")
    if told.encode is None and (n_active is None or reader in (ENCODER, REFITTED)):
        raise ValueError(f"{told.name} has no encoder: give n_active, and read by another reader than an encoder")
    if reader == MESSAGES and messages is None:
        raise ValueError("message passing needs a decoder: give messages=tegum.decoders.VAMP(...)")
    x = x.float()
    began = time.monotonic()
    if n_active is not None:
        most = _each(n_active, len(x)).clamp(max=int(told.there.sum()))
    else:
        most = None if reader in (ENCODER, REFITTED) else encoded(told, x).n_active
    z, settled, more = _read(reader, x, told, most, messages, scale)
    return Reading(reader, z, settled, time.monotonic() - began, more)


def in_both(one: SparseCodes, other: SparseCodes) -> Int[Tensor, " rows"]:
    """How many features of each row are on in both. Features stand once in a row."""
    listed = torch.cat([one.indices, other.indices], dim=1).sort(dim=1).values
    return ((listed[:, 1:] == listed[:, :-1]) & (listed[:, 1:] >= 0)).sum(1)


def encoded(subject: Subject, x: Float[Tensor, "rows dims"], most: Int[Tensor, " rows"] | None = None) -> SparseCodes:
    """The encoder's codes, all of them; or, told how many a row may have, those of a TopK encoder with so many, and of another its largest."""
    if subject.encode is None:
        raise ValueError(f"{subject.name} has no encoder")
    if most is None:
        return subject.encode(x)
    source = subject.source
    if isinstance(source, SparseAutoencoder) and isinstance(source.architecture, TopKSAE):
        told = replace(source.architecture, n_active=max(1, min(source.n_features, int(most.max()))))
        subject = replace(subject, encode=subject_of(SparseAutoencoder(told, source.weights)).encode)
        return largest(subject, encoded(replace(subject, source=None), x), most)
    return largest(subject, subject.encode(x), most)


def largest(subject: Subject, z: SparseCodes, most: Int[Tensor, " rows"]) -> SparseCodes:
    """Of each row's codes the `most` that weigh most in x, by their values times the lengths of their directions."""
    weights = z.values.abs() * subject.dictionary.squared_norms().sqrt()[z.indices.clamp(min=0)]
    rank = weights.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    kept = torch.where((rank < most[:, None]) & (z.indices >= 0), z.values, 0)
    found = Decoded.of(z.indices.clamp(min=0), kept, z.n_features).z
    width = int(found.n_active.max()) if len(found) else 0  # what is on comes first; posterior means may be as wide as there are features
    return SparseCodes(found.indices[:, :width].contiguous(), found.values[:, :width].contiguous(), z.n_features)


def lasso_at(subject: Subject, x: Float[Tensor, "rows dims"], l0: float) -> tuple[SparseCodes, float, float]:
    """(codes, the share of rows that settled, penalty) of the lasso at the penalty whose codes, refitted, have a mean L0 within 1% of `l0`.

    Or as near as can be had: no more than as many features as dims are asked for, as refitted codes need no more, and no penalty is below 1e-4 of the
    one at which nothing is on. It is looked for on some rows, then on all. What it is set by is how many features are on, never how well they explain
    x, so it may be set on the rows that are read; set on others it would miss their number by several percent.
    """
    x = x - subject.centre
    l0 = min(l0, float(subject.n_dims))
    top = float(subject.dictionary.correlate(x[:_SOME]).abs().max())
    if top <= 0 or l0 <= 0:
        none = x.new_empty(len(x), 0)
        return SparseCodes(none.long(), none, subject.n_features), 1.0, max(top, 0.0)
    least = _LEAST * top
    roughly = _searched(subject, x[:_SOME], l0, top / 8, least, _ROUGH)[2]
    return _searched(subject, x, l0, roughly, least, NEAR)


def _searched(subject: Subject, x: Tensor, l0: float, penalty: float, least: float, near: float) -> tuple[SparseCodes, float, float]:
    """From `penalty` outwards until l0 lies between two, then between these, as if ln L0 fell by a line in ln penalty. The nearest of all seen.

    No penalty is below `least`: where that sets too few on, the search ends.

    Each look begins from nothing: begun at denser codes, as many are not quite 0 when the gap is closed.
    """
    low, high = (0.0, 0.0), (0.0, 0.0)  # (penalty, L0) of the last with too many on, and with too few
    best, off = (SparseCodes(torch.full((len(x), 0), -1), x.new_empty(len(x), 0), subject.n_features), 0.0, penalty), float("inf")
    for look in range(_LOOKS):
        lasso = FISTA(penalty=penalty, tolerance=_TOLERANCE, values=subject.values)
        found = decode(subject.dictionary, x, lasso, batch_size=_part(subject), progress=False)
        z = refitted(subject.dictionary, x, found.z, subject.values)
        seen = metrics.mean_l0(z)
        if abs(seen - l0) < off:
            best, off = (z, _settled(found), penalty), abs(seen - l0)
        if off <= near * l0:
            break
        low, high = (low, (penalty, seen)) if seen < l0 else ((penalty, seen), high)
        if low[0] and high[0]:
            straight = math.log(low[1] / l0) / math.log(low[1] / high[1]) if high[1] and look % 3 < 2 else 0.5
            penalty = low[0] * (high[0] / low[0]) ** min(max(straight, 0.05), 0.95)
        elif seen < l0 and penalty <= least:
            break
        else:
            penalty = max(least, penalty * min(max(seen / l0, 0.125), 8.0))
    return best


def _read(
    reader: str,
    x: Tensor,
    subject: Subject,
    most: Tensor | None,
    messages: Decoder | None,
    scale: float,
) -> tuple[SparseCodes, float, dict[str, float]]:
    """Codes, the share of rows that settled, and what was told."""
    if reader in (ENCODER, REFITTED):
        z = encoded(subject, x, most)
        return (z if reader == ENCODER else refitted(subject.dictionary, x - subject.centre, z, subject.values)), 1.0, {}
    if most is None:
        raise ValueError(f"{reader} needs n_active")
    if reader == LASSO:
        z, settled, penalty = lasso_at(subject, x, float(most.double().mean()))
        return z, settled, {"penalty": penalty}
    if reader == MESSAGES and messages is not None:
        z, settled = _messages(subject, (x - subject.centre) / scale, most, messages)
        return refitted(subject.dictionary, x - subject.centre, z, subject.values), settled, {"scale": scale}
    made: dict[str, Callable[[int], Decoder]] = {
        FILTER: lambda k: TopK(n_active=k, values=subject.values),
        PURSUIT: lambda k: MatchingPursuit(n_active=k, values=subject.values),
        ORTHOGONAL: lambda k: OMP(n_active=k, values=subject.values),
    }
    z, settled = _by_count(subject, x - subject.centre, most, made[reader])
    return (refitted(subject.dictionary, x - subject.centre, z, subject.values) if reader == FILTER else z), settled, {}


def _by_count(subject: Subject, x: Tensor, most: Tensor, made: Callable[[int], Decoder]) -> tuple[SparseCodes, float]:
    """Rows that may have as many features are read together."""
    parts, places, settled, state = [], [], 0.0, None
    for count in most.unique().tolist():
        rows = (most == count).nonzero()[:, 0]
        places.append(rows)
        if not count:
            none = torch.empty(len(rows), 0)
            parts.append(SparseCodes(none.long(), none, subject.n_features))
            settled += len(rows)
            continue
        decoder = made(count)
        state = decoder.init(subject.dictionary) if state is None else state  # of the dictionary alone, so of all counts
        found = decode(subject.dictionary, x[rows], decoder, state=state, batch_size=_part(subject), progress=False)
        parts.append(found.z)
        settled += _settled(found) * len(rows)
    z = SparseCodes.concatenate(parts)
    return z[torch.cat(places).argsort()], settled / len(x)


def _messages(subject: Subject, x: Tensor, most: Tensor, decoder: Decoder) -> tuple[SparseCodes, float]:
    """The largest posterior means, some rows at a time: of one row thousands of features may have a mean that is not 0."""
    parts, settled, state = [], 0.0, decoder.init(subject.dictionary)
    for rows in torch.arange(len(x)).split(max(1, _part(subject) // _STATES)):
        found = decode(subject.dictionary, x[rows], decoder, state=state, progress=False)
        parts.append(largest(subject, found.z, most[rows]))
        settled += _settled(found) * len(rows)
    return SparseCodes.concatenate(parts), settled / len(x)


def _part(subject: Subject) -> int:
    """Rows decoded at a time, so that no array of rows and features is large."""
    return max(1, HELD // subject.n_features)


def _settled(found: Decoded) -> float:
    return float((found.status == Status.OK).double().mean())


def _each(n_active: int | float | Tensor, rows: int) -> Int[Tensor, " rows"]:  # noqa: PYI041
    """One number a row. Of a fraction, rows have one more at even spacing, so that the mean agrees to one row."""
    if isinstance(n_active, Tensor):
        if n_active.shape != (rows,) or n_active.is_floating_point() or int(n_active.min()) < 0:
            raise ValueError(
                f"n_active has shape {tuple(n_active.shape)} and dtype {n_active.dtype}; it is one count for each of {rows:,} rows"
            )
        return n_active.long()
    check_number("n_active", n_active)
    return (n_active * torch.arange(1, rows + 1, dtype=torch.float64)).floor().diff(prepend=torch.zeros(1, dtype=torch.float64)).long()
