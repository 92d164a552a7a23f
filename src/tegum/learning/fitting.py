"""fit: activations in, sparse autoencoders out. Several may share one stream of batches; a run that was killed goes on where it left off."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from tegum.activations import Activations, load
from tegum.activations.dataset import DOCUMENTS
from tegum.checks import check_count, check_number
from tegum.learning._training_folder import TrainingFolder, digest_of
from tegum.learning._training_run import Plan, Report, TrainingRun
from tegum.learning.autoencoders._base import Autoencoder
from tegum.learning.sparse_autoencoder import SparseAutoencoder


@overload
def fit(what: Autoencoder, activations: Any, **settings: Any) -> SparseAutoencoder: ...
@overload
def fit(what: Sequence[Autoencoder], activations: Any, **settings: Any) -> list[SparseAutoencoder]: ...
def fit(  # pyright: ignore[reportInconsistentOverload] - the overloads need not repeat all settings
    what: Autoencoder | Sequence[Autoencoder],
    activations: Activations | Tensor | np.ndarray | str | Path,
    *,
    samples: int | None = None,
    batch_size: int = 1024,
    lr: float | None = None,
    seed: int = 0,
    held_out: float = 0.05,
    warm_up: float = 0.05,
    cool_down: float = 0.2,
    silent_after: int | None = None,
    scale: bool = True,
    engine: str = "auto",
    start: SparseAutoencoder | None = None,
    frozen: str | Sequence[str] = (),
    device: str | torch.device = "cpu",
    out: str | Path | None = None,
    save_every: float = 60.0,
    report_every: int = 50,
    on_report: Callable[[int, Report], object] | None = None,
    progress: bool | None = None,
) -> SparseAutoencoder | list[SparseAutoencoder]:
    """Train one autoencoder, or several on the same batches, on `samples` rows: as many passes over those not held out as that takes.

    Parameters
    ----------
    what
        A description such as `TopKSAE(n_features=4096, n_active=32)`, or several; where each begins follows from the seed and its place among them.
    activations
        What `tegum.activations.capture` returned, or anything that `tegum.activations.load` reads, of one site; read as float32.
    samples
        Rows to train on, counted again in each pass; 20 passes or a million rows by default, whichever is less, and one pass at least.
    lr
        The rate of Adam; by default 2e-4 sqrt(2^14 / n_features), of each its own (Gao et al. 2024, figure 3).
    held_out
        The chance that a document is held out (a row, where no documents are known): what `notes["held_out"]` is measured on, if that is any row.
    warm_up, cool_down
        Shares of the steps over which the rate rises, and falls.
    silent_after
        A feature that was on in none of so many samples is brought back; by default a twentieth of `samples`, at least 20 times as many as a feature
        that is on as often as the others takes to be on once, at most 10^7.
    scale
        False leaves x in its own units: penalties, thresholds and rates then mean what they mean there.
    engine
        "torch" for torch's gradients, "lists" for the compiled step of k-sparse autoencoders on the CPU, "auto" for the quickest that there is.
    start, frozen
        An autoencoder of that description to begin from, in the units of the activations; and weights that stay as they begin, such as "decoder"
        for an encoder that is to be learnt for given directions.
    out
        A folder: the state of the training is kept there every `save_every` seconds, and the autoencoders when they are done
        (0.safetensors, 1.safetensors, ...). The same call goes on with it, or returns what is done; the result is the same, bit
        for bit on as many threads.
    on_report
        Called every `report_every` steps with the number of the autoencoder and a dict of numbers: step, samples, loss and its terms, l0,
        explained_variance, dead_share, lr, samples_per_second, and at times held_out_explained_variance and held_out_l0. Reports are kept in
        `notes["history"]`.

    Returns
    -------
    Autoencoders in the units of the activations, or one where one was asked for.

    Raises
    ------
    ValueError
        For arguments out of range, activations of several sites or fewer rows than a batch, an `out` that holds another training, and a loss that is
        no longer finite.
    """
    frozen = (frozen,) if isinstance(frozen, str) else tuple(frozen)
    described = [what] if isinstance(what, Autoencoder) else list(what)
    if not described or not all(isinstance(one, Autoencoder) for one in described):
        raise ValueError(
            f"there is nothing to train in {what!r}; it must be an autoencoder such as TopKSAE(n_features=4096, n_active=32), or some"
        )
    rows = activations if isinstance(activations, Activations) else load(activations)
    if samples is None:
        samples = max(len(rows), min(20 * len(rows), 1_000_000), 1)
    plan = Plan(samples, batch_size, lr, seed, held_out, warm_up, cool_down, silent_after, scale, engine, frozen)
    check_count("report_every", report_every)
    check_number("save_every", save_every)
    if rows.n_dims < 1 or not len(rows):
        raise ValueError(f"there are {len(rows):,} rows of {rows.n_dims} dims to train on")
    train, held = rows.split(held_out, seed) if held_out else (rows, rows.select(slice(0, 0)))
    if len(train) < batch_size:
        raise ValueError(f"there are {len(train):,} rows to train on ({len(held):,} are held out), not one batch of {batch_size:,}")
    if start is not None and (len(described) != 1 or start.architecture != described[0] or start.n_dims != rows.n_dims):
        raise ValueError(
            f"start is {start.architecture} of {start.n_dims} dims; it must be the one autoencoder that is trained, on {rows.n_dims} dims, not {what}"
        )
    facts = {"plan": asdict(plan), "autoencoders": [_told(one) for one in described], "rows": rows_told(rows, known=True)}
    if start is not None:
        facts["start"] = {name: digest_of(value.cpu()) for name, value in start.weights.items()}
    with TrainingFolder.at(out, facts) as folder:
        if (done := folder.finished(len(described))) is None:
            run = TrainingRun(described, train, held, plan, torch.device(device), start)
            run.go_on(folder, save_every=save_every, report_every=report_every, on_report=on_report, progress=progress)
            done = run.finished(facts["rows"] | {"documents": _documents(rows)})
            folder.finish(done)
    return done[0] if isinstance(what, Autoencoder) else done


def _told(one: Autoencoder) -> dict[str, Any]:
    return {"architecture": type(one).__name__} | asdict(one)


def rows_told(rows: Activations, *, known: bool) -> dict[str, Any]:
    """What rows are, with a digest of them all where they are to be `known` again."""
    told = {"name": rows.name, "site": rows.site, "rows": len(rows), "dims": rows.n_dims}
    return told | ({"digest": rows.digest()} if known else {})


def same_rows(notes: Mapping[str, Any], rows: Activations) -> bool:
    """Whether an autoencoder's notes say that it was trained on these very rows in this order, in the same documents; False where they do not say."""
    known = notes.get("activations") or {}
    if (known.get("rows"), known.get("dims"), known.get("site")) != (len(rows), rows.n_dims, rows.site) or not known.get("digest"):
        return False
    documents = _documents(rows)
    return known.get("documents", documents) == documents and known["digest"] == rows.digest()


def _documents(rows: Activations) -> str:
    """A digest of which document each row is of, for by these rows are held out; "" where none are known."""
    return digest_of(rows.documents) if rows.has(DOCUMENTS) else ""
