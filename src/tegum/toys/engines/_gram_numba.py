"""The gradient of a tied model with outputs as the lanes of vectors, through the Gram matrix: for large networks on sparse features.

With G = W W^T the output is y = sum over the active i of x_i G_i + b, so an inactive feature costs nothing, and neither hidden layer nor W is
touched. With g = dloss/dy and A = sum over samples of x^T g, where again only rows of active features change, dloss/dW = (A + A^T) W. G and the
last product cost 2 n^2 m multiply-adds each a step, whatever the batch. Outputs go in tiles whose part of G and A stays in cache; where a tile of
outputs is dead for a sample, A is left alone.
"""

from typing import NamedTuple

import numpy as np
from numba import float32, uint64

from tegum._kernel_numba import inner
from tegum._vectors_numba import LANES, any_nonzero, filler, fma, loader, put, spreader, store, where_positive

_AHEAD = 16  # samples whose targets are written out before they are read, or the processor would wait for its own stores
_ZERO, _NOWHERE = float32(0), 4 * LANES * _AHEAD  # a place of `target` that is never read
TILE = 2 * LANES
_load, _fill, _spread = loader(TILE), filler(TILE), spreader(TILE)


class Gram(NamedTuple):
    """Room for the matrices, flat; rows of outputs are padded to `width`, a multiple of 4 LANES, rows of hidden units to `depth`, one of TILE."""

    G: np.ndarray  # features, width
    A: np.ndarray  # features, width
    W: np.ndarray  # features, depth
    WT: np.ndarray  # hidden, width
    dW: np.ndarray  # features, depth
    b: np.ndarray  # width
    scale: np.ndarray  # width
    sum_b: np.ndarray  # width
    loss: np.ndarray  # 4 * LANES
    target: np.ndarray  # _AHEAD, 4 * LANES, and one more place
    width: int
    depth: int


