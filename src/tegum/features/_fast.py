"""Samples on the CPU through the numba kernel: what `_events.draw` gives (speed: bench/bench_sampling.py)."""

import math

import numpy as np
import torch
from torch import Tensor

from tegum._draws_numba import MANY
from tegum.features._events import BLOCK, VALUES, Bucket
from tegum.features._events_numba import emit, room_for_entries, room_for_firings
from tegum.shapes import Float, Int

_NO_INTS, _NO_FLOATS = np.empty(0, np.int64), np.empty(0, np.float64)


def sparse(
    buckets: tuple[Bucket, ...],
    n_features: int,
    values: str,
    n_samples: int,
    seeds: Tensor,
    instances: Tensor,
    step: int,
    first_sample: int,
) -> tuple[Int[Tensor, " active"], Float[Tensor, " active"]]:
    """Positions, ascending, and values (float64) of what is active."""
    flats, found = [], []
    for number, bucket in enumerate(buckets):
        capacity = _likely(bucket, n_samples * len(seeds))
        while True:
            flat, value = np.empty(capacity, np.int64), np.empty(capacity, np.float64)
            written = _emit(False, flat, value, bucket, number, n_features, values, n_samples, seeds, instances, step, first_sample)
            if written >= 0:
                break
            capacity *= 2
        flats.append(flat[:written])
        found.append(value[:written])
    flat, value = (np.concatenate(flats), np.concatenate(found)) if buckets else (_NO_INTS, _NO_FLOATS)
    if len(buckets) > 1:
        order = np.argsort(flat)
        flat, value = flat[order], value[order]
    return torch.from_numpy(flat), torch.from_numpy(value)


def dense(
    out: Float[Tensor, "instances batch features"],
    buckets: tuple[Bucket, ...],
    values: str,
    seeds: Tensor,
    instances: Tensor,
    step: int,
    first_sample: int,
) -> None:
    """Write what is active into `out`, which holds zeros."""
    _, n_samples, n_features = out.shape
    flat = out.view(-1).numpy()
    for number, bucket in enumerate(buckets):
        _emit(True, _NO_INTS, flat, bucket, number, n_features, values, n_samples, seeds, instances, step, first_sample)


def _emit(  # noqa: ANN202
    dense: bool,  # noqa: FBT001
    flat: np.ndarray,
    value: np.ndarray,
    bucket: Bucket,
    number: int,
    n_features: int,
    values: str,
    n_samples: int,
    seeds: Tensor,
    instances: Tensor,
    step: int,
    first_sample: int,
):
    members = _NO_INTS if bucket.features is None else bucket.features
    ratio = _NO_FLOATS if bucket.ratio is None else bucket.ratio
    offset = first_sample % BLOCK
    room, most = room_for_firings([bucket]), _likely(bucket, min(BLOCK, offset + n_samples))
    while True:
        written = emit(
            dense, flat, value, room_for_entries(most), room, seeds.numpy(), instances.numpy(), step, first_sample, n_samples, n_features,
            number, bucket.gap_scale, bucket.count, bucket.size, bucket.pick, bucket.first, members, ratio, VALUES.index(values),
        )  # fmt: skip
        if written != -2:
            return written
        most *= 2


def _likely(bucket: Bucket, samples: int) -> int:
    """Room for what a bucket switches on in some samples, but for once in 10^14."""
    firings = bucket.density * bucket.count * samples
    return min(int(firings + 8 * math.sqrt(firings + 1)) + MANY, bucket.count * samples) * bucket.pick
