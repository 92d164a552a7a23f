"""Distributions over sparse feature vectors z: one distribution a file, found by discovery."""

from tegum.features._base import Distribution
from tegum.features._codes import SparseCodes
from tegum.parts import lazy

__all__ = ["Distribution", "SparseCodes"]
__getattr__, __dir__ = lazy(__name__, "features")
