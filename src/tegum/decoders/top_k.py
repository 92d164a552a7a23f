"""Top-k: the k features whose directions correlate most with x: the one-step decoder of k-sparse autoencoders (Makhzani & Frey 2014, sec. 2)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tegum.checks import check_count
from tegum.decoders._base import Decoded, Decoder, Values
from tegum.dictionaries import Dictionary
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class TopK(Decoder):
    """Keep the `n_active` largest projections of each sample, at their own values where these are positive."""

    values: ClassVar[Values] = Values.NONNEGATIVE
    n_active: int

    def __post_init__(self) -> None:
        """Check the one field."""
        check_count("n_active", self.n_active)

    def init(self, dictionary: Dictionary) -> Float[Tensor, " features"]:
        """The squared norms, by which projections are scaled."""
        return dictionary.squared_norms()

    def run(self, state: Float[Tensor, " features"], dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """One pass of correlations."""
        projections = dictionary.correlate(x) / state.clamp(min=state.max() * 1e-12)
        values, indices = projections.topk(self.n_active, dim=-1)
        return Decoded.of(indices, values.clamp(min=0), dictionary.n_features)
