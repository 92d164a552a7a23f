"""The sampler of `_events` in numba, bit-identical to it: same words, same arithmetic, one pass over what fires.

Words and gaps are made in vectors, for a whole run of blocks at once: a block's row is as long as its firings mostly need, and the rare block that
needs more gets them as it goes. What is left for each firing is a handful of instructions.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import uint32, uint64

from tegum._draws_numba import MANY, many_counted, many_log, many_of, many_uniform52, many_words, normal, uniform32, uniform52, words
from tegum._kernel_numba import inlined, inner, kernel
from tegum._vectors_numba import LANES, loader, select_above, store, to_float, to_whole, widened
from tegum.draws import EVENTS, MEMBERS
from tegum.features._events import _FAR, BLOCK, Bucket

_SCAN = 64  # up to this many members a linear scan finds a repeat; beyond it a table of marks
_LONGEST, _FIRINGS = 1024, 2048  # firings that are drawn ahead for a block, and for a run of them
_load_few = loader(LANES)
_far = float(_FAR)


class Words(NamedTuple):
    """Room for the gaps and words of a run of blocks, a row of firings each, and behind them for MANY more of a block that needs them."""

    gap: np.ndarray  # uint64
    value: np.ndarray  # uint32
    thin: np.ndarray  # uint32
    marks: np.ndarray  # uint8, 0: which members of an event are taken


class Entries(NamedTuple):
    """What is active in a run of blocks: sample (from its first on), feature, value; integers and floats of any width."""

    sample: np.ndarray
    feature: np.ndarray
    value: np.ndarray


def row_length(bucket: Bucket) -> int:
    """How many firings are drawn ahead for a block: as many as it needs, mostly."""
    expected = bucket.density * BLOCK * bucket.count
    return int(min(expected + 1.5 * math.sqrt(expected) + 2, BLOCK * bucket.count + 1, _LONGEST))


def blocks_at_once(buckets: Sequence[Bucket], blocks: int) -> int:
    """How many of `blocks` blocks are drawn at once: some 2,048 firings, which with all that comes of them stay in cache."""
    most = max(1, min(blocks, int(_FIRINGS / (1 + sum(b.density * BLOCK * b.count for b in buckets)))))
    return -(-blocks // -(-blocks // most))  # runs of nearly one length


def room_for_words(buckets: Sequence[Bucket], blocks: int) -> Words:
    """Room for `blocks` blocks of any one of the buckets."""
    places = max([(-(-blocks * row_length(b) // MANY) + 2) * MANY for b in buckets], default=0)
    members = max([b.size if _SCAN < b.pick < b.size else 0 for b in buckets], default=0)
    return Words(np.empty(places, np.uint64), np.empty(places, np.uint32), np.empty(places, np.uint32), np.zeros(members, np.uint8))


def room_for_entries(most: int, kinds: tuple[type, type] = (np.int64, np.float64)) -> Entries:
    """Room for `most` entries and a vector more; `kinds` are those of indices and of values."""
    most += LANES
    return Entries(np.empty(most, kinds[0]), np.empty(most, kinds[0]), np.empty(most, kinds[1]))


@inner
def draw_words(room, start, end, length, seed, stream, instance, step, block, index, gap_scale):
    """Fill the places from `start` on to `end`, or up to MANY further: rows of `length` firings, from `index` on, for the blocks from `block` on."""
    per_row = 1.0 / length
    for t in range(start, end, MANY):
        place = many_counted() + uint64(t - start)
        row = to_whole((to_float(place) + 0.5) * per_row)
        a, b, c, d = many_words(seed, stream, instance, step, row + uint64(block), place - row * uint64(length) + uint64(index))
        gap = many_log(many_uniform52(a, b)) * gap_scale
        store(room.gap, t, to_whole(select_above(gap, _far, many_of(_far), gap)))
        store(room.value, t, c)
        store(room.thin, t, d)


@inner
def fire(
    entries, written, room, rows, seed, instance, step, block, number, length, gap_scale, count, size, pick, first, features, ratio, kind
):  # fmt: skip
    """Append what bucket `number` switches on in `rows` blocks from `block` on. Returns how many entries there are then, -1 where they do not fit."""
    gap, slots, stream = room.gap, BLOCK * count, EVENTS + number
    tail = -(-rows * length // MANY) * MANY
    common = size == 1 and len(ratio) == 0 and len(features) == 0 and kind == 0
    draw_words(room, np.int64(0), tail, length, seed, stream, instance, step, block, np.int64(0), gap_scale)
    for row in range(rows):
        begin, many, fired, place = row * length, length, 0, -1
        while place < slots:  # mostly once
            kept = 0
            for at in range(begin, begin + many):
                place += 1 + np.int64(gap[at])
                gap[at] = place
                kept += place < slots
            if written + kept * pick + LANES > len(entries.sample):
                return -1
            if common:
                _unfold(entries, written, room, begin, kept, row, count, first)
                written += kept
            else:
                for at in range(begin, begin + kept):
                    which = np.int64(gap[at]) // count
                    event = np.int64(gap[at]) - which * count
                    if len(ratio) > 0 and not uniform32(room.thin[at]) < ratio[event]:
                        continue
                    for m in range(pick):
                        entries.sample[written + m] = row * BLOCK + which
                    if size == 1:
                        entries.feature[written] = features[event] if len(features) > 0 else first + event
                        entries.value[written] = _value(kind, room.value[at])
                    else:
                        j, base = fired + at - begin, first + event * size
                        _members(entries, room.marks, written, seed, instance, step, block + row, j, number, size, pick, base, kind)
                    written += pick
            fired += many
            begin, many = tail, MANY
            if place < slots:
                draw_words(room, tail, tail + MANY, np.int64(MANY), seed, stream, instance, step, block + row, fired, gap_scale)
    return written


@inlined
def _unfold(entries, written, room, begin, kept, row, count, first):
    """Independent features of U[0,1] values, LANES at a time; what is written beyond them is written over next."""
    per_event = 1.0 / count
    for j in range(0, kept, LANES):
        place = _load_few(room.gap, begin + j)
        which = to_whole((to_float(place) + 0.5) * per_event)  # exact: 1/2 is 2^-41 of any place, and a double holds 2^-53
        store(entries.sample, written + j, which + uint64(row * BLOCK))
        store(entries.feature, written + j, place - which * uint64(count) + uint64(first))
        store(entries.value, written + j, (to_float(widened(_load_few(room.value, begin + j))) + 0.5) * 2.0**-32)


@kernel
def emit(
    dense, flat, value, entries, room, blocks, seeds, instances, step, first_sample, n_samples, n_features, number, length, gap_scale, count,
    size, pick, first, features, ratio, kind,
):  # fmt: skip
    """Write what one bucket switches on, `blocks` blocks at a time.

    Into `value[position]` when `dense`, else as pairs (flat, value); returns how many, -1 where these are too small, -2 where `entries` is.
    """
    first_block, end_block = first_sample // BLOCK, (first_sample + n_samples + BLOCK - 1) // BLOCK
    written = 0
    for i in range(len(seeds)):
        begin, end = i * n_samples, (i + 1) * n_samples
        for block in range(first_block, end_block, blocks):
            rows = min(blocks, end_block - block)
            found = fire(
                entries, np.int64(0), room, rows, seeds[i], instances[i], step, block, number, length, gap_scale, count, size, pick, first,
                features, ratio, kind,
            )  # fmt: skip
            if found < 0:
                return -2
            if not dense and written + found > len(flat):
                return -1
            base = begin + block * BLOCK - first_sample
            for e in range(found):
                place = base + entries.sample[e]
                if begin <= place < end:
                    if dense:
                        value[place * n_features + entries.feature[e]] = entries.value[e]
                    else:
                        flat[written], value[written] = place * n_features + entries.feature[e], entries.value[e]
                        written += 1
    return written


@inner
def _value(kind, word):
    if kind == 1:
        return 1.0
    if kind == 2:
        return 1.0 - 2.0 * np.float64(word >> uint32(31))
    u = uniform32(word)
    return u if kind == 0 else normal(u)


@inner
def _members(entries, marks, start, seed, instance, step, block, j, number, size, pick, base, kind):
    feature, value = entries.feature, entries.value
    marked = _SCAN < pick < size
    for m in range(pick):
        w0, w1, w2, _ = words(seed, MEMBERS + number, instance, step, block, j * pick + m)
        value[start + m] = _value(kind, w2)
        if pick == size:
            feature[start + m] = base + m
            continue
        last = size - pick + m
        place = np.int64(np.floor(uniform52(w0, w1) * (last + 1)))
        if marked:
            if marks[place]:
                place = last
            marks[place] = 1
        else:
            for other in range(start, start + m):
                if feature[other] == base + place:
                    place = last
                    break
        feature[start + m] = base + place
    if marked:
        for m in range(start, start + pick):
            marks[feature[m] - base] = 0
    if pick < size:
        _sort(feature, value, start, start + pick)


@inner
def _sort(keys, values, start, end):
    """Shell sort with Ciura's gaps (2001). np.argsort and slices take five times as long to compile as all the rest."""
    for gap in (1750, 701, 301, 132, 57, 23, 10, 4, 1):
        for i in range(start + gap, end):
            key, value = keys[i], values[i]
            at = i - gap
            while at >= start and keys[at] > key:
                keys[at + gap], values[at + gap] = keys[at], values[at]
                at -= gap
            keys[at + gap], values[at + gap] = key, value
