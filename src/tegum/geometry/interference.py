"""What gets in a feature's way: the squared projections of the others on its direction (Elhage et al. 2022, 'Basic results')."""

import torch
from torch import Tensor

from tegum.geometry._directions import Directions, as_directions, energy, unit
from tegum.shapes import Bool, Float


def interference(W: Directions) -> Float[Tensor, "*batch features features"]:
    """Entry (i, j) is (unit(W_i) . W_j)^2, and 0 where i = j: row i is what feature i's direction sees of every other feature."""
    W = as_directions(W)
    seen = (unit(W) @ W.mT).square()
    return seen - torch.diag_embed(seen.diagonal(dim1=-2, dim2=-1))


def superposition(W: Directions) -> Float[Tensor, "*batch features"]:
    """Row sums of `interference`, sum_{j != i} (unit(W_i) . W_j)^2, without its matrix, to within rounding of |W_i|^2."""
    W = as_directions(W)
    return (energy(unit(W), W) - W.square().sum(-1)).clamp(min=0)


def represented(W: Directions, threshold: float = 0.5) -> Bool[Tensor, "*batch features"]:
    """Whether |W_i| > threshold. A ReLU-output model learns norms near 0 or near 1, so 1/2 parts them."""
    return torch.linalg.vector_norm(as_directions(W), dim=-1) > threshold
