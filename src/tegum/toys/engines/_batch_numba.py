"""A batch as the compiled engine reads it: the samples that have something active, one after the other; the rest are only counted.

The samples are those of every engine (`tegum.features._events_numba`). They come a run of blocks at a time, so that what is read next is in cache.
"""

from typing import NamedTuple

import numpy as np

from tegum._kernel_numba import inner
from tegum._vectors_numba import LANES
from tegum.features._events import BLOCK
from tegum.features._events_numba import Entries, fire, room_for_entries


class Tables(NamedTuple):
    """Distributions as arrays: bucket i of distribution d is number start[d] + i (see `tegum.features._events.Bucket`)."""

    start: np.ndarray  # (distributions + 1,) int64
    kind: np.ndarray  # (distributions,) int64
    length: np.ndarray  # (buckets,) int64: see `row_length`
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

    stop: np.ndarray  # int64: row r holds entries stop[r] to stop[r + 1]
    row: np.ndarray  # int32
    feature: np.ndarray  # int32
    value: np.ndarray  # float32
    weight: np.ndarray  # float32, one a row, and a tile more that may be read
    spare: Entries  # for sorting
    place: np.ndarray  # int64, one a sample: for sorting


def room_for_batch(blocks: int, n_features: int) -> Batch:
    """Room for `blocks` blocks in which everything is active."""
    samples, most = blocks * BLOCK, blocks * BLOCK * n_features
    mine, spare = (room_for_entries(most, (np.int32, np.float32)) for _ in range(2))
    return Batch(np.empty(samples + 1, np.int64), *mine, np.ones(samples + 4 * LANES, np.float32), spare, np.empty(samples, np.int64))


@inner
def draw_batch(batch, tables, distribution, room, seed, instance, step, block, blocks, batch_size):
    """Draw `blocks` blocks from `block` on, as far as they are in the batch. Returns how many rows there are."""
    found, first = np.int64(0), tables.start[distribution]
    several, end = tables.start[distribution + 1] - first > 1, min(batch_size - block * BLOCK, blocks * BLOCK)
    entries = batch.spare if several else Entries(batch.row, batch.feature, batch.value)
    for k in range(first, tables.start[distribution + 1]):
        found = fire(
            entries, found, room, blocks, seed, instance, step, block, k - first, tables.length[k],
            tables.gap_scale[k], tables.count[k],
            tables.size[k], tables.pick[k], tables.first[k], tables.features[tables.features_start[k] : tables.features_start[k + 1]],
            tables.ratio[tables.ratio_start[k] : tables.ratio_start[k + 1]], tables.kind[distribution],
        )  # fmt: skip
    if several:
        found = _sorted(batch, found, end)
    stop, row = batch.stop, batch.row
    rows, before, stop[0] = -1, -1, 0
    for e in range(found):
        here = row[e]
        if here >= end:
            break
        rows += here != before
        before = here
        row[e], stop[rows + 1] = rows, e + 1
    return rows + 1


@inner
def _sorted(batch, found, end):
    """Put what several buckets gave, one after the other, in the order of its samples, by counting them. Returns how much is kept."""
    sample, feature, value, place = batch.spare.sample, batch.spare.feature, batch.spare.value, batch.place
    for s in range(end):
        place[s] = 0
    for e in range(found):
        if sample[e] < end:
            place[sample[e]] += 1
    kept = 0
    for s in range(end):
        place[s], kept = kept, kept + place[s]
    for e in range(found):
        if sample[e] < end:
            at = place[sample[e]]
            place[sample[e]] += 1
            batch.row[at], batch.feature[at], batch.value[at] = sample[e], feature[e], value[e]
    return kept
