"""The least exact expected loss of a small toy model: how far a trained model, or a closed-form candidate, is from what is possible.

`expected_loss` is smooth almost everywhere and free of noise, so a quasi-Newton method takes it to rounding error. It has many local
minima: many starts descend together for a while, then the best few are finished one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tegum.features import Distribution
from tegum.shapes import Float
from tegum.theory.losses import Importance, Reduction, expected_loss

_DESCENT_STEPS, _FINISHED = 150, 4


@dataclass(frozen=True)
class Optimum:
    """A minimiser of the exact expected loss and its value."""

    W: Float[Tensor, "features dims"]
    b: Float[Tensor, " features"]
    loss: float


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
