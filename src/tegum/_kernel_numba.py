"""kernel: a numba function compiled once a machine, and again when any file it is made of has changed; inner, inlined: its own functions.

numba keeps compiled code on disk and looks whether the file of the function has changed since; of the other files whose functions it inlines it
knows nothing, so an edit there would go unnoticed. A kernel's stamp is that of all our numba files instead, and of those whose constants they take.

Kernels make no arrays: what they need is made in Python and handed to them. So numba need not count references to arrays, which it does by locked
instructions: half the time of a small network, and threads that share an array would wait for each other.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

_CONSTANTS = "draws.py", "features/_events.py", "toys/estimators.py"


def kernel(function: Callable) -> Any:
    """`njit(cache=True, nogil=True)` without reference counts, with the stamp of every file that kernels are made of."""
    compiled = njit(cache=True, nogil=True, no_cfunc_wrapper=True, _nrt=False, error_model="numpy")(function)
    here = Path(__file__).parent
    files = [*sorted(here.rglob("*_numba.py")), *(here / name for name in _CONSTANTS)]
    compiled._cache._cache_file._source_stamp = tuple((file.name, file.stat().st_mtime, file.stat().st_size) for file in files)
    return compiled


def inner(function: Callable) -> Any:
    """`njit` for kernels to call: without the wrappers by which Python would call it, which take as long to compile as the rest."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, error_model="numpy")(function)


def inlined(function: Callable) -> Any:
    """The same, always inlined: for what is called so often that handing over a tuple of arrays, some eighty words, would be felt."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, error_model="numpy", forceinline=True)(function)
