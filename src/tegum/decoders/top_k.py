"""Top-k: the k features whose directions correlate most with x: the one-step decoder of k-sparse autoencoders (Makhzani & Frey 2014, sec. 2)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tegum.decoders._base import Decoded, Decoder, Values, as_kind
from tegum.decoders._scaled import Scaled, lengths
from tegum.dictionaries import Dictionary
from tegum.shapes import Float


@dataclass(frozen=True, kw_only=True)
class TopK(Decoder):
    """Keep the `n_active` largest projections of each sample (of either sign, if signed): at their own values, or at 1 if binary."""

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)
    arrays: ClassVar[int] = 0
    n_active: int

    def init(self, dictionary: Dictionary) -> Scaled:
        """The directions by which x is projected, D_i / |D_i|^2."""
        return Scaled(dictionary, lengths(dictionary) ** 2)

    def run(self, state: Scaled, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """One pass of correlations."""
        values, indices = state.largest(x, self.n_active, signed=self.values is Values.SIGNED)
        return Decoded.of(indices, as_kind(values, self.values), dictionary.n_features)
