"""Readings at entries of the capacity table: as many features active as it says, a few more and a few less, and how many codes are read right.

A code counts as read when every coordinate is right. Codes come in batches, each through a random dictionary of its own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from tegum import theory
from tegum.decoders import Decoder, decode
from tegum.decoders.bayes_amp import BayesAMP
from tegum.decoders.matched_filter import MatchedFilter
from tegum.decoders.top_k import TopK
from tegum.dictionaries.gaussian_entries import gaussian
from tegum.features.exactly_k import ExactlyK

READERS: dict[str, Callable[[int], Decoder]] = {
    "threshold": lambda k: MatchedFilter(),  # noqa: ARG005
    "top-k": lambda k: TopK(n_active=k, values="binary"),
    "Bayes-AMP": lambda k: BayesAMP(prior="binary", n_active=k),
}


@dataclass(frozen=True)
class Entry:
    """One entry of the table: N features, d dims, a rule of `theory.RULES`."""

    rule: str
    n_features: int
    n_dims: int

    @cached_property
    def active(self) -> float:
        """The k of the table."""
        return float(theory.active_features(theory.RULES[self.rule], self.n_features, self.n_dims))

    @cached_property
    def width(self) -> float:
        """From 50% to 84% success, in features; for Bayes-AMP, whose law is a step, that of l1."""
        active = {"threshold": theory.threshold_active, "top-k": theory.topk_active}.get(self.rule, theory.lasso_active)
        return float(active(self.n_features, self.n_dims, success=0.16) - active(self.n_features, self.n_dims, success=0.84)) / 2

    @cached_property
    def tried(self) -> np.ndarray:
        """Four numbers of active features about the table's, some .7 widths apart."""
        step = max(1, round(0.7 * self.width))
        return max(math.floor(self.active), 1 + step) + step * np.arange(-1, 3)

    def read(self, batch: int, together: int, seed: int) -> np.ndarray:
        """How many of `together` codes are read right through one Gaussian dictionary, at each k of `tried`."""
        D, right = gaussian(self.n_features, self.n_dims, seed=seed + batch), []
        for k in map(int, self.tried):
            codes = ExactlyK(n_features=self.n_features, n_active=k)
            z = codes.sample(together, seed=seed, step=k, first_sample=batch * together)
            right.append(int(decode(D, D.encode(z), READERS[self.rule](k), progress=False).exact(z).sum()))
        return np.array(right)

    def cones(self, trials: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """The exact chances of l1 at each k of `tried`, with their standard errors."""
        found = [theory.l1_success(self.n_dims, self.n_features, int(k), trials=trials, seed=seed + i) for i, k in enumerate(self.tried)]
        return np.array([each.probability for each in found]), np.array([each.standard_error for each in found])


def cone_shift(entry: Entry, k: np.ndarray, chance: np.ndarray, error: np.ndarray) -> tuple[float, float]:
    """By how many dims the 50% point of exact chances of l1 lies below that of `theory.lasso_dims`, and its standard error."""
    width = theory.lasso_width(entry.n_features, k)
    chance = np.clip(chance, 1e-6, 1 - 1e-6)
    shift = width * ndtri(chance) - (entry.n_dims - theory.lasso_dims(entry.n_features, k))
    error = np.maximum(error, 1e-6) * width * math.sqrt(2 * math.pi) * np.exp(ndtri(chance) ** 2 / 2)
    weight = error**-2
    return float((weight * shift).sum() / weight.sum()), float(weight.sum() ** -0.5)
