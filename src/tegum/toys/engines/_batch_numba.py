"""A batch as the compiled engine reads it: the samples that have something active, one after the other; the rest are only counted.

The samples are those of every engine (`tegum.features._events_numba`). They come a block at a time, so that what is read next is in cache.
"""

from typing import NamedTuple

import numpy as np
from numba import int32, int64, types

from tegum._kernel_numba import inner
from tegum._vectors_numba import LANES, counter, filler, last_lane, loader, running_total, slid, store, store_some, unlike
from tegum.features._events_numba import Entries, fire, room_for_entries

_load, _fill, _counted = loader(LANES), filler(LANES), counter(LANES, types.int32)


class Tables(NamedTuple):
    """Distributions as arrays: bucket i of distribution d is number start[d] + i (see `tegum.features._events.Bucket`)."""

    start: np.ndarray  # (distributions + 1,) int64
    kind: np.ndarray  # (distributions,) int64
    gap_scale: np.ndarray  # (buckets,) float64
    count: np.ndarray  # (buckets,) int64
    size: np.ndarray
    pick: np.ndarray
    first: np.ndarray
    features_start: np.ndarray  # (buckets + 1,) int64
    features: np.ndarray  # int64
    ratio_start: np.ndarray
    ratio: np.ndarray  # float64


class Batch(NamedTuple):
    """Row r is the r-th sample that has something active; `row` says of which row an entry is."""

    stop: np.ndarray  # int32: row r holds entries stop[r] to stop[r + 1]
    row: np.ndarray  # int32
    feature: np.ndarray  # int32
    value: np.ndarray  # float32
    weight: np.ndarray  # float32, one a row, and a tile more that may be read
    spare: Entries  # for sorting
    place: np.ndarray  # int64, one a sample: for sorting


def room_for_batch(samples: int, n_features: int) -> Batch:
    """Room for a block of so many samples in which everything is active."""
    mine, spare = (room_for_entries(samples * n_features, (np.int32, np.float32)) for _ in range(2))
    stop, weight = np.empty(samples + 1, np.int32), np.ones(samples + 4 * LANES, np.float32)
    return Batch(stop, *mine, weight, spare, np.empty(samples, np.int64))


@inner
def draw_batch(batch, tables, distribution, room, seed, instance, step, block, samples):
    """Draw the first `samples` of a block. Returns how many rows there are. `room` may be None where each distribution is one common bucket."""
    found, first = int64(0), tables.start[distribution]
    entries, several = Entries(batch.row, batch.feature, batch.value), False
    if room is not None:
        several = tables.start[distribution + 1] - first > 1
        if several:
            entries = batch.spare
    for k in range(first, tables.start[distribution + 1]):
        found = fire(
            entries, found, room, seed, instance, step, block, samples, k - first, tables.gap_scale[k], tables.count[k], tables.size[k],
            tables.pick[k], tables.first[k], tables.features[tables.features_start[k] : tables.features_start[k + 1]],
            tables.ratio[tables.ratio_start[k] : tables.ratio_start[k + 1]], tables.kind[distribution],
        )  # fmt: skip
    if room is not None and several:
        _sort(batch, found, samples)
    return _number(batch, found)


@inner
def _number(batch, found):
    """Put rows in place of samples, LANES entries at a time; what stands behind the last counts as its own."""
    row, stop, rows = batch.row, batch.stop, int32(0)
    before = _fill(int32(-1))
    if found > 0:
        store(row, found, _fill(row[found - 1]))
    for e in range(0, found, LANES):
        here = _load(row, e)
        new = unlike(here, slid(before, here))
        numbers = running_total(new) + (rows - int32(1))
        store_some(stop, rows, _counted() + int32(e), new)
        store(row, e, numbers)
        rows, before = last_lane(numbers) + int32(1), here
    stop[rows] = found
    return rows


@inner
def _sort(batch, found, samples):
    """Put what several buckets gave, one after the other, in the order of its samples, by counting them."""
    sample, feature, value, place = batch.spare.sample, batch.spare.feature, batch.spare.value, batch.place
    for s in range(samples):
        place[s] = 0
    for e in range(found):
        place[sample[e]] += 1
    kept = 0
    for s in range(samples):
        place[s], kept = kept, kept + place[s]
    for e in range(found):
        at = place[sample[e]]
        place[sample[e]] += 1
        batch.row[at], batch.feature[at], batch.value[at] = sample[e], feature[e], value[e]
