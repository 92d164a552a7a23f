"""StringSet: a set of strings as one vector, the sum of their directions of +-1: what superposition is, with nothing learnt.

A string's direction is made from its hash (`tegum.dictionaries.hashed`). Asked for a string, the vector v of k strings in d dims gives the mean
of v times its direction: 1 + noise for a member, noise for another, of standard deviation sqrt((k - 1) / d) and sqrt(k / d). For one that is
not a member the signs are independent of v, so the noise of its reading has the standard deviation |v| / d exactly, and no count is needed to say
how sure an answer is. Sums of sets are sets of sums: sets merge by addition and lose members by subtraction, which a Bloom filter cannot. But it
takes far fewer bits (`bits`, `bloom_rate`), for a dim holds a number of several bits and the noise of all members.

Sources: Gadzinski, *When Numbers Are Bits*; Bloom 1970, 'Space/time trade-offs in hash coding with allowable errors'.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

from tegum.checks import check_count, check_number, check_seed
from tegum.decoders import Decoder, Status, decode
from tegum.decoders.basis_pursuit import BasisPursuit
from tegum.dictionaries import hashed
from tegum.dictionaries._hashed import Key
from tegum.results import Result
from tegum.shapes import Bool, Float, Int

if TYPE_CHECKING:
    import pandas as pd

_CHUNK = 1 << 22  # numbers of directions held at a time


@dataclass(frozen=True, eq=False)
class Readings(Result):
    """What a set says of some keys, one entry each.

    `reading` is near the number of times that a key was added; `z_score` is it over the standard deviation of what a key never added reads, and
    `false_positive_rate` the chance that such a key reads as much (by the normal law of a sum of d signs); `member` is a reading above the threshold.
    """

    keys: tuple[Key, ...]
    reading: Float[Tensor, " keys"]
    z_score: Float[Tensor, " keys"]
    false_positive_rate: Float[Tensor, " keys"]
    member: Bool[Tensor, " keys"]

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a key."""
        import pandas as pd

        names = ("reading", "z_score", "false_positive_rate", "member")
        return pd.DataFrame({"key": list(self.keys)} | {name: getattr(self, name).numpy() for name in names})

    def __repr__(self) -> str:
        return (
            f"Readings({int(self.member.sum()):,} of {len(self.keys):,} keys read as members, median reading {self.reading.median():.3g})"
        )


