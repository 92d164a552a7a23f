"""Sparse coding proper: codes for fixed directions, then directions for fixed codes, in turn; and polish, which begins at directions that are there.

Codes come from any of `tegum.decoders`: `FISTA(penalty=...)` for the lasso, `OMP(n_active=...)` or `MatchingPursuit(n_active=...)` for a fixed
number of them. An autoencoder guesses codes by one layer; here each sample is solved. That costs more a sample and needs fewer samples. After
Chaudhari & Hundia, 'How neural networks think at scale', whose two-step learning this is.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tegum import draws
from tegum.activations import Activations, load
from tegum.checks import check_count, check_number
from tegum.decoders import Decoder
from tegum.dictionaries import Dictionary
from tegum.learning._coding_run import CodingRun, Plan, Report
from tegum.learning._training_folder import TrainingFolder, digest_of
from tegum.learning.fitting import rows_told
from tegum.learning.learnt_dictionary import LearntDictionary, load_dictionary
from tegum.learning.sparse_autoencoder import SparseAutoencoder
from tegum.shapes import Float

_LOOKED_AT = 1 << 16  # rows that the mean is taken from
_FILE = "dictionary.safetensors"


def sparse_coding(
    activations: Activations | Tensor | np.ndarray | str | Path,
    n_features: int,
    decoder: Decoder,
    *,
    directions: str = "online",
    centre: str = "fitted",
    passes: int = 10,
    batch_size: int = 1024,
    forgetting: float = 5.0,
    alike: float = 0.99,
    seed: int = 0,
    held_out: float = 0.05,
    out: str | Path | None = None,
    save_every: float = 60.0,
    on_report: Callable[[Report], object] | None = None,
    progress: bool | None = None,
) -> LearntDictionary:
    """Learn `n_features` unit directions from activations, beginning at as many of its rows.

    Parameters
    ----------
    activations
        What `tegum.activations.capture` returned, or anything that `tegum.activations.load` reads, of one site. They stay in their own units, and so
        does a decoder's penalty.
    decoder
        What makes the codes, such as `tegum.decoders.OMP(n_active=8)`.
    directions
        "online": after each batch one sweep of block coordinate descent on the sums of all batches (Mairal, Bach, Ponce & Sapiro 2010). "mod": after
        each pass the least-squares solution for its codes (method of optimal directions; Engan, Aase & Husoy 1999), brought to length 1. Online needs
        fewer passes.
    centre
        What is taken off x before it is coded: "fitted" begins at the mean of x and is fitted with the directions, as the b_dec of an autoencoder is;
        "mean" stays there; "none" is 0.
    passes
        Over the rows that are not held out.
    forgetting
        Online, batch s of t counts (s / t)^forgetting: codes of long ago were made for other directions. 0 lets all count alike (sec. 3.4 there).
    alike
        Of two directions with a cosine above this the less used one begins anew, as one that is never on does, from what rows drawn with a chance
        in proportion to |x - y|^2 lack. 1 leaves them.
    held_out
        The chance that a document is held out (a row, where no documents are known): what `notes["held_out"]` is measured on.
    out
        A folder: the state is kept there every `save_every` seconds, and dictionary.safetensors when it is done. The same call goes on with it, or
        returns what is done; the result is the same.
    on_report
        Called after each pass with its entry of `LearntDictionary.history`.

    Raises
    ------
    ValueError
        For arguments out of range, activations of several sites or with fewer rows than a batch or features, and an `out` that holds another run.
    """
    check_count("n_features", n_features)
    plan = Plan(directions, centre, passes, batch_size, forgetting, alike, seed, held_out)
    rows = activations if isinstance(activations, Activations) else load(activations)
    train = rows.split(held_out, seed)[0] if held_out else rows
    if len(train) < n_features:
        raise ValueError(f"there are {len(train):,} rows to begin {n_features:,} directions at: give more rows, or polish a start")
    first = train.read(train.order(seed)[:n_features]) - _mean(train, plan)
    return _learn(first, None, rows, decoder, plan, out, save_every, on_report, progress)


def polish(
    start: SparseAutoencoder | LearntDictionary | Dictionary | Tensor,
    activations: Activations | Tensor | np.ndarray | str | Path,
    decoder: Decoder,
    *,
    directions: str = "online",
    centre: str = "fitted",
    passes: int = 10,
    batch_size: int = 1024,
    forgetting: float = 5.0,
    alike: float = 0.99,
    seed: int = 0,
    held_out: float = 0.05,
    out: str | Path | None = None,
    save_every: float = 60.0,
    on_report: Callable[[Report], object] | None = None,
    progress: bool | None = None,
) -> LearntDictionary:
    """Sparse coding that begins at given directions: of an autoencoder, a dictionary, or a tensor (features, dims); they are brought to length 1.

    An autoencoder's codes are those of one linear layer, so they hold what other features leak into each, and directions fitted to such codes are
    a little off; codes that are solved for do not leak, and directions fitted to them are not. It is worth it where directions themselves are wanted
    (matched to others, steered along) and samples are few, and costs a decoding of every row in each pass. Where features are packed so densely that
    the decoder can not read them either, it gains little: see what it adds to `held_out_explained_variance` in the history.

    A "fitted" centre begins at the start's own where it has one, and else at the mean of x. All else is as in `sparse_coding`.

    Raises
    ------
    ValueError
        As `sparse_coding` does, and for a start of other dims than the activations.
    """
    plan = Plan(directions, centre, passes, batch_size, forgetting, alike, seed, held_out)
    table, middle = _started(start)
    return _learn(table, middle, activations, decoder, plan, out, save_every, on_report, progress)


def _learn(
    start: Float[Tensor, "features dims"],
    middle: Float[Tensor, " some"] | None,
    activations: Any,
    decoder: Decoder,
    plan: Plan,
    out: str | Path | None,
    save_every: float,
    on_report: Callable[[Report], object] | None,
    progress: bool | None,  # noqa: FBT001
) -> LearntDictionary:
    if not isinstance(decoder, Decoder):
        raise ValueError(f"decoder is {decoder!r}; give one with its fields, such as tegum.decoders.OMP(n_active=8)")
    if (getattr(decoder, "n_active", None) or 0) > len(start):
        raise ValueError(f"n_active is {getattr(decoder, 'n_active', 0)} but there are {len(start)} features")
    check_number("save_every", save_every)
    rows = activations if isinstance(activations, Activations) else load(activations)
    if rows.n_dims != start.shape[1]:
        raise ValueError(f"the start has {start.shape[1]} dims but the activations have {rows.n_dims}")
    train, held = rows.split(plan.held_out, plan.seed) if plan.held_out else (rows, rows.select(slice(0, 0)))
    if len(train) < plan.batch_size:
        raise ValueError(f"there are {len(train):,} rows to learn from ({len(held):,} are held out), not one batch of {plan.batch_size:,}")
    seen = rows_told(rows, known=out is not None)
    coder = {"decoder": type(decoder).__name__} | asdict(decoder)
    facts = {"plan": asdict(plan), "decoder": coder, "start": digest_of(start.float()), "rows": seen}
    with TrainingFolder.at(out, facts) as folder:
        if folder.path and (folder.path / _FILE).exists():
            return load_dictionary(folder.path / _FILE)
        centre = middle if middle is not None and plan.centre == "fitted" else _mean(train, plan)
        run = CodingRun(_units(start, plan.seed), centre, train, held, decoder, plan)
        run.go_on(folder, save_every=save_every, on_report=on_report, progress=progress)
        notes = {"activations": seen, "learning": asdict(plan), "replaced": sum(int(told["replaced"]) for told in run.history)}
        done = run.learnt()
        done = replace(done, notes=notes | ({"held_out": done.measure(held)} if len(held) else {}))
        if folder.path:
            done.save(folder.path / _FILE)
        folder.finish([])
    return done


def _started(start: Any) -> tuple[Float[Tensor, "features dims"], Float[Tensor, " dims"] | None]:
    """Directions, and a centre where there is one."""
    if isinstance(start, SparseAutoencoder):
        return start.dictionary.dense().cpu().float(), start.get_parameter("b_dec").detach().cpu().float()
    if isinstance(start, LearntDictionary):
        return start.dictionary.dense().cpu().float(), start.centre.cpu().float()
    if isinstance(start, Dictionary):
        return start.dense().detach().cpu().float(), None
    if not isinstance(start, Tensor) or start.ndim != 2 or not start.is_floating_point() or 0 in start.shape or not start.isfinite().all():
        told = f"a tensor of shape {tuple(start.shape)} and {start.dtype}" if isinstance(start, Tensor) else type(start).__name__
        raise ValueError(f"start is {told}; it must be an autoencoder, a dictionary, or finite directions (features, dims)")
    return start.detach().cpu().float(), None


def _mean(train: Activations, plan: Plan) -> Float[Tensor, " dims"]:
    if plan.centre == "none":
        return torch.zeros(train.n_dims)
    return train.read(train.order(plan.seed)[:_LOOKED_AT]).double().mean(0).float()


def _units(table: Float[Tensor, "features dims"], seed: int) -> Float[Tensor, "features dims"]:
    """At length 1; rows of 0 point anywhere."""
    anywhere = draws.normals(seed, draws.WEIGHTS, torch.arange(len(table)), table.shape[1]).float()
    return torch.nn.functional.normalize(torch.where(table.any(1, keepdim=True), table, anywhere), dim=1)
