"""Perceptron: layers of weights and rectifiers, x -> log-odds, that know neither the dictionary nor any algorithm.

Rectified, one or two hidden layers could hold steps of an unrolled iteration; whether training finds anything of the kind is a question to
experiments. Without a hidden layer it is one linear probe a feature, with a threshold of its own.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tegum import draws
from tegum.checks import check_below, check_count, check_seed
from tegum.learning.reader import Reader
from tegum.shapes import Float, Int

_LAST = 0.1  # the weights of the last layer begin so much smaller: the log-odds begin near those of the density


class Perceptron(Reader):
    """Hidden layers of the widths `hidden`, for x that is a sum of `n_active` unit directions: the first weights are scaled for that.

    Weights begin as N(0, 2 / fan-in) by the draws contract, the same for the same seed and sizes (He et al. 2015, eq. 10).
    """

    def __init__(self, n_dims: Sequence[int], n_features: int, *, n_active: int, hidden: Sequence[int] = (), seed: int = 0) -> None:
        super().__init__()
        for name, counts in (("n_dims", n_dims), ("hidden", hidden)):
            for count in counts:
                check_count(name, count)
        check_count("instances", len(n_dims))
        check_count("n_active", n_active)
        check_below("n_active", n_active, n_features)
        check_seed(seed)
        self.n_features, self.n_active, self.widths, self.seed = n_features, n_active, tuple(hidden), seed
        self.register_buffer("n_dims", torch.tensor(n_dims))
        fans = [max(n_dims), *hidden]
        outs = [*hidden, n_features]
        self.weights = nn.ParameterList(
            torch.stack([self._start(layer, outs[layer], fans[layer], d) for d in n_dims]) for layer in range(self.depth)
        )
        log_odds = math.log(n_active / (n_features - n_active))
        starts = [*(0.0 for _ in hidden), log_odds]
        self.biases = nn.ParameterList(torch.full((len(n_dims), 1, out), start) for out, start in zip(outs, starts, strict=True))

    @property
    def depth(self) -> int:
        """Hidden layers and one."""
        return len(self.widths) + 1

    @property
    def rates(self) -> dict[str, float]:
        """Alike for all; without a hidden layer the loss is convex, and three times as much does no harm."""
        rate = 1e-2 if self.widths else 3e-2
        return {"weights": rate, "biases": rate}

    @property
    def settings(self) -> dict[str, Any]:
        """Its sizes, and the seed of its start."""
        return {"n_features": self.n_features, "n_active": self.n_active, "hidden": list(self.widths), "seed": self.seed}

    def forward(self, x: Float[Tensor, "instances samples dims"]) -> Float[Tensor, "instances samples features"]:
        """The log-odds that each feature is on."""
        for layer, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x if layer == 0 else torch.relu(x), weights.mT)
        return x

    def n_parameters(self) -> Int[Tensor, " instances"]:
        """All weights and biases, without those of dims that an instance lacks."""
        whole = sum(p[0].numel() for p in self.parameters())
        return whole - (self.n_dims.max() - self.n_dims) * self.weights[0].shape[1]

    def some(self, indices: Sequence[int]) -> "Perceptron":
        """A copy of these networks alone."""
        dims = self.n_dims[list(indices)].tolist()
        alone = Perceptron(dims, **self.settings)
        state = {name: value[list(indices)] for name, value in self.state_dict().items()}
        alone.load_state_dict(state | {"weights.0": state["weights.0"][..., : max(dims)]})
        return alone

    def _start(self, layer: int, out: int, fan_in: int, n_dims: int) -> Float[Tensor, "out fans"]:
        """Rows of the first layer have the length that gives x, of n_active unit directions, hidden values of unit size."""
        last = layer == self.depth - 1
        fan = n_dims if layer == 0 else fan_in
        normal = draws.normals(self.seed, draws.WEIGHTS, torch.arange(out), fan, step=layer).float()
        size = math.sqrt(2 / self.n_active) if layer == 0 else math.sqrt(2 / fan)
        return nn.functional.pad(normal * (size * (_LAST if last else 1.0)), (0, fan_in - fan))
