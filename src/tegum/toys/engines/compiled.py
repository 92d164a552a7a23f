"""The compiled engine: tied models on the CPU, far faster than torch can be asked to train them.

Draws, forward, backward and optimiser are one numba kernel (`_compiled_numba`); an instance lives in a core's cache and instances are shared out to
a pool of threads, as many as torch has (`torch.set_num_threads`, OMP_NUM_THREADS). Each instance's numbers are the same in any company and on any
number of threads, to the bit; they are the reference engine's up to the rounding of float32.
"""

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from typing import ClassVar

import numpy as np
import torch

from tegum._vectors_numba import LANES
from tegum.features import Distribution
from tegum.features._events import BLOCK, VALUES
from tegum.features._events_numba import are_common, room_for_firings
from tegum.toys.engines._at_most_one_numba import Exactly
from tegum.toys.engines._base import Engine, History, Plan, Trained
from tegum.toys.engines._batch_numba import Tables, room_for_batch
from tegum.toys.engines._compiled_numba import Record, Room, State, rates_of, train_some
from tegum.toys.engines._gram_numba import WIDEST, room_for_gram
from tegum.toys.engines._interrupt import held_interrupt
from tegum.toys.engines._lanes_numba import room_for_tile
from tegum.toys.engines.reference import SCHEDULES
from tegum.toys.estimators import VALUE_MOMENTS, strata
from tegum.toys.losses.squared_error import SquaredError

_ROUND = 0.1  # seconds between two looks at Ctrl-C and the progress bar
_LARGEST = 4096  # features whose Gram matrix a thread has room for, twice: 128 MiB
_GROUPS = 16  # a thread and round, so that threads end together


class Compiled(Engine):
    """ReLUOutput and LinearAutoencoder with SquaredError, in float32 on the CPU."""

    rank: ClassVar[int] = 1

    def applies(self, plan: Plan) -> str:
        """What it can not train, and the first reason."""
        if plan.model.exact is None:
            return f"it trains tied models (ReLUOutput, LinearAutoencoder), not {type(plan.model).__name__}"
        if type(plan.loss) is not SquaredError:  # a subclass may compute something else
            return f"it trains with SquaredError, not {type(plan.loss).__name__}"
        if plan.device.type != "cpu" or plan.dtype != torch.float32:
            return f"it trains in float32 on the CPU, not in {str(plan.dtype).removeprefix('torch.')} on {plan.device}"
        return ""

    def train(self, plan: Plan, progress: Callable[[int], None]) -> Trained:
        """In rounds of some steps, each of which all instances finish."""
        work = _Work(plan)
        at_once = 1
        with ThreadPoolExecutor(work.threads, thread_name_prefix="tegum") as pool:
            try:
                with held_interrupt() as interrupted:
                    while work.done < plan.steps and not interrupted():
                        begin = time.perf_counter()
                        work.round(pool, work.done, min(work.done + at_once, plan.steps), work.record)
                        progress(work.done)
                        at_once = max(1, min(8 * at_once, int(at_once * _ROUND / (time.perf_counter() - begin))))
            except KeyboardInterrupt:  # Ctrl-C twice, or raised by what a caller hooked in; the round in hand is finished
                pass
        done = work.done
        kept = int(np.searchsorted(work.record.steps, done))
        if done in plan.record or (plan.record and done < plan.steps):
            with ThreadPoolExecutor(work.threads) as pool:
                work.round(pool, done, done, work.look(kept, done), look=1)
            kept += 1
        return work.trained(done, kept)


