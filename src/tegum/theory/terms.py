"""What a toy model's loss is made of: the value of representing a feature, and the interference it causes.

Two decompositions of Elhage et al. 2022 ('Mathematical understanding'), split by the feature i that is active: `benefit[i]` is what remains
of its own error, `interference[i]` what it costs all the others.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.results import Result, table
from tegum.shapes import Float
from tegum.theory.losses import Importance, importance_weights
from tegum.theory.rectified import VALUES, leaked, missed

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class LossTerms(Result):
    """A loss split by active feature: error of the feature's own output, and error it causes in the others."""

    benefit: Float[Tensor, "*batch features"]
    interference: Float[Tensor, "*batch features"]

    @property
    def total(self) -> Float[Tensor, "*batch"]:
        """All terms summed."""
        return (self.benefit + self.interference).sum(-1)

    def to_dataframe(self) -> "pd.DataFrame":
        """One line an active feature: benefit, interference."""
        return table("feature", benefit=self.benefit, interference=self.interference)

    def __repr__(self) -> str:
        benefit, interference = float(self.benefit.sum()), float(self.interference.sum())
        return f"LossTerms(benefit {benefit:.6g}, interference {interference:.6g} in sum, shape {tuple(self.benefit.shape)})"


def linear_loss_terms(W: Float[Tensor, "*batch features dims"], importance: Importance = None) -> LossTerms:
    """sum_i I_i (1 - |W_i|^2)^2 + sum_{i != j} I_j (W_j . W_i)^2, a linear model's loss up to one factor.

    With A = I - W W^T, `expected_loss(W, b, ..., reduction="sum", model="linear")` is v times the total exactly when

    - E x x^T = v 1 and b = 0 (uncorrelated features of mean zero: signed values, v = p; Gaussian values, v = p), or
    - Cov x = v 1 and b = A E x, the best bias (uncorrelated features of any mean: U[0,1] values of density p, v = p/3 - p^2/4).

    With U[0,1] values and b = 0 it is not proportional to the loss: |A E x|^2, weighted by I, comes on top of v times the total.
    """
    W = torch.as_tensor(W).to(torch.float64)
    weights = importance_weights(importance, W)
    overlaps = W @ W.mT
    own = overlaps.diagonal(dim1=-2, dim2=-1)
    spread = (weights[..., None] * overlaps.square()).sum(-2) - weights * own.square()
    return LossTerms(weights * (1 - own).square(), spread)


def zero_active_loss(b: Float[Tensor, "*batch features"], importance: Importance = None) -> Float[Tensor, "*batch"]:
    """L_0 = sum_i I_i relu(b_i)^2: the loss of a ReLU output model when nothing is active."""
    b = torch.as_tensor(b).to(torch.float64)
    return (importance_weights(importance, b[..., None]) * b.clamp(min=0).square()).sum(-1)


def one_active_loss(
    W: Float[Tensor, "*batch features dims"],
    b: Float[Tensor, "..."] | None = None,
    importance: Importance = None,
    values: str = "uniform",
) -> LossTerms:
    """The exact integral L_1 of a ReLU output model with one active feature, x_i in U[0,1] by default, summed over which one it is.

    benefit[i] = I_i E (x_i - relu(|W_i|^2 x_i + b_i))^2 and interference[i] = sum_{j != i} I_j E relu(W_j . W_i x_i + b_j)^2. No
    probability enters: `OneHot` features have expected loss (reduction 'sum') total / n_features, and independent features of density p have
    (1-p)^n L_0 + p (1-p)^(n-1) L_1 + O(p^2). values='binary' gives the form at x_i = 1.

    Source: Elhage et al. 2022, 'Mathematical understanding', equation for L_1.
    """
    if values not in VALUES:
        raise ValueError(f"values must be one of {', '.join(VALUES)}, not {values!r}")
    W = torch.as_tensor(W).to(torch.float64)
    b = W.new_zeros(W.shape[-2]) if b is None else torch.as_tensor(b).to(W)
    if b.shape[-1] != W.shape[-2]:
        raise ValueError(f"b has shape {tuple(b.shape)} but W has {W.shape[-2]} features")
    weights = importance_weights(importance, W)
    overlaps = W @ W.mT
    b = b.expand(overlaps.shape[:-1])
    own = missed(overlaps.diagonal(dim1=-2, dim2=-1)[..., None], b, W.new_ones(1), values)
    leaks = leaked(overlaps[..., None], b[..., None, :].expand_as(overlaps), values)  # row: the active feature; column: the output
    others = 1 - torch.eye(W.shape[-2], dtype=W.dtype, device=W.device)
    return LossTerms(weights * own, (others * weights[..., None, :] * leaks).sum(-1))
