"""The gradient of a tied model with samples as the lanes of vectors: for small networks, and for features that are mostly active.

The loss is mean I (x - f(x W W^T + b))^2. A tile holds as many samples as four registers have lanes, feature by feature, so that every number of W is
used on all of them at once; sums over samples stay lane by lane until the step ends. Four outputs (or hidden units) go at a time, to use what is
loaded four times; they are sixteen sums under way, where eight hide how long a multiply-add takes.
"""

from typing import NamedTuple

import numpy as np
from numba import float32

from tegum._kernel_numba import inlined, inner
from tegum._vectors_numba import LANES, aligned, filler, fma, fma_folded, loader, put, spreader, store, total, where_positive

TILE = 4 * LANES
_load_part, _fill_part = loader(LANES), filler(LANES)
_load, _fill, _spread = loader(TILE), filler(TILE), spreader(TILE)
_ZERO, _ONE = float32(0), float32(1)


class Tile(NamedTuple):
    """Room for one tile and for the sums over tiles; flat, each row of TILE lanes."""

    x: np.ndarray  # features
    g: np.ndarray  # features: dloss/dy
    h: np.ndarray  # hidden
    gh: np.ndarray  # hidden
    weight: np.ndarray  # 1
    sum_W: np.ndarray  # features * hidden, of LANES only, as the next two
    sum_b: np.ndarray  # features
    loss: np.ndarray  # 1


def room_for_tile(n: int, m: int) -> Tile:
    """Zeroed room for a network of n features and m hidden units."""
    rows, sums = (n, n, m, m, 1), (n * m, n, 1)
    return Tile(*(aligned(r * TILE) for r in rows), *(aligned(r * LANES) for r in sums))


@inner
def by_lanes(tile, batch, rows, W, b, scale, n, m, rectified, penalty, instance):
    """Add the gradient of `rows` rows to the tile's sums. `scale` is 2 I / (batch n), a row's own weight comes on top.

    `penalty` holds each instance's weight of |h|_1 over the batch; None where no instance has one.
    """
    x, feature, row, value, e = tile.x, batch.feature, batch.row, batch.value, 0
    for first in range(0, rows, TILE):
        here = min(TILE, rows - first)
        end = batch.stop[first + here]
        store_zero(x, n)
        while e < end:
            put(x, feature[e] * TILE + row[e] - first, value[e])
            e += 1
        store(tile.weight, 0, _load(batch.weight, first))
        for lane in range(here, TILE):
            tile.weight[lane] = _ZERO
        _times(tile.x, W, tile.h, n, m)
        _outputs(tile, W, b, scale, n, m, rectified)
        _times(tile.g, W, tile.gh, n, m)
        if penalty is not None:
            _add_penalty(tile, penalty[instance], m)
        _add_products(tile, n, m)


@inlined
def store_zero(array, rows):
    """Zero the first `rows` rows of an array of tiles."""
    for i in range(rows):
        store(array, i * TILE, _fill(_ZERO))


@inlined
def _times(x, W, out, n, m):
    """out = x W."""
    k = 0
    while k + 4 <= m:
        a0, a1, a2, a3 = _fill(_ZERO), _fill(_ZERO), _fill(_ZERO), _fill(_ZERO)
        for j in range(n):
            v, at = _load(x, j * TILE), j * m + k
            a0, a1 = fma(v, _spread(W, at), a0), fma(v, _spread(W, at + 1), a1)
            a2, a3 = fma(v, _spread(W, at + 2), a2), fma(v, _spread(W, at + 3), a3)
        store(out, k * TILE, a0)
        store(out, (k + 1) * TILE, a1)
        store(out, (k + 2) * TILE, a2)
        store(out, (k + 3) * TILE, a3)
        k += 4
    while k < m:
        a0 = _fill(_ZERO)
        for j in range(n):
            a0 = fma(_load(x, j * TILE), _spread(W, j * m + k), a0)
        store(out, k * TILE, a0)
        k += 1


