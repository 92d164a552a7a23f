"""Activations of real models: captured from any torch module, kept in shards on disk, read back shuffled and split.

Names load when first used (PEP 562).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tegum.activations.capturing import capture
    from tegum.activations.dataset import Activations
    from tegum.activations.digits import digits_network
    from tegum.activations.loading import load
    from tegum.activations.moments import Moments
    from tegum.activations.texts import docstrings
    from tegum.activations.transformer import minilm, token_batches, transformer

_HOMES = {
    "Activations": "dataset",
    "Moments": "moments",
    "capture": "capturing",
    "digits_network": "digits",
    "docstrings": "texts",
    "load": "loading",
    "minilm": "transformer",
    "token_batches": "transformer",
    "transformer": "transformer",
}
__all__ = ["Activations", "Moments", "capture", "digits_network", "docstrings", "load", "minilm", "token_batches", "transformer"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"tegum.activations.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tegum.activations' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
