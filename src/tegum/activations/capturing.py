"""capture: what named submodules of a model give, or are given, while it reads batches: to shards on disk, or to memory.

Shards end where batches end, and the manifest is written anew after each, so a capture that is killed loses at most one shard, one that fails nothing
that was read, and the same call goes on behind it: batches that are in a shard are hashed and not run. Inputs, masks and models that are not those of
the first time are refused, not mixed in.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tegum.activations._folder import Folder, alone
from tegum.activations._reader import Reader, joined
from tegum.activations._sites import WHERES, check_sites
from tegum.activations.dataset import Activations, in_memory
from tegum.checks import check_count
from tegum.shapes import Bool

SHARD_BYTES = 1 << 26


@torch.no_grad()
def capture(
    model: nn.Module,
    sites: str | Sequence[str],
    batches: Iterable[Any],
    out: str | Path | None = None,
    *,
    where: str = "output",
    dim: int = -1,
    mask: Callable[[Any], Bool[Tensor, "batch positions"]] | None = None,
    dtype: torch.dtype | None = None,
    shard_bytes: int = SHARD_BYTES,
    progress: bool | None = None,
) -> Activations:
    """The activations of `sites` (names as in `model.named_modules()`) while the model reads `batches`, one row a token or sample.

    Parameters
    ----------
    batches
        What the model is called with: a mapping (as keywords), a tuple or list (as arguments), or a tensor. A mapping's "attention_mask" says which
        rows are padding and are left out, its "input_ids" which token each row is of, and "documents", which the model is not given, which document
        each sample belongs to (else each is its own); a tensor of integers is tokens. The model runs only as far as the last site, in eval mode.
    out
        A folder for shards of about `shard_bytes`; None keeps all in memory. A folder that holds part of this capture is gone on with.
    where
        "output" or "input" of the submodule: of several values, or of a model output, the first floating-point tensor, in its first call of a pass.
    dim
        Which dim of that tensor holds the features; the others are rows.
    mask
        From a batch to the rows that are kept, in place of the attention mask.
    dtype
        What is stored; by default what the model gives.

    Rows with a number that is not finite, or too large for `dtype`, are left out; a warning says how many, and the manifest of each shard. Raises
    ValueError for names that are no submodules, sites that are not reached or do not agree in their rows, batches that hold what cannot be hashed
    (for a folder), and a folder of another capture; OSError when the disk is full, with all whole shards kept, or when another capture writes there.
    """
    names = [sites] if isinstance(sites, str) else list(sites)
    check_sites(model, names)
    check_count("shard_bytes", shard_bytes)
    if where not in WHERES:
        raise ValueError(f"where is {where!r}; it must be one of {', '.join(WHERES)}")
    training = {module: module.training for module in model.modules()}
    model.eval()
    reader = Reader(model, names, where, dim, mask, dtype, hashed=out is not None)
    try:
        if out is None:
            parts = list(reader.rows(batches, lambda number: False, progress))  # noqa: ARG005
            if not parts:
                raise ValueError("there are no batches: nothing was captured")
            acts = in_memory(joined(parts), names)
        else:
            acts = _to_folder(reader, batches, Path(out), shard_bytes, progress)
    finally:
        for module, mode in training.items():
            module.training = mode
    _warn(reader)
    return acts


def _to_folder(reader: Reader, batches: Iterable[Any], place: Path, shard_bytes: int, progress: bool | None) -> Activations:  # noqa: FBT001
    place.mkdir(parents=True, exist_ok=True)
    with alone(place):
        folder, count = Folder(place, reader, shard_bytes), 0
        try:
            for part in reader.rows(batches, folder.shard_of.__contains__, progress):
                folder.take(part)
                count = part.number + 1
        except OSError:
            raise  # of the disk, perhaps
        except BaseException:  # what was read is kept, whatever went wrong with the next batch
            folder.flush()
            raise
        folder.flush()
        if folder.manifest is None:
            raise ValueError("there are no batches: nothing was captured")
        beyond = [shard.file for shard in folder.manifest.shards if shard.last > count]
        if beyond:
            raise ValueError(f"{place} holds {beyond[0]}, of batches beyond the {count} given now: give all batches, or another folder")
        replace(folder.manifest, complete=True).write(place)
    return Activations.open(place)


def _warn(reader: Reader) -> None:
    """Say what was left out in this call."""
    told = [f"{reader.left_out:,} rows were not finite"] if reader.left_out else []
    told += [f"{reader.overflown:,} rows do not fit into {reader.dtype}"] if reader.overflown else []
    if told:
        warnings.warn(f"capture of {', '.join(reader.names)}: {' and '.join(told)}, and are left out", stacklevel=3)
