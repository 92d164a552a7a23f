"""Who can read it? Readers times dictionaries, at one number of features a row, on rows held out; and what recovery finds that the encoder misses.

The dense superposition hypothesis says that a layer may hold more features at once than one linear look with a threshold can tell, where sparse
recovery still can. Put to a number: with the same directions and as many features on in every row, how much more of the variance does orthogonal
matching pursuit explain than the encoder? That alone is no proof. OMP is made to explain x, on anything; so the answer says too how much of the
gain is better values for the encoder's own features, how the same two readers differ on Gaussian rows of the same covariance, which hold no features,
and, where a model is given, what the model makes of either reconstruction. (An autoencoder that was itself trained on such Gaussian rows leaves OMP
as large a share: .403 against .407, for the rows after MiniLM's third block with 1,536 features, 32 of them on.)
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tegum.activations import Activations, load
from tegum.activations._reader import batch_hash, fingerprint
from tegum.activations.dataset import DOCUMENTS
from tegum.auditing._answer import Answer
from tegum.auditing._asked import check_reading
from tegum.auditing._paired import groups_of
from tegum.auditing._read_answer import answered, nothing
from tegum.auditing._read_cells import GIVEN, POLISHED, SLOW, Cells, Held
from tegum.auditing._read_polish import Plan
from tegum.auditing._subject import Source, Subject, subject_of
from tegum.auditing.readers import ENCODER, MESSAGES, ORTHOGONAL, READERS, REFITTED, Reading, read_by
from tegum.checks import check_count, check_probability, check_seed
from tegum.learning import LearntDictionary, SparseAutoencoder
from tegum.learning.fitting import same_rows
from tegum.progress import bar

__all__ = ["READERS", "InModel", "Reading", "read_by", "reading"]

_HELD_OUT = 0.1
_LOOKED_AT = 1 << 14  # training rows, where nothing is polished
_CONSTANT = 1e-12  # of the mean square: rows that vary by less are constant but for rounding
Keep = Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class InModel:
    """The model that the rows are of, to splice reconstructions into; fields as `tegum.learning.loss_recovered` takes them.

    Give batches of documents that are held out. Each reader, but the lasso and message passing, reads every row of every batch with either
    dictionary, and the model passes three times for each; `readers` names fewer, of which the encoder (the matched filter, where there is none) and
    OMP always are.
    """

    model: nn.Module
    site: str
    batches: Sequence[Any] | Iterable[Any]
    loss: Callable[[Any, Any], Tensor | float]
    inputs: Callable[[Any], Any] | None = None
    where: str = "output"
    dim: int = -1
    mask: Callable[[Any], Tensor] | None = None
    ablation: str = "zero"
    readers: Sequence[str] | None = None

    @property
    def told(self) -> str:
        """What it is known again by: the model's kind and numbers, the site, what is compared, and the batches where they can be seen ahead."""
        seen = hashlib.sha256()
        with suppress(ValueError):  # batches of what can not be told apart
            for batch in self.batches if isinstance(self.batches, Sequence) else ():
                seen.update(batch_hash(batch))
        readers = "all readers" if self.readers is None else ", ".join(self.readers)
        named = f"{type(self.model).__name__} {fingerprint(self.model)} at {self.site}, {self.where}, dim {self.dim}"
        return f"{named}; {self.ablation} ablation; {readers}; batches {seen.hexdigest()[:16]}"


