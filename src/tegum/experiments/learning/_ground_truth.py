"""Worlds of known features: how they occur, codes and activations drawn from them, and how far codes found by somebody are the true ones."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tegum import features
from tegum.dictionaries import Dictionary, spherical
from tegum.learning import metrics
from tegum.shapes import Bool, Float

WORLDS = "independent", "Zipf", "in pairs", "in families"
_FAMILY = 4  # a parent and its children
_CHILD = 1 / 3  # chance of each child where its parent is on


@dataclass(frozen=True)
class World:
    """N unit directions in d dims, k features on at a time on average, values U[0, 1].

    "Zipf": chances fall as 1 / rank. "in pairs": two and two are on together. "in families": a child is on in a third of the samples in which its
    parent is, three children a parent.
    """

    kind: str
    n_features: int
    n_dims: int
    n_active: int
    seed: int

    def __post_init__(self) -> None:
        """Raise ValueError for a world that there can not be."""
        if self.kind not in WORLDS:
            raise ValueError(f"there is no world {self.kind!r}; there are {', '.join(WORLDS)}")
        if 5 * self.n_active > self.n_features or self.n_features % _FAMILY:
            raise ValueError(f"{self.n_active} of {self.n_features} features on: a world needs five times as many features, in fours")

    @property
    def dictionary(self) -> Dictionary:
        """The true directions."""
        return spherical(self.n_features, self.n_dims, seed=self.seed)

    def codes(self, rows: int, step: int) -> Float[Tensor, "rows features"]:
        """So many; another `step` gives others."""
        N, share = self.n_features, self.n_active / self.n_features
        if self.kind == "independent":
            drawn = features.Bernoulli(n_features=N, density=share, values="uniform")
        elif self.kind == "Zipf":
            first = self.n_active / float((1 / np.arange(1, N + 1)).sum())
            drawn = features.Zipf(n_features=N, density=first, values="uniform")
        elif self.kind == "in pairs":
            drawn = features.Correlated(n_features=N, n_sets=N // 2, density=share, values="uniform")
        else:
            return self._families(rows, step)
        return drawn.sample(rows, seed=self.seed, step=step).dense().float()

    def _families(self, rows: int, step: int) -> Float[Tensor, "rows features"]:
        """Children by themselves, put out where their parents are off."""
        parents = self.n_features // _FAMILY
        chance = self.n_active / parents / (1 + (_FAMILY - 1) * _CHILD)
        parent = features.Bernoulli(n_features=parents, density=chance, values="uniform").sample(
            rows, seed=self.seed, step=step, instance=1
        )
        child = features.Bernoulli(n_features=parents * (_FAMILY - 1), density=_CHILD, values="uniform").sample(
            rows, seed=self.seed, step=step
        )
        on = parent.dense().float()[:, :, None]
        return torch.cat([on, child.dense().float().reshape(rows, parents, _FAMILY - 1) * (on > 0)], dim=2).flatten(1)


def support_counts(true: Bool[Tensor, "rows true"], found: Bool[Tensor, "as_many found"]) -> np.ndarray:
    """(3, rows): of each row, features that are truly on, found on, and on in both under the best one-to-one assignment by F1."""
    matched = metrics.matched_supports(true, found)
    kept = matched.found >= 0
    both = (true[:, kept] & found[:, matched.found[kept]]).sum(1)
    return torch.stack([true.sum(1), found.sum(1), both]).numpy().astype(np.int16)


def f1(counts: np.ndarray) -> tuple[float, np.ndarray]:
    """F1 of all rows together, and what each row adds to it (the delta method: their mean is 0, their spread the standard error)."""
    true, found, both = counts.astype(float)
    value = 2 * both.sum() / (true.sum() + found.sum())
    return float(value), (2 * both - value * (true + found)) / (true + found).mean()


def interval(value: float, influence: np.ndarray) -> tuple[float, float]:
    """95%, for a mean of rows that are independent."""
    half = 1.96 * influence.std() / np.sqrt(len(influence))
    return value - half, value + half