@dataclass(frozen=True, eq=False)
class Members(Result):
    """Which keys of a vocabulary a set holds, as a decoder reads all of them together; `residual` is what of v they leave, over |v|."""

    keys: tuple[Key, ...]
    values: Float[Tensor, " keys"]
    status: Status
    residual: float

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a key that was found."""
        import pandas as pd

        return pd.DataFrame({"key": list(self.keys), "value": self.values.numpy()})

    def __repr__(self) -> str:
        return f"Members({len(self.keys):,} keys, {self.status.name}, {self.residual:.2g} of the vector left)"


class StringSet:
    """A set of strings (or integers from 0 to 2^64 - 1) in `n_dims` whole numbers. What is added twice counts twice.

    Two sets can be merged if their `n_dims` and `seed` are alike. The vector is `totals`, `count` how much was added less what was removed.

    Raises ValueError for keys, counts and seeds that are none.
    """

    def __init__(self, keys: Iterable[Key] = (), *, n_dims: int = 1024, seed: int = 0) -> None:
        check_count("n_dims", n_dims)
        check_seed(seed)
        self.n_dims, self.seed, self.count = n_dims, seed, 0
        self.totals: Int[Tensor, " dims"] = torch.zeros(n_dims, dtype=torch.int64)
        self._directions = hashed(1, n_dims, seed, dtype=torch.float64)
        self.update(keys)

    def add(self, key: Key) -> None:
        """Add one key."""
        self.update([key])

    def update(self, keys: Iterable[Key]) -> None:
        """Add many."""
        total, count = self._sum(_listed(keys))
        self.totals += total
        self.count += count

    def remove(self, key: Key) -> None:
        """Take one key away. KeyError if it does not read as a member: what was never added would be taken all the same."""
        if key not in self:
            raise KeyError(f"{key!r} reads {float(self.query([key]).reading[0]):.3g}, below 1/2: it does not seem to be in the set")
        self.totals -= self._sum([key])[0]
        self.count -= 1

    def query(self, keys: Iterable[Key], threshold: float = 0.5) -> Readings:
        """How each key reads, and how sure that is."""
        check_number("threshold", threshold)
        listed, size = _listed(keys), float(self.totals.double().norm())
        parts = [self._signs(listed[rows]) @ self.totals.double() for rows in self._chunks(len(listed))]
        products = torch.cat([torch.empty(0, dtype=torch.float64), *parts])
        z = products / size if size else torch.zeros_like(products)
        return Readings(tuple(listed), products / self.n_dims, z, torch.from_numpy(ndtr(-z.numpy())), products > threshold * self.n_dims)

    def __contains__(self, key: Key) -> bool:
        return bool(self.query([key]).member[0])

    def error_rates(self, threshold: float = 0.5) -> tuple[float, float]:
        """The chances that a key never added reads as a member, and that one added once does not, by the normal law."""
        check_number("threshold", threshold)
        energy = float(self.totals.double().square().sum()) / self.n_dims**2
        others = max(energy - 1 / self.n_dims, 0.0)  # what one member alone adds to |v|^2 is d
        return _tail(threshold, energy), _tail(1 - threshold, others)

    def decode(self, vocabulary: Sequence[Key], decoder: Decoder | None = None) -> Members:
        """Which keys of `vocabulary` are in the set, all of them judged together; by default the l1 solution with values from 0 to 1.

        A decoder explains all of v, so it reads sets that are far too full for one query at a time, if everything in them is in the vocabulary.
        Each direction has length 1: a key that was added once has the value 1.
        """
        listed = _listed(vocabulary)
        check_count("len(vocabulary)", len(listed))
        D = hashed(listed, self.n_dims, self.seed, dtype=torch.float64)
        x = self.totals.double()[None] / math.sqrt(self.n_dims)
        out = decode(D, x, BasisPursuit(values="binary") if decoder is None else decoder)
        active = out.z.indices[0] >= 0
        found = tuple(listed[i] for i in out.z.indices[0][active].tolist())
        size = float(x.norm())
        return Members(found, out.z.values[0][active], Status(int(out.status[0])), float(out.residual[0]) / size if size else 0.0)

    def __add__(self, other: "StringSet") -> "StringSet":
        """Both sets in one. ValueError where they have other dims or seeds: their directions are not the same."""
        return self.copy().merge(other)

    def merge(self, other: "StringSet") -> "StringSet":
        """Add all of another set to this one, which is returned."""
        self._alike(other)
        self.totals = self.totals + other.totals
        self.count += other.count
        return self

    def copy(self) -> "StringSet":
        """The same set, to be changed by itself."""
        out = StringSet(n_dims=self.n_dims, seed=self.seed)
        out.totals, out.count = self.totals.clone(), self.count
        return out

    def overlap(self, other: "StringSet") -> float:
        """About how many keys both sets hold: v . w / d, of standard deviation sqrt(k l / d) or so."""
        self._alike(other)
        return float(self.totals.double() @ other.totals.double()) / self.n_dims

    @property
    def bits(self) -> int:
        """How many bits the vector takes as it stands: a two's complement number of the least width for each dim."""
        return self.n_dims * (1 + int(self.totals.abs().max()).bit_length())

    def _alike(self, other: "StringSet") -> None:
        if not isinstance(other, StringSet):
            raise ValueError(f"a StringSet goes with another, not with {type(other).__name__}; update adds keys")
        if (self.n_dims, self.seed) != (other.n_dims, other.seed):
            raise ValueError(
                f"sets of {self.n_dims} dims, seed {self.seed} and of {other.n_dims} dims, seed {other.seed} have other directions"
            )

    def _sum(self, keys: Sequence[Key]) -> tuple[Tensor, int]:
        total = torch.zeros(self.n_dims, dtype=torch.float64)
        for rows in self._chunks(len(keys)):
            total += self._signs(keys[rows]).sum(0)
        return total.round().long(), len(keys)

    def _signs(self, keys: Sequence[Key]) -> Float[Tensor, "keys dims"]:
        return self._directions.directions_of(keys).sign_()

    def _chunks(self, n: int) -> list[slice]:
        step = max(1, _CHUNK // self.n_dims)
        return [slice(first, first + step) for first in range(0, n, step)]

    def __repr__(self) -> str:
        wrong, missed = self.error_rates()
        return (
            f"StringSet({self.count:,} keys in {self.n_dims:,} dims, {self.bits:,} bits; false positives {wrong:.2g}, misses {missed:.2g})"
        )


def bloom_rate(count: int, bits: int) -> float:
    """The false positive rate of a Bloom filter of so many bits that holds `count` keys, with its best number of hashes: (1 - e^(-h k / m))^h."""
    check_count("count", count, 0)
    check_count("bits", bits)
    if not count:
        return 0.0
    best = max(1, round(bits / count * math.log(2)))
    return min(float((-np.expm1(-h * count / bits)) ** h) for h in (best, best + 1, max(1, best - 1)))


def _tail(gap: float, variance: float) -> float:
    return float(ndtr(-gap / math.sqrt(variance))) if variance else 0.0


def _listed(keys: Iterable[Key]) -> list[Key]:
    if isinstance(keys, str | bytes | bytearray):
        raise ValueError(f"keys is the string {keys!r}; give a list of keys, or add one by add({keys!r})")
    return list(keys)
