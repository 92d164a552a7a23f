"""Toy networks: one model a file, found by discovery."""

from tegum.parts import lazy
from tegum.toys.models._base import Model, ToyModule

__all__ = ["Model", "ToyModule"]
__getattr__, __dir__ = lazy(__name__, "models")
