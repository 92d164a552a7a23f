"""Unrolled: a few steps of an iterative decoder as the layers of a network, whose steps, thresholds and memory are trained.

A layer reads the codes so far and what is left of x, and denoises:

    u = w z + W v,     z <- denoise(u, tau^2),     v <- x - sum_i z_i D_i + memory (slope / d) v,     tau^2 = |v|^2 / d

with w_i = |D_i|^2 and `slope` the sum of the denoiser's derivatives. With `memory` 1 that is message passing, with 0 (the term left out)
iterative thresholding. The last layer does not denoise: it gives log-odds, gain (u - w/2) / tau^2 + bias. So a network of depth 1 is a threshold
on the correlations, and one of depth L looks at the directions L times. Two or three numbers a layer are trained:

    soft        z = relu(w z + step W v - threshold tau l) / w, l the root mean square of |D_i|
    posterior   z = sigmoid(gain (u - w/2) / tau^2 + bias), the posterior mean of an entry of 0 or 1 where gain is 1 and bias the log-odds

and for `weights` "free" a table W for every layer too, which begins as D. With "dictionary" W is D itself; with "inverse" it is D (D^T D)^-1,
each row scaled to read its own feature at its own gain, which has the least interference of all such tables.

Source: Gregor & LeCun 2010, 'Learning fast approximations of sparse coding' (LISTA); Borgerding, Schniter & Rangan 2017, 'AMP-inspired deep
networks' (LAMP); Chen, Liu, Wang & Yin 2018 (one table a layer, tied to D); Liu, Chen, Wang & Yin 2019, 'ALISTA: analytic weights are as good
as learned weights' (the inverse). Thresholds there are absolute; here they are in units of the noise that v shows, as AMP has them.

Soft thresholds begin where noise lets pass as many silent features as there are active ones. From lower ones (1.5, for 8 of 512 features) training
first closes the end of the network, for what passes is mostly noise, and does not come back where dims are few: every code is then read as nothing.
"""

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor, nn

from tegum.checks import check_below, check_count
from tegum.dictionaries import Dictionary
from tegum.dictionaries.dense import Dense
from tegum.learning.reader import Reader, stacked
from tegum.shapes import Float, Int

DENOISERS = "soft", "posterior"
WEIGHTS = "dictionary", "inverse", "free"
FLOOR = 1e-3  # tau^2 is at least this share of its first value, so that log-odds stay finite where nothing is left of x
_GAIN = 0.5  # half of what the posterior has, and no memory: training begins where it knows neither


