"""Decoders, x -> z: one algorithm a file, found by discovery; `decode` is the one door to all of them."""

from tegum.decoders._base import Decoded, Decoder, Status, Values, WarmDecoder, decode
from tegum.decoders._duality import duality_gap
from tegum.parts import lazy

__all__ = ["Decoded", "Decoder", "Status", "Values", "WarmDecoder", "decode", "duality_gap"]
__getattr__, __dir__ = lazy(__name__, "decoders")
