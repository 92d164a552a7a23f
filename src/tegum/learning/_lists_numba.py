"""One training step of a k-sparse autoencoder in numba, after its first product: lists of codes, reconstructions, gradients and Adam.

A step touches each weight once: the gradients of a feature's two rows are summed up in the first cache over the samples that it is on in, and spent
on the rows at once. Tables are flat; rows of x and of errors are found by sample.
"""

import numpy as np
from numba import uint64

from tegum._kernel_numba import inlined, kernel
from tegum._vectors_numba import LANES, filler, fma, loader, root, store, total
from tegum.dictionaries._comparing_numba import lanes_above, lowest_bit

WIDE = 64  # numbers looked at at a time: one bit each in a word
STRIP = 4 * LANES  # dims of a reconstruction that stay in registers
_look = loader(WIDE)
_load, _of = loader(LANES), filler(LANES)
_strip, _strip_of = loader(STRIP), filler(STRIP)


@kernel
def count_above(before, n, limit, counts, first, last):
    """How many of the n numbers of each row are above `limit`."""
    whole = n - n % WIDE
    for row in range(first, last):
        at, count = row * n, 0
        for j in range(0, whole, WIDE):
            above = lanes_above(_look(before, at + j), limit)
            while above != uint64(0):
                count += 1
                above &= above - uint64(1)
        for j in range(whole, n):
            count += before[at + j] > limit
        counts[row] = count


@kernel
def list_above(before, n, limit, starts, features, values, first, last):
    """List them, in ascending order."""
    whole = n - n % WIDE
    for row in range(first, last):
        at, to = row * n, starts[row]
        for j in range(0, whole, WIDE):
            above = lanes_above(_look(before, at + j), limit)
            while above != uint64(0):
                lane = lowest_bit(above)
                features[to], values[to] = j + lane, before[at + j + lane]
                to += 1
                above &= above - uint64(1)
        for j in range(whole, n):
            if before[at + j] > limit:
                features[to], values[to] = j, before[at + j]
                to += 1


@kernel
def by_feature(starts, features, values, heads, samples, codes, places):
    """The same lists by feature: samples and codes of feature i are heads[i] to heads[i + 1]. `places` (features,) is scratch."""
    n = len(heads) - 1
    heads[:] = 0
    for e in range(len(features)):
        heads[features[e] + 1] += 1
    for i in range(n):
        heads[i + 1] += heads[i]
        places[i] = heads[i]
    for b in range(len(starts) - 1):
        for e in range(starts[b], starts[b + 1]):
            to = places[features[e]]
            samples[to], codes[to] = b, values[e]
            places[features[e]] = to + 1


@kernel
def reconstruct(starts, features, values, ends, D, x, scale, errors, squares, first, last):
    """errors[l, b] = scale (sum over levels from l on of y_l - x) and squares[b] = sum over levels of |y_l - x|^2; x lacks b_dec already."""
    rows = len(starts) - 1
    d = len(x) // rows
    levels = len(ends)
    whole = d - d % STRIP
    for b in range(first, last):
        square = 0.0
        for j in range(0, whole, STRIP):
            y = _strip_of(x[0]) * x.dtype.type(0) - _strip(x, b * d + j)
            e = starts[b]
            for level in range(levels):
                while e < starts[b + 1] and features[e] < ends[level]:
                    y = fma(_strip(D, features[e] * d + j), _strip_of(values[e]), y)
                    e += 1
                store(errors, (level * rows + b) * d + j, y * scale)
                square += total(y * y)
            after = _strip(errors, ((levels - 1) * rows + b) * d + j)
            for level in range(levels - 2, -1, -1):
                after = after + _strip(errors, (level * rows + b) * d + j)
                store(errors, (level * rows + b) * d + j, after)
        for j in range(whole, d):
            rest, e = -x[b * d + j], starts[b]
            for level in range(levels):
                while e < starts[b + 1] and features[e] < ends[level]:
                    rest += values[e] * D[features[e] * d + j]
                    e += 1
                errors[(level * rows + b) * d + j] = rest * scale
                square += rest * rest
            for level in range(levels - 2, -1, -1):
                errors[(level * rows + b) * d + j] += errors[((level + 1) * rows + b) * d + j]
        squares[b] = square


