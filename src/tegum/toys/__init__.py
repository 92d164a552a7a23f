"""Small networks that pack features into few dims, and engines that train thousands of them at once."""

from typing import Any

from tegum.parts import lazy
from tegum.toys.models import Model, ToyModule
from tegum.toys.run import Instance, Run, load
from tegum.toys.train import train

__all__ = ["Instance", "Model", "Run", "ToyModule", "load", "train"]


def __getattr__(name: str) -> Any:
    for room in ("models", "losses", "engines"):
        try:
            return lazy(room, __name__)(name)
        except AttributeError:
            continue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
