"""load: activations from a folder of `capture`, an .npy or .safetensors file, an array or tensor, or a folder of SAELens' cached activations.

What is a file is mapped, not loaded. Rows with a number that is not finite are left out of all but captured folders, which have none, with a warning
that counts them.
"""

import re
import warnings
from collections.abc import Mapping
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tegum.activations._manifest import NAME
from tegum.activations.dataset import DOCUMENTS, POSITIONS, TOKENS, Activations, Shard, check_damaged, in_memory
from tegum.files import read_tensors
from tegum.shapes import Float

_CHUNK = 1 << 24  # numbers that are looked at at a time
_ARROW = "dataset_info.json"
_NO_HOOKS = {"token_ids", "sentence"}
_KINDS = f"a folder with {NAME} (tegum), a folder with {_ARROW} and .arrow files (SAELens' cached activations), .npy, .safetensors"


def load(source: str | Path | np.ndarray | Tensor, *, site: str | None = None, damaged: str = "raise") -> Activations:
    """Activations, told apart by what the source is.

    `site` picks one of several: a submodule's name, a tensor of a .safetensors file, a hook's name of SAELens. `damaged` as in `Activations.open`.
    Raises ValueError for what is none of these, saying what was looked for; FileNotFoundError for a path where nothing is.
    """
    check_damaged(damaged)
    if isinstance(source, (np.ndarray, Tensor)):
        return _one({"activations": _rows(source, "the array")}, site, "the array")
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"there is nothing at {path}")
    if (path / NAME).exists():
        opened = Activations.open(path, damaged)
        return opened if site is None else opened.at(site)
    if (path / _ARROW).exists():
        return finite_rows(_arrow(path, site))
    if path.suffix == ".npy":
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path} is no array of numbers, and nothing else is loaded: {error}") from None
        return _one({path.stem: _rows(array, str(path))}, site, str(path))
    if path.suffix == ".safetensors":
        found = read_tensors(path)[0]
        tables = {name: tensor for name, tensor in found.items() if tensor.ndim == 2 and tensor.is_floating_point() and tensor.shape[1]}
        if not tables:
            told = ", ".join(f"{name} {tuple(tensor.shape)} {tensor.dtype}" for name, tensor in found.items())
            raise ValueError(f"{path} has no activations, floating-point tensors of (rows, dims); it has {told or 'no tensors'}")
        return _one(tables, site, str(path))
    raise ValueError(f"{path} holds no activations that are known: looked for {_KINDS}")


def _one(tables: dict[str, Tensor], site: str | None, name: str) -> Activations:
    picked = _picked(list(tables), site, name)
    return finite_rows(in_memory({picked: tables[picked]}, [picked], name))


def _rows(array: Any, name: str) -> Float[Tensor, "rows dims"]:
    tensor = array if isinstance(array, Tensor) else _tensor(array)
    if tensor.ndim != 2 or not tensor.is_floating_point() or not tensor.shape[1]:
        raise ValueError(
            f"{name} has shape {tuple(tensor.shape)} and dtype {tensor.dtype}; activations are floating-point rows, (rows, dims)"
        )
    return tensor.detach()


def _tensor(array: np.ndarray) -> Tensor:
    """Without a copy where torch can have it: not of a reversed array, or one of the other byte order."""
    if not array.dtype.isnative or any(stride < 0 for stride in array.strides):
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():  # a mapped file may not be written to, and is not
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _picked(names: list[str], site: str | None, path: str) -> str:
    if site is not None and site not in names:
        raise ValueError(f"{path} has no {site!r}; it has {', '.join(names)}")
    if site is None and len(names) != 1:
        raise ValueError(f"{path} has {len(names)} tables of activations ({', '.join(names)}): say which by site=")
    return site or names[0]


