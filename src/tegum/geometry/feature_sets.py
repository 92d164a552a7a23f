"""How the features of one set lie to each other, for sets of neighbouring features such as those that are always on together.

A set has *collapsed* when its members share one direction, as the first principal component of the set would (Elhage et al. 2022, 'Correlated and
anticorrelated features', 'Organized superposition'). Three pairs in two dims that have not collapsed lie side by side, 60 degrees apart, so the
bound stands halfway.
"""

from math import cos, radians

import torch

from tegum.geometry._directions import Directions, as_directions, unit
from tegum.shapes import Bool, Float

COLLAPSED = cos(radians(30))


def set_cosines(W: Directions, n_sets: int) -> Float[torch.Tensor, "*batch sets pairs"]:
    """Cosines of all pairs of features within each of `n_sets` equal sets of neighbours. Raises ValueError where they are not equal."""
    W = as_directions(W)
    n = W.shape[-2]
    if n_sets < 1 or n % n_sets:
        raise ValueError(f"{n} features do not fall into {n_sets} equal sets")
    members = unit(W).unflatten(-2, (n_sets, n // n_sets))
    first, second = torch.triu_indices(n // n_sets, n // n_sets, 1)
    return (members @ members.mT)[..., first, second]


def collapsed_sets(W: Directions, n_sets: int, cosine: float = COLLAPSED, threshold: float = 0.1) -> Bool[torch.Tensor, "*batch sets"]:
    """Whether all members of a set are there, |W_i| > `threshold`, and each two of them have a cosine above `cosine`."""
    together = (set_cosines(W, n_sets) > cosine).all(-1)
    there = torch.linalg.vector_norm(as_directions(W), dim=-1) > threshold
    return together & there.unflatten(-1, (n_sets, -1)).all(-1)
