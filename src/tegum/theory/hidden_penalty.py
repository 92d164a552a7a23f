"""An L1 penalty on the hidden activations of a tied toy model: what it costs, exactly, and which features it kills.

The objective is E sum_i I_i (x_i - x'_i)^2 + penalty E |h|_1 with h = x W and x' = relu(h W^T + b): the way to models without superposition of
Elhage et al. 2022, 'The Strategic Picture of Superposition'. Sums over features, so that a penalty means the same however many there are.

A feature alone on its neuron has h = w x and x' = relu(w^2 x + b). Let x >= 0 have mean m and variance v. Its best bias is (1 - w^2) m, which the
ReLU never cuts for w^2 <= 1, and I v (1 - w^2)^2 + penalty m |w| is left. With c = penalty m / (4 I v) the slope is 0 where w (1 - w^2) = c: for
c <= 2 / 3^(3/2) twice, and the larger w is a minimum, (2 / sqrt 3) cos(arccos(-3^(3/2) c / 2) / 3). There the objective is
I v (1 + 2 w^2 - 3 w^4), which is below the I v of a feature that is dropped where w^2 > 2/3. So a growing penalty shrinks a feature from
norm 1 to sqrt(2/3) and then drops it at once; w = 0 is a local minimum at every penalty above 0.

Two features of one importance I may have a neuron each, or share one at opposite ends, w and -w. To first order in the density p that costs the
same. Where both are on, with values u and v in [0, 1], sharing saves 2 penalty w E min(u, v) = (2/3) penalty w, and with a = w^2 it loses
I (5a/6 - a^2/2) by interference. With penalty = 8 I w (1 - a) / 3, the law above for small p, it gains where a < 17/23: from `SHARED_FROM` times I
on, 82% of the penalty that drops them, rare features are better off on one neuron, be there another that is free or not.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tegum.features import Distribution
from tegum.shapes import Float
from tegum.theory._numbers import Array, Numbers
from tegum.theory.rectified import VALUES, leaked

_LAST_KEPT = np.sqrt(2 / 3) / 3  # c at w^2 = 2/3
_LAST_MINIMUM = 2 / 3**1.5  # c at w^2 = 1/3
SHARED_FROM = float(8 / 3 * np.sqrt(17 / 23) * 6 / 23)  # penalty over importance, for rare features


class LoneFeature(NamedTuple):
    """A feature on a neuron of its own at the least of the objective: its norm (0 where dropped), its loss without the penalty, the objective."""

    norm: np.ndarray
    loss: np.ndarray
    objective: np.ndarray


def lone_feature(penalty: Numbers, importance: Numbers, mean: Numbers, variance: Numbers) -> LoneFeature:
    """The optimum of a feature x >= 0 of that mean and variance, alone on its neuron; broadcasts. Raises ValueError for negative numbers."""
    penalty, importance, mean, variance = _checked(penalty, importance, mean, variance)
    gain, cost = importance * variance, penalty * mean
    c = np.divide(cost, 4 * gain, out=np.where(cost > 0, np.inf, 0.0), where=gain > 0)
    w = 2 / np.sqrt(3) * np.cos(np.arccos(-np.minimum(c, _LAST_MINIMUM) / _LAST_MINIMUM) / 3)
    w = np.where(c <= _LAST_KEPT, w, 0.0)
    loss = gain * (1 - w**2) ** 2
    return LoneFeature(w, np.asarray(loss), np.asarray(loss + cost * w))


def lone_border(importance: Numbers, mean: Numbers, variance: Numbers) -> Array:
    """The penalty above which a feature on a neuron of its own is better dropped, 4 sqrt(2/3) I v / (3 m); broadcasts."""
    _, importance, mean, variance = _checked(0.0, importance, mean, variance)
    return np.divide(4 * _LAST_KEPT * importance * variance, mean, out=np.full_like(mean, np.inf), where=mean > 0)


def hidden_l1(W: Float[Tensor, "*batch features hidden"], features: Distribution) -> Float[Tensor, " *batch"]:
    """E |x W|_1 over the distribution `features`, exact, in float64.

    Support by support: E relu(y) is half the slope of E relu(y + b)^2 in b at 0. Raises ValueError where `expected_loss` does for a rectified model.
    """
    W = torch.as_tensor(W).detach().to(torch.float64)
    if W.ndim < 2 or W.shape[-2] != features.n_features:
        raise ValueError(f"W has shape {tuple(W.shape)} but the distribution has {features.n_features} features")
    if features.values not in VALUES:
        raise ValueError(f"no closed form for values of kind {features.values!r} (known: {', '.join(VALUES)})")
    total = W.new_zeros(W.shape[:-2])
    for active, probability in features.supports():
        if active:
            gains = W[..., list(active), :].mT
            total = total + probability * _mean_size(gains, features.values).sum(-1)
    return total


def _mean_size(gains: Float[Tensor, "*rows active"], values: str) -> Float[Tensor, "*rows"]:
    """E |gains . u|."""
    with torch.enable_grad():
        bias = gains.new_zeros(gains.shape[:-1]).requires_grad_()
        (slope,) = torch.autograd.grad((leaked(gains, bias, values) + leaked(-gains, bias, values)).sum(), bias)
    return slope / 2


def _checked(*numbers: Numbers) -> list[np.ndarray]:
    given = np.broadcast_arrays(*(np.asarray(number, dtype=np.float64) for number in numbers))
    for name, value in zip(("penalty", "importance", "mean", "variance"), given, strict=True):
        if not (np.isfinite(value) & (value >= 0)).all():
            raise ValueError(f"{name} must be finite and not negative, got {value[~(np.isfinite(value) & (value >= 0))][0]}")
    return list(given)
