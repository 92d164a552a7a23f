"""The gradient of a tied model with outputs as the lanes of vectors, through the Gram matrix: for large networks on sparse features.

With G = W W^T the output is y = sum over the active i of x_i G_i + b, so an inactive feature costs nothing, and neither hidden layer nor W is
touched. With e the error where the output is alive, and A = sum over samples of x^T e with its columns scaled by 2 I / n, dloss/dW = (A + A^T) W.
G and the last product cost 2 n^2 m and 4 n^2 m FLOPs a step, whatever the batch.

Outputs go in tiles of up to four registers. Over a tile, y is summed sample by sample and A feature by feature, each in registers: nothing is read,
added to and written back for each active feature, or the processor would wait for its own stores. For that the batch is sorted by feature too.
"""

from typing import NamedTuple

import numpy as np
from numba import float32, int32

from tegum._kernel_numba import inner
from tegum._vectors_numba import LANES, aligned, filler, fma, loader, spreader, store, where_positive

WIDEST = 4 * LANES
_load, _fill, _spread = loader(WIDEST), filler(WIDEST), spreader(WIDEST)
_load_2, _fill_2, _spread_2 = loader(2 * LANES), filler(2 * LANES), spreader(2 * LANES)
_ZERO, _ONE = float32(0), float32(1)


class Gram(NamedTuple):
    """Room for the matrices, flat; rows of outputs are padded to `width`, a multiple of WIDEST, rows of hidden units to `depth`, one of 2 LANES."""

    G: np.ndarray  # features, width
    A: np.ndarray  # features, width
    W: np.ndarray  # features, depth
    WT: np.ndarray  # hidden, width
    AW: np.ndarray  # features, depth
    ATW: np.ndarray  # features, depth
    b: np.ndarray  # width
    scale: np.ndarray  # width
    sum_b: np.ndarray  # width
    loss: np.ndarray  # WIDEST
    error: np.ndarray  # samples, WIDEST
    start: np.ndarray  # features + 2: feature i is active in rows row[start[i]] to row[start[i + 1]]
    row: np.ndarray  # int32
    value: np.ndarray  # float32
    width: int
    depth: int


