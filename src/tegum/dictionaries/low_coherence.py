"""Grassmannian: N lines in d dims as far apart as can be found: the largest |cosine| minimised, from exact packings where they are known.

Strohmer & Heath 2003, 'Grassmannian frames with applications to coding and communication'. Which N lines are best is known for few sizes; Welch's
bound (`tegum.geometry.welch_bound`) says how much better they could be at most.
"""

import math

import numpy as np
import torch
from torch import Tensor

from tegum import draws
from tegum.checks import check_count
from tegum.dictionaries._base import Dictionary
from tegum.dictionaries._coherence_descent import coherence_of, spread
from tegum.dictionaries._door import check_construction
from tegum.dictionaries._root_lines import SIZES, root_lines
from tegum.dictionaries._two_graphs import families
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.equiangular_frames import equiangular_table
from tegum.progress import bar
from tegum.shapes import Float


def grassmannian(
    n_features: int,
    n_dims: int,
    seed: int = 0,
    *,
    steps: int = 600,
    starts: int = 4,
    progress: bool | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Dictionary:
    """Directions of length 1 with low coherence: the best of `starts` random starts, each moved apart in `steps` steps, in float64.

    Sizes whose best packing is known are not searched: N <= d, two dims, those of `equiangular` and of the root systems D4, E6, E7 and E8; the first
    N of a larger packing of these kinds are the answer where no start does better. A step takes 4 N^2 d operations for each point that its line
    search tries, and the descent holds some 70 N d numbers besides a few million. `progress` as in `tegum.train`.
    """
    check_construction(n_features, n_dims, seed, dtype)
    check_count("steps", steps)
    check_count("starts", starts)
    exact = _best(n_features, n_dims)
    if exact is not None:
        return Dense(torch.from_numpy(exact).to(device=device, dtype=dtype))
    candidates = _parts_of_packings(n_features, n_dims, device)
    with bar(f"{n_features} lines in {n_dims} dims", steps * starts, "steps", progress) as shown:
        taken = 0

        def done(more: int) -> None:
            nonlocal taken
            shown(taken := taken + more)

        for start in range(starts):
            rows = draws.normals(seed, draws.DIRECTIONS, torch.arange(n_features, device=device), n_dims, step=start)
            candidates.append(spread(rows, steps, done))
    return Dense(min(candidates, key=coherence_of).to(dtype))


def _best(n: int, d: int) -> np.ndarray | None:
    """A packing that nothing beats, where one is known."""
    if n <= d:
        return np.eye(n, d)
    if d == 1:
        return np.ones((n, 1))
    if d == 2:
        angles = math.pi * np.arange(n) / n
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    table = equiangular_table(n, d)
    return root_lines(n, d) if table is None else table


def _parts_of_packings(n: int, d: int, device: torch.device | str) -> list[Float[Tensor, "features dims"]]:
    """The first n of the smallest equiangular frame of more, if there is one of at most twice as many; and of the lines of a root system."""
    frames = sorted(family.n for family in families(2 * n) if family.d == d and family.n > n)
    tables = [equiangular_table(size, d) for size in frames[:1]] + [
        root_lines(size, dims) for size, dims in SIZES if dims == d and size > n
    ]
    return [torch.from_numpy(table[:n]).to(device) for table in tables if table is not None]
