"""Superposition as a phase change: two features in one dim, three in two.

The closed-form losses of a handful of candidate models, for independent U[0,1] features of density s, an extra feature of relative
importance r and importance 1 for the others, in the 'sum' normalisation: E sum_i I_i (x_i - x'_i)^2. Each is the exact loss of the model that
`one_dim_models` / `two_dim_models` gives:

- a feature with a dim of its own costs nothing; a dropped one, with its mean s/2 as bias, costs its variance s/3 - s^2/4;
- two features on opposite ends of one dim, b = 0, cost s^2/6 each: only when both are on is there an error, min(x_1, x_2).

The candidates are not the optima: b = 0 is not the best bias of an antipodal pair, nor 1 its best norm, and a dense model may do better
with neither. `best_one_dim` minimises the exact loss to show by how much (14% at the triple point).

Source: Elhage et al. 2022, 'Superposition as a phase change', theoretical diagrams for n=2, m=1 and n=3, m=2.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tegum.features.bernoulli import Bernoulli
from tegum.theory._numbers import Array, Numbers
from tegum.theory.optimum import Optimum, optimal_loss

ONE_DIM_PHASES = ("extra dropped", "first dropped", "antipodal")
TWO_DIM_PHASES = ("extra dropped", "first dropped", "extra shares a dim", "first two share a dim")


class Boundaries(NamedTuple):
    """Relative importances between which the antipodal pair is best; equal to 1 where it never is."""

    lower: Array
    upper: Array


def one_dim_candidates(density: Numbers, relative_importance: Numbers) -> dict[str, Array]:
    """Losses of the candidates for 2 features in 1 dim, importances (1, r), by name; broadcasts."""
    s, r = _checked(density, relative_importance)
    dropped, shared = s / 3 - s**2 / 4, s**2 / 6
    return dict(zip(ONE_DIM_PHASES, (r * dropped, dropped, (1 + r) * shared), strict=True))


def two_dim_candidates(density: Numbers, relative_importance: Numbers) -> dict[str, Array]:
    """Losses of the candidates for 3 features in 2 dims, importances (1, 1, r), by name; broadcasts.

    'first dropped' drops one of the first two and gives the extra feature a dim; 'extra shares a dim' puts it opposite one of the first
    two; 'first two share a dim' puts those opposite each other and gives the extra feature the other dim.
    """
    s, r = _checked(density, relative_importance)
    dropped, shared = s / 3 - s**2 / 4, s**2 / 6
    return dict(zip(TWO_DIM_PHASES, (r * dropped, dropped, (1 + r) * shared, 2 * shared), strict=True))


def one_dim_phase(density: Numbers, relative_importance: Numbers) -> Array:
    """Which candidate is best, as an index into ONE_DIM_PHASES; broadcasts. On a boundary, the earlier name."""
    return _least(one_dim_candidates(density, relative_importance))


def two_dim_phase(density: Numbers, relative_importance: Numbers) -> Array:
    """Which candidate is best, as an index into TWO_DIM_PHASES; broadcasts. On a boundary, the earlier name."""
    return _least(two_dim_candidates(density, relative_importance))


def one_dim_boundaries(density: Numbers) -> Boundaries:
    """Where 2 features in 1 dim change phase: r = 2s/(4-5s) and its inverse below the triple point s = 4/7, r = 1 above it."""
    s, _ = _checked(density, 1.0)
    paired = s < 4 / 7
    low = np.where(paired, 2 * s, 1.0) / np.where(paired, 4 - 5 * s, 1.0)
    return Boundaries(low, np.divide(1.0, low, out=np.full_like(low, np.inf), where=low > 0))


def triple_point() -> tuple[float, float]:
    """(density, relative importance) where all three phases of 2 features in 1 dim cost the same."""
    return 4 / 7, 1.0


def one_dim_models(density: float) -> dict[str, tuple[Tensor, Tensor]]:
    """(W, b) of each candidate for 2 features in 1 dim."""
    return {
        "extra dropped": (_rows([1], [0]), _rows(0, density / 2)),
        "first dropped": (_rows([0], [1]), _rows(density / 2, 0)),
        "antipodal": (_rows([1], [-1]), _rows(0, 0)),
    }


def two_dim_models(density: float) -> dict[str, tuple[Tensor, Tensor]]:
    """(W, b) of each candidate for 3 features in 2 dims; the extra feature is the last."""
    return {
        "extra dropped": (_rows([1, 0], [0, 1], [0, 0]), _rows(0, 0, density / 2)),
        "first dropped": (_rows([1, 0], [0, 0], [0, 1]), _rows(0, density / 2, 0)),
        "extra shares a dim": (_rows([1, 0], [0, 1], [0, -1]), _rows(0, 0, 0)),
        "first two share a dim": (_rows([1, 0], [-1, 0], [0, 1]), _rows(0, 0, 0)),
    }


def best_one_dim(density: float, relative_importance: float, *, starts: int = 12, seed: int = 0) -> Optimum:
    """Least exact loss found for 2 features in 1 dim over every W and b, the candidates among the starts; 'sum' normalisation."""
    importance, known = (1.0, relative_importance), list(one_dim_models(density).values())
    return optimal_loss(Bernoulli(n_features=2, density=density), 1, importance, starts=starts, seed=seed, reduction="sum", initial=known)


def best_two_dim(density: float, relative_importance: float, *, starts: int = 12, seed: int = 0) -> Optimum:
    """Least exact loss found for 3 features in 2 dims over every W and b, the candidates among the starts; 'sum' normalisation."""
    importance, known = (1.0, 1.0, relative_importance), list(two_dim_models(density).values())
    return optimal_loss(Bernoulli(n_features=3, density=density), 2, importance, starts=starts, seed=seed, reduction="sum", initial=known)


def _rows(*rows: Any) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def _least(candidates: dict[str, Array]) -> Array:
    return np.argmin(np.stack(list(candidates.values())), axis=0)


def _checked(density: Numbers, relative_importance: Numbers) -> tuple[np.ndarray, np.ndarray]:
    s, r = np.broadcast_arrays(np.asarray(density, dtype=np.float64), np.asarray(relative_importance, dtype=np.float64))
    if not (np.all((s >= 0) & (s <= 1)) and np.all(r >= 0)):
        raise ValueError(f"density must be in [0, 1] and relative_importance at least 0, got {density} and {relative_importance}")
    return s, r