class Unrolled(Reader):
    """`depth` layers for each dictionary. Untrained it is told `n_active`, by the log-odds it begins with; raises ValueError for unknown kinds."""

    directions: Float[Tensor, "instances features dims"]
    norms: Float[Tensor, "instances 1 features"]
    table: Float[Tensor, "instances layers features dims"]

    def __init__(
        self,
        dictionaries: Sequence[Dictionary],
        *,
        n_active: int,
        depth: int = 1,
        denoiser: str = "posterior",
        memory: bool = True,
        weights: str = "dictionary",
    ) -> None:
        super().__init__()
        if denoiser not in DENOISERS:
            raise ValueError(f"denoiser is {denoiser!r}; it must be one of {', '.join(DENOISERS)}")
        if weights not in WEIGHTS:
            raise ValueError(f"weights is {weights!r}; it must be one of {', '.join(WEIGHTS)}")
        check_count("depth", depth)
        directions, n_dims = stacked(dictionaries)
        instances, self.n_features, _ = directions.shape
        check_count("n_active", n_active)
        check_below("n_active", n_active, self.n_features)
        self.n_active, self.denoiser, self.memory, self.weights = n_active, denoiser, memory, weights
        self.register_buffer("directions", directions)
        self.register_buffer("n_dims", n_dims)
        norms = directions.square().sum(-1)[:, None]
        self.register_buffer("norms", norms.clamp(min=float(norms.max()) * 1e-12), persistent=False)
        log_odds = math.log(n_active / (self.n_features - n_active))
        self.readout = nn.Parameter(directions.new_tensor([_GAIN, log_odds]).repeat(instances, 1))
        self.hidden = nn.Parameter(directions.new_empty(instances, 0, 3 if memory else 2))
        if weights == "free":
            self.table = nn.Parameter(directions[:, None].clone())
        else:
            self.register_buffer("table", (_inverse(directions) if weights == "inverse" else directions)[:, None], persistent=False)
        self.grow(depth)

    @classmethod
    def bayes_amp(cls, dictionaries: Sequence[Dictionary], *, n_active: int, depth: int) -> "Unrolled":
        """The first steps of Bayes-AMP, nothing trained: gain 1, memory 1, and the log-odds of the density."""
        reader = cls(dictionaries, n_active=n_active, depth=depth)
        with torch.no_grad():
            reader.readout[:, 0] = 1
            reader.hidden[..., 0] = reader.hidden[..., 2] = 1
        return reader

    @property
    def depth(self) -> int:
        """The number of layers."""
        return self.hidden.shape[1] + 1

    @property
    def rates(self) -> dict[str, float]:
        """Numbers of size 1 move fast, tables slowly."""
        return {"hidden": 0.05, "readout": 0.05, "table": 4e-3}

    @property
    def settings(self) -> dict[str, Any]:
        """The kind of network."""
        names = "n_active", "depth", "denoiser", "memory", "weights"
        return {name: getattr(self, name) for name in names}

    def grow(self, depth: int) -> None:
        """Add hidden layers up to `depth`, each like the last one there is. Raises ValueError for fewer than there are."""
        check_count("depth", depth, at_least=self.depth)
        with torch.no_grad():
            for _ in range(depth - self.depth):
                self.hidden = nn.Parameter(torch.cat([self.hidden, self._another()[:, None]], dim=1))
                if self.weights == "free":
                    self.table = nn.Parameter(torch.cat([self.table, self.table[:, -1:]], dim=1))

    def forward(self, x: Float[Tensor, "instances samples dims"]) -> Float[Tensor, "instances samples features"]:
        """The log-odds that each feature is on."""
        *_, last = self.layers(x)
        return last

    def layers(self, x: Float[Tensor, "instances samples dims"]) -> Iterator[Float[Tensor, "instances samples features"]]:
        """What each layer gives: the codes after each hidden one, then the log-odds."""
        dims = self.n_dims[:, None, None]
        least = (FLOOR / dims * x.square().sum(-1, keepdim=True)).clamp(min=torch.finfo(x.dtype).tiny ** 0.5)
        half = (self.norms / 2).expand(-1, x.shape[1], -1)
        v, above = x, -half  # the latter is w z less half of w, from where log-odds are counted
        for layer in range(self.depth - 1):
            numbers = self.hidden[:, layer, :, None, None].unbind(1)
            variance = torch.maximum(v.square().sum(-1, keepdim=True) / dims, least)
            z, slope = (self._soft if self.denoiser == "soft" else self._posterior)(layer, numbers, v, above, variance)
            yield z
            carried = self.norms * z
            above = carried - half
            v_before, v = v, torch.baddbmm(x, z, self.directions, alpha=-1)
            if self.memory:
                v = torch.addcmul(v, numbers[2] * slope / dims, v_before)
        variance = torch.maximum(v.square().sum(-1, keepdim=True) / dims, least)
        yield self._log_odds(self.depth - 1, self.readout[:, :, None, None].unbind(1), v, above, variance)

    def n_parameters(self) -> Int[Tensor, " instances"]:
        """Two numbers at the end, two or three a hidden layer, and the tables where they are free."""
        numbers = self.readout[0].numel() + self.hidden[0].numel()
        return numbers + self.n_dims * (self.n_features * self.depth if self.weights == "free" else 0)

    def some(self, indices: Sequence[int]) -> "Unrolled":
        """A copy of these networks alone."""
        dims = self.n_dims[list(indices)].tolist()
        alone = Unrolled([Dense(self.directions[i, :, :d]) for i, d in zip(indices, dims, strict=True)], **self.settings)
        state = {name: value[list(indices)] for name, value in self.state_dict().items()}
        alone.load_state_dict(state | {name: state[name][..., : max(dims)] for name in ("directions", "table") if name in state})
        return alone

    def _posterior(self, layer: int, numbers: Sequence[Tensor], v: Tensor, above: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.sigmoid(self._log_odds(layer, numbers, v, above, variance))
        return z, numbers[0] / variance * torch.addcmul(z, z, z, value=-1).mul(self.norms).sum(-1, keepdim=True)

    def _soft(self, layer: int, numbers: Sequence[Tensor], v: Tensor, above: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        threshold = numbers[1] * self.norms.mean(-1, keepdim=True).sqrt() * variance.sqrt() - self.norms / 2
        z = torch.relu(torch.baddbmm(above, numbers[0] * v, self._table(layer).mT) - threshold)
        return z / self.norms, torch.count_nonzero(z, -1)[..., None]

    def _log_odds(self, layer: int, numbers: Sequence[Tensor], v: Tensor, above: Tensor, variance: Tensor) -> Tensor:
        return torch.addcmul(numbers[1], numbers[0] / variance, torch.baddbmm(above, v, self._table(layer).mT))

    def _table(self, layer: int) -> Float[Tensor, "instances features dims"]:
        return self.table[:, layer if self.weights == "free" else 0]

    def _another(self) -> Float[Tensor, "instances numbers"]:
        """The numbers of the next hidden layer: what the end does now, or what the last one does; the memory begins as none."""
        last = self.hidden[:, -1] if self.hidden.shape[1] else None
        if self.denoiser == "soft":
            if last is not None:
                return last
            level = NormalDist().inv_cdf(1 - self.n_active / self.n_features)  # as many silent features pass as active ones
            return self.hidden.new_tensor([1.0, max(0.0, level), 0.0])[: self.hidden.shape[2]].repeat(len(self.hidden), 1)
        remembered = self.hidden.new_zeros(len(self.hidden), self.hidden.shape[2] - 2) if last is None else last[:, 2:]
        return torch.cat([self.readout, remembered], dim=1)


def _inverse(directions: Float[Tensor, "instances features dims"]) -> Float[Tensor, "instances features dims"]:
    """D (D^T D)^-1 with each row scaled to W_i . D_i = |D_i|^2; in float64. A direction of length 0 is read as nothing."""
    D = directions.double()
    W = D @ torch.linalg.pinv(D.mT @ D, hermitian=True)
    gain = (W * D).sum(-1, keepdim=True)
    return (W * torch.where(gain > 0, D.square().sum(-1, keepdim=True) / gain, 0)).to(directions.dtype)
