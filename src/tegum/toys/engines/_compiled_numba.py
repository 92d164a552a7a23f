"""Training in numba: some instances, one after the other, through some steps each; draws, forward, backward and optimiser in one kernel.

What it computes for an instance depends on that instance alone: on its seed, its own features and the step, never on its neighbours, the threads or
where the steps are cut. So its numbers are the same in any company, to the bit.
"""

from typing import NamedTuple

import numpy as np
from numba import float32

from tegum._kernel_numba import inner, kernel
from tegum.features._events import BLOCK
from tegum.features._events_numba import Firings
from tegum.toys.engines._at_most_one_numba import add_at_most_one, keep_two, loss_of_at_most_one
from tegum.toys.engines._batch_numba import Batch, draw_batch
from tegum.toys.engines._gram_numba import Gram, by_gram, gram_gradient, gram_matrix
from tegum.toys.engines._lanes_numba import Tile, by_lanes, lanes_gradient

ADAMW, ADAM, SGD = 0, 1, 2
_ZERO, _ONE = float32(0), float32(1)
_BETA1, _BETA2, _REST1, _REST2, _EPS = float32(0.9), float32(0.999), float32(1 - 0.9), float32(1 - 0.999), float32(1e-8)


class State(NamedTuple):
    """Parameters of all instances, a row each, and the optimiser's two moments of them: float32."""

    W: np.ndarray  # instances, features * hidden
    b: np.ndarray  # instances, features
    W_mean: np.ndarray
    W_square: np.ndarray
    b_mean: np.ndarray
    b_square: np.ndarray


class Record(NamedTuple):
    """What is kept of each of `steps`: the loss on the batch that comes next, W and b before it."""

    steps: np.ndarray  # (times,) int64, ascending
    loss: np.ndarray  # times, instances
    W: np.ndarray  # times, instances, features * hidden
    b: np.ndarray  # times, instances, features


class Room(NamedTuple):
    """What one thread works in. What no distribution of a training needs is None, and the kernel is compiled without it, in half the time."""

    gW: np.ndarray  # features * hidden
    gb: np.ndarray  # features
    scale: np.ndarray  # features
    batch: Batch
    firings: Firings | None  # unless each distribution is one bucket of independent features of values in [0, 1]
    tile: Tile | None
    gram: Gram | None


@kernel
def train_some(
    first, last, start, end, look, gW, gb, scale, batch, firings, tile, gram, state, record, tables, gram_is_quicker, exactly, distribution,
    importance, seeds, ids, batch_size, hidden, rates, decay, optimizer, rectified, penalty,
):  # fmt: skip
    """Take instances `first` to `last` from step `start` to step `end`; `look` adds one batch that is only looked at, for the record.

    `exactly` is None for the estimator 'sampled'; for 'stratified' the tables are those of the proposals. `penalty` is each instance's weight of
    |h|_1 over the batch, or None; an instance that has one goes by lanes, for the Gram matrix knows no h.
    """
    n, m = state.b.shape[1], hidden
    for i in range(first, last):
        W, b, which = state.W[i], state.b[i], distribution[i]
        sums_by_gram = by_matrix = gram_is_quicker[which]
        if penalty is not None and penalty[i] > 0:
            sums_by_gram = by_matrix = False
        if exactly is not None:
            by_matrix = True
        for j in range(n):
            scale[j] = 2 * importance[i, j] / (batch_size * n)
        moment = 0
        while moment < len(record.steps) and record.steps[moment] < start:
            moment += 1
        for step in range(start, end + look):
            _clear(gW)
            _clear(gb)
            recorded = moment < len(record.steps) and record.steps[moment] == step
            if gram is not None and by_matrix:
                gram_matrix(gram, W, b, scale, n, m)
            drawn, loss = 0, _ZERO
            for block in range((batch_size + BLOCK - 1) // BLOCK):
                rows = draw_batch(batch, tables, which, firings, seeds[i], ids[i], step, block, min(BLOCK, batch_size - block * BLOCK))
                if exactly is not None:
                    rows = keep_two(batch, rows, exactly.weights[which])
                drawn += rows
                if gram is not None and sums_by_gram:
                    by_gram(gram, batch, rows, n, rectified)
                if tile is not None and not sums_by_gram:
                    by_lanes(tile, batch, rows, W, b, scale, n, m, rectified, penalty, i)
            if exactly is not None:
                if recorded:
                    loss += float32(2 * loss_of_at_most_one(exactly, which, tables.kind[which], gram, b, importance[i], n, rectified))
                add_at_most_one(exactly, which, tables.kind[which], gram, b, importance[i], gb, n, rectified)
            else:
                loss += add_silent(batch_size - drawn, b, scale, gb, rectified)
            if gram is not None and by_matrix:
                loss += gram_gradient(gram, gW, gb, n, m)
            if tile is not None and not sums_by_gram:
                loss += lanes_gradient(tile, gW, gb, n, m)
            if recorded:
                record.loss[moment, i] = loss / 2
                _copy(W, record.W[moment, i])
                _copy(b, record.b[moment, i])
                moment += 1
            if step < end:
                _update(W, gW, state.W_mean[i], state.W_square[i], rates[step - start], decay, optimizer)
                _update(b, gb, state.b_mean[i], state.b_square[i], rates[step - start], decay, optimizer)


@inner
def add_silent(samples, b, scale, gb, rectified):
    """Add what samples with nothing active add to the bias's gradient; returns twice what they add to the loss."""
    silent, loss = float32(samples), _ZERO
    for j in range(len(b)):
        y = _ZERO if rectified and b[j] <= 0 else b[j]
        gb[j] += silent * scale[j] * y
        loss += silent * scale[j] * y * y
    return loss


@inner
def _clear(array):
    for i in range(len(array)):
        array[i] = _ZERO


@inner
def _copy(source, target):
    for i in range(len(source)):
        target[i] = source[i]


@inner
def _update(p, g, mean, square, rates, decay, optimizer):
    """One step of the optimiser, as in torch.optim: decay of the parameter itself for AdamW, through the gradient for the others."""
    rate, shrink, size, root = rates
    if optimizer == SGD:
        for i in range(len(p)):
            p[i] -= rate * (g[i] + decay * p[i])
        return
    if optimizer == ADAMW:
        decay = _ZERO
    else:
        shrink = _ONE
    for i in range(len(p)):
        slope = g[i] + decay * p[i]
        mean[i] = _BETA1 * mean[i] + _REST1 * slope
        square[i] = _BETA2 * square[i] + _REST2 * slope * slope
        p[i] = p[i] * shrink - size * mean[i] / (np.sqrt(square[i]) * root + _EPS)


def rates_of(rate: np.ndarray, decay: float, start: int) -> np.ndarray:
    """For each step from `start` on: its learning rate, AdamW's shrinkage, Adam's step and the root that its second moment is divided by."""
    step = np.arange(start + 1, start + 1 + len(rate))
    return np.stack([rate, 1 - rate * decay, rate / (1 - 0.9**step), 1 / np.sqrt(1 - 0.999**step)], 1).astype(np.float32)