def room_for_gram(n: int, m: int) -> Gram:
    """Zeroed room for a network of n features and m hidden units."""
    rows, width, depth = -(-n // 4) * 4, -(-n // (4 * LANES)) * 4 * LANES, -(-m // TILE) * TILE
    sizes = (rows * width, rows * width, rows * depth, m * width, rows * depth, width, width, width, 4 * LANES, 4 * LANES * _AHEAD + 1)
    return Gram(*(np.zeros(size, np.float32) for size in sizes), width, depth)


@inner
def gram_matrix(gram, W, b, scale, n, m):
    """Set G and what goes with it; A, and the sums, to 0."""
    width, depth = gram.width, gram.depth
    for i in range(n):
        for k in range(m):
            gram.W[i * depth + k] = gram.WT[k * width + i] = W[i * m + k]
        gram.b[i], gram.scale[i] = b[i], scale[i]
    _clear(gram.A)
    for i in range(0, n, 4):
        for j in range(0, width, TILE):
            g0, g1, g2, g3 = _fill(_ZERO), _fill(_ZERO), _fill(_ZERO), _fill(_ZERO)
            for k in range(m):
                w, at = _load(gram.WT, k * width + j), i * depth + k
                g0, g1 = fma(w, _spread(gram.W, at), g0), fma(w, _spread(gram.W, at + depth), g1)
                g2, g3 = fma(w, _spread(gram.W, at + 2 * depth), g2), fma(w, _spread(gram.W, at + 3 * depth), g3)
            store(gram.G, i * width + j, g0)
            store(gram.G, (i + 1) * width + j, g1)
            store(gram.G, (i + 2) * width + j, g2)
            store(gram.G, (i + 3) * width + j, g3)


@inner
def gram_gradient(gram, gW, gb, n, m):
    """Add (A + A^T) W to gW and the sum of g to gb, and return the loss."""
    width, depth, A, dW = gram.width, gram.depth, gram.A, gram.dW
    _clear(dW)
    for c in range(0, depth, TILE):
        for i in range(0, n, 4):  # four rows of A, times W, and four columns of A^T, times their rows of W
            a0, a1, a2, a3 = i * width, (i + 1) * width, (i + 2) * width, (i + 3) * width
            r0, r1, r2, r3 = (
                _load(gram.W, i * depth + c),
                _load(gram.W, (i + 1) * depth + c),
                _load(gram.W, (i + 2) * depth + c),
                _load(gram.W, (i + 3) * depth + c),
            )
            s0, s1, s2, s3 = (
                _load(dW, i * depth + c),
                _load(dW, (i + 1) * depth + c),
                _load(dW, (i + 2) * depth + c),
                _load(dW, (i + 3) * depth + c),
            )
            for j in range(n):
                w, at = _load(gram.W, j * depth + c), j * depth + c
                f0, f1, f2, f3 = _spread(A, a0 + j), _spread(A, a1 + j), _spread(A, a2 + j), _spread(A, a3 + j)
                s0, s1, s2, s3 = fma(f0, w, s0), fma(f1, w, s1), fma(f2, w, s2), fma(f3, w, s3)
                if j < i or j >= i + 4:
                    store(dW, at, fma(f0, r0, fma(f1, r1, fma(f2, r2, fma(f3, r3, _load(dW, at))))))
                elif j == i:
                    s0 = fma(f0, r0, fma(f1, r1, fma(f2, r2, fma(f3, r3, s0))))
                elif j == i + 1:
                    s1 = fma(f0, r0, fma(f1, r1, fma(f2, r2, fma(f3, r3, s1))))
                elif j == i + 2:
                    s2 = fma(f0, r0, fma(f1, r1, fma(f2, r2, fma(f3, r3, s2))))
                else:
                    s3 = fma(f0, r0, fma(f1, r1, fma(f2, r2, fma(f3, r3, s3))))
            store(dW, i * depth + c, s0)
            store(dW, (i + 1) * depth + c, s1)
            store(dW, (i + 2) * depth + c, s2)
            store(dW, (i + 3) * depth + c, s3)
    for i in range(n):
        for k in range(m):
            gW[i * m + k] += dW[i * depth + k]
        gb[i] += gram.sum_b[i]
    _clear(gram.sum_b)
    loss = _ZERO
    for lane in range(len(gram.loss)):
        loss += gram.loss[lane]
    _clear(gram.loss)
    return loss


@inner
def _clear(array):
    for i in range(len(array)):
        array[i] = _ZERO


def _by_tile(lanes):
    """The pass over one tile of `lanes` outputs."""
    load, spread, nothing = loader(lanes), spreader(lanes), filler(lanes)

    @inner
    def tile(gram, batch, rows, first, rectified):
        width, G, A, target = gram.width, gram.G, gram.A, gram.target
        feature, value, stop, row, weight = batch.feature, batch.value, batch.stop, batch.row, batch.weight
        b, scale, sum_b, loss = load(gram.b, first), load(gram.scale, first), load(gram.sum_b, first), load(gram.loss, 0)
        for start in range(0, rows, _AHEAD):
            end = min(start + _AHEAD, rows)
            for e in range(stop[start], stop[end]):
                at = np.int64(feature[e]) - first
                put(target, (row[e] - start) * lanes + at if uint64(at) < uint64(lanes) else _NOWHERE, value[e])
            e = stop[start]
            for r in range(start, end):
                begin, stopped, y = e, stop[r + 1], b
                while e < stopped:
                    y = fma(load(G, feature[e] * width + first), spread(value, e), y)
                    e += 1
                error = (where_positive(y, y) if rectified else y) - load(target, (r - start) * lanes)
                store(target, (r - start) * lanes, nothing(_ZERO))
                g = error * scale * spread(weight, r)
                loss = fma(g, error, loss)
                g = where_positive(y, g) if rectified else g
                if any_nonzero(g):
                    sum_b = sum_b + g
                    e = begin
                    while e < stopped:
                        at = feature[e] * width + first
                        store(A, at, fma(g, spread(value, e), load(A, at)))
                        e += 1
        store(gram.sum_b, first, sum_b)
        store(gram.loss, 0, loss)

    return tile


_by_four, _by_one = _by_tile(4 * LANES), _by_tile(LANES)


@inner
def by_gram(gram, batch, rows, n, rectified):
    """Add `rows` rows to A and the sums."""
    for first in range(0, n, 4 * LANES):
        if n - first > LANES:
            _by_four(gram, batch, rows, first, rectified)
        else:
            _by_one(gram, batch, rows, first, rectified)
