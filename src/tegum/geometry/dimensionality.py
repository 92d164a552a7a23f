"""How many dims a feature gets: D_i = |W_i|^2 / sum_j (unit(W_i) . W_j)^2 (Elhage et al. 2022, 'The Geometry of Superposition').

Vertices of a regular k-gon get 2/k each (k >= 3), of a digon 1/2, of a tetrahedron 3/4, of a square antiprism close to 3/8. Since
(w^T w)^2 <= (w^T G w)(w^T G^+ w) with G = W^T W, D_i is at most the leverage W_i^T G^+ W_i, so sum_i D_i <= rank(W) <= dims, with
equality where every W_i is an eigenvector of G: features that share nothing, or tight frames on orthogonal subspaces.
"""

import torch
from torch import Tensor

from tegum.geometry._directions import Directions, as_directions, energy, in_scale, unit
from tegum.shapes import Float


def feature_dimensionality(W: Directions) -> Float[Tensor, "*batch features"]:
    """D_i in [0, 1]: the fraction of a dim that each feature gets; 0 for a zero row. Costs features x dims^2."""
    W = in_scale(as_directions(W))
    squared = W.square().sum(-1)
    shared = energy(unit(W), W)
    there = (shared > 0) & (squared > 0)
    return torch.where(there, squared, 0) / torch.where(there, shared, 1)


def dims_per_feature(W: Directions) -> Float[Tensor, " *batch"]:
    """D* = dims / |W|_F^2 (ibid., 'Uniform superposition'), a feature of norm 1 counting as one; infinite where there is no feature."""
    W = as_directions(W)
    features = W.square().sum((-2, -1))
    there = features > 0
    return torch.where(there, W.shape[-1] / torch.where(there, features, 1), torch.inf)