class _Work:
    """A plan in the kernel's arrays."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.done = plan, 0
        module = plan.model.build(plan.instances, plan.seeds, first_instance=plan.instance_ids)
        n, m, times = plan.model.n_features, plan.model.n_hidden, len(plan.record)
        W = module.directions.detach().reshape(plan.instances, n * m).numpy().copy()
        b = module.bias.detach().numpy().copy()
        self.state = State(W, b, *(np.zeros_like(like) for like in (W, W, b, b)))
        self.record = Record(
            np.array(plan.record, np.int64),
            *(np.empty((times + 1, *like), np.float32) for like in ((plan.instances,), W.shape, b.shape)),
        )
        distinct = list(dict.fromkeys(plan.features))
        place = {features: i for i, features in enumerate(distinct)}
        self.exactly = None
        if plan.estimator == "stratified":
            split = [strata(features) for features in distinct]
            moments = np.array([VALUE_MOMENTS[features.values] for features in distinct])
            weights = np.stack([one.weights.numpy() for one in split]).astype(np.float32)
            silent, alone = np.array([one.silent for one in split]), np.stack([one.alone.numpy() for one in split])
            self.exactly = Exactly(silent, alone, weights, moments[:, 0].copy(), moments[:, 1].copy())
            distinct = [one.proposal for one in split]
        self.tables = tables_of(distinct)
        self.through_gram = np.array([_gram_is_quicker(features, n, m, plan.batch_size) for features in distinct])
        self.distribution = np.array([place[features] for features in plan.features])
        self.threads = min(torch.get_num_threads(), plan.instances)
        edges = np.linspace(0, plan.instances, min(plan.instances, _GROUPS * self.threads) + 1).astype(int)
        self.groups = list(itertools.pairwise(edges.tolist())) if self.threads > 1 else [(0, plan.instances)]
        self.rooms, samples = Queue(), min(BLOCK, plan.batch_size)
        simple = all(len(features.buckets) == 1 and are_common(features.buckets, features.values) for features in distinct)
        for _ in range(self.threads):
            mine = (np.zeros(size, np.float32) for size in (n * m, n, n))
            self.rooms.put(
                Room(
                    *mine,
                    batch=room_for_batch(samples, n),
                    firings=None if simple else room_for_firings([bucket for features in distinct for bucket in features.buckets]),
                    tile=None if self.through_gram.all() and plan.hidden_l1 is None else room_for_tile(n, m),
                    gram=room_for_gram(n, m, samples) if self.exactly or self.through_gram.any() else None,
                )
            )

    def round(self, pool: ThreadPoolExecutor, start: int, end: int, record: Record, look: int = 0) -> None:
        """Take every instance from step `start` to step `end`, whatever is pressed meanwhile."""
        plan = self.plan
        rate = np.array([plan.lr * SCHEDULES[plan.schedule](step / plan.steps) for step in range(start, end)])
        rest = (
            self.state, record, self.tables, self.through_gram, self.exactly, self.distribution, plan.importance.contiguous().numpy(),
            plan.seeds.numpy(), plan.instance_ids.numpy(), plan.batch_size, plan.model.n_hidden,
            rates_of(rate, plan.weight_decay, start), np.float32(plan.weight_decay), ("adamw", "adam", "sgd").index(plan.optimizer),
            plan.model.exact == "relu", None if plan.hidden_l1 is None else (plan.hidden_l1 / plan.batch_size).float().numpy(),
        )  # fmt: skip

        todo, ended, everything = deque(self.groups), [], threading.Event()

        def take_turns() -> None:
            while todo:
                try:
                    first, last = todo.popleft()
                except IndexError:  # another thread has taken the last
                    return
                room, error = self.rooms.get(), None
                try:
                    train_some(first, last, start, end, look, *room, *rest)
                except BaseException as raised:  # noqa: BLE001 - told to the thread that waits
                    error = raised
                self.rooms.put(room)
                ended.append(error)
                if len(ended) == len(self.groups):
                    everything.set()

        try:
            for _ in range(self.threads):
                pool.submit(take_turns)
            everything.wait()
        except KeyboardInterrupt:  # whatever was not handed out yet is done here, so that no group stays behind the others
            take_turns()
            everything.wait()
            self._finished(ended, end)
            raise
        self._finished(ended, end)

    def _finished(self, ended: Sequence[BaseException | None], end: int) -> None:
        for error in ended:
            if error is not None:
                raise error
        self.done = end

    def look(self, kept: int, done: int) -> Record:
        """A record of step `done` alone, in place `kept` of the whole."""
        return Record(np.array([done]), *(array[kept : kept + 1] for array in self.record[1:]))

    def trained(self, done: int, kept: int) -> Trained:
        """What `train` owes."""
        n, m = self.plan.model.n_features, self.plan.model.n_hidden
        steps = [*(step for step in self.plan.record if step < done), done][:kept]
        loss, W, b = (torch.from_numpy(array[:kept]) for array in self.record[1:])
        history = History(torch.tensor(steps, dtype=torch.int64), loss, W.unflatten(-1, (n, m)), b)
        return Trained({"W": torch.from_numpy(self.state.W).unflatten(-1, (n, m)), "b": torch.from_numpy(self.state.b)}, history, done)


def _gram_is_quicker(features: Distribution, n: int, m: int, batch_size: int) -> bool:
    """Whether sparse passes over outputs and two products of n x n x m take less time than five products of batch x n x m.

    In ns, fitted to what was measured. By lanes a sample with something active costs 10 + .13 n m; through the Gram matrix 8 a register of 16
    outputs, each active feature 8 and 1.6 a register, and a step .08 n^2 m.
    """
    if n > _LARGEST:
        return False
    active, (tiles, rest) = features.mean_active(), divmod(n, WIDEST)
    registers, rows = 4 * tiles + (0 if rest == 0 else 1 if rest <= LANES else 4), batch_size * -math.expm1(-active)
    gram = rows * 8 * registers + batch_size * active * (8 + 1.6 * registers) + 0.08 * n * n * m
    return gram < rows * (10 + 0.13 * n * m)


def tables_of(distributions: Sequence[Distribution]) -> Tables:
    """The buckets of several distributions, end to end."""
    buckets = [bucket for features in distributions for bucket in features.buckets]
    starts = np.cumsum([0, *(len(features.buckets) for features in distributions)])
    members = [np.empty(0, np.int64) if b.features is None else b.features for b in buckets]
    ratios = [np.empty(0) if b.ratio is None else b.ratio for b in buckets]

    def column(name: str, kind: type) -> np.ndarray:
        return np.array([getattr(bucket, name) for bucket in buckets], kind)

    return Tables(
        start=starts,
        kind=np.array([VALUES.index(features.values) for features in distributions]),
        gap_scale=column("gap_scale", float),
        count=column("count", int),
        size=column("size", int),
        pick=column("pick", int),
        first=column("first", int),
        features_start=np.cumsum([0, *(len(some) for some in members)]),
        features=np.concatenate([np.empty(0, np.int64), *members]),
        ratio_start=np.cumsum([0, *(len(some) for some in ratios)]),
        ratio=np.concatenate([np.empty(0), *ratios]),
    )
