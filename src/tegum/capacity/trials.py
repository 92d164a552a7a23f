"""Trials: how many codes a decoder reads right, of k of N features on at 1, through d dims of a random dictionary and perhaps through noise.

A code counts as read when every coordinate is right after rounding. A fresh dictionary is drawn for every few codes, since the chance that theory
speaks of is over both; in a large one codes share no features to speak of, and more of them can share it. What a trial gives depends on its
number alone: counts of trials 0 to 31 and 32 to 63 add up to that of 0 to 63.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch

from tegum import draws
from tegum.checks import check_count, check_seed
from tegum.decoders import Decoder, decode
from tegum.dictionaries import Dictionary
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.dictionaries.random_signs import rademacher
from tegum.dictionaries.subsampled_hadamard import hadamard
from tegum.dictionaries.uniform_sphere import spherical
from tegum.features.exactly_k import ExactlyK

DICTIONARIES: dict[str, Callable[..., Dictionary]] = {
    "gaussian": gaussian,
    "spherical": spherical,
    "rademacher": rademacher,
    "hadamard, in blocks": hadamard,
    "hadamard, whole": partial(hadamard, form="whole"),
}
LARGE = 1 << 17  # features from which a table is not written down: a Hadamard dictionary stands in for it
_SHARED = 16  # features to each code that a dictionary is shared by
_LEAST, _MOST = 16, 256  # codes that share one


class Count(NamedTuple):
    """Codes read right, and the seconds that decoding took."""

    right: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is read: `n_active` of `n_features` on at 1, noise of standard deviation `noise_std` in each dim, through a kind of dictionary.

    `dictionary` "" is "gaussian", or "hadamard, in blocks" beyond 2^17 features. Raises ValueError for sizes that do not go together.
    """

    n_features: int
    n_active: int
    noise_std: float = 0.0
    dictionary: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the sizes, and name the dictionary."""
        check_count("n_features", self.n_features, at_least=2)
        check_count("n_active", self.n_active)
        check_seed(self.seed)
        if self.n_active >= self.n_features:
            raise ValueError(f"n_active is {self.n_active:,}, but there are {self.n_features:,} features to choose from")
        if not 0 <= self.noise_std < float("inf"):
            raise ValueError(f"noise_std is {self.noise_std!r}; it must be a number of at least 0")
        if not self.dictionary:
            object.__setattr__(self, "dictionary", "gaussian" if self.n_features <= LARGE else "hadamard, in blocks")
        if self.dictionary not in DICTIONARIES:
            raise ValueError(f"dictionary is {self.dictionary!r}; it must be one of {', '.join(DICTIONARIES)}")

    @property
    def together(self) -> int:
        """How many codes share a dictionary."""
        return max(_LEAST, min(_MOST, self.n_features // _SHARED // _LEAST * _LEAST))

    def count(self, decoder: Decoder, n_dims: int, first: int, trials: int) -> Count:
        """Of trials `first` to `first + trials`, how many are read right."""
        right, seconds, last = 0, 0.0, first + trials
        codes = ExactlyK(n_features=self.n_features, n_active=self.n_active)
        while first < last:
            number, size = first // self.together, min(last, (first // self.together + 1) * self.together) - first
            D = DICTIONARIES[self.dictionary](self.n_features, n_dims, seed=self.seed + number)
            z = codes.sample(size, seed=self.seed, step=n_dims, first_sample=first)
            x = D.encode(z)
            if self.noise_std:
                rows = torch.arange(first, first + size)
                x = x + (self.noise_std * draws.normals(self.seed, draws.NOISE, rows, n_dims, step=n_dims)).to(x.dtype)
            state = decoder.init(D)
            begin = time.perf_counter()
            out = decode(D, x, decoder, state=state, progress=False)
            seconds += time.perf_counter() - begin
            right += int(out.exact(z).sum())
            first += size
        return Count(right, seconds)
