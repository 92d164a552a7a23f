"""The sampler of `_events` in numba, bit-identical to it: same words, same arithmetic, one pass over what fires."""

import numpy as np
from numba import njit

from tegum._draws_numba import log, normal, uniform32, uniform52, words
from tegum.draws import EVENTS, MEMBERS
from tegum.features._events import _FAR, BLOCK

_SCAN = 64  # up to this many members a linear scan finds a repeat; beyond it a table of marks


@njit(cache=True, nogil=True)
def emit(
    dense,
    flat,
    value,
    seeds,
    instances,
    step,
    first_sample,
    n_samples,
    n_features,
    number,
    gap_scale,
    count,
    size,
    pick,
    first,
    features,
    ratio,
    kind,
):
    """Write what one bucket switches on. Into `value[position]` when `dense`, else as pairs (flat, value); returns how many, or -1 when full."""
    end = first_sample + n_samples
    slots = BLOCK * count
    written = 0
    chosen = np.empty(pick, np.int64)
    drawn = np.empty(pick, np.float64)
    marks = np.zeros(size if pick < size and pick > _SCAN else 0, np.uint8)
    # Words and gaps are made a chunk at a time in loops without branches, which the compiler turns into SIMD.
    density = 1.0 if gap_scale == 0 else -np.expm1(1.0 / gap_scale)
    chunk = min(64, 4 + int(1.2 * density * slots))
    a, b, value_word, thin_word = (
        np.empty(chunk, np.uint32),
        np.empty(chunk, np.uint32),
        np.empty(chunk, np.uint32),
        np.empty(chunk, np.uint32),
    )
    gap = np.empty(chunk, np.float64)
    for row in range(len(seeds)):
        seed, instance = seeds[row], instances[row]
        for block in range(first_sample // BLOCK, (end + BLOCK - 1) // BLOCK):
            place = -1
            j, c = -1, chunk
            while True:
                j += 1
                c += 1
                if c >= chunk:
                    for i in range(chunk):
                        a[i], b[i], value_word[i], thin_word[i] = words(seed, EVENTS + number, instance, step, block, j + i)
                    for i in range(chunk):
                        gap[i] = min(np.floor(log(uniform52(a[i], b[i])) * gap_scale), _FAR)
                    c = 0
                place += 1 + np.int64(gap[c])
                if place >= slots:
                    break
                in_block = place // count
                sample = block * BLOCK + in_block
                if sample >= end:
                    break
                event = place - in_block * count
                if sample < first_sample or (len(ratio) > 0 and not uniform32(thin_word[c]) < ratio[event]):
                    continue
                base = (row * n_samples + sample - first_sample) * n_features
                if size == 1:
                    chosen[0] = features[event] if len(features) > 0 else first + event
                    drawn[0] = _value(kind, value_word[c])
                else:
                    _members(chosen, drawn, marks, seed, instance, step, block, j, number, size, pick, first + event * size, kind)
                if dense:
                    for m in range(pick):
                        value[base + chosen[m]] = drawn[m]
                else:
                    if written + pick > len(flat):
                        return -1
                    for m in range(pick):
                        flat[written + m] = base + chosen[m]
                        value[written + m] = drawn[m]
                written += pick
    return written


@njit
def _value(kind, word):
    if kind == 1:
        return 1.0
    if kind == 2:
        return 1.0 - 2.0 * np.float64(word >> 31)
    u = uniform32(word)
    return u if kind == 0 else normal(u)


@njit
def _members(chosen, drawn, marks, seed, instance, step, block, j, number, size, pick, base, kind):
    for m in range(pick):
        w0, w1, w2, _ = words(seed, MEMBERS + number, instance, step, block, j * pick + m)
        drawn[m] = _value(kind, w2)
        if pick == size:
            chosen[m] = m
            continue
        last = size - pick + m
        place = np.int64(np.floor(uniform52(w0, w1) * (last + 1)))
        if len(marks) > 0:
            if marks[place]:
                place = last
            marks[place] = 1
        else:
            for other in range(m):
                if chosen[other] == place:
                    place = last
                    break
        chosen[m] = place
    if pick < size:
        for m in range(len(marks) and pick):
            marks[chosen[m]] = 0
        _sort(chosen, drawn, pick)
    for m in range(pick):
        chosen[m] += base


@njit
def _sort(keys, values, n):
    """Shell sort with Ciura's gaps (2001). np.argsort and slices take five times as long to compile as all the rest."""
    for gap in (1750, 701, 301, 132, 57, 23, 10, 4, 1):
        for i in range(gap, n):
            key, value = keys[i], values[i]
            at = i - gap
            while at >= 0 and keys[at] > key:
                keys[at + gap], values[at + gap] = keys[at], values[at]
                at -= gap
            keys[at + gap], values[at + gap] = key, value
