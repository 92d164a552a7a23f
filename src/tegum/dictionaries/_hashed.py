"""Hashed: a dictionary of keys whose directions are made when asked for (what `tegum.dictionaries.hashed` returns)."""

import hashlib
import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from tegum.dictionaries._base import Dictionary
from tegum.dictionaries._door import check_dtype, in_range, the_device
from tegum.dictionaries._signs import SIGNS, signs
from tegum.shapes import Float, Int

Key = str | int | np.integer

_SIGNED, _KEYS = 2**63, 2**64


def key_number(key: Key) -> int:
    """The key of a feature as a number in [0, 2^64): itself, or the hash of a string. ValueError for what is neither."""
    if isinstance(key, str):
        return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
    if isinstance(key, bool) or not isinstance(key, (int, np.integer)) or not 0 <= key < _KEYS:
        raise ValueError(f"key is {key!r}; a key is a string, or an integer from 0 to 2^64 - 1")
    return int(key)


class Hashed(Dictionary):
    """Directions of +-1/sqrt(d) from the keys' hashes. It holds 8 bytes a feature where keys were given, and nothing where they are 0, 1, 2, ..."""

    def __init__(
        self, keys: Int[Tensor, " features"] | None, n_features: int, n_dims: int, seed: int, dtype: torch.dtype, device: torch.device | str
    ) -> None:
        self.n_features, self.n_dims, self.seed, self.dtype, self.device = n_features, n_dims, seed, dtype, the_device(device)
        self._keys = keys

    def directions(self, indices: Int[Tensor, " some"]) -> Float[Tensor, "some dims"]:
        """Made from the keys of these features. IndexError for one that is not there."""
        indices = in_range(indices, self.n_features).to(self.device)
        return self._of(indices if self._keys is None else self._keys[indices])

    def direction_of(self, key: Key) -> Float[Tensor, " dims"]:
        """The direction of any string or integer, a feature of this dictionary or not."""
        return self.directions_of([key])[0]

    def directions_of(self, keys: Iterable[Key]) -> Float[Tensor, "some dims"]:
        """The directions of any strings or integers."""
        return self._of(as_keys(keys).to(self.device))

    def superpose(self, keys: Iterable[Key]) -> Float[Tensor, " dims"]:
        """The sum of the directions of a set of keys, (d,): the whole set in d numbers."""
        return self.directions_of(keys).sum(0)

    def query(self, x: Float[Tensor, "batch dims"], keys: Iterable[Key]) -> Float[Tensor, "batch some"]:
        """Inner products of each x with the directions of any keys, (B, len(keys)): near 1 for the members of a superposed set, else near 0.

        The other k - 1 or k members add noise of variance 1/d each.
        """
        self._takes(x)
        return x @ self.directions_of(keys).T

    def index(self, key: Key) -> int:
        """Which feature of the dictionary has this key. ValueError if none has."""
        number = key_number(key)
        if self._keys is None and number < self.n_features:
            return number
        found = [] if self._keys is None else (self._keys == _as_signed(number)).nonzero()[:, 0].tolist()
        if not found:
            raise ValueError(f"{key!r} is not one of the {self.n_features:,} keys of the dictionary; direction_of takes any key")
        return found[0]

    def squared_norms(self) -> Float[Tensor, " features"]:
        """|D_i|^2: d entries of 1/d."""
        return torch.ones(self.n_features, dtype=self.dtype, device=self.device)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "Hashed":
        """The same directions elsewhere, or of another dtype."""
        check_dtype(dtype)
        place = self.device if device is None else device
        keys = None if self._keys is None else self._keys.to(place)
        return Hashed(keys, self.n_features, self.n_dims, self.seed, self.dtype if dtype is None else dtype, place)

    def _of(self, keys: Int[Tensor, " some"]) -> Float[Tensor, "some dims"]:
        return signs(self.seed, SIGNS, keys, self.n_dims, self.dtype).div_(math.sqrt(self.n_dims))


def as_keys(keys: Iterable[Key]) -> Int[Tensor, " some"]:
    """Keys as int64, in which those from 2^63 on are negative."""
    return torch.tensor([_as_signed(key_number(key)) for key in keys], dtype=torch.int64)


def distinct(keys: Sequence[Key]) -> Int[Tensor, " features"]:
    """The same; ValueError where two are alike, for they would be one direction."""
    numbers = as_keys(keys)
    seen: dict[int, int] = {}
    for at, number in enumerate(numbers.tolist()):
        if (first := seen.setdefault(number, at)) != at:
            raise ValueError(f"keys {first} and {at} are alike: {keys[first]!r} and {keys[at]!r}; a feature has a key of its own")
    return numbers


def _as_signed(number: int) -> int:
    return number - _KEYS if number >= _SIGNED else number
