"""Losses of toy networks: one a file, found by discovery."""

from tegum.parts import lazy
from tegum.toys.losses._base import Loss

__all__ = ["Loss"]
__getattr__, __dir__ = lazy(__name__, "losses")
