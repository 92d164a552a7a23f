"""Linear access: how well linear probes read k-sparse features in superposition, at worst; and the probes that read them best.

Features z are k-sparse with values in [-1, 1]; x = A^T z is what a model carries, row i of A being feature i's direction; row i of B is a probe,
whose reading is B_i . x. With G = B A^T - I that reading is off by sum_j G_ij z_j, and the worst of all such z has +-1 at the k largest |G_ij|:

    max over z of |B_i . x - z_i| = the sum of the k largest |G_ij| over j,

exactly. Feature i's best probe minimises this, a linear program of its own. With one feature on it has the least largest reading t of others for a
reading 1 of its own, and at its best length the worst case t / (1 + t); by duality 1/t is L_i, the least sum of |weights| that makes A_i of the
other directions. So feature i is read within 1 / (1 + L_i), with k features on by the same probe within

    k / (1 + L_i),

and no better as long as no weight is above (1 + L_i) / k: what l1 minimisation would need to say a feature in the others' words is what a linear
probe has to set against k of them. From k = 1 + L_i on nothing beats the probe 0, whose worst case is 1.

Source: Garg, Kleinberg & Peng, 'How many features can a language model store under the linear representation hypothesis?', for the question and
its bounds (`access_bounds`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.dictionaries import Dictionary
from tegum.dictionaries._base import CHUNK
from tegum.dictionaries._largest import largest
from tegum.dictionaries.dense import Dense
from tegum.features import SparseCodes
from tegum.progress import bar
from tegum.results import Result, table
from tegum.shapes import Float
from tegum.theory._probe_program import best_probes_exactly
from tegum.theory._probe_search import best_probes, best_scale
from tegum.theory.access_bounds import access_error_bound

if TYPE_CHECKING:
    import pandas as pd

Directions = Dictionary | Tensor | np.ndarray | Sequence[Sequence[float]]


@dataclass(frozen=True, eq=False)
class LinearAccess(Result):
    """How far probes are off on k-sparse codes in [-1, 1]^N, at worst.

    `errors` has each feature's worst case, in float64; `error` is the largest, that of `feature`, and `witness` a code (one sample) that has it:
    `probes.correlate(dictionary.encode(witness))` is off by `error` there. Row i of `probes` reads feature i. No probes whatever of this dictionary
    have an `error` below `lower_bound`, or an error of feature i below `lower_bounds[i]`.
    """

    n_active: int
    dictionary: Dictionary
    probes: Dictionary
    error: float
    feature: int
    witness: SparseCodes
    errors: Float[Tensor, " features"]
    lower_bound: float
    lower_bounds: Float[Tensor, " features"]

    @property
    def gap(self) -> float:
        """By how much the best probes could be better, at most."""
        return self.error - self.lower_bound

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a feature: its worst case, and what no probe of it falls below."""
        return table("feature", error=self.errors, lower_bound=self.lower_bounds)

    def __repr__(self) -> str:
        sizes = f"{self.dictionary.n_features:,} features in {self.dictionary.n_dims:,} dims"
        return f"LinearAccess({sizes}, {self.n_active} active: off by {self.error:.4g} at worst, in feature {self.feature}; gap {self.gap:.2g})"


@torch.no_grad()
def linear_access(
    A: Directions,
    B: Directions | None = None,
    *,
    n_active: int,
    tolerance: float = 0.01,
    every: bool = True,
    method: str = "splitting",
    max_steps: int = 4000,
    progress: bool | None = None,
) -> LinearAccess:
    """The exact worst case of probes B (N, d) on directions A (N, d) over codes with `n_active` features on, or of the best probes for A.

    Either may be a table or a dictionary; B A^T is made in float64, some rows at a time. Without B the best probes are searched for, by "splitting",
    until each feature's worst case is within the relative `tolerance` of a lower bound; with `every` False until the worst one is, and others only
    as good as that takes. "simplex" solves one linear program a feature, exactly: for small tables. Where B is given, the lower bound is that of any
    directions and probes of these sizes (`access_error_bound`), and single features have none. `progress` as in `tegum.train`.

    ValueError for tables of different sizes, `n_active` that is not from 1 to N, or a tolerance that is not between 0 and 1.
    """
    dictionary, probes = _both(A, B, n_active)
    if B is not None:
        return _told(dictionary, probes, n_active, None, progress)
    _check_search(tolerance, method, max_steps)
    table_, n = dictionary.to(dtype=torch.float64).dense(), dictionary.n_features
    with bar(f"{n} probes", n, "probes", progress) as done:
        if method == "simplex":
            found, bounds = best_probes_exactly(table_, n_active, done)
        else:
            found, bounds = best_probes(table_, n_active, tolerance, every=every, max_steps=max_steps, done=done)
    return _told(dictionary, Dense(found.to(dictionary.dtype)), n_active, bounds, progress)


