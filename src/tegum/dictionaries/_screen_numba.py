"""The passes of a screen in numba (see `_screen.py`): rows rounded to eight bits, candidates listed, and what is in question multiplied out."""

import numpy as np
from numba import uint64

from tegum._kernel_numba import inlined, inner, kernel
from tegum._vectors_numba import LANES, filler, fma, loader, nearest, store, to_bytes, to_single, total
from tegum.dictionaries._comparing_numba import highest_lane, lanes_above, larger, lowest_bit, magnitude
from tegum.dictionaries._running_top_numba import keep_largest, sort_down

WIDE = 64  # products looked at at a time: one bit each in a word
_load, _fill = loader(WIDE), filler(WIDE)
_LEAST = np.float32(1e-30)  # a scale whose inverse float32 holds
_CACHED = 1 << 16  # numbers of the table that are multiplied with all rows before the next are read
_ONE = LANES
_one, _one_of = loader(_ONE), filler(_ONE)


def peaks(k: int, n: int) -> int:
    """How many residues a block's limit is taken from: the k-th largest of their maxima is little below the k-th largest number."""
    return WIDE * max(1, min(-(-4 * k // WIDE), n // WIDE))


@kernel
def round_rows(numbers, d, q, scale, size, wrong, first, last):
    """Rows of float32 as scale x whole numbers of -127 to 127; their lengths, and those of what rounding took. Next to nothing has scale 0."""
    padded, whole = len(q) // len(scale), d - d % _ONE
    for row in range(first, last):
        begin, to = row * d, row * padded
        peak = _one_of(np.float32(0))
        for j in range(begin, begin + whole, _ONE):
            peak = larger(magnitude(_one(numbers, j)), peak)
        most = highest_lane(peak)
        for j in range(begin + whole, begin + d):
            most = max(most, abs(numbers[j]))
        step = most / np.float32(127)
        if step < _LEAST:
            step = np.float32(0)
        inverse = np.float32(1) / step if step > 0 else np.float32(0)
        squares, losses = _one_of(np.float32(0)), _one_of(np.float32(0))
        for j in range(0, whole, _ONE):
            value = _one(numbers, begin + j)
            near = nearest(value * inverse)
            store(q, to + j, to_bytes(near))
            lost = value - near * step
            squares, losses = fma(value, value, squares), fma(lost, lost, losses)
        square, loss = total(squares), total(losses)
        for j in range(whole, d):
            value = numbers[begin + j]
            near = np.float32(np.rint(value * inverse))
            q[to + j] = np.int8(near)
            lost = value - near * step
            square += value * value
            loss += lost * lost
        scale[row], size[row], wrong[row] = step, np.sqrt(square), np.sqrt(loss)


@inlined
def _read(products, at, t, j, signed):
    vector = to_single(_load(products, at)) * _load(t, j)
    return magnitude(vector) if signed else vector


@kernel
def screen_above(products, n, feature, t, size, slack, scale, signed, limits, offset, ids, counts, refused, first, last):
    """List the features of a block whose inner product may be above `offset` + the row's limit; a row with no room for them is refused."""
    room, tiny = ids.shape[1], 4 * np.finfo(np.float32).eps
    for row in range(first, last):
        if refused[row]:
            continue
        count, begin = counts[row], row * n
        limit = np.float32(limits[row] - tiny * abs(limits[row]))
        steps, slacks = _fill(scale[row]), _fill(slack[row])
        for j in range(0, n, WIDE):
            upper = fma(_read(products, begin + j, t, feature + j, signed), steps, _load(size, feature + j) * slacks)
            above = lanes_above(upper - _load(offset, feature + j), limit)
            while above != uint64(0):
                if count < room:
                    ids[row, count] = feature + j + lowest_bit(above)
                count += 1
                above &= above - uint64(1)
        counts[row], refused[row] = count, count > room


@kernel
def screen_largest(products, n, feature, t, size, slack, scale, signed, k, limits, peaks, places, ids, upper, counts, refused, first, last):
    """List the features of a block that may be among the k largest, with upper bounds; k others are known to reach the row's limit."""
    room = ids.shape[1]
    for row in range(first, last):
        if refused[row]:
            continue
        begin, count = row * n, counts[row]
        steps, slacks = _fill(scale[row]), _fill(slack[row])
        for g in range(0, len(peaks), WIDE):
            store(peaks, g, _fill(np.float32(-np.inf)))
        for j in range(0, n - len(peaks) + 1, len(peaks)):
            for g in range(0, len(peaks), WIDE):
                lower = _read(products, begin + j + g, t, feature + j + g, signed) * steps - _load(size, feature + j + g) * slacks
                store(peaks, g, larger(lower, _load(peaks, g)))
        limit = max(limits[row], _kth(peaks, places, len(peaks), k)) if k <= len(peaks) else limits[row]
        below = np.nextafter(limit, np.float32(-np.inf))
        for j in range(0, n, WIDE):
            bound = fma(_read(products, begin + j, t, feature + j, signed), steps, _load(size, feature + j) * slacks)
            above = lanes_above(bound, below)
            if above == uint64(0):
                continue
            store(peaks, 0, bound)
            while above != uint64(0):
                if count < room:
                    lane = lowest_bit(above)
                    ids[row, count], upper[row, count] = feature + j + lane, peaks[lane]
                count += 1
                above &= above - uint64(1)
        limits[row], counts[row], refused[row] = limit, count, count > room


@inner
def _kth(keys, ids, count, k):
    """The k-th largest of `count` numbers, which comes k-th, after those that are larger."""
    if k > 1:
        return keep_largest(keys, ids, count, k)
    best = 0
    for c in range(1, count):
        best = c if keys[c] > keys[best] else best
    keys[0], keys[best] = keys[best], keys[0]
    ids[0], ids[best] = ids[best], ids[0]
    return keys[0]


@kernel
def multiply_out(table, n, x, d, ids, counts, at, tails, values, first, last):
    """<D_j, x> of every feature listed, in ascending order, by blocks of the table that stay in cache; `at` begins as zeros.

    Four at a time. The last of d dims are read as a whole vector that ends with them, against x with zeros where it was read before (`tails`).
    """
    whole, zero = d - d % _ONE, type(x[0])(0)
    for row in range(first, last):
        for j in range(whole, d):
            tails[row * _ONE + _ONE - d + j] = x[row * d + j]
    block = max(1, _CACHED // d)
    for start in range(0, n, block):
        for row in range(first, last):
            c, begin = at[row], row * d
            tail = _one(tails, row * _ONE)
            while c < counts[row] and ids[row, c] < start + block:
                left = counts[row] - 1 - c
                p, q, r, s = ids[row, c] * d, ids[row, c + min(1, left)] * d, ids[row, c + min(2, left)] * d, ids[row, c + min(3, left)] * d
                e, f, g, h = _one_of(zero), _one_of(zero), _one_of(zero), _one_of(zero)
                for j in range(0, whole, _ONE):
                    part = _one(x, begin + j)
                    e, f = fma(_one(table, p + j), part, e), fma(_one(table, q + j), part, f)
                    g, h = fma(_one(table, r + j), part, g), fma(_one(table, s + j), part, h)
                if whole < d:
                    e, f = fma(_one(table, p + d - _ONE), tail, e), fma(_one(table, q + d - _ONE), tail, f)
                    g, h = fma(_one(table, r + d - _ONE), tail, g), fma(_one(table, s + d - _ONE), tail, h)
                values[row, c], values[row, c + min(1, left)] = total(e), total(f)
                values[row, c + min(2, left)], values[row, c + min(3, left)] = total(g), total(h)
                c += 4
            at[row] = c


@kernel
def in_question(ids, upper, counts, size, slack, k, refused, lower, slots, first, last):
    """Of each row's candidates keep those whose upper bound reaches the k-th largest lower bound; a row with fewer than k is refused."""
    for row in range(first, last):
        count = counts[row]
        refused[row] |= count < k
        if refused[row]:
            counts[row] = 0
            continue
        for c in range(count):
            lower[c], slots[c] = upper[row, c] - np.float32(2) * size[ids[row, c]] * slack[row], c
        limit = np.nextafter(_kth(lower, slots, count, k), np.float32(-np.inf))
        found = 0
        for c in range(count):
            ids[row, found] = ids[row, c]
            found += upper[row, c] >= limit
        counts[row] = found


@kernel
def settle_largest(exact, ids, counts, signed, k, refused, keys, slots, values, features, first, last):
    """The k largest of each row's candidates, largest first."""
    for row in range(first, last):
        if refused[row]:
            continue
        for c in range(counts[row]):
            keys[c], slots[c] = abs(exact[row, c]) if signed else exact[row, c], c
        _kth(keys, slots, counts[row], k)
        sort_down(keys, slots, k)
        for j in range(k):
            values[row, j], features[row, j] = exact[row, slots[j]], ids[row, slots[j]]


@kernel
def joined(ids, counts, old, plus, refused, listed, features, first, last):
    """Each row's candidates together with the features of `old` to which something is added, in ascending order; none if the row is refused."""
    for row in range(first, last):
        if refused[row]:
            counts[row] = 0
            continue
        count = counts[row]
        for c in range(count):
            listed[ids[row, c]] = True
        more = 0  # those of `old` that are not listed go to the front, in order; mostly they come in order
        for c in range(old.shape[1]):
            id_ = old[row, c]
            if plus[row, c] != 0 and not listed[id_]:
                listed[id_] = True
                place = more
                while place > 0 and features[row, place - 1] > id_:
                    features[row, place] = features[row, place - 1]
                    place -= 1
                features[row, place] = id_
                more += 1
        for c in range(count):
            listed[ids[row, c]] = False
        for c in range(more):
            listed[features[row, c]] = False
        counts[row] = count + more
        while count > 0:  # the larger of the two last ones is the last
            if more > 0 and features[row, more - 1] > ids[row, count - 1]:
                features[row, count + more - 1] = features[row, more - 1]
                more -= 1
            else:
                features[row, count + more - 1] = ids[row, count - 1]
                count -= 1


@kernel
def settle_above(features, values, counts, signed, limits, offset, old, plus, extra, first, last):
    """Add what is to be added, and keep what is above `offset` + the row's limit."""
    for row in range(first, last):
        for c in range(old.shape[1]):
            extra[old[row, c]] += plus[row, c]
        found = 0
        for c in range(counts[row]):
            id_ = features[row, c]
            value = values[row, c] + extra[id_]
            features[row, found], values[row, found] = id_, value
            found += (abs(value) if signed else value) - offset[id_] > limits[row]
        for c in range(old.shape[1]):
            extra[old[row, c]] = 0
        counts[row] = found


@kernel
def fill_rest(features, values, counts, width):
    """Zeros after the last entry of each row, up to `width`."""
    for row in range(len(counts)):
        for c in range(counts[row], width):
            features[row, c], values[row, c] = 0, 0