def reading(
    activations: Activations | Tensor | np.ndarray | str | Path,
    subject: Source | Subject,
    *,
    n_active: int | float | None = None,  # noqa: PYI041 - ints come, and types are checked as written in tests
    readers: Sequence[str] = READERS,
    rows: int = 20_000,
    few: int = 4_000,
    held_out: float | None = None,
    polished: Source | Subject | None = None,
    polish_rows: int = 50_000,
    polish_passes: int = 3,
    polish_out: str | Path | None = None,
    retrain: int = 200_000,
    model: InModel | None = None,
    seed: int = 0,
    keep: Keep | None = None,
    progress: bool | None = None,
) -> Answer:
    """Read rows held out by every reader, with the dictionary as it is and polished, and tell who explains how much.

    Parameters
    ----------
    activations
        Rows of one site, or anything that `tegum.activations.load` reads.
    subject
        What holds the directions, and perhaps an encoder. Without one the matched filter is what others are compared with, and `n_active` is needed
        unless the subject declares it.
    n_active
        How many features a row may have. By default as many as the encoder uses on that row; told a number, a TopK encoder reads with so many and
        another keeps its largest codes. Without an encoder a fraction is met on average.
    readers
        Of `READERS`, in the order of the tables; the one that others are compared with, and OMP, are always there.
    rows, few
        Rows held out that are read; the lasso and message passing read the first `few` of them alone.
    held_out
        The chance that a document (a row, where none are known) is held out. By default that of the autoencoder's own training, where its notes
        hold a digest of these very activations, so that it has not seen them either, and else .1.
    polished
        Polished directions, made without the rows held out here. By default they are made here, from at most `polish_rows` training rows (0: not at
        all) in `polish_passes` passes, kept in the folder `polish_out`; `retrain` samples train a k-sparse encoder anew for them.
    model
        The model, for the loss that survives when its activations are replaced by what a reader makes of them.
    keep
        `keep(step, compute)` returns what it kept of the step, a small dict that JSON holds, or else `compute()`, which it keeps. Steps: one a reader
        and dictionary, "message passing, tried", "other numbers of features", "Gaussian rows", and one a reader for the loss.

    Nothing is read where the rows do not vary, no direction is longer than 0, or the encoder turns nothing on: the answer says so. Intervals are 95%,
    resampled by documents. For 4,096 features of 384 dims, 32 of them on, some 10 minutes on one core and 1.5 GB; most of it goes to the lasso, to
    message passing and to the polish.

    Raises ValueError for arguments out of range, activations of other dims than the directions, fewer than 4 rows, and a subject that neither
    declares n_active nor encodes.
    """
    told = subject_of(subject)
    acts = activations if isinstance(activations, Activations) else load(activations)
    _check(acts, told, readers, n_active, rows, few, held_out, polish_rows, polish_passes, retrain)
    check_seed(seed)
    better = None if polished is None else subject_of(polished)
    if better is not None and (better.n_dims, better.n_features) != (told.n_dims, told.n_features):
        raise ValueError(
            f"the polished dictionary has {better.n_features:,} features of {better.n_dims} dims, {told.name} {told.n_features:,} of {told.n_dims}"
        )
    if n_active is None and (told.encode is None or isinstance(told.source, LearntDictionary)):
        n_active = told.n_active
        if n_active is None:
            raise ValueError(f"{told.name} has no encoder and declares no number of features on: give n_active")
    told = _read_plainly(told)
    train, held, by, unseen = _parts(acts, told, held_out, seed)
    order = train.order(seed)
    train = train.select(order[: polish_rows or _LOOKED_AT])
    told = told if told.centred else _with_centre(told, train)
    parts = held.order(seed)[:rows]
    x = held.read(parts)
    moved = (x - x.double().mean(0).float()).double().square().sum()
    if moved <= _CONSTANT * x.double().square().sum():
        return nothing(f"Nothing is there to read: the {len(x):,} rows held out do not vary.")
    if not bool(told.there.any()):
        return nothing(f"Nobody can: all {told.n_features:,} directions have length 0.")
    documents = held.documents[parts] if by == "documents" else torch.arange(len(x))
    rest = Held(x, groups_of(documents, seed), min(few, len(x)))
    cells = Cells(told, train, rest, n_active, Plan(polish_passes, retrain, polish_out), better, seed)
    if not int(cells.most.sum()):
        return nothing(
            f"The encoder reads nothing: none of its {told.n_features:,} features is on in any of {len(x):,} rows, so there is no number of features "
            "at which to compare others with it. Give n_active."
        )
    facts = {
        "rows": len(x), "few": rest.few, "documents": len(documents.unique()), "by": by, "unseen": unseen, "train": len(train), "n_active": n_active,
        "polished": "given" if better is not None else "made" if polish_rows else "", "passes": polish_passes,
    }  # fmt: skip
    found = _steps(cells, readers, bool(polish_rows) or better is not None, model, keep or _computed, progress)
    return answered(told, cells.first, facts, found, rest.groups, seed)