@inlined
def _dot(a, at, b, to, d):
    wide, whole = d - d % STRIP, d - d % LANES
    sums = _strip_of(type(a[at])(0))  # as many chains of additions as a strip has registers, or each would wait for the one before
    for j in range(0, wide, STRIP):
        sums = fma(_strip(a, at + j), _strip(b, to + j), sums)
    rest = _of(type(a[at])(0))
    for j in range(wide, whole, LANES):
        rest = fma(_load(a, at + j), _load(b, to + j), rest)
    out = total(sums) + total(rest)
    for j in range(whole, d):
        out += a[at + j] * b[to + j]
    return out


@inlined
def _more(a, at, b, to, d, times):
    """a + times b, in place."""
    whole, many = d - d % LANES, _of(times)
    for j in range(0, whole, LANES):
        store(a, at + j, fma(_load(b, to + j), many, _load(a, at + j)))
    for j in range(whole, d):
        a[at + j] += times * b[to + j]


@inlined
def _adam(w, mean, square, at, gradient, to, d, adam):
    """One step of Adam on d numbers: adam = (step size, decay of the mean, decay of the square, what is added to the root, 1)."""
    size, fall, drop, small = adam[0], adam[1], adam[2], adam[3]
    rise, gain = adam[4] - fall, adam[4] - drop
    whole = d - d % LANES
    for j in range(0, whole, LANES):
        g = _load(gradient, to + j)
        m = fma(_load(mean, at + j), _of(fall), g * rise)
        v = fma(_load(square, at + j), _of(drop), g * g * gain)
        store(mean, at + j, m)
        store(square, at + j, v)
        store(w, at + j, _load(w, at + j) - m * size / (root(v) + small))
    for j in range(whole, d):
        g = gradient[to + j]
        m = fall * mean[at + j] + rise * g
        v = drop * square[at + j] + gain * (g * g)
        mean[at + j], square[at + j] = m, v
        w[at + j] -= size * m / (np.sqrt(v) + small)


@kernel
def spend(
    heads, samples, codes, ends, errors, x, d, E, D, b_enc, means_E, squares_E, means_D, squares_D, means_b, squares_b,
    more_at, more_E, more_D, more_b, adam, turns, room, pulled, first, last,
):  # fmt: skip
    """Gradients and Adam of features `first` to `last`: their rows of E and of D (if it `turns`), which keep length 1, and their biases.

    more_at[i] is the row of further gradients (more_E, more_D, more_b) of feature i, or -1. `room` (2 d) is scratch. To `pulled` (d) is added the
    sum over features of (gradient of the bias) E_i, of the rows as they were: what b_dec loses by being subtracted from x.
    """
    rows = len(x) // d
    level = 0
    for i in range(first, last):
        while i >= ends[level]:
            level += 1
        room[:] = 0
        bias = room[0]
        for e in range(heads[i], heads[i + 1]):
            error = (level * rows + samples[e]) * d
            slope = _dot(errors, error, D, i * d, d)
            _more(room, d, errors, error, d, codes[e])
            _more(room, 0, x, samples[e] * d, d, slope)
            bias += slope
        if more_at[i] >= 0:
            at = more_at[i] * d
            for j in range(d):
                room[j] += more_E[at + j]
                room[d + j] += more_D[at + j]
            bias += more_b[more_at[i]]
        _more(pulled, 0, E, i * d, d, bias)
        _adam(E, means_E, squares_E, i * d, room, 0, d, adam)
        if turns:
            _more(room, d, D, i * d, d, -_dot(room, d, D, i * d, d))  # along the direction itself nothing is to be gained
            _adam(D, means_D, squares_D, i * d, room, d, d, adam)
            length = np.sqrt(_dot(D, i * d, D, i * d, d))
            shrink = adam[4] / max(length, np.finfo(D.dtype).tiny)
            for j in range(d):
                D[i * d + j] *= shrink
        room[0] = bias
        _adam(b_enc, means_b, squares_b, i, room, 0, 1, adam)
