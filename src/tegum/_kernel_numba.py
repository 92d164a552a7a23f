"""kernel: a numba function that is compiled once a machine, and again when any file it is made of has changed.

numba keeps compiled code on disk and looks whether the file of the function has changed since; of the other files whose functions it inlines it
knows nothing, so an edit there would go unnoticed. A kernel's stamp is that of all our numba files instead.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


def kernel(function: Callable) -> Any:
    """`njit(cache=True, nogil=True)`, with the stamp of every *_numba.py of the package."""
    compiled = njit(cache=True, nogil=True)(function)
    files = sorted(Path(__file__).parent.rglob("*_numba.py"))
    compiled._cache._cache_file._source_stamp = tuple((file.name, file.stat().st_mtime, file.stat().st_size) for file in files)
    return compiled
