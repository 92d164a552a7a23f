"""The least exact expected loss of a small toy model: how far a trained model, or a closed-form candidate, is from what is possible.

`expected_loss` is smooth almost everywhere and free of noise, so a quasi-Newton method takes it to rounding error. It has many local
minima: many starts descend together for a while, then the best few are finished one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tegum.features import Distribution
from tegum.results import Result, table
from tegum.shapes import Float
from tegum.theory.losses import Importance, Reduction, expected_loss, importance_weights

if TYPE_CHECKING:
    import pandas as pd

_DESCENT_STEPS, _FINISHED = 150, 4
_ROUNDS, _CLOSE = 60, 1e-10  # of `local_minima`: the most rounds, and a relative gain that ends it
_SHIFT = 1e-6  # of its second differences


@dataclass(frozen=True, repr=False)
class Optimum(Result):
    """A minimiser of the exact expected loss and its value."""

    W: Float[Tensor, "features dims"]
    b: Float[Tensor, " features"]
    loss: float

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a feature: the norm of its direction, its bias."""
        return table("feature", norm=self.W.norm(dim=-1), bias=self.b)

    def __repr__(self) -> str:
        return f"Optimum(loss {self.loss:.6g}, {self.W.shape[0]} features in {self.W.shape[1]} dims)"


def optimal_loss(
    features: Distribution,
    n_hidden: int,
    importance: Importance = None,
    *,
    starts: int = 16,
    seed: int = 0,
    reduction: Reduction = "mean",
    initial: Sequence[tuple[Tensor, Tensor]] = (),
) -> Optimum:
    """Least exact loss found for a ReLU output model with `n_hidden` dims, over W and b, from `starts` random starts and the given ones.

    `initial` holds (W, b) pairs; each is also finished on its own, so the result is never worse than any of them. What it returns is an
    upper bound on the optimum: no certificate comes with a non-convex problem. Raises ValueError where `expected_loss` does.
    """
    if n_hidden < 1 or starts < 0 or starts + len(initial) < 1:
        raise ValueError(f"need n_hidden >= 1 and at least one start, got n_hidden={n_hidden}, starts={starts}, {len(initial)} given")
    W, b = _starts(features, n_hidden, starts, seed)
    if starts > _FINISHED:
        W, b = _descend(W, b, features, importance, reduction)
    pairs = [(W[i], b[i]) for i in range(len(W))] + [(w.to(W), c.to(W)) for w, c in initial]
    ends = [_finish(w, c, features, importance, reduction) for w, c in pairs]
    return min(ends, key=lambda end: end.loss)


def local_minima(
    W: Float[Tensor, "models features dims"],
    b: Float[Tensor, "models features"],
    features: Distribution,
    importance: Importance = None,
    reduction: Reduction = "mean",
) -> tuple[Float[Tensor, "models features dims"], Float[Tensor, "models features"], Float[Tensor, " models"]]:
    """(W, b, loss) of the local minimum of the exact loss that each model descends to, all side by side; never worse than its start.

    Damped Newton steps, with second derivatives from differences of the gradient and their eigenvalues by size, so that a saddle repels
    (Dauphin et al. 2014, 'Identifying and attacking the saddle point problem'). A model at which the gradient is zero stays where it is.
    `importance` may have the models' axis. Quicker than `optimal_loss` for many small models, and as rough about what is global.
    """
    models, split = len(W), W[0].numel()
    x = torch.cat((W.flatten(1), b), 1).to(torch.float64)
    weights = importance_weights(importance, W).expand(models, -1)
    shifts = torch.cat((torch.zeros(1, x.shape[1]), torch.eye(x.shape[1]))).to(x) * _SHIFT

    def derivatives(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with torch.enable_grad():
            points = (x[:, None] + shifts).requires_grad_()
            at = points[..., :split].unflatten(-1, W.shape[1:]), points[..., split:]
            loss = expected_loss(*at, features, weights[:, None].expand(-1, len(shifts), -1), reduction)
            (slope,) = torch.autograd.grad(loss.sum(), points)
        bend = (slope[:, 1:] - slope[:, :1]) / _SHIFT
        return loss[:, 0].detach(), slope[:, 0], (bend + bend.mT) / 2

    loss, slope, bend = derivatives(x, weights)
    scale, damping = loss.clamp(min=1e-300), torch.full_like(loss, 1e-2)
    left = torch.arange(models)
    for _ in range(_ROUNDS):
        if not len(left):
            break
        size, axes = torch.linalg.eigh(bend[left] / scale[left, None, None])
        along = (axes.mT @ slope[left, :, None])[..., 0] / scale[left, None]
        step = -(axes @ (along / (size.abs() + damping[left, None]))[..., None])[..., 0]
        step = step * (0.5 / step.norm(dim=1, keepdim=True).clamp(min=0.5))
        tried = derivatives(x[left] + step, weights[left])
        better = tried[0] < loss[left]
        to = left[better]
        gain = (loss[left] - tried[0]) / scale[left]
        x[to] += step[better]
        loss[to], slope[to], bend[to] = (value[better] for value in tried)
        damping[left] = torch.where(better, 0.1 * damping[left], 10 * damping[left]).clamp(min=1e-9)
        left = left[torch.where(better, gain > _CLOSE, damping[left] < 1e4)]
    return x[:, :split].unflatten(1, W.shape[1:]), x[:, split:], loss


def _starts(features: Distribution, n_hidden: int, starts: int, seed: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    W = torch.from_numpy(rng.normal(size=(starts, features.n_features, n_hidden)) / n_hidden**0.5)
    return W, torch.from_numpy(0.1 * rng.normal(size=(starts, features.n_features)))


def _descend(W: Tensor, b: Tensor, features: Distribution, importance: Importance, reduction: Reduction) -> tuple[Tensor, Tensor]:
    """All starts at once, by Adam; the best few of them, best first."""
    with torch.enable_grad():
        W, b = W.clone().requires_grad_(), b.clone().requires_grad_()
        optimizer = torch.optim.Adam([W, b], lr=0.05)
        for _ in range(_DESCENT_STEPS):
            optimizer.zero_grad()
            expected_loss(W, b, features, importance, reduction).sum().backward()
            optimizer.step()
    W, b = W.detach(), b.detach()
    best = expected_loss(W, b, features, importance, reduction).argsort(stable=True)[:_FINISHED]
    return W[best], b[best]


def _finish(W: Tensor, b: Tensor, features: Distribution, importance: Importance, reduction: Reduction) -> Optimum:
    """BFGS on one model to rounding error; the loss is scaled to 1 at the start, so that stopping means the same for rare features."""
    from scipy.optimize import minimize

    split, scale = W.numel(), max(float(expected_loss(W, b, features, importance, reduction)), 1e-300)

    def value_and_slope(point: np.ndarray) -> tuple[float, np.ndarray]:
        with torch.enable_grad():
            x = torch.from_numpy(point).clone().requires_grad_()
            loss = expected_loss(x[:split].reshape(W.shape), x[split:], features, importance, reduction) / scale
            (slope,) = torch.autograd.grad(loss, x)
        return loss.item(), slope.numpy()

    start = torch.cat((W.flatten(), b)).numpy()
    end = minimize(value_and_slope, start, jac=True, method="BFGS", options={"gtol": 1e-8, "maxiter": 2000})
    point = torch.from_numpy(end.x)
    return Optimum(point[:split].reshape(W.shape), point[split:], float(end.fun) * scale)
