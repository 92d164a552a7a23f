"""Experiments: one file a claim, in a folder a subject. Found by their files; `tegum list` shows them, `tegum run NAME` runs one.

An experiment's file imports what it subclasses and returns from here: `from tegum.experiments import Cell, Claim, Experiment, Row, Rows`.
"""

from tegum.parts import lazy
from tegum.store import Cell, Claim, Experiment, Row, Rows

__all__ = ["Cell", "Claim", "Experiment", "Row", "Rows"]

__getattr__, __dir__ = lazy(__name__, "experiments")
