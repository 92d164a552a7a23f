"""Engines that train toy networks: one a file, found by discovery; every engine draws the same samples and computes the same gradient."""

from tegum.parts import lazy
from tegum.toys.engines._base import Engine, History, Plan, Trained

__all__ = ["Engine", "History", "Plan", "Trained"]
__getattr__, __dir__ = lazy(__name__, "engines")