@inlined
def _outputs(tile, W, b, scale, n, m, rectified):
    """y = h W^T + b, and from it g = dloss/dy, its sum and the loss."""
    weight, loss = _load(tile.weight, 0), _load_part(tile.loss, 0)
    j = 0
    while j + 4 <= n:
        y0, y1, y2, y3 = _spread(b, j), _spread(b, j + 1), _spread(b, j + 2), _spread(b, j + 3)
        for k in range(m):
            v, at = _load(tile.h, k * TILE), j * m + k
            y0, y1 = fma(v, _spread(W, at), y0), fma(v, _spread(W, at + m), y1)
            y2, y3 = fma(v, _spread(W, at + 2 * m), y2), fma(v, _spread(W, at + 3 * m), y3)
        loss = _output(tile, j, y0, weight, scale, loss, rectified)
        loss = _output(tile, j + 1, y1, weight, scale, loss, rectified)
        loss = _output(tile, j + 2, y2, weight, scale, loss, rectified)
        loss = _output(tile, j + 3, y3, weight, scale, loss, rectified)
        j += 4
    while j < n:
        y0 = _spread(b, j)
        for k in range(m):
            y0 = fma(_load(tile.h, k * TILE), _spread(W, j * m + k), y0)
        loss = _output(tile, j, y0, weight, scale, loss, rectified)
        j += 1
    store(tile.loss, 0, loss)


@inlined
def _output(tile, j, y, weight, scale, loss, rectified):
    rect = where_positive(y, y) if rectified else y
    error = rect - _load(tile.x, j * TILE)
    g = error * _spread(scale, j) * weight
    loss = fma_folded(g, error, loss)
    g = where_positive(y, g) if rectified else g
    store(tile.g, j * TILE, g)
    store(tile.sum_b, j * LANES, fma_folded(g, _fill(_ONE), _load_part(tile.sum_b, j * LANES)))
    return loss


@inlined
def _add_penalty(tile, penalty, m):
    """gh += penalty sign(h), and twice the penalty of |h| to the loss, which is halved in the end."""
    weight, loss = _load(tile.weight, 0) * _fill(penalty), _load_part(tile.loss, 0)
    for k in range(m):
        h = _load(tile.h, k * TILE)
        slope = where_positive(h, weight) - where_positive(_fill(_ZERO) - h, weight)
        store(tile.gh, k * TILE, _load(tile.gh, k * TILE) + slope)
        loss = fma_folded(h + h, slope, loss)
    store(tile.loss, 0, loss)


@inlined
def _add_products(tile, n, m):
    """sum_W += g^T h + x^T gh, lane by lane; two features at a time."""
    j = 0
    while j + 2 <= n:
        g0, x0, g1, x1 = _load(tile.g, j * TILE), _load(tile.x, j * TILE), _load(tile.g, (j + 1) * TILE), _load(tile.x, (j + 1) * TILE)
        for k in range(m):
            h, gh, at, below = _load(tile.h, k * TILE), _load(tile.gh, k * TILE), (j * m + k) * LANES, (j * m + m + k) * LANES
            store(tile.sum_W, at, fma_folded(g0, h, fma_folded(x0, gh, _load_part(tile.sum_W, at))))
            store(tile.sum_W, below, fma_folded(g1, h, fma_folded(x1, gh, _load_part(tile.sum_W, below))))
        j += 2
    while j < n:
        g0, x0 = _load(tile.g, j * TILE), _load(tile.x, j * TILE)
        for k in range(m):
            h, gh, at = _load(tile.h, k * TILE), _load(tile.gh, k * TILE), (j * m + k) * LANES
            store(tile.sum_W, at, fma_folded(g0, h, fma_folded(x0, gh, _load_part(tile.sum_W, at))))
        j += 1


@inner
def lanes_gradient(tile, gW, gb, n, m):
    """Add the sums over all lanes to gW and gb, and return the loss; the sums are zero then."""
    nothing = _fill_part(_ZERO)
    for i in range(n * m):
        gW[i] += total(_load_part(tile.sum_W, i * LANES))
        store(tile.sum_W, i * LANES, nothing)
    for j in range(n):
        gb[j] += total(_load_part(tile.sum_b, j * LANES))
        store(tile.sum_b, j * LANES, nothing)
    loss = total(_load_part(tile.loss, 0))
    store(tile.loss, 0, nothing)
    return loss
