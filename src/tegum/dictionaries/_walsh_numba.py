"""Correlations with the directions of a subsampled Hadamard transform, in numba: one fast transform for every block of M features.

A tile of `ROWS` samples is worked on at a time, a sample a lane. A block starts from a buffer of M rows (rows of x with their signs, in the
block's own order, and zeros); its transform is taken `ROWS` rows at a time in registers: the top bits of the row number while the rows are
gathered, then each part of M / ROWS rows by itself, which stays in the first cache, its lowest bits last. What comes out is written a sample a
row, or is only compared with the k-th largest so far of its sample, and then nothing is written that does not exceed it.
"""

from typing import NamedTuple

import numpy as np

from tegum._kernel_numba import inlined, inner, kernel
from tegum._vectors_numba import loader, put, store
from tegum.dictionaries._comparing_numba import lanes_above, larger, lowest_bit, magnitude
from tegum.dictionaries._rows_numba import ROWS, gather_rows, highest, load_rows, lowest, odd, store_rows, times_each, turned, walsh
from tegum.dictionaries._running_top_numba import keep_largest, sort_down

_load = loader(ROWS)


class Blocks(NamedTuple):
    """Where the rows of a block's buffer come from, M a block; and a factor for each feature and `ROWS` more, or none.

    Block form: `sources`, M a block, names rows of a tile, which are x, -x and one of zeros. Whole form: `places` says for each dim which row of the
    large transform it is; of block q the buffer is the sum of x_t at places[t] mod M, with the sign that q shares with the rest of places[t].
    """

    size: int
    sources: np.ndarray  # int32
    places: np.ndarray  # int64
    factors: np.ndarray


@inner
def _fill(blocks, tile, buffer, block):
    """The buffer of a block, transformed over the top bits of its row number where it has enough of them; returns the size of a part."""
    size, whole = blocks.size, len(blocks.places) > 0
    part = size // ROWS
    if whole:
        _fold(blocks, tile, buffer, block)
    if part < ROWS:
        if not whole:
            for row in range(size):
                store(buffer, row * ROWS, _load(tile, np.int64(blocks.sources[block * size + row]) * ROWS))
        return size
    if whole:
        for row in range(part):
            store_rows(buffer, row * ROWS, part * ROWS, walsh(load_rows(buffer, row * ROWS, part * ROWS)))
    else:
        for row in range(part):
            store_rows(buffer, row * ROWS, part * ROWS, walsh(gather_rows(tile, blocks.sources, block * size + row, part)))
    return part


@inner
def _fold(blocks, tile, buffer, block):
    nothing = _load(tile, 2 * len(blocks.places) * ROWS)
    for row in range(blocks.size):
        store(buffer, row * ROWS, nothing)
    bits = 0
    while 1 << bits < blocks.size:
        bits += 1
    for t in range(len(blocks.places)):
        place = blocks.places[t]
        at = (place & (blocks.size - 1)) * ROWS
        source = t + odd((place >> bits) & block) * len(blocks.places)
        store(buffer, at, _load(buffer, at) + _load(tile, source * ROWS))


@inner
def _middle(buffer, begin, part):
    """The transform over all bits of a part's row number but the lowest ones, two bits at a time, then one."""
    stride = part
    while stride >= 4 * ROWS:
        stride //= 4
        for group in range(begin, begin + part, 4 * stride):
            for row in range(group, group + stride):
                a, b = _load(buffer, row * ROWS), _load(buffer, (row + stride) * ROWS)
                c, d = _load(buffer, (row + 2 * stride) * ROWS), _load(buffer, (row + 3 * stride) * ROWS)
                a, b, c, d = a + b, a - b, c + d, c - d
                store(buffer, row * ROWS, a + c)
                store(buffer, (row + stride) * ROWS, b + d)
                store(buffer, (row + 2 * stride) * ROWS, a - c)
                store(buffer, (row + 3 * stride) * ROWS, b - d)
    if stride == 2 * ROWS:
        for group in range(begin, begin + part, 2 * ROWS):
            for row in range(group, group + ROWS):
                a, b = _load(buffer, row * ROWS), _load(buffer, (row + ROWS) * ROWS)
                store(buffer, row * ROWS, a + b)
                store(buffer, (row + ROWS) * ROWS, a - b)


