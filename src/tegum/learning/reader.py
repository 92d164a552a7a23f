"""Reader: a feed-forward network x -> the log-odds that each feature is on. A feature is read as on where they are above 0.

Several networks stand side by side, as `instances`, each of its own numbers and for its own number of dims: small products are done together, and
no network knows of the others. Dims that a network lacks are zeros in its x.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tegum.dictionaries import Dictionary
from tegum.shapes import Float, Int


class Reader(nn.Module, ABC):
    """Networks side by side; `n_dims` are the dims that each reads."""

    n_features: int
    n_dims: Int[Tensor, " instances"]

    @property
    @abstractmethod
    def depth(self) -> int:
        """How many products with a table of weights lie one after another."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "instances samples dims"]) -> Float[Tensor, "instances samples features"]:
        """The log-odds that each feature is on."""

    @property
    @abstractmethod
    def rates(self) -> dict[str, float]:
        """The learning rate of each parameter, by the first part of its name."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What it was made with beside its dictionaries or dims, as JSON values."""

    @abstractmethod
    def n_parameters(self) -> Int[Tensor, " instances"]:
        """How many numbers of each network are trained."""

    @abstractmethod
    def some(self, indices: Sequence[int]) -> "Reader":
        """A copy of these networks alone, without dims that none of them has."""


def stacked(dictionaries: Sequence[Dictionary]) -> tuple[Float[Tensor, "instances features dims"], Int[Tensor, " instances"]]:
    """The directions of several dictionaries over the same features, with zeros up to the most dims; and how many dims each has.

    Raises ValueError where there is none, or features or dtypes differ.
    """
    kinds = {(D.n_features, D.dtype) for D in dictionaries}
    if len(kinds) != 1:
        raise ValueError(
            f"there are dictionaries of {len(kinds)} sizes and dtypes, {sorted(map(str, kinds))}; readers side by side share one"
        )
    most = max(D.n_dims for D in dictionaries)
    tables = [nn.functional.pad(D.dense(), (0, most - D.n_dims)) for D in dictionaries]
    return torch.stack(tables), torch.tensor([D.n_dims for D in dictionaries])
