"""load: activations from a folder of `capture`, an .npy or .safetensors file, an array or tensor, or a folder of SAELens' cached activations.

What is a file is mapped, not loaded. Rows with a number that is not finite are left out of all but captured folders, which have none, with a warning
that counts them.
"""

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tegum.activations._manifest import NAME
from tegum.activations.dataset import DOCUMENTS, POSITIONS, TOKENS, Activations, Shard, in_memory
from tegum.files import read_tensors
from tegum.shapes import Float

_CHUNK = 1 << 24  # numbers that are looked at at a time
_ARROW = "dataset_info.json"
_KINDS = f"a folder with {NAME} (tegum), a folder with {_ARROW} and .arrow files (SAELens' cached activations), .npy, .safetensors"


def load(source: str | Path | np.ndarray | Tensor, *, site: str | None = None, damaged: str = "raise") -> Activations:
    """Activations, told apart by what the source is.

    `site` picks one of several: a submodule's name, a tensor of a .safetensors file, a hook's name of SAELens. `damaged` as in `Activations.open`.
    Raises ValueError for what is none of these, saying what was looked for; FileNotFoundError for a path where nothing is.
    """
    if isinstance(source, (np.ndarray, Tensor)):
        return _finite(in_memory({"activations": _rows(source, "the array")}, ["activations"]))
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"there is nothing at {path}")
    if (path / NAME).exists():
        opened = Activations.open(path, damaged)
        return opened if site is None else opened.at(site)
    if (path / _ARROW).exists():
        return _finite(_arrow(path, site))
    if path.suffix == ".npy":
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path} is no array of numbers, and nothing else is loaded: {error}") from None
        return _finite(in_memory({path.stem: _rows(array, str(path))}, [path.stem], str(path)))
    if path.suffix == ".safetensors":
        tensors = {name: tensor for name, tensor in read_tensors(path)[0].items() if tensor.ndim == 2}
        name = _picked(list(tensors), site, path)
        return _finite(in_memory({name: _rows(tensors[name], str(path))}, [name], str(path)))
    raise ValueError(f"{path} holds no activations that are known: looked for {_KINDS}")


def _rows(array: Any, name: str) -> Float[Tensor, "rows dims"]:
    tensor = array if isinstance(array, Tensor) else _tensor(array)
    if tensor.ndim != 2 or not tensor.is_floating_point():
        raise ValueError(
            f"{name} has shape {tuple(tensor.shape)} and dtype {tensor.dtype}; activations are floating-point rows, (rows, dims)"
        )
    return tensor.detach()


def _tensor(array: np.ndarray) -> Tensor:
    with warnings.catch_warnings():  # a mapped file may not be written to, and is not
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _picked(names: list[str], site: str | None, path: Path) -> str:
    if site is not None and site not in names:
        raise ValueError(f"{path} has no {site!r}; it has {', '.join(names)}")
    if site is None and len(names) != 1:
        raise ValueError(f"{path} has {len(names)} tables of activations ({', '.join(names)}): say which by site=")
    return site or names[0]


def _finite(acts: Activations) -> Activations:
    """Without rows that are not finite; says how many there were."""
    step = max(1, _CHUNK // acts.n_dims)
    parts = [acts.read(slice(first, first + step)).isfinite().all(1) for first in range(0, len(acts), step)]
    finite = torch.cat(parts) if parts else torch.ones(0, dtype=torch.bool)
    if finite.all():
        return acts
    warnings.warn(
        f"{acts.name or 'the array'}: {int((~finite).sum()):,} of {len(acts):,} rows are not finite and are left out", stacklevel=3
    )
    return acts.select(finite)


def _arrow(folder: Path, site: str | None) -> Activations:
    """A folder of Hugging Face's `datasets`: a row a context, (context, dims) numbers a hook, and perhaps token_ids. A file is a shard."""
    files = sorted(folder.glob("*.arrow"))
    if not files:
        raise ValueError(f"{folder} has {_ARROW}, but no .arrow files")
    schema = _stream(files[0]).schema
    hooks = [name for name in schema.names if name not in ("token_ids", "sentence")]
    hook = _picked(hooks, site, folder)
    shards, first = [], 0
    for file in files:
        contexts = sum(batch.num_rows for batch in _stream(file))
        tensors = _contexts(file, hook, first)
        shards.append(Shard(len(tensors()[hook]), tensors))
        first += contexts
    return Activations(shards, {hook: shards[0].tensors()[hook].shape[1]}, name=str(folder))


def _stream(file: Path) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(pa.memory_map(str(file)))


def _contexts(file: Path, hook: str, first: int) -> Callable[[], Mapping[str, Tensor]]:
    """The rows of one file: `first` is the number of its first context."""

    @cache
    def tensors() -> Mapping[str, Tensor]:
        table = _stream(file).read_all()
        column = table.column(hook).combine_chunks()
        contexts, numbers = len(column), column
        while hasattr(numbers, "storage"):
            numbers = numbers.storage
        lengths = []
        while hasattr(numbers, "flatten") and numbers.type.num_fields == 1:
            inner = numbers.flatten()
            lengths.append(len(inner) // max(1, len(numbers)))
            numbers = inner
        if len(lengths) != 2:
            raise ValueError(f"{file} has {hook!r} as {column.type}; it must be (context, dims) numbers a row")
        found = {hook: _tensor(numbers.to_numpy(zero_copy_only=False)).reshape(-1, lengths[1])}
        found[DOCUMENTS] = torch.arange(first, first + contexts).repeat_interleave(lengths[0])
        found[POSITIONS] = torch.arange(lengths[0]).repeat(contexts)
        if "token_ids" in table.schema.names:
            found[TOKENS] = _tensor(table.column("token_ids").combine_chunks().flatten().to_numpy(zero_copy_only=False)).to(torch.int64)
        return found

    return tensors
