"""The sampler of `_events` in numba, bit-identical to it: same words, same arithmetic, one pass over what fires.

Words, gaps, places and values are made in vectors, as many firings at a time as fill them; a block is drawn until its slots are used up.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import int64, uint32

from tegum._draws_numba import MANY, many_log, many_pairs, many_uniform32, normal, uniform32, uniform52, words
from tegum._kernel_numba import inner, kernel
from tegum._vectors_numba import at_most, how_many_below, last_lane, running_total, store, to_float, to_whole
from tegum.draws import EVENTS, MEMBERS
from tegum.features._events import _FAR, BLOCK, Bucket

_SCAN = 64  # up to this many members a linear scan finds a repeat; beyond it a table of marks
_far = float(_FAR)


class Firings(NamedTuple):
    """Room for the places and value words of MANY firings, and marks, 0: which members of an event are taken."""

    place: np.ndarray  # int64
    value: np.ndarray  # uint32
    marks: np.ndarray  # uint8


class Entries(NamedTuple):
    """What is active in a block: sample (from its first on), feature, value; integers and floats of any width."""

    sample: np.ndarray
    feature: np.ndarray
    value: np.ndarray


def are_common(buckets: Sequence[Bucket], values: str) -> bool:
    """Whether `fire` needs no room for them: single features of one density and values in [0, 1]."""
    return values == "uniform" and all(b.size == 1 and b.features is None and b.ratio is None for b in buckets)


def room_for_firings(buckets: Sequence[Bucket]) -> Firings:
    """Room for those of any one of the buckets."""
    marks = max([b.size if _SCAN < b.pick < b.size else 0 for b in buckets], default=0)
    return Firings(np.empty(MANY, np.int64), np.empty(MANY, np.uint32), np.zeros(marks, np.uint8))


def room_for_entries(most: int, kinds: tuple[type, type] = (np.int64, np.float64)) -> Entries:
    """Room for `most` entries and a vector more; `kinds` are those of indices and of values."""
    most += MANY
    return Entries(np.empty(most, kinds[0]), np.empty(most, kinds[0]), np.empty(most, kinds[1]))


@inner
def fire(entries, written, room, seed, instance, step, block, samples, number, gap_scale, count, size, pick, first, features, ratio, kind):
    """Append what bucket `number` switches on in the first `samples` of a block. Returns how many entries there are then, -1 if they do not fit.

    `room` may be None where `are_common`.
    """
    slots, begin, fired = samples * count, int64(0), int64(0)
    common = size == 1 and len(ratio) == 0 and len(features) == 0 and kind == 0
    while begin < slots:
        gap_word, value_word = many_pairs(seed, EVENTS + number, instance, step, block, fired >> 1)
        gap = to_whole(at_most(many_log(many_uniform32(gap_word)) * gap_scale, _far))
        place = running_total(gap + int64(1)) + (begin - 1)
        begin = last_lane(place) + 1
        kept = how_many_below(place, slots)
        if written + kept * pick + MANY > len(entries.sample):
            return -1
        if common:
            sample = to_whole((to_float(place) + 0.5) * (1.0 / count))  # exact: 1/2 is 2^-41 of any place, and a double holds 2^-53
            store(entries.sample, written, sample)
            store(entries.feature, written, place - sample * count + first)
            store(entries.value, written, many_uniform32(value_word))
            written += kept
        elif room is not None:
            store(room.place, 0, place)
            store(room.value, 0, value_word)
            written = _unfold(
                entries, written, room, kept, seed, instance, step, block, fired, number, count, size, pick, first, features, ratio, kind
            )
        fired += MANY
    return written


@inner
def _unfold(entries, written, room, kept, seed, instance, step, block, fired, number, count, size, pick, first, features, ratio, kind):
    """Append what the firings in `room` switch on, the first of which is number `fired` of its block."""
    for at in range(kept):
        sample, j = room.place[at] // count, fired + at
        event = room.place[at] - sample * count
        if len(ratio) > 0:
            _, _, _, thin = words(seed, MEMBERS + number, instance, step, block, j * pick)
            if not uniform32(thin) < ratio[event]:
                continue
        for m in range(pick):
            entries.sample[written + m] = sample
        if size == 1:
            entries.feature[written] = features[event] if len(features) > 0 else first + event
            entries.value[written] = _value(kind, room.value[at])
        else:
            _members(entries, room.marks, written, seed, instance, step, block, j, number, size, pick, first + event * size, kind)
        written += pick
    return written


@kernel
def emit(
    dense, flat, value, entries, room, seeds, instances, step, first_sample, n_samples, n_features, number, gap_scale, count, size, pick, first,
    features, ratio, kind,
):  # fmt: skip
    """Write what one bucket switches on, a block at a time.

    Into `value[position]` when `dense`, else as pairs (flat, value); returns how many, -1 where these are too small, -2 where `entries` is.
    """
    written, last_sample = 0, first_sample + n_samples
    for i in range(len(seeds)):
        begin, end = i * n_samples, (i + 1) * n_samples
        for block in range(first_sample // BLOCK, (last_sample + BLOCK - 1) // BLOCK):
            found = fire(
                entries, int64(0), room, seeds[i], instances[i], step, block, min(BLOCK, last_sample - block * BLOCK), number, gap_scale, count,
                size, pick, first, features, ratio, kind,
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
