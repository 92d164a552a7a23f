"""The two halves of a Gram-Schmidt step in numba (see `_gram_schmidt.py`): each sample's own basis is read once a step, by vectors."""

import numpy as np

from tegum._kernel_numba import inlined, kernel
from tegum._vectors_numba import LANES, filler, fma, loader, store, total

_load, _of = loader(LANES), filler(LANES)


@inlined
def _dot(a, at, b, to, d):
    sums, whole = _of(type(a[at])(0)), d - d % LANES
    for j in range(0, whole, LANES):
        sums = fma(_load(a, at + j), _load(b, to + j), sums)
    out = total(sums)
    for j in range(whole, d):
        out += a[at + j] * b[to + j]
    return out


@inlined
def _less(a, at, b, to, d, times):
    """a - times b, in place."""
    whole, many = d - d % LANES, _of(-times)
    for j in range(0, whole, LANES):
        store(a, at + j, fma(_load(b, to + j), many, _load(a, at + j)))
    for j in range(whole, d):
        a[at + j] -= times * b[to + j]


@kernel
def split_rows(Q, room, n, across, along, length, near, first, last):
    """Take from `across` its parts along the first n rows of each Q, one after the other (the modified form); twice where little is left."""
    d = len(across) // len(length)
    for row in range(first, last):
        at, basis = row * d, row * room * d
        for attempt in range(2):
            for i in range(n):
                part = _dot(Q, basis + i * d, across, at, d)
                along[row, i] += part
                _less(across, at, Q, basis + i * d, d, part)
            length[row] = np.sqrt(_dot(across, at, across, at, d))
            if length[row] >= near or attempt == 1:
                break


@kernel
def take_rows(Q, room, n, across, length, x, along, first, last):
    """Row n of each Q is `across` over its length; x loses its part along it."""
    d = len(across) // len(length)
    for row in range(first, last):
        at, to = row * d, (row * room + n) * d
        size = max(length[row], np.finfo(length.dtype).tiny)
        for j in range(d):
            Q[to + j] = across[at + j] / size
        along[row] = _dot(Q, to, x, at, d)
        _less(x, at, Q, to, d, along[row])
