"""tegum: a workbench for superposition. Rooms and their names load when first used (PEP 562); `import tegum` alone loads no torch."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tegum import (
        activations,
        auditing,
        capacity,
        decoders,
        dictionaries,
        draws,
        experiments,
        features,
        figures,
        geometry,
        learning,
        parts,
        report,
        store,
        theory,
        toys,
    )
    from tegum.auditing import audit
    from tegum.capacity import StringSet
    from tegum.decoders import decode
    from tegum.features import SparseCodes
    from tegum.toys import load, train

__version__ = "0.1.0"
__all__ = [
    "SparseCodes",
    "StringSet",
    "activations",
    "audit",
    "auditing",
    "capacity",
    "decode",
    "decoders",
    "dictionaries",
    "draws",
    "experiments",
    "features",
    "figures",
    "geometry",
    "learning",
    "load",
    "parts",
    "report",
    "store",
    "theory",
    "toys",
    "train",
]

_HOMES = {
    "audit": "tegum.auditing",
    "decode": "tegum.decoders",
    "SparseCodes": "tegum.features",
    "StringSet": "tegum.capacity",
    "train": "tegum.toys",
    "load": "tegum.toys",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in __all__:
        return importlib.import_module(f"tegum.{name}")
    raise AttributeError(f"module 'tegum' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
