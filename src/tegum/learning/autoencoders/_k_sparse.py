"""KSparse: autoencoders whose codes are the largest pre-activations. So few are on that lists of them do for all that follows the first product."""

from abc import abstractmethod
from typing import NamedTuple

import numpy as np
from torch import Tensor

from tegum._threads import shared_out
from tegum.learning.autoencoders._base import Autoencoder, Weights, like_lengths
from tegum.shapes import Float


class Lists(NamedTuple):
    """Codes that are on, sample by sample: those of sample b are `starts[b]` to `starts[b + 1]`, in ascending order where there are levels."""

    starts: np.ndarray  # (batch + 1,) int64
    features: np.ndarray  # (codes,) int64
    values: np.ndarray  # (codes,), positive


class KSparse(Autoencoder):
    """An autoencoder with lists."""

    @property
    def ends(self) -> list[int]:
        """Where the levels of its loss end, in features: one that has them all, unless it says otherwise."""
        return [self.n_features]

    def with_unit_directions(self, weights: Weights) -> dict[str, Tensor]:
        """Raises ValueError where lengths differ: they weigh in on which codes are largest."""
        return super().with_unit_directions(like_lengths(self, weights))

    @abstractmethod
    def listed(self, before: Float[Tensor, "batch features"], weights: Weights) -> Lists:
        """The codes of training, from pre-activations in float32 on the CPU."""

    def noted(self, weights: Weights, lists: Lists) -> dict[str, Tensor]:  # noqa: ARG002
        """What weights that no gradient changes become after a batch with these codes."""
        return {}


def listed_rows(values: Float[Tensor, "batch k"], features: Tensor) -> Lists:
    """Lists of codes that are sorted down in each row; those that are not positive are left out."""
    on = values > 0
    starts = np.zeros(len(values) + 1, np.int64)
    np.cumsum(on.sum(1).numpy(), out=starts[1:])
    return Lists(starts, features[on].numpy(), values[on].numpy())


def listed_above(before: Float[Tensor, "batch features"], count: int, guess: float) -> Lists:
    """Lists of the `count` largest positive numbers of the whole batch; `guess` is about where they begin, which saves time and changes nothing."""
    from tegum.learning import _lists_numba as compiled

    rows, n = before.shape
    flat = before.reshape(-1).numpy()
    counts = np.empty(rows, np.int64)
    limit = max(0.0, 0.9 * guess) if guess == guess else 0.0  # noqa: PLR0124 - nan is not known yet
    while True:
        shared_out(lambda first, last, limit=limit: compiled.count_above(flat, n, np.float32(limit), counts, first, last), rows)
        if int(counts.sum()) >= count or limit == 0:
            break
        limit = limit / 2 if limit > 1e-3 else 0.0
    starts = np.zeros(rows + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    features, values = np.empty(starts[-1], np.int64), np.empty(starts[-1], np.float32)
    shared_out(lambda first, last: compiled.list_above(flat, n, np.float32(limit), starts, features, values, first, last), rows)
    if len(values) <= count:
        return Lists(starts, features, values)
    least = np.partition(values, len(values) - count)[len(values) - count]
    kept = values > least
    kept[np.flatnonzero(values == least)[: count - int(kept.sum())]] = True  # of equal ones the first
    sums = np.concatenate([[0], np.cumsum(kept)])
    return Lists(sums[starts], features[kept], values[kept])
