"""kernels: a module of compiled kernels where numba is installed, None where it is not; then the same is done in torch."""

import functools
import importlib
from types import ModuleType


@functools.cache
def kernels(name: str) -> ModuleType | None:
    """The module of that name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name not in ("numba", "llvmlite"):
            raise
        return None