def room_for_gram(n: int, m: int, samples: int) -> Gram:
    """Zeroed room for a network of n features and m hidden units, and a block of samples."""
    rows, width, depth = -(-n // 4) * 4, -(-n // WIDEST) * WIDEST, -(-m // (2 * LANES)) * 2 * LANES
    sizes = (rows * width, rows * width, rows * depth, m * width, rows * depth, rows * depth, width, width, width, WIDEST, samples * WIDEST)
    order = (aligned(n + 2, np.int32), aligned(samples * n, np.int32), aligned(samples * n))
    return Gram(*(aligned(size) for size in sizes), *order, width, depth)


@inner
def gram_matrix(gram, W, b, scale, n, m):
    """Set G = W W^T, in blocks of 4 by WIDEST, and what goes with it; A to 0."""
    width, depth = gram.width, gram.depth
    for i in range(n):
        for k in range(m):
            gram.W[i * depth + k] = gram.WT[k * width + i] = W[i * m + k]
        gram.b[i], gram.scale[i] = b[i], scale[i]
    _clear(gram.A)
    for i in range(0, n, 4):
        for j in range(0, width, WIDEST):
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
    """Add (A + A^T) W to gW and the sum of dloss/dy to gb, and return the loss."""
    width, depth, A, AW, ATW = gram.width, gram.depth, gram.A, gram.AW, gram.ATW
    _clear(ATW)
    for c in range(0, depth, 2 * LANES):
        for i in range(0, n, 4):  # four rows of A, times W, and four columns of A^T, times their rows of W
            a0, a1, a2, a3 = i * width, (i + 1) * width, (i + 2) * width, (i + 3) * width
            at = i * depth + c
            r0, r1 = _load_2(gram.W, at), _load_2(gram.W, at + depth)
            r2, r3 = _load_2(gram.W, at + 2 * depth), _load_2(gram.W, at + 3 * depth)
            s0, s1, s2, s3 = _fill_2(_ZERO), _fill_2(_ZERO), _fill_2(_ZERO), _fill_2(_ZERO)
            for j in range(n):
                here = j * depth + c
                w, t = _load_2(gram.W, here), _load_2(ATW, here)
                f0, f1, f2, f3 = _spread_2(A, a0 + j), _spread_2(A, a1 + j), _spread_2(A, a2 + j), _spread_2(A, a3 + j)
                s0, s1, s2, s3 = fma(f0, w, s0), fma(f1, w, s1), fma(f2, w, s2), fma(f3, w, s3)
                store(ATW, here, fma(f3, r3, fma(f2, r2, fma(f1, r1, fma(f0, r0, t)))))
            store(AW, at, s0)
            store(AW, at + depth, s1)
            store(AW, at + 2 * depth, s2)
            store(AW, at + 3 * depth, s3)
    for i in range(n):
        for k in range(m):
            gW[i * m + k] += AW[i * depth + k] + ATW[i * depth + k]
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
    load, spread, fill = loader(lanes), spreader(lanes), filler(lanes)

    @inner
    def tile(gram, batch, rows, first, n, rectified):
        width, G, A, error, start, scale = gram.width, gram.G, gram.A, gram.error, gram.start, load(gram.scale, first)
        feature, value, stop, b, e = batch.feature, batch.value, batch.stop, load(gram.b, first), 0
        for r in range(rows):
            y, stopped = b, stop[r + 1]
            while e < stopped:
                y = fma(load(G, feature[e] * width + first), spread(value, e), y)
                e += 1
            store(error, r * lanes, where_positive(y, y) if rectified else y)
        for i in range(first, min(first + lanes, n)):
            unseen = _ZERO
            for k in range(start[i], start[i + 1]):
                r, x = gram.row[k], gram.value[k]
                at = r * lanes + i - first
                dead = float32(rectified & (error[at] <= 0))  # it adds to the loss alone; a factor, for no branch could be predicted
                error[at] = (_ONE - dead) * (error[at] - x)
                unseen += dead * batch.weight[r] * x * x
            gram.loss[0] += gram.scale[i] * unseen
        sum_b, loss = fill(_ZERO), fill(_ZERO)
        for r in range(rows):
            seen = load(error, r * lanes)
            weighed = seen * spread(batch.weight, r)
            store(error, r * lanes, weighed)
            sum_b, loss = sum_b + weighed, fma(seen, weighed, loss)
        store(gram.sum_b, first, fma(sum_b, scale, load(gram.sum_b, first)))
        store(gram.loss, 0, fma(loss, scale, load(gram.loss, 0)))
        for i in range(n):
            if start[i] < start[i + 1]:
                a, at = fill(_ZERO), i * width + first
                for k in range(start[i], start[i + 1]):
                    a = fma(load(error, gram.row[k] * lanes), spread(gram.value, k), a)
                store(A, at, fma(a, scale, load(A, at)))

    return tile


_by_four, _by_one = _by_tile(WIDEST), _by_tile(LANES)


@inner
def by_gram(gram, batch, rows, n, rectified):
    """Add `rows` rows to A and the sums."""
    _by_feature(gram, batch, batch.stop[rows], n)
    for first in range(0, n, WIDEST):
        if n - first > LANES:
            _by_four(gram, batch, rows, first, n, rectified)
        else:
            _by_one(gram, batch, rows, first, n, rectified)


@inner
def _by_feature(gram, batch, entries, n):
    """Sort the entries by feature, by counting."""
    start, place = gram.start, int32(0)
    for i in range(n + 2):
        start[i] = 0
    for e in range(entries):
        start[batch.feature[e] + 2] += 1
    for i in range(2, n + 2):
        place += start[i]
        start[i] = place
    for e in range(entries):
        at = start[batch.feature[e] + 1]
        start[batch.feature[e] + 1] = at + 1
        gram.row[at], gram.value[at] = batch.row[e], batch.value[e]