@kernel
def correlate_blocks(blocks, tile, samples, buffer, out, width, row, first, last, end):
    """Correlations of one tile with blocks `first` to `last`, less what lies past feature `end`, into out[row * width] on, `width` a sample."""
    origin = first * blocks.size
    for block in range(first, last):
        part = _fill(blocks, tile, buffer, block)
        for begin in range(0, blocks.size, part):
            if block * blocks.size + begin >= end:
                break
            _middle(buffer, begin, part)
            for j in range(begin, begin + part, ROWS):
                feature = block * blocks.size + j
                if feature >= end:
                    break
                rows = walsh(load_rows(buffer, j * ROWS, ROWS))
                if len(blocks.factors) > 0:
                    rows = times_each(rows, blocks.factors, feature)
                if samples == ROWS and feature + ROWS <= end:
                    store_rows(out, row * width + feature - origin, width, turned(rows))
                else:
                    store_rows(buffer, j * ROWS, ROWS, rows)
                    for lane in range(samples):
                        for i in range(min(ROWS, end - feature)):
                            out[(row + lane) * width + feature - origin + i] = buffer[(j + i) * ROWS + lane]


class Candidates(NamedTuple):
    """The candidates of each lane for the k largest: numbers, features (twice, and 1 more for a negative one), how many, and the limit."""

    keys: np.ndarray
    ids: np.ndarray
    count: np.ndarray
    limit: np.ndarray


@inlined
def _size_of(vector, signed):
    return magnitude(vector) if signed else vector


@inner
def _take(candidates, buffer, at, feature, features, signed, k):
    """Take what exceeds its sample's limit of `features` rows of the buffer."""
    room = candidates.keys.shape[1]
    for i in range(features):
        vector = _load(buffer, at + i * ROWS)
        above = lanes_above(_size_of(vector, signed), _load(candidates.limit, 0))
        while above != np.uint64(0):
            lane = lowest_bit(above)
            above &= above - np.uint64(1)
            count = candidates.count[lane]
            if count == room:
                candidates.limit[lane] = keep_largest(candidates.keys[lane], candidates.ids[lane], count, k)
                count = k
            value = buffer[at + i * ROWS + lane]
            candidates.keys[lane, count] = abs(value) if signed else value
            candidates.ids[lane, count] = 2 * (feature + i) + (value < 0)
            candidates.count[lane] = count + 1


@kernel
def largest_of_blocks(blocks, tile, samples, buffer, candidates, signed, k, top, which, short, row, first, last, end):
    """The k largest correlations of one tile with blocks `first` to `last`, into top[row] and which[row] on; one with fewer is marked `short`."""
    for lane in range(ROWS):
        candidates.count[lane], candidates.limit[lane] = 0, -np.inf if lane < samples else np.inf
    for block in range(first, last):
        part = _fill(blocks, tile, buffer, block)
        for begin in range(0, blocks.size, part):
            if block * blocks.size + begin >= end:
                break
            _middle(buffer, begin, part)
            for j in range(begin, begin + part, ROWS):
                feature = block * blocks.size + j
                if feature >= end:
                    break
                rows = walsh(load_rows(buffer, j * ROWS, ROWS))
                if len(blocks.factors) > 0:
                    rows = times_each(rows, blocks.factors, feature)
                most = highest(rows)
                if signed:
                    most = larger(magnitude(most), magnitude(lowest(rows)))
                if lanes_above(most, _load(candidates.limit, 0)) != np.uint64(0):
                    store_rows(buffer, j * ROWS, ROWS, rows)
                    _take(candidates, buffer, j * ROWS, feature, min(ROWS, end - feature), signed, k)
    for lane in range(samples):
        keys, ids, count = candidates.keys[lane], candidates.ids[lane], candidates.count[lane]
        short[row + lane] = count < k
        if count >= k:
            keep_largest(keys, ids, count, k)
            sort_down(keys, ids, k)
            for i in range(k):
                top[row + lane, i] = -keys[i] if signed and ids[i] & 1 else keys[i]
                which[row + lane, i] = ids[i] >> 1


@kernel
def encode_samples(blocks, indices, values, sums, x, scale, first, last):
    """x of samples `first` to `last`, as sums of the directions that are active. `sums` has room for 2 d + 1 of them, a value and its negative."""
    dims, size, whole = x.shape[1], blocks.size, len(blocks.places) > 0
    pair = sums[2 * dims + 1 :]
    for sample in range(first, last):
        for t in range(2 * dims + 1):
            sums[t] = 0
        for slot in range(indices.shape[1]):
            feature = indices[sample, slot]
            if feature < 0:
                continue
            value = values[sample, slot]
            if len(blocks.factors) > 0:
                value *= blocks.factors[feature]
            put(pair, 0, value)
            put(pair, 1, -value)
            if whole:
                for t in range(dims):
                    sums[t] += pair[odd(blocks.places[t] & feature)]
            else:
                begin = feature - feature % size
                for row in range(size):
                    sums[blocks.sources[begin + row]] += pair[odd((feature - begin) & row)]
        for t in range(dims):
            x[sample, t] = (sums[t] - sums[dims + t]) * scale
