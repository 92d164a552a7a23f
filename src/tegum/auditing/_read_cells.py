"""Cells: one reader with one dictionary on the rows held out, as sums by groups of rows: what is stored of it, and goes on after a crash.

A cell is a dict of numbers and short lists, so that JSON holds it. Readers that are slow read the first of the rows alone; the others keep sums of
these too, so that every two cells can be compared on rows that both have read.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from tegum.activations import Activations
from tegum.auditing._paired import groups_of, summed
from tegum.auditing._read_messages import Tried, tried
from tegum.auditing._read_polish import Polished, polished_by
from tegum.auditing._subject import Subject
from tegum.auditing.readers import ENCODER, FILTER, LASSO, MESSAGES, ORTHOGONAL, REFITTED, Reading, encoded, in_both, read_by
from tegum.features import SparseCodes
from tegum.features._subset_bits import subset_bits
from tegum.learning import SparseAutoencoder
from tegum.learning.autoencoders.top_k_sae import TopKSAE
from tegum.learning.splicing import loss_recovered
from tegum.shapes import Float, Int

GIVEN, POLISHED = "as given", "polished"
SLOW = LASSO, MESSAGES
ALL, FEW = "all", "few"
_TRIED_ROWS, _MOMENT_ROWS = 256, 1 << 15
_OVER = 0.25, 0.5, 1.0, 2.0
Sums = dict[str, list[float]]
Cell = dict[str, Any]


@dataclass
class Held:
    """Rows held out, in random order, with the group of each; `few` of them, the first, are for slow readers."""

    x: Float[Tensor, "rows dims"]
    groups: Int[Tensor, " rows"]
    few: int


class Cells:
    """What is read and by what; every method gives what a step stores."""

    def __init__(
        self,
        subject: Subject,
        train: Activations,
        held: Held,
        n_active: int | float | None,  # noqa: PYI041
        plan: Any,
        polished: Subject | None,
        seed: int,
    ) -> None:
        self.subject, self.train, self.held, self.n_active, self.plan, self.seed = subject, train, held, n_active, plan, seed
        self.told = polished

    @cached_property
    def base(self) -> SparseCodes | None:
        """The encoder's codes of the rows held out, None where there is no encoder."""
        return None if self.subject.encode is None else encoded(self.subject, self.held.x, self._asked(len(self.held.x)))

    @cached_property
    def most(self) -> Int[Tensor, " rows"]:
        """How many features each row may have."""
        return self._most(self.base, len(self.held.x))

    @cached_property
    def polished(self) -> Polished:
        """Made when it is first asked for."""
        if self.told is not None:
            return Polished(self.told, self.told, "given", 0)
        return polished_by(self.subject, self.train, float(self.most.double().mean()), self.plan, self.seed)

    @cached_property
    def message_trial(self) -> Tried:
        """Whether message passing applies to the dictionary as given, told on training rows."""
        x = self.train.read(slice(0, _TRIED_ROWS))
        most = self._most(None if self.subject.encode is None else encoded(self.subject, x, self._asked(len(x))), len(x))
        codes = read_by(ORTHOGONAL, x, self.subject, most).codes
        return tried(self.subject, x, codes, most)

    def cell(self, reader: str, which: str) -> Cell:
        """Read the rows, and sum."""
        subject = self.reads(reader, which)
        rows = slice(0, self.held.few) if reader in SLOW else slice(0, len(self.held.x))
        x = self.held.x[rows]
        found = self._read(reader, subject, x, self.most[rows])
        cell: Cell = {"settled": found.settled, "seconds": 1000 * found.seconds / len(x), "told": found.told}
        if which == POLISHED:
            cell |= {"encoder": self.polished.how, "replaced": self.polished.replaced}
        if reader not in SLOW:
            cell[ALL] = self._sums(subject, found.codes, len(x))
        return cell | {FEW: self._sums(subject, found.codes[: self.held.few], self.held.few)}

    def reads(self, reader: str, which: str) -> Subject:
        """The directions, centre and encoder that a cell is of."""
        if which == GIVEN:
            return self.subject
        return self.polished.encoder if reader in (ENCODER, REFITTED) else self.polished.subject

    def recovered(self, reader: str, which: str, where: Any) -> Cell:
        """The model's losses with the rows of a site as this reader has them, as many features on as the encoder that was given has there."""
        given, subject = self.subject, self.reads(reader, which)

        def reconstructed(rows: Tensor) -> Tensor:
            x = rows.float()
            most = self._most(None if given.encode is None else encoded(given, x, self._asked(len(x))), len(x))
            return subject.decode(self._read(reader, subject, x, most).codes).to(rows)

        found = loss_recovered(
            where.model, where.site, reconstructed, where.batches, where.loss, inputs=where.inputs, where=where.where, dim=where.dim,
            mask=where.mask, ablation=where.ablation, progress=False,
        )  # fmt: skip
        return {"losses": found.batches.tolist(), "weights": found.weights.tolist()}

    def over_k(self) -> dict[str, Any]:
        """Error sums at other numbers of features, of readers that can be told one."""
        x, subject = self.held.x[: self.held.few], self.subject
        k = float(self.most.double().mean())
        counts = sorted({max(1, round(share * k)) for share in _OVER if round(share * k) <= min(subject.n_dims, int(subject.there.sum()))})
        told: dict[str, Any] = {"counts": counts, "spread": self._spread(x)}
        readers = [FILTER, ORTHOGONAL]
        if isinstance(subject.source, SparseAutoencoder) and isinstance(subject.source.architecture, TopKSAE):
            readers.append(ENCODER)
        for reader in readers:
            told[reader] = [self._error(subject, read_by(reader, x, subject, count).codes, x) for count in counts]
        return told

    def gaussian(self) -> dict[str, Any]:
        """The same two readers on Gaussian rows of the training rows' mean and covariance: the gain that comes without any feature to find."""
        moments = self.train.select(slice(0, _MOMENT_ROWS)).moments()
        eigenvalues, vectors = torch.linalg.eigh(moments.covariance)
        draw = torch.randn(self.held.few, len(eigenvalues), generator=torch.Generator().manual_seed(self.seed), dtype=torch.float64)
        x = (moments.mean + (draw * eigenvalues.clamp(min=0).sqrt()) @ vectors.T).float()
        codes = None if self.subject.encode is None else encoded(self.subject, x, self._asked(len(x)))
        most = self._most(codes, len(x))
        z = {reader: self._read(reader, self.subject, x, most).codes for reader in (self.first, ORTHOGONAL)}
        groups = groups_of(torch.arange(len(x)), self.seed)
        centred = x - x.double().mean(0).float()
        told = {name: summed((x - self.subject.decode(found)).double().square().sum(1), groups) for name, found in z.items()}
        return {"spread": summed(centred.double().square().sum(1), groups), "l0": float(most.double().mean())} | told

    @property
    def first(self) -> str:
        """The reader that others are compared with: the encoder, or the matched filter where there is none."""
        return FILTER if self.subject.encode is None else ENCODER

    def _asked(self, rows: int) -> Int[Tensor, " rows"] | None:
        return None if self.n_active is None or self.subject.encode is None else torch.full((rows,), round(self.n_active))

    def _most(self, codes: SparseCodes | None, rows: int) -> Int[Tensor, " rows"]:
        """As many as the encoder uses; where it uses none at all, or is not there, as many as were asked for, a fraction met on average."""
        if codes is not None and (int(codes.n_active.sum()) or self.n_active is None):
            return codes.n_active
        ends = ((self.n_active or 0) * torch.arange(rows + 1, dtype=torch.float64)).floor()
        return ends.diff().long().clamp(max=int(self.subject.there.sum()))

    def _read(self, reader: str, subject: Subject, x: Tensor, most: Tensor) -> Reading:
        told: dict[str, Any] = {}
        if reader == MESSAGES:
            trial = self.message_trial
            told |= {"messages": trial.decoder(subject.values), "scale": trial.scale}
        own = reader in (ENCODER, REFITTED) and self.n_active is None
        return read_by(reader, x, subject, None if own else most, **told)

    def _sums(self, subject: Subject, z: SparseCodes, rows: int) -> Sums:
        x, groups = self.held.x[:rows], self.held.groups[:rows]
        y = subject.decode(z)
        counts = z.n_active
        per_row = {
            "error": (x - y).double().square().sum(1),
            "cosine": torch.nn.functional.cosine_similarity(x.double(), y.double(), dim=1, eps=1e-30),
            "on": counts,
            "bits": torch.as_tensor(subset_bits(z.n_features, counts.numpy())),
            "rows": torch.ones(rows),
        }
        if self.base is not None:
            base = self.base[:rows]
            unused = torch.bincount(self.base.indices[self.base.indices >= 0], minlength=z.n_features) == 0
            per_row |= {"both": in_both(z, base), "base": base.n_active}
            per_row |= {"unused": ((z.indices >= 0) & unused[z.indices.clamp(min=0)]).sum(1)}
        return {"spread": self._spread(x)} | {name: self._summed(value, groups) for name, value in per_row.items()}

    def _spread(self, x: Tensor) -> list[float]:
        moved = (x - x.double().mean(0).float()).double().square().sum(1)
        return self._summed(moved, self.held.groups[: len(x)])

    def _error(self, subject: Subject, z: SparseCodes, x: Tensor) -> list[float]:
        return self._summed((x - subject.decode(z)).double().square().sum(1), self.held.groups[: len(x)])

    def _summed(self, values: Tensor, groups: Tensor) -> list[float]:
        """By groups of all rows, so that lists of few rows are as long."""
        found = summed(values.double(), groups)
        return found + [0.0] * (int(self.held.groups.max()) + 1 - len(found))
