"""Autoencoder: the description of a sparse autoencoder. Weights in, codes, reconstructions and losses out; nothing here holds a number.

x is encoded from what is left of it without `b_dec`, by the rows of `encoder` (features, dims) and a bias a feature, and decoded as the sum of the
rows of `decoder` by their codes, and `b_dec`. Other programs keep these tables under other names, transposed or not: `learning/formats/` knows.

Losses are sums of squares over dims, means over samples, of x whose mean square is the number of dims: `fit` sees to that (as Templeton et al. 2024,
'Scaling monosemanticity', do), and folds the factor into the biases when it is done.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tegum.checks import check_count, check_number
from tegum.shapes import Bool, Float

Weights: TypeAlias = Mapping[str, Tensor]
_UNIT = 1e-5  # how far from 1 roundings leave a length
_REVIVED = 2  # a loss of revival looks at no more than dims over this many features (Gao et al. 2024, appendix A.2)


@dataclass(frozen=True, eq=False)
class Loss:
    """What one batch costs: `terms` add up to `total`; `codes` are those of training; `updates` are weights that no gradient changes.

    `left` is the squared error of the whole reconstruction, where the term "error" is another.
    """

    terms: dict[str, Tensor]
    codes: Float[Tensor, "batch features"]
    updates: dict[str, Tensor] = field(default_factory=dict)
    left: Tensor | None = None

    @property
    def total(self) -> Float[Tensor, ""]:
        """The sum of all terms."""
        return torch.stack(tuple(self.terms.values())).sum()


@dataclass(frozen=True, eq=False)
class Moment:
    """Where a training stands: how far penalties have grown, and which features to bring back (None: none)."""

    ramp: float = 1.0
    silent: Bool[Tensor, " features"] | None = None


ALONE = Moment()


@dataclass(frozen=True, kw_only=True)
class Autoencoder(ABC):
    """A sparse autoencoder of `n_features`; `revival` is the weight of the loss that brings back features which have long been silent.

    That loss asks the silent features with the largest pre-activations, as many as half of the dims, to explain the error of the others (Gao et al.
    2024, 'Scaling and evaluating sparse autoencoders', appendix A.2).
    """

    in_units: ClassVar[tuple[str, ...]] = ("b_enc", "b_dec")  # weights that scale as x does
    per_code: ClassVar[tuple[str, ...]] = ("encoder", "b_enc")  # weights that scale, feature by feature, as its code does
    untrained: ClassVar[tuple[str, ...]] = ()  # weights that no gradient changes

    n_features: int
    revival: int | float = 1 / 32

    def __post_init__(self) -> None:
        """Check every field once, here: a description that exists is one that can be trained. Numbers of NumPy become Python's."""
        for name in self.__dataclass_fields__:
            if isinstance(value := getattr(self, name), np.generic):
                object.__setattr__(self, name, value.item())
        check_count("n_features", self.n_features)
        check_number("revival", self.revival)
        self._check()

    def _check(self) -> None:  # noqa: B027 - most have nothing to add
        """Raise ValueError for fields out of range."""

    def begin(self, decoder: Float[Tensor, "features dims"], centre: Float[Tensor, " dims"]) -> dict[str, Tensor]:
        """The weights that training begins with: rows of unit length to decode with, the same to encode with, around the mean of x."""
        return {"encoder": decoder.clone(), "decoder": decoder, "b_enc": decoder.new_zeros(self.n_features), "b_dec": centre}

    def before(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """Pre-activations: (x - b_dec) . encoder_i + b_enc_i."""
        return torch.addmm(weights["b_enc"], x - weights["b_dec"], weights["encoder"].T)

    @abstractmethod
    def encode(self, weights: Weights, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch features"]:
        """Codes, as they are once it is trained: those of one sample depend on no other."""

    def decode(self, weights: Weights, z: Float[Tensor, "batch features"]) -> Float[Tensor, "batch dims"]:
        """The reconstruction that codes stand for."""
        return torch.addmm(weights["b_dec"], z, weights["decoder"])

    @abstractmethod
    def loss(self, weights: Weights, x: Float[Tensor, "batch dims"], now: Moment = ALONE) -> Loss:
        """What a batch costs."""

    def scaled(self, weights: Weights, factor: float) -> dict[str, Tensor]:
        """The weights that do for factor x what these do for x: codes are larger by the factor, directions are the same."""
        return {name: value * factor if name in self.in_units else value for name, value in weights.items()}

    def with_unit_directions(self, weights: Weights) -> dict[str, Tensor]:
        """Weights of the same reconstructions whose directions have length 1, as those of a training do: codes are longer by what these were."""
        lengths = weights["decoder"].norm(dim=1)
        if float((lengths - 1).abs().max()) < _UNIT:
            return dict(weights)
        told = {
            name: value * (lengths if value.ndim == 1 else lengths[:, None]) for name, value in weights.items() if name in self.per_code
        }
        return dict(weights) | told | {"decoder": weights["decoder"] / lengths[:, None].clamp(min=torch.finfo(lengths.dtype).tiny)}

    def _revive(
        self, weights: Weights, before: Float[Tensor, "batch features"], error: Float[Tensor, "batch dims"], now: Moment
    ) -> dict[str, Tensor]:
        """The term of revival, where there is any: the squared error of explaining `error` by silent features."""
        silent = now.silent
        if silent is None or not self.revival or not silent.any():
            return {}
        return {"revival": self.revival_loss(before[:, silent], weights["decoder"][silent], error.detach())}

    def revival_loss(
        self, before: Float[Tensor, "batch silent"], directions: Float[Tensor, "silent dims"], error: Float[Tensor, "batch dims"]
    ) -> Float[Tensor, ""]:
        """Of silent features alone: less where they are few."""
        count, most = before.shape[1], max(1, error.shape[1] // _REVIVED)
        return self.revival * min(count / most, 1) * _revival_error(before, directions, error, min(most, count))


def like_lengths(one: Autoencoder, weights: Weights, length: float | None = None) -> dict[str, Tensor]:
    """Weights whose directions are all of one length (of this one), to rounding. Raises ValueError for others, which have no equal with length 1."""
    lengths = weights["decoder"].norm(dim=1)
    wanted = float(lengths.mean()) if length is None else length
    if float((lengths - wanted).abs().max()) > 1e-3 * wanted:
        raise ValueError(
            f"the directions have lengths from {float(lengths.min()):.3g} to {float(lengths.max()):.3g}; a training keeps them at 1, and which "
            f"codes of a {type(one).__name__} are on would change with them: give one whose directions are alike"
        )
    return dict(weights)


def squared_error(x: Float[Tensor, "batch dims"], y: Float[Tensor, "as_many as_wide"]) -> Float[Tensor, ""]:
    """The mean over samples of |x - y|^2."""
    return (x - y).square().sum(1).mean()


def _revival_error(
    before: Float[Tensor, "batch silent"], directions: Float[Tensor, "silent dims"], error: Float[Tensor, "batch dims"], most: int
) -> Float[Tensor, ""]:
    """The squared error left of x - y when the `most` silent features with the largest pre-activations explain it, at those."""
    if most < before.shape[1]:
        kept = before.detach().topk(most, dim=1, sorted=False).indices
        before = torch.zeros_like(before).scatter(1, kept, before.gather(1, kept))
    return squared_error(error, before @ directions)