def finite_rows(acts: Activations) -> Activations:
    """Those of one site that are finite; warns of the others and counts them."""
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
    """A folder of Hugging Face's `datasets`: a row a context, (context, dims) numbers a hook, and perhaps token_ids. A record batch is a shard."""
    files = sorted(folder.glob("*.arrow"))
    if not files:
        raise ValueError(f"{folder} has {_ARROW}, but no .arrow files")
    told = {int(found[1]) for file in files if (found := re.search(r"-of-(\d+)\.arrow$", file.name))}
    if told and told != {len(files)}:
        raise ValueError(f"{folder} has {len(files)} .arrow files, by whose names there are {max(told)}: some are missing")
    batches = [_Contexts(file, number) for file in files for number in range(_count(file))]
    if not batches:
        raise ValueError(f"{folder} has no rows in its .arrow files")
    names = batches[0].names
    hook = _picked([name for name in names if name not in _NO_HOOKS], site, str(folder))
    shards, first = [], 0
    for batch in batches:
        batch.pick(hook, first)
        shards.append(Shard(batch.rows, batch))
        first += batch.contexts
    return Activations(shards, {hook: batches[0].dims}, name=str(folder))


def _stream(file: Path) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(pa.memory_map(str(file)))


def _count(file: Path) -> int:
    return sum(1 for _ in _stream(file))


class _Contexts:
    """One record batch of a mapped file: what it has, read from its offsets; its numbers stay where they are."""

    def __init__(self, file: Path, number: int) -> None:
        self.file, self.number = file, number
        self.hook, self.first = "", 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.file, self.number, self.hook, self.first)

    @cached_property
    def batch(self) -> Any:
        return next(islice(_stream(self.file), self.number, None))

    @property
    def names(self) -> list[str]:
        return self.batch.schema.names

    def pick(self, hook: str, first: int) -> None:
        """Which column holds the numbers, and which number the first context has. Raises ValueError for one of another shape."""
        self.hook, self.first = hook, first
        inner = self._lengths[1]
        if len(set(inner.tolist())) > 1:
            raise ValueError(f"{self.file} has rows of {int(inner.min())} to {int(inner.max())} dims in {hook!r}")

    @property
    def contexts(self) -> int:
        return self.batch.num_rows

    @property
    def rows(self) -> int:
        return int(self._lengths[0].sum())

    @property
    def dims(self) -> int:
        inner = self._lengths[1]
        return int(inner[0]) if len(inner) else 0

    def __call__(self) -> Mapping[str, Tensor]:
        """Its tensors."""
        outer = torch.from_numpy(self._lengths[0].astype(np.int64))
        numbers = self._column.flatten().flatten().to_numpy(zero_copy_only=False)
        found = {self.hook: _tensor(numbers).reshape(-1, self.dims)}
        found[DOCUMENTS] = torch.arange(self.first, self.first + self.contexts).repeat_interleave(outer)
        ends = outer.cumsum(0)
        found[POSITIONS] = torch.arange(int(ends[-1])) - (ends - outer).repeat_interleave(outer)
        if "token_ids" in self.names:
            ids = _tensor(self.batch.column("token_ids").flatten().to_numpy(zero_copy_only=False)).to(torch.int64)
            if len(ids) == len(found[DOCUMENTS]):
                found[TOKENS] = ids
        return found

    @cached_property
    def _column(self) -> Any:
        import pyarrow as pa

        column = self.batch.column(self.hook)
        while isinstance(column, pa.ExtensionArray):
            column = column.storage
        kind = column.type
        if not (_is_list(kind) and _is_list(kind.value_type) and pa.types.is_floating(kind.value_type.value_type)):
            raise ValueError(f"{self.file} has {self.hook!r} as {kind}; it must be (context, dims) numbers a row")
        return column

    @cached_property
    def _lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows of each context, dims of each row."""
        import pyarrow.compute as pc

        outer, inner = (pc.list_value_length(part) for part in (self._column, self._column.flatten()))  # pyright: ignore[reportAttributeAccessIssue]
        return np.asarray(outer, dtype=np.int64), np.asarray(inner, dtype=np.int64)


def _restored(file: Path, number: int, hook: str, first: int) -> _Contexts:
    contexts = _Contexts(file, number)
    contexts.hook, contexts.first = hook, first
    return contexts


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