@torch.no_grad()
def rescaled_probes(A: Directions, B: Directions, *, n_active: int) -> Dense:
    """Probes B (N, d), each at the length at which it reads directions A best at worst, over codes with `n_active` features on; in A's dtype.

    With s the sum of the k largest |readings| of other features for a reading 1 of its own, and g the k-th, a probe at its best length is off by
    s / (1 + g) at worst, or its best length is 0. ValueError as `linear_access` raises.
    """
    dictionary, probes = _both(A, B, n_active)
    exact, parts = dictionary.to(dtype=torch.float64), []
    for own, rows in _rows(probes.to(dtype=torch.float64)):
        parts.append(rows * best_scale(exact.correlate(rows), own, n_active)[1][:, None])
    return Dense(torch.cat(parts).to(dictionary.dtype))


def _told(dictionary: Dictionary, probes: Dictionary, k: int, bounds: Tensor | None, progress: bool | None) -> LinearAccess:  # noqa: FBT001
    errors, feature, places, signs = _worst(dictionary.to(dtype=torch.float64), probes.to(dtype=torch.float64), k, progress)
    least = float(access_error_bound(dictionary.n_features, dictionary.n_dims, k))
    bounds = torch.zeros_like(errors) if bounds is None else bounds
    return LinearAccess(
        n_active=k, dictionary=dictionary, probes=probes, error=float(errors[feature]), feature=feature,
        witness=SparseCodes(places[None], signs[None].to(dictionary.dtype), dictionary.n_features),
        errors=errors, lower_bound=max(least, float(bounds.max())), lower_bounds=bounds,
    )  # fmt: skip


def _worst(A: Dictionary, B: Dictionary, k: int, progress: bool | None) -> tuple[Tensor, int, Tensor, Tensor]:  # noqa: FBT001
    """Every feature's worst case; the feature with the worst, and the places and signs of the code that has it."""
    n = A.n_features
    errors = torch.empty(n, dtype=torch.float64, device=A.device)
    worst, feature, places, signs = -math.inf, 0, torch.empty(0), torch.empty(0)
    with bar(f"the worst case of {n} probes", n, "probes", progress) as done:
        for own, rows in _rows(B):
            G = A.correlate(rows)
            G[own - own[0], own] -= 1
            values, which = largest(G, k, signed=True)
            errors[own] = values.abs().sum(1)
            at = int(errors[own].argmax())
            if float(errors[own[at]]) > worst:
                worst, feature, places = float(errors[own[at]]), int(own[at]), which[at]
                signs = torch.where(values[at] < 0, -1.0, 1.0)
            done(int(own[-1]) + 1)
    return errors, feature, places, signs


def _rows(B: Dictionary) -> Iterator[tuple[Tensor, Tensor]]:
    """Some probes at a time: which, and they; as few as make four million readings."""
    for own in torch.arange(B.n_features, device=B.device).split(max(1, CHUNK // B.n_features)):
        yield own, B.directions(own)


def _both(A: Directions, B: Directions | None, n_active: int) -> tuple[Dictionary, Dictionary]:
    """Both as dictionaries, A for B where that is not given."""
    dictionary = A if isinstance(A, Dictionary) else Dense(A)
    probes = dictionary if B is None else B if isinstance(B, Dictionary) else Dense(B)
    n, d = dictionary.n_features, dictionary.n_dims
    check_count("n_active", n_active)
    if n_active > n:
        raise ValueError(f"n_active is {n_active}, but there are {n} features")
    if (probes.n_features, probes.n_dims) != (n, d):
        raise ValueError(
            f"A has {n} features in {d} dims but B has {probes.n_features} in {probes.n_dims}; row i of B reads feature i of A"
        )
    if probes.device != dictionary.device:
        raise ValueError(f"A is on {dictionary.device} but B on {probes.device}")
    return dictionary, probes


def _check_search(tolerance: float, method: str, max_steps: int) -> None:
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; it is a relative gap, between 0 and 1")
    if method not in ("splitting", "simplex"):
        raise ValueError(f"method is {method!r}; it is 'splitting' or 'simplex'")
    check_count("max_steps", max_steps)
