"""Activations: rows of one or several sites, in shards that are mapped and not loaded; selected, split by document, shuffled, measured.

An order of rows is a permutation of all of them, drawn by sorting words of the draws contract, so it is uniform, the same on every machine for
the same (seed, epoch), and any batch of it can be had without those before it.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from tegum import draws
from tegum.activations._manifest import NAME, Manifest, ShardRecord, damage, read_manifest
from tegum.activations.moments import Moments, moments_of
from tegum.checks import check_count, check_probability, check_seed
from tegum.files import read_tensors
from tegum.results import Result
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd

TOKENS, POSITIONS, DOCUMENTS = "/tokens", "/positions", "/documents"  # beside the sites, whose names have no slash
_CHUNK = 1 << 22  # numbers read at a time
DAMAGED = "raise", "leave out"
Rows: TypeAlias = "Tensor | Sequence[int] | slice | None"  # places, or a mask of all


@dataclass(frozen=True)
class Shard:
    """Some rows: how many, and how to have their tensors, by site and for tokens, positions and documents (where there are any)."""

    rows: int
    tensors: Callable[[], Mapping[str, Tensor]]


class Ready:
    """Tensors that are there."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def __call__(self) -> Mapping[str, Tensor]:
        """The tensors."""
        return self._tensors


class Mapped:
    """A shard's tensors, mapped when first asked for, and then held against its checksum unless that was `checked`."""

    def __init__(self, folder: Path, shard: ShardRecord, *, checked: bool) -> None:
        self._folder, self._shard, self._checked = folder, shard, checked
        self._tensors: Mapping[str, Tensor] | None = None

    def __call__(self) -> Mapping[str, Tensor]:
        """The tensors. Raises ValueError for a file that is not what was written."""
        if self._tensors is None:
            path = self._folder / self._shard.file
            if not self._checked and (what := damage(self._folder, self._shard)):
                raise ValueError(
                    f"{path} {what}. The rest is usable: open the folder with damaged='leave out', or capture into it again, for this shard alone"
                )
            self._tensors = read_tensors(path)[0]
        return self._tensors

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Mapped, checked=self._checked), (self._folder, self._shard)


