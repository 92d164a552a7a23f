"""The noise of a gradient estimator at given weights: the variance of what one sample says, summed over all weights and biases.

A batch of B samples has 1/B of it. The network is the tied ReLU model with importance 1; a sample's squared gradient needs no gradient of its own:
with g the slope of its loss in the outputs before the ReLU, h = x W and v = g W, the gradient is x^T v + g^T h in the weights and g in the biases.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tegum.features import Distribution
from tegum.shapes import Float
from tegum.toys.estimators import at_most_one_active, best_tilt, strata

_NUMBERS = 1 << 22  # in a chunk of samples
ROUNDING = 1e-14  # what a slope without noise, that of a dead output, may be off by
TILTS = (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0)  # times the tilt in use, and never under 1


@dataclass(frozen=True)
class Draws:
    """How samples are drawn: how many, by which seed, from the features themselves or by their strata."""

    samples: int
    seed: int
    stratified: bool

    def chunks(self, features: Distribution, size: int = 0) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Samples (chunk, features), their weights, and what their weights would be at other tilts (chunk, tilts)."""
        split = strata(features) if self.stratified else None
        size = size or min(self.samples, max(64, _NUMBERS // features.n_features))
        weights = torch.ones(features.n_features + 1, dtype=torch.float64) if split is None else split.weights
        others = weights[:, None] if split is None else _other_weights(features)
        for start in range(0, self.samples, size):
            count = min(size, self.samples - start)
            drawn = (features if split is None else split.proposal).sample(count, self.seed, first_sample=start, dtype=torch.float64)
            active = drawn.n_active
            yield drawn.dense(), weights[active], others[active]


@dataclass(frozen=True)
class Noise:
    """`variance` of one sample, its standard error, and how many times the least variance over `TILTS` it is (1 where none is used)."""

    variance: float
    error: float
    excess: float


def gradient_noise(W: Float[Tensor, "features dims"], b: Float[Tensor, " features"], features: Distribution, how: Draws) -> Noise:
    """The noise at W and b, from `how.samples` samples."""
    W, b = W.double(), b.double()
    squared, weight, reweighted, mean = [], [], [], torch.zeros(W.numel() + b.numel(), dtype=torch.float64)
    for x, w, others in how.chunks(features):
        g, v, h = _slopes(W, b, x)
        own = (x * g).sum(1) * (v * h).sum(1)
        squared.append(x.square().sum(1) * v.square().sum(1) + g.square().sum(1) * h.square().sum(1) + 2 * own + g.square().sum(1))
        weight.append(w)
        reweighted.append(others)
        mean += _gradient(x, g * w[:, None], v * w[:, None], h) / how.samples
    w, size = torch.cat(weight), torch.cat(squared)
    each, drift = w.square() * size, float(mean.square().sum())
    # E under another tilt of its own squared weight is E here of the product of the two weights
    least = (
        float((w[:, None] * torch.cat(reweighted) * size[:, None]).mean(0).min()) - drift if how.stratified else float(each.mean()) - drift
    )
    variance = float(each.mean()) - drift
    return Noise(variance, float(each.std() / how.samples**0.5), variance / least)


def worst_deviation(
    W: Float[Tensor, "features dims"],
    b: Float[Tensor, " features"],
    exact: Float[Tensor, " parameters"],
    features: Distribution,
    how: Draws,
) -> float:
    """The stratified gradient's mean against the exact one: the largest difference over parameters in standard errors, from batches' spread."""
    W, b = W.double().clone().requires_grad_(), b.double().clone().requires_grad_()
    split = strata(features)
    known = at_most_one_active(
        W, b, torch.ones_like(b), torch.tensor(split.silent).to(b), split.alone, values=features.values, model="relu"
    )  # fmt: skip
    known = torch.cat([g.flatten() for g in torch.autograd.grad(known, (W, b))])
    W, b, batches = W.detach(), b.detach(), []
    for x, w, _ in how.chunks(features, how.samples // 64):
        g, v, h = _slopes(W, b, x)
        batches.append(_gradient(x, g * w[:, None], v * w[:, None], h) / len(x) + known - exact)
    off = torch.stack(batches)
    return float((off.mean(0) / (off.std(0) / len(off) ** 0.5 + ROUNDING)).abs().nan_to_num(torch.inf).max())


def _other_weights(features: Distribution) -> Float[Tensor, "counts tilts"]:
    """`Strata.weights` at each of `TILTS`."""
    p, count = features.marginal_density().numpy(), np.arange(features.n_features + 1)[:, None]
    tilts = np.maximum(1.0, best_tilt(p) * np.array(TILTS))
    weights = np.exp(np.log1p((tilts - 1) * p[:, None]).sum(0) - count * np.log(tilts))
    return torch.from_numpy(np.where(count > 1, weights, 0.0))


def _slopes(W: Tensor, b: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """g, v and h of each sample; the loss is a mean over features."""
    h = x @ W
    y = h @ W.T + b
    g = 2 / len(b) * (y.relu() - x) * (y > 0)
    return g, g @ W, h


def _gradient(x: Tensor, g: Tensor, v: Tensor, h: Tensor) -> Tensor:
    return torch.cat([(x.T @ v + g.T @ h).flatten(), g.sum(0)])
