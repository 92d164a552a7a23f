"""Activations: rows of one or several sites, in shards that are mapped and not loaded; selected, split by document, shuffled, measured.

An order of rows is a permutation of all of them, drawn by sorting words of the draws contract, so it is uniform, the same on every machine for
the same (seed, epoch), and any batch of it can be had without those before it.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum import draws
from tegum.activations._manifest import NAME, Manifest, ShardRecord, damage, read_manifest
from tegum.activations.moments import Moments, moments_of
from tegum.checks import check_count, check_probability, check_seed
from tegum.files import read_tensors
from tegum.results import Result
from tegum.shapes import Bool, Float, Int

if TYPE_CHECKING:
    import pandas as pd

TOKENS, POSITIONS, DOCUMENTS = "tokens", "positions", "documents"  # beside the sites
_CHUNK = 1 << 22  # numbers read at a time
DAMAGED = "raise", "leave out"


@dataclass(frozen=True)
class Shard:
    """Some rows: how many, and how to have their tensors, by site and for tokens, positions and documents (where there are any)."""

    rows: int
    tensors: Callable[[], Mapping[str, Tensor]]


class Activations(Result):
    """Rows of activations. `sites` maps each site's name to its dims; `rows` is the selection that this is of all rows, None for all.

    A folder is opened by `tegum.activations.load(folder)`, anything else by `load` too. A selection, a split or a single site (`at`) is a view: no
    numbers are copied until they are read.
    """

    def __init__(
        self, shards: Sequence[Shard], sites: Mapping[str, int], *, rows: Int[Tensor, " selected"] | None = None, name: str = ""
    ) -> None:
        self._shards = tuple(shards)
        self.sites, self.name = dict(sites), name
        self._ends = torch.tensor([shard.rows for shard in self._shards], dtype=torch.int64).cumsum(0)
        self._rows = rows

    @classmethod
    def open(cls, folder: str | Path, damaged: str = "raise") -> "Activations":
        """The activations of a folder that `capture` wrote.

        Each shard is held against its checksum when it is first read; with `damaged` "leave out" all are at once, and those that are not what was
        written are left out, with a warning that names them. Raises ValueError for a folder without a manifest.
        """
        if damaged not in DAMAGED:
            raise ValueError(f"damaged is {damaged!r}; it must be one of {', '.join(DAMAGED)}")
        place = Path(folder)
        manifest = read_manifest(place)
        if manifest is None:
            raise ValueError(f"{place} holds no activations: there is no {NAME} in it")
        kept = list(manifest.shards)
        if damaged == "leave out":
            found = {shard.file: damage(place, shard) for shard in kept}
            if bad := [f"{file} {what}" for file, what in found.items() if what]:
                warnings.warn(f"left out of {place}: {'; '.join(bad)}", stacklevel=2)
            kept = [shard for shard in kept if not found[shard.file]]
        shards = [Shard(shard.rows, _mapped(place, shard, checked=damaged == "leave out")) for shard in kept]
        return cls(shards, manifest.sites, name=str(place))

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
        return Activations(self._shards, {site: self.sites[site]}, rows=self._rows, name=self.name)

    def select(self, rows: Int[Tensor, " some"] | Bool[Tensor, " rows"]) -> "Activations":
        """These rows of it, by their places or by a mask. Raises ValueError for a mask of another length, IndexError for a place beyond the end."""
        chosen = torch.as_tensor(rows)
        if chosen.dtype == torch.bool:
            if len(chosen) != len(self):
                raise ValueError(f"the mask has {len(chosen):,} entries, but there are {len(self):,} rows")
            chosen = chosen.nonzero()[:, 0]
        if len(chosen) and (int(chosen.min()) < 0 or int(chosen.max()) >= len(self)):
            raise IndexError(f"rows from {int(chosen.min()):,} to {int(chosen.max()):,} are asked for, but there are {len(self):,}")
        return Activations(self._shards, self.sites, rows=chosen if self._rows is None else self._rows[chosen], name=self.name)

    def split(self, held_out: float = 0.1, seed: int = 0) -> "tuple[Activations, Activations]":
        """(rest, held out): whole documents, each held out with that chance, whatever else is there; rows where no documents are known."""
        check_probability("held_out", held_out)
        check_seed(seed)
        documents = self.documents if self.has(DOCUMENTS) else torch.arange(len(self)) if self._rows is None else self._rows
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
        """The place of each row in its document."""
        return self._beside(POSITIONS)

    @property
    def documents(self) -> Int[Tensor, " rows"]:
        """The number of the document that each row is of."""
        return self._beside(DOCUMENTS)

    def read(self, rows: Int[Tensor, " some"] | slice | None = None, dtype: torch.dtype = torch.float32) -> Float[Tensor, "some dims"]:
        """Rows of the one site, by their places (all by default), in memory."""
        site = self.site
        return self._gathered(site, self._places(rows), torch.empty(0, self.n_dims, dtype=dtype))

    def batches(
        self, batch_size: int, *, seed: int = 0, epoch: int = 0, start: int = 0, shuffle: bool = True, drop_last: bool = True
    ) -> Iterator[Float[Tensor, "batch dims"]]:
        """One pass over the rows of the one site, in the order of (seed, epoch), from batch `start` on."""
        check_count("batch_size", batch_size)
        order = self.order(seed, epoch) if shuffle else torch.arange(len(self))
        end = len(self) // batch_size * batch_size if drop_last else len(self)
        for first in range(start * batch_size, end, batch_size):
            yield self.read(order[first : min(end, first + batch_size)])

    def order(self, seed: int = 0, epoch: int = 0) -> Int[Tensor, " rows"]:
        """A uniform permutation of the rows."""
        check_seed(seed)
        place = torch.arange(len(self))
        high, low, _, _ = draws.words(seed, draws.SHUFFLES, 0, epoch, place >> 32, place & 0xFFFFFFFF)
        return ((high << 31) ^ low).argsort(stable=True)

    def moments(self) -> Moments:
        """Mean, covariance and norms of the one site, in one pass."""
        step = max(1, _CHUNK // self.n_dims)
        return moments_of((self.read(slice(first, first + step)) for first in range(0, len(self), step)), self.n_dims)

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a site."""
        import pandas as pd

        return pd.DataFrame({"site": list(self.sites), "n_dims": list(self.sites.values()), "rows": len(self)})

    def __repr__(self) -> str:
        told = ", ".join(f"{site!r} ({dims} dims)" for site, dims in self.sites.items())
        where = f" in {self.name}" if self.name else ""
        return f"Activations({len(self):,} rows of {told}, {len(self._shards)} shard{'s'[: len(self._shards) != 1]}{where})"

    def _places(self, rows: Int[Tensor, " some"] | slice | None) -> Int[Tensor, " some"]:
        """Places among all rows."""
        if rows is None or isinstance(rows, slice):
            first, last, stride = (rows or slice(None)).indices(len(self))
            rows = torch.arange(first, max(first, last), stride)
        return rows if self._rows is None else self._rows[rows]

    def _gathered(self, name: str, places: Int[Tensor, " some"], like: Tensor) -> Tensor:
        out = like.new_empty(len(places), *like.shape[1:])
        of = torch.searchsorted(self._ends, places, right=True)
        for number in of.unique().tolist():
            mine = of == number
            first = int(self._ends[number]) - self._shards[number].rows
            local = places[mine] - first
            source = self._shards[number].tensors()[name]
            begin, end = int(local[0]), int(local[-1]) + 1
            run = end - begin == len(local) and bool((local.diff() == 1).all())
            out[mine] = (source[begin:end] if run else source[local]).to(out.dtype)
        return out

    def _beside(self, what: str) -> Tensor:
        if not self.has(what):
            raise ValueError(f"no {what} are known of {self.name or 'these rows'}")
        return self._gathered(what, self._places(None), torch.empty(0, dtype=torch.int64))


def _mapped(folder: Path, shard: ShardRecord, *, checked: bool) -> Callable[[], Mapping[str, Tensor]]:
    """The shard's tensors, mapped when first asked for, and then held against its checksum."""
    known: list[Mapping[str, Tensor]] = []

    def tensors() -> Mapping[str, Tensor]:
        if not known:
            if not checked and (what := damage(folder, shard)):
                raise ValueError(
                    f"{folder / shard.file} {what}. The rest is usable: open the folder with damaged='leave out', or capture again into it, which "
                    "does this shard alone"
                )
            known.append(read_tensors(folder / shard.file)[0])
        return known[0]

    return tensors


def in_memory(tensors: Mapping[str, Tensor], sites: Sequence[str], name: str = "") -> Activations:
    """Activations of tensors that are there, (rows, dims) a site."""
    rows = len(tensors[sites[0]])
    return Activations([Shard(rows, lambda: tensors)] if rows else [], {site: tensors[site].shape[1] for site in sites}, name=name)


__all__ = ["DOCUMENTS", "POSITIONS", "TOKENS", "Activations", "Manifest", "Shard", "in_memory"]