class Activations(Result):
    """Rows of activations. `sites` maps each site's name to its dims; `rows` is the selection that this is of all rows, None for all.

    A folder is opened by `tegum.activations.load(folder)`, anything else by `load` too. A selection, a split or a single site (`at`) is a view: no
    numbers are copied until they are read. `manifest` says how captured ones were made, and of each shard how many rows were left out.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        sites: Mapping[str, int],
        *,
        rows: Int[Tensor, " selected"] | None = None,
        name: str = "",
        manifest: Manifest | None = None,
    ) -> None:
        self._shards = tuple(shards)
        self.sites, self.name, self.manifest = dict(sites), name, manifest
        self._ends = torch.tensor([shard.rows for shard in self._shards], dtype=torch.int64).cumsum(0)
        self._rows = rows

    @classmethod
    def open(cls, folder: str | Path, damaged: str = "raise") -> "Activations":
        """The activations of a folder that `capture` wrote; warns of a capture that was interrupted.

        Each shard is held against its checksum when it is first read; with `damaged` "leave out" all are at once, and those that are not what was
        written are left out, with a warning that names them. Raises ValueError for a folder without a manifest.
        """
        check_damaged(damaged)
        place = Path(folder)
        manifest = read_manifest(place)
        if manifest is None:
            raise ValueError(f"{place} holds no activations: there is no {NAME} in it")
        if not manifest.complete:
            warnings.warn(f"{place} holds part of a capture, which was interrupted: the same call of capture goes on with it", stacklevel=2)
        kept = list(manifest.shards)
        if damaged == "leave out":
            found = {shard.file: damage(place, shard) for shard in kept}
            if bad := [f"{file} {what}" for file, what in found.items() if what]:
                warnings.warn(f"left out of {place}: {'; '.join(bad)}", stacklevel=2)
            kept = [shard for shard in kept if not found[shard.file]]
        shards = [Shard(shard.rows, Mapped(place, shard, checked=damaged == "leave out")) for shard in kept]
        return cls(shards, manifest.sites, name=str(place), manifest=manifest)

    def __len__(self) -> int:
        return self._total if self._rows is None else len(self._rows)

    @property
    def site(self) -> str:
        """The one site. Raises ValueError where there are several: `at` picks one."""
        if len(self.sites) != 1:
            raise ValueError(f"there are several sites, {', '.join(self.sites)}: pick one by .at(name)")
        return next(iter(self.sites))

    @property
    def n_dims(self) -> int:
        """The dims of the one site."""
        return self.sites[self.site]

    @cached_property
    def dtype(self) -> torch.dtype:
        """What the one site is stored in."""
        if not self._shards:
            raise ValueError(f"{self.name or 'this'} holds no rows")
        return self._shards[0].tensors()[self.site].dtype

    @property
    def _total(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def at(self, site: str) -> "Activations":
        """The same rows of one site. Raises ValueError for one that is not there."""
        if site not in self.sites:
            raise ValueError(f"there is no site {site!r}; there are {', '.join(self.sites)}")
        return self._view({site: self.sites[site]}, self._rows)

    def select(self, rows: Rows) -> "Activations":
        """These rows of it. Raises ValueError for a mask of another length, IndexError for a place beyond the ends."""
        return self._view(self.sites, self._places(rows))

    def split(self, held_out: float = 0.1, seed: int = 0) -> "tuple[Activations, Activations]":
        """(rest, held out): whole documents, each held out with that chance, whatever else is there; rows where no documents are known."""
        check_probability("held_out", held_out)
        check_seed(seed)
        documents = self.documents if self.has(DOCUMENTS) else self._places(None)
        numbers, inverse = documents.unique(return_inverse=True)
        word = draws.words(seed, draws.HELD_OUT, 0, numbers >> 32, 0, numbers & 0xFFFFFFFF)[0]
        mine = (draws.uniform32(word) < held_out)[inverse]
        return self.select(~mine), self.select(mine)

    def has(self, what: str) -> bool:
        """Whether every shard has tokens, positions or documents."""
        return bool(self._shards) and all(what in shard.tensors() for shard in self._shards)

    @property
    def tokens(self) -> Int[Tensor, " rows"]:
        """The token of each row. Raises ValueError where none are known; so do the next two."""
        return self._beside(TOKENS)

    @property
    def positions(self) -> Int[Tensor, " rows"]:
        """The place of each row in its sample, padding counted: a document that was cut into samples begins anew in each."""
        return self._beside(POSITIONS)

    @property
    def documents(self) -> Int[Tensor, " rows"]:
        """The number of the document that each row is of."""
        return self._beside(DOCUMENTS)

    def read(self, rows: Rows = None, dtype: torch.dtype = torch.float32) -> Float[Tensor, "some dims"]:
        """Rows of the one site, all by default, in memory. Raises as `select` does."""
        return self._gathered(self.site, self._places(rows), torch.empty(0, self.n_dims, dtype=dtype))

    def batches(
        self, batch_size: int, *, seed: int = 0, epoch: int = 0, start: int = 0, shuffle: bool = True, drop_last: bool = True
    ) -> Iterator[Float[Tensor, "batch dims"]]:
        """One pass over the rows of the one site, in the order of (seed, epoch), from batch `start` on.

        Which rows these are: `order(seed, epoch)`, `batch_size` at a time. Raises ValueError where there are fewer rows than a batch has, and the
        last, smaller one is dropped.
        """
        check_count("batch_size", batch_size)
        check_count("start", start, at_least=0)
        if drop_last and len(self) < batch_size:
            raise ValueError(f"there are {len(self):,} rows, not one batch of {batch_size:,}; drop_last=False gives them as one")
        order = self.order(seed, epoch) if shuffle else torch.arange(len(self))
        end = len(self) // batch_size * batch_size if drop_last else len(self)
        return (self.read(order[first : min(end, first + batch_size)]) for first in range(start * batch_size, end, batch_size))

    def order(self, seed: int = 0, epoch: int = 0) -> Int[Tensor, " rows"]:
        """A uniform permutation of the rows."""
        check_seed(seed)
        check_count("epoch", epoch, at_least=0)
        place = torch.arange(len(self))
        high, low, _, _ = draws.words(seed, draws.SHUFFLES, 0, epoch, place >> 32, place & 0xFFFFFFFF)
        return ((high << 31) ^ low).argsort(stable=True)

    def digest(self) -> str:
        """Of what the rows of all sites are: of the checksums of captured shards and which rows are selected, or else of every number."""
        told = hashlib.sha256(repr(sorted(self.sites.items())).encode())
        places = self._places(None)
        if self.manifest is not None:
            told.update("".join(f"{shard.file} {shard.sha256}\n" for shard in self.manifest.shards).encode())
            told.update(places.numpy().tobytes())
        else:
            for site, dims in self.sites.items():
                for part in places.split(max(1, _CHUNK // dims)):
                    rows = self._gathered(site, part, torch.empty(0, dims))
                    told.update(rows.numpy().tobytes())
        return told.hexdigest()[:32]

    def moments(self) -> Moments:
        """Mean, covariance and norms of the one site, in one pass."""
        step = max(1, _CHUNK // self.n_dims)
        parts = (self.read(slice(first, first + step), self.dtype) for first in range(0, len(self), step))
        return moments_of(parts, self.n_dims)

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a site."""
        import pandas as pd

        return pd.DataFrame({"site": list(self.sites), "n_dims": list(self.sites.values()), "rows": len(self)})

    def __repr__(self) -> str:
        told = ", ".join(f"{site!r} ({dims} dims)" for site, dims in self.sites.items())
        where = f" in {self.name}" if self.name else ""
        part = ", interrupted" if self.manifest is not None and not self.manifest.complete else ""
        return f"Activations({len(self):,} rows of {told}, {len(self._shards)} shard{'s'[: len(self._shards) != 1]}{where}{part})"

    def _view(self, sites: Mapping[str, int], rows: Int[Tensor, " selected"] | None) -> "Activations":
        return Activations(self._shards, sites, rows=rows, name=self.name, manifest=self.manifest)

    def _places(self, rows: Rows) -> Int[Tensor, " some"]:
        """Places among all rows: of a slice, a mask, or places among those selected, from the end where below 0."""
        if rows is None or isinstance(rows, slice):
            chosen = torch.tensor(range(*(rows or slice(None)).indices(len(self))), dtype=torch.int64)
        else:
            chosen = torch.as_tensor(rows)
            if chosen.dtype == torch.bool:
                if chosen.shape != (len(self),):
                    raise ValueError(f"the mask has shape {tuple(chosen.shape)}, but there are {len(self):,} rows")
                chosen = chosen.nonzero()[:, 0]
            chosen = chosen.to(torch.int64)
            if len(chosen) and (int(chosen.min()) < -len(self) or int(chosen.max()) >= len(self)):
                raise IndexError(f"rows from {int(chosen.min()):,} to {int(chosen.max()):,} are asked for, but there are {len(self):,}")
            chosen = torch.where(chosen < 0, chosen + len(self), chosen)
        return chosen if self._rows is None else self._rows[chosen]

    def _gathered(self, name: str, places: Int[Tensor, " some"], like: Tensor) -> Tensor:
        out = like.new_empty(len(places), *like.shape[1:])
        of = torch.searchsorted(self._ends, places, right=True)
        for number in of.unique().tolist():
            mine = of == number
            local = places[mine] - (int(self._ends[number]) - self._shards[number].rows)
            source = self._shards[number].tensors()[name]
            begin, end = int(local[0]), int(local[-1]) + 1
            run = end - begin == len(local) and bool((local.diff() == 1).all())
            out[mine] = (source[begin:end] if run else source[local]).to(out.dtype)
        return out

    def _beside(self, what: str) -> Tensor:
        if not self.has(what):
            raise ValueError(f"no {what[1:]} are known of {self.name or 'these rows'}")
        return self._gathered(what, self._places(None), torch.empty(0, dtype=torch.int64))


def check_damaged(damaged: str) -> None:
    """Raise ValueError for what is not one of `DAMAGED`."""
    if damaged not in DAMAGED:
        raise ValueError(f"damaged is {damaged!r}; it must be one of {', '.join(DAMAGED)}")


def in_memory(tensors: Mapping[str, Tensor], sites: Sequence[str], name: str = "") -> Activations:
    """Activations of tensors that are there, (rows, dims) a site."""
    rows = len(tensors[sites[0]])
    return Activations([Shard(rows, Ready(tensors))] if rows else [], {site: tensors[site].shape[1] for site in sites}, name=name)
