"""Small networks that pack features into few dims, and engines that train thousands of them at once."""

from tegum.parts import lazy
from tegum.toys.models import Model, ToyModule
from tegum.toys.run import Instance, Run, load
from tegum.toys.train import train

__all__ = ["Instance", "Model", "Run", "ToyModule", "load", "train"]
__getattr__, __dir__ = lazy(__name__, "models", "losses", "engines")
