"""Matched filter: each feature is read by itself, by the projection of x on its direction against a threshold.

The projection <x, D_i> / |D_i|^2 is z_i and the interference of what else is active, <v, D_i> / |D_i|^2 with v = x - z_i D_i. For directions that
prefer none, <v, D_i>^2 is |v|^2 |D_i|^2 / d on average, so its variance tau_i^2 is |v|^2 / (d |D_i|^2), taken here with x in place of v: near
k/d for k directions of length 1. At 1/2 an error has probability Q(sqrt(d/k) / 2) (Gadzinski, *When Numbers Are Bits*).

The Bayes threshold weighs the two errors as often as they can occur. With density p = k/N and Gaussian interference the odds of z_i = 1 against
z_i = 0 are p/(1-p) exp((u - 1/2) / tau^2) for the projection u, and even at u = 1/2 + tau^2 ln((1-p)/p). Where z_i may be -1 as well they are
p/(1-p) exp(-1/(2 tau^2)) cosh(u / tau^2), and even at u = tau^2 arccosh(exp(1/(2 tau^2)) (1-p)/p).
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count, check_number
from tegum.decoders._above import above
from tegum.decoders._base import Decoded, Decoder, Values
from tegum.decoders._scaled import Scaled, lengths
from tegum.dictionaries import Dictionary
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class MatchedFilter(Decoder):
    """Every feature that projects above `threshold` (in magnitude, if signed) is active: at 1 if binary, else at its projection.

    `threshold` is a number, or "bayes": the least chance of error when `n_active` of the features are on at 1 (or at -1, if signed). A number tells
    of the truth as well: 1/2 says that values are near 1.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.BINARY, Values.NONNEGATIVE, Values.SIGNED)
    knows: ClassVar[tuple[str, ...]] = (*Decoder.knows, "threshold")
    arrays: ClassVar[int] = 0
    ones: ClassVar[bool] = True
    values: Values | str = Values.BINARY
    threshold: float | str = 0.5
    n_active: int | None = None

    def _check(self) -> None:
        if self.threshold == "bayes":
            check_count("n_active", self.n_active)
            return
        check_number("threshold", self.threshold)
        if self.n_active is not None:
            raise ValueError(f"n_active is {self.n_active}, but only threshold='bayes' asks for it")

    def init(self, dictionary: Dictionary) -> Scaled:
        """The directions by which x is projected, D_i / |D_i|^2."""
        return Scaled(dictionary, lengths(dictionary) ** 2)

    def run(self, state: Scaled, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """One pass of correlations."""
        if not isinstance(self.threshold, str):
            fixed = float(self.threshold)
            return above(state, x, lambda _: fixed, self.values)
        density = (self.n_active or 0) / dictionary.n_features
        energy = x.square().sum(dim=1, keepdim=True) / dictionary.n_dims
        return above(state, x, lambda block: _even_odds(energy / state.by[block], density, self.values), self.values)


def _even_odds(variance: Float[Tensor, "batch some"], density: float, kind: Values | str) -> Float[Tensor, "batch some"]:
    """The projection at which a feature is as likely on as off."""
    against = math.log1p(-density) - math.log(density) if density < 1 else -math.inf
    if kind is not Values.SIGNED:
        return 0.5 + variance * against
    exponent = 0.5 / variance + against  # arccosh(e^a) = a + ln(1 + sqrt(1 - e^-2a)); below 0, all features are on
    return torch.where(exponent > 0, 0.5 + variance * (against + torch.log1p(torch.sqrt(-torch.expm1(-2 * exponent)))), 0)