def _steps(
    cells: Cells, readers: Sequence[str], polished: bool, model: InModel | None, keep: Keep, progress: bool | None  # noqa: FBT001
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """All that is stored, by the names of the steps."""
    wanted = [reader for reader in READERS if reader in {*readers, cells.first, ORTHOGONAL}]
    if cells.subject.encode is None:
        wanted = [reader for reader in wanted if reader not in (ENCODER, REFITTED)]
    found: dict[str, dict[str, Any]] = {}
    plan: dict[str, Callable[[], dict[str, Any]]] = {}
    if MESSAGES in wanted:
        found["message passing, tried"] = keep("message passing, tried", lambda: _told(cells.message_trial))
        if not found["message passing, tried"]["name"]:
            wanted.remove(MESSAGES)
    for which in (GIVEN, POLISHED) if polished else (GIVEN,):
        for reader in wanted:
            plan[f"{reader}, {which}"] = lambda reader=reader, which=which: cells.cell(reader, which)
    plan["other numbers of features"] = cells.over_k
    plan["Gaussian rows"] = cells.gaussian
    if model is not None:
        asked = {*(wanted if model.readers is None else model.readers), cells.first, ORTHOGONAL}
        for which in (GIVEN, POLISHED) if polished else (GIVEN,):
            for reader in (reader for reader in wanted if reader in asked and reader not in SLOW):
                plan[f"loss by {reader}, {which}"] = lambda reader=reader, which=which: cells.recovered(reader, which, model)
    with bar("who can read it", len(plan), "steps", progress) as done:
        for number, (name, compute) in enumerate(plan.items()):
            done(number, name)
            found[name] = keep(name, compute)
            done(number + 1, name)
    return found


def _computed(name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG001
    return compute()


def _told(trial: Any) -> dict[str, Any]:
    return {"name": trial.name, "words": trial.words, "settled": trial.settled, "explained": trial.explained}


def _read_plainly(subject: Subject) -> Subject:
    """A learnt dictionary's codes are those of one of the readers, which is no encoder."""
    if not isinstance(subject.source, LearntDictionary):
        return subject
    return Subject(subject.name, subject.dictionary, subject.centre, None, subject.values, subject.n_active, source=subject.source)


def _with_centre(subject: Subject, train: Activations) -> Subject:
    mean = train.read(slice(0, 1 << 15)).double().mean(0).float()
    return Subject(subject.name, subject.dictionary, mean, subject.encode, subject.values, subject.n_active, source=subject.source)


def _parts(acts: Activations, subject: Subject, held_out: float | None, seed: int) -> tuple[Activations, Activations, str, bool]:
    """(training rows, rows held out, what was held out whole, whether the autoencoder is known not to have seen these)."""
    share, unseen = held_out, False
    if isinstance(subject.source, SparseAutoencoder):
        learning = subject.source.notes.get("training", {})
        if learning.get("held_out") and same_rows(subject.source.notes, acts):
            share = min(share or 1.0, float(learning["held_out"]))
            rest, held = acts.split(share, int(learning["seed"]))
            if len(rest) >= 2 and len(held) >= 2:
                return rest, held, "documents" if acts.has(DOCUMENTS) else "rows", True
    share = _HELD_OUT if held_out is None else held_out
    rest, held = acts.split(share, seed)
    if min(len(rest), len(held)) >= 2:
        return rest, held, "documents" if acts.has(DOCUMENTS) else "rows", unseen
    order = acts.order(seed)  # too few documents to hold some out whole
    cut = min(len(acts) - 2, max(2, round(share * len(acts))))
    return acts.select(order[cut:]), acts.select(order[:cut]), "rows", unseen


def _check(
    acts: Activations, subject: Subject, readers: Sequence[str], n_active: int | float | None, rows: int, few: int, held_out: float | None,  # noqa: PYI041
    polish_rows: int, polish_passes: int, retrain: int,
) -> None:  # fmt: skip
    if acts.n_dims != subject.n_dims:
        raise ValueError(f"the activations have {acts.n_dims} dims but {subject.name} has {subject.n_dims}")
    check_reading(acts, n_active, subject.n_features, polish_rows)
    if isinstance(readers, str) or not set(readers) <= set(READERS):
        raise ValueError(f"readers are {readers!r}; they must be some of {', '.join(READERS)}")
    check_count("rows", rows, at_least=2)
    check_count("few", few, at_least=2)
    if held_out is not None:
        check_probability("held_out", held_out)
    check_count("polish_rows", polish_rows, at_least=0)
    check_count("polish_passes", polish_passes)
    check_count("retrain", retrain, at_least=0)
