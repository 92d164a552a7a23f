"""Top-k: the k features whose directions correlate most with x: the one-step decoder of k-sparse autoencoders (Makhzani & Frey 2014, sec. 2)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tegum.decoders._base import Decoded, Decoder, Values, as_kind
from tegum.dictionaries import Dictionary
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class TopK(Decoder):
    """Keep the `n_active` largest projections of each sample (of either sign, if signed): at their own values, or at 1 if binary."""

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    arrays: ClassVar[int] = 1
    n_active: int

    def init(self, dictionary: Dictionary) -> Float[Tensor, " features"]:
        """The squared norms, by which projections are scaled."""
        norms = dictionary.squared_norms()
        return norms.clamp(min=norms.max() * 1e-12)

    def run(self, state: Float[Tensor, " features"], dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """One pass of correlations."""
        projections = dictionary.correlate(x) / state
        indices = (projections.abs() if self.values is Values.SIGNED else projections).topk(self.n_active, dim=-1).indices
        values = projections.gather(1, indices)
        return Decoded.of(indices, as_kind(values, self.values), dictionary.n_features)
