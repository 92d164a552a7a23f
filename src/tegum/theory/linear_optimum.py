"""The best that a linear toy model can do: principal components.

x' = W W^T x + b with rows of W the feature directions. Of importance 1, the least E |x - x'|^2 over W (n, m) and b is the sum of the n - m least
eigenvalues of Cov x: W W^T is the projection on the m leading eigenvectors, and b = (1 - W W^T) E x (Pearson 1901; Eckart & Young 1936; that W is
tied costs nothing, as a projection is symmetric).
"""

import torch
from torch import Tensor

from tegum.features import Distribution
from tegum.shapes import Float
from tegum.theory.losses import Reduction


def covariance(features: Distribution) -> Float[Tensor, "features features"]:
    """Cov x, float64."""
    mean = features.mean()
    return features.second_moments() - mean[:, None] * mean[None, :]


def best_linear_loss(features: Distribution, n_hidden: int, reduction: Reduction = "mean") -> float:
    """The least expected loss of a linear model with `n_hidden` dims over W and b, importance 1."""
    left = torch.linalg.eigvalsh(covariance(features))[: max(0, features.n_features - n_hidden)]
    return float(left.sum()) / (features.n_features if reduction == "mean" else 1)
