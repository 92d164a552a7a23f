"""Directions made for linear access: lines as far apart as can be found, read by their best probes.

What can interfere is bounded by the coherence mu, the largest |cosine|: directions of length 1 read k of themselves within k mu / (1 + mu), which no
A and B beat where all cosines are alike and the frame is tight (`access_error_bound`). So the least coherent lines are the start, and where they
are equiangular and tight also the end; other ones gain a little from probes of their own. Descending from there with A and B free of each other,
on smooth norms of B A^T, was tried: it gains one or two parts in a thousand.
"""

import torch

from tegum.checks import check_count, check_seed
from tegum.dictionaries.low_coherence import grassmannian
from tegum.progress import bar
from tegum.theory.linear_access import LinearAccess, linear_access

CLOSE = 1e-6


def optimal_linear_access(
    n_features: int,
    n_dims: int,
    n_active: int,
    seed: int = 0,
    *,
    starts: int = 4,
    steps: int = 600,
    tolerance: float = 0.01,
    progress: bool | None = None,
) -> LinearAccess:
    """The best access found to `n_active` of `n_features` features in `n_dims` dims: directions (`dictionary`) and `probes`, in float64.

    The best of `starts` sets of low coherence (`grassmannian`, each of `steps` steps), read by their best probes (`linear_access`); fewer where one
    reaches the bound that none is below. An upper bound on the optimum, which `lower_bound` is a lower bound of: that holds for any A and B, where
    `lower_bounds` are of probes of these directions. ValueError as these two functions raise.
    """
    check_count("starts", starts)
    check_seed(seed)
    found: list[LinearAccess] = []
    with bar(f"{n_features} features in {n_dims} dims", starts, "starts", progress) as done:
        for start in range(starts):
            D = grassmannian(n_features, n_dims, seed + start, steps=steps, starts=1, progress=False, dtype=torch.float64)
            found.append(linear_access(D, n_active=n_active, tolerance=tolerance, every=False, progress=False))
            done(start + 1)
    return min(found, key=lambda access: access.error)
