"""The exact expected loss of a tied toy model: no sample, no noise.

The model is x' = f(W W^T x + b) with f = relu or the identity, rows of W the feature directions, and the loss is I_i (x_i - x'_i)^2
(Elhage et al. 2022, 'Demonstrating superposition'). A linear output needs the mean and the second moments of x alone. A rectified one is
summed over the supports that the distribution can list, each in closed form (`tegum.theory.rectified`).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tegum.features import Distribution
from tegum.shapes import Float
from tegum.theory.rectified import MAX_CORNERS, VALUES, leaked, missed

_CORNERS_AT_ONCE = 2**21  # bounds the memory of one pass where no gradient is asked
_FEW_CORNERS = 2**14  # below it one padded pass over all supports is quicker than a pass a size

Importance = Tensor | np.ndarray | Sequence | None
Reduction = Literal["mean", "sum"]


def expected_loss(
    W: Float[Tensor, "*batch features dims"],
    b: Float[Tensor, "..."] | None,
    features: Distribution,
    importance: Importance = None,
    reduction: Reduction = "mean",
    model: Literal["relu", "linear"] = "relu",
) -> Float[Tensor, "*batch"]:
    """E I_i (x_i - x'_i)^2 over the distribution `features`, in float64, differentiable in W and b.

    `reduction` is over features: 'mean' is the training loss of the toy models (mean over samples and features), 'sum' the convention of
    the phase diagrams. `importance` is one weight a feature, 1 when None, with W's leading axes if wanted. b is (..., features); None means 0.

    Raises ValueError for sizes that do not fit, and for a rectified model where `features` has too many supports to list.
    """
    W, b, importance = _checked(W, b, features, importance, reduction, model)
    total = _linear(W, b, features, importance) if model == "linear" else _rectified(W, b, features, importance)
    return total / features.n_features if reduction == "mean" else total


def importance_weights(importance: Importance, W: Tensor) -> Float[Tensor, "*batch features"]:
    """Importance as float64 on W's device, all 1 when None. Raises ValueError unless it has one finite weight a feature."""
    n_features = W.shape[-2]
    if importance is None:
        return torch.ones(n_features, dtype=torch.float64, device=W.device)
    weights = torch.as_tensor(importance, dtype=torch.float64, device=W.device)
    if weights.ndim == 0 or weights.shape[-1] != n_features:
        raise ValueError(f"importance has shape {tuple(weights.shape)} but W has {n_features} features")
    if not bool((weights.isfinite() & (weights >= 0)).all()):
        raise ValueError("every importance must be finite and not negative")
    return weights


def _checked(
    W: Tensor, b: Tensor | None, features: Distribution, importance: Importance, reduction: str, model: str
) -> tuple[Tensor, Tensor, Tensor]:
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'mean' or 'sum', not {reduction!r}")
    if model not in ("relu", "linear"):
        raise ValueError(f"model must be 'relu' or 'linear', not {model!r}")
    W = torch.as_tensor(W).to(torch.float64)
    if W.ndim < 2 or W.shape[-2] != features.n_features:
        raise ValueError(
            f"W has shape {tuple(W.shape)} but the distribution has {features.n_features} features (W is (..., features, dims))"
        )
    b = W.new_zeros(W.shape[:-1]) if b is None else torch.as_tensor(b).to(W)
    if b.ndim == 0 or b.shape[-1] != features.n_features:
        raise ValueError(f"b has shape {tuple(b.shape)} but the distribution has {features.n_features} features")
    weights = importance_weights(importance, W)
    for name, given in (("b", b), ("importance", weights)):
        lead, own = W.shape[:-2], given.shape[:-1]
        if len(own) > len(lead) or any(i not in (1, j) for i, j in zip(own[::-1], lead[::-1], strict=False)):
            raise ValueError(f"{name} has shape {tuple(given.shape)}, whose leading axes do not fit W's shape {tuple(W.shape)}")
    return W, b.expand(W.shape[:-1]), weights


def _linear(W: Tensor, b: Tensor, features: Distribution, importance: Tensor) -> Tensor:
    """E |(I - W W^T) x - b|^2, coordinate by coordinate, through E x and E x x^T."""
    mean, second = (torch.as_tensor(m, dtype=W.dtype, device=W.device) for m in (features.mean(), features.second_moments()))
    residual = torch.eye(W.shape[-2], dtype=W.dtype, device=W.device) - W @ W.mT
    squared = ((residual @ second) * residual).sum(-1) - 2 * b * (residual @ mean) + b.square()
    return (importance * squared).sum(-1)


def _rectified(W: Tensor, b: Tensor, features: Distribution, importance: Tensor) -> Tensor:
    supports = _supports(features)
    gains = W @ W.mT
    batch, corners = gains.shape[:-2].numel(), len(supports) * features.n_features * 2**features.n_features
    if batch * corners <= _FEW_CORNERS:
        return _all_at_once(gains, b, supports, features.values, importance)
    total = gains.new_zeros(gains.shape[:-2])
    for active, probabilities in _by_size(supports, batch, W):
        n, k = features.n_features, active.shape[-1]
        silent = _complement(active, n)
        inside = gains[..., active[:, :, None], active[:, None, :]]
        outside = gains[..., silent[:, :, None], active[:, None, :]]
        if k:
            own = importance[..., active] * missed(inside, b[..., active], torch.eye(k).to(W), features.values)
            total = total + (probabilities * own.sum(-1)).sum(-1)
        if k < n:
            other = importance[..., silent] * leaked(outside, b[..., silent], features.values)
            total = total + (probabilities * other.sum(-1)).sum(-1)
    return total


def _all_at_once(gains: Tensor, b: Tensor, supports: list[tuple[tuple[int, ...], float]], values: str, importance: Tensor) -> Tensor:
    """Every support padded to all features: one that is off has gain 0 in every output, which is exact."""
    on = gains.new_zeros(len(supports), gains.shape[-1])
    for row, (active, _) in zip(on, supports, strict=True):
        row[list(active)] = 1
    probabilities = gains.new_tensor([p for _, p in supports])
    padded = gains[..., None, :, :] * on[:, None, :]
    errors = missed(padded, b[..., None, :].expand(padded.shape[:-1]), torch.diag_embed(on), values)
    return (importance[..., None, :] * errors).sum(-1) @ probabilities


def _supports(features: Distribution) -> list[tuple[tuple[int, ...], float]]:
    if features.values not in VALUES:
        raise ValueError(f"no closed form for values of kind {features.values!r} (known: {', '.join(VALUES)})")
    try:
        supports = features.supports()
    except ValueError as error:
        raise ValueError(f"no exact ReLU loss: {error}; it can only be sampled, as tegum.train does then") from error
    most = max(len(active) for active, _ in supports)
    if features.values in ("uniform", "signed") and most > MAX_CORNERS:
        raise ValueError(
            f"exact ReLU loss with {most} active {features.values} features needs 2^{most} = {2**most:,} corners a support "
            f"(limit 2^{MAX_CORNERS}); it can only be sampled, as tegum.train does then"
        )
    return supports


def _by_size(supports: list[tuple[tuple[int, ...], float]], batch: int, like: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Supports of one size at a time, few enough for memory: indices (supports, size) and probabilities."""
    groups: dict[int, list[tuple[tuple[int, ...], float]]] = defaultdict(list)
    for active, probability in supports:
        groups[len(active)].append((active, probability))
    for size, group in groups.items():
        several = max(1, _CORNERS_AT_ONCE // max(1, batch * like.shape[-2] * 2 ** min(size, MAX_CORNERS)))
        for start in range(0, len(group), several):
            part = group[start : start + several]
            indices = torch.tensor([active for active, _ in part], dtype=torch.long, device=like.device).reshape(len(part), size)
            yield indices, torch.tensor([p for _, p in part], dtype=like.dtype, device=like.device)


def _complement(active: Tensor, n_features: int) -> Tensor:
    on = torch.zeros(len(active), n_features, dtype=torch.bool, device=active.device).scatter_(1, active, True)
    return torch.arange(n_features, device=active.device).expand_as(on)[~on].reshape(len(active), n_features - active.shape[-1])
