"""Decoders against the libraries that a person would pick instead: time a decode at one size, on one thread and on two, and how it grows.

N = 4,096 Gaussian directions in d = 150 dims, k = 16 features on at 1, float32; ours take batches of 256, the peers a sample at a time, as they do.
A peer has the settings under which it is fastest without reading fewer codes right than ours (that is shown beside). On two threads a peer has two
BLAS threads or two samples at once, whichever is quicker. All sides of a row are timed in turn. The limit of ours is the FLOPs of its
matrix products, counted by torch, at the rate of a large float32 product; a product of bytes counts as one of numbers, and may beat it.
"""

import datetime as dt
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.utils.flop_counter import FlopCounterMode

import tegum
from bench import peers
from bench.interleave import RESULTS, machine_line
from bench.limits import gemm_seconds, peak_bytes
from tegum.decoders import Decoder
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes

N, K, D, BATCH, ROUNDS = 4096, 16, 150, 256, 7
TRIALS = 64  # samples on which a peer's success is counted
THREADS = (1, 2)
GROWTH = {
    "N": [(n, D, K, 128) for n in (1024, 2048, 4096, 8192)],
    "d": [(2048, d, 8, 128) for d in (100, 200, 400, 800)],
    "k": [(4096, 400, k, 128) for k in (4, 8, 16, 32)],
    "batch": [(2048, D, 8, batch) for batch in (64, 128, 256, 512)],
}


@dataclass(frozen=True)
class Row:
    """One line of the table: what is raced, and what was asked of it."""

    name: str
    ours: Callable[[int], Decoder]  # given k
    peer: str
    solve: Callable[[np.ndarray, np.ndarray], np.ndarray] | None  # a sample at a time, (dims, features) and (dims,) -> (features,)
    samples: int  # that a peer solves a round
    at_least: float
    aim: float


ROWS = (
    Row("l1", lambda k: tegum.decoders.BasisPursuit(), "celer, positive", peers.celer_positive, 16, 8, 20),  # noqa: ARG005
    Row("l1, by AMP", lambda k: tegum.decoders.AMP(), "celer, positive", peers.celer_positive, 16, 8, 20),  # noqa: ARG005
    Row("Bayes-AMP", lambda k: tegum.decoders.BayesAMP(prior="binary", n_active=k), "celer, positive", peers.celer_positive, 16, 50, 90),
    Row("OMP", lambda k: tegum.decoders.OMP(n_active=k), "scikit-learn OMP", peers.sklearn_omp(K), 16, 15, 40),
    Row("subspace pursuit", lambda k: tegum.decoders.SubspacePursuit(n_active=k), "NumPy loop", peers.subspace_pursuit(K), 32, 8, 20),
    Row("basis pursuit, exact", lambda k: tegum.decoders.BasisPursuit(), "scipy HiGHS", peers.highs, 1, 100, 500),  # noqa: ARG005
    Row("top-k", lambda k: tegum.decoders.TopK(n_active=k), "torch GEMM and topk", None, BATCH, 0.9, 1.3),
)


@dataclass(frozen=True)
class Line:
    """Seconds a decode of both sides in each round, by threads; the share of codes read right; the limit in seconds on one thread."""

    name: str
    peer: str
    seconds: dict[int, tuple[tuple[float, ...], tuple[float, ...]]]
    success: tuple[float, float]
    megaflops: float
    limit: dict[int, float]
    wanted: tuple[float, float]

    def ratios(self, threads: int) -> tuple[float, ...]:
        """How many times as fast ours is, round by round."""
        return tuple(b / a for a, b in zip(*self.seconds[threads], strict=True))

    def __str__(self) -> str:
        told = []
        for threads in self.seconds:
            ours, theirs = (statistics.median(side) for side in self.seconds[threads])
            ratios = self.ratios(threads)
            told.append(
                f"{ours * 1e6:8.1f} us {theirs * 1e6:9.0f} us {statistics.median(ratios):7.2f}x ({min(ratios):.3g}-{max(ratios):.3g}) "
                f"{self.limit[threads] / ours:4.0%}"
            )
        return (
            f"  {self.name:21} {self.peer:20} {'  |  '.join(told)}  | {self.megaflops:6.1f} MFLOP, right {self.success[0]:.0%} and "
            f"{self.success[1]:.0%}; wanted {self.wanted[0]:g} to {self.wanted[1]:g}"
        )


@dataclass(frozen=True)
class Table:
    """All lines, the growth of time and memory, and the machine."""

    lines: tuple[Line, ...]
    growth: dict[str, dict[str, tuple[float, float]]]
    machine: str

    def __str__(self) -> str:
        head = (
            f"decoders: N={N}, d={D}, k={K}, float32, batch {BATCH}; a decode of ours and of the peer, their ratio (median and range of {ROUNDS} "
            "rounds) and the share of our time that its matrix products take at the rate of large ones; on 1 thread | on 2"
        )
        powers = [
            f"  {name:21} " + ", ".join(f"{axis} {time:.2f} / {memory:.2f}" for axis, (time, memory) in axes.items())
            for name, axes in self.growth.items()
        ]
        return "\n".join([head, *map(str, self.lines), "  grows as a power of (time / memory):", *powers])

    def save(self, folder: Path = RESULTS) -> Path:
        """Write `<date>-decoders.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-decoders.json"
        lines = [asdict(line) | {"ratio": {t: statistics.median(line.ratios(t)) for t in line.seconds}} for line in self.lines]
        file.write_text(json.dumps({"name": "decoders", "machine": self.machine, "lines": lines, "growth": self.growth}, indent=1) + "\n")
        return file


def contest() -> Table:
    """Every row on one thread and on two; then growth, a decoder of each name."""
    machine, (dictionary, z, x) = machine_line(), problem(N, D, K, BATCH)
    lines = tuple(race(row, dictionary, z, x) for row in ROWS)
    with threads_of(1):
        decoders = {row.name: row.ours for row in ROWS if row.name != "basis pursuit, exact"}
        grown = {name: growth(make) for name, make in decoders.items()}
    return Table(lines, grown, machine)


def problem(n: int, d: int, k: int, batch: int) -> tuple[Dictionary, SparseCodes, torch.Tensor]:
    """A dictionary, codes and their activations."""
    dictionary = tegum.dictionaries.gaussian(n_features=n, n_dims=d, seed=0)
    z = tegum.features.ExactlyK(n_features=n, n_active=k).sample(batch, seed=0)
    return dictionary, z, dictionary.encode(z)


@contextmanager
def threads_of(count: int) -> Iterator[None]:
    """So many threads for torch and for BLAS."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    with threadpool_limits(count):
        yield
    torch.set_num_threads(before)


def race(row: Row, dictionary: Dictionary, z: SparseCodes, x: torch.Tensor) -> Line:
    """One row: both sides in turn, on every number of threads."""
    decoder = row.ours(K)
    state = decoder.init(dictionary)

    def ours() -> Any:
        return tegum.decode(dictionary, x, decoder, state=state)

    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten._int_mm: _byte_flops}) as counter:
        found = ours()
    flops = counter.get_total_flops() / BATCH
    theirs, right = opponent(row, dictionary, z, x)
    seconds, limit = {}, {}
    for threads in THREADS:
        with threads_of(threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ways = theirs(threads)
            limit[threads] = gemm_seconds(flops)
            ours()
            taken: list[list[float]] = [[] for _ in (ours, *ways)]
            for _ in range(ROUNDS):
                for side, (run, samples) in zip(taken, [(ours, BATCH), *ways], strict=True):
                    begin = time.perf_counter()
                    run()
                    side.append((time.perf_counter() - begin) / samples)
            seconds[threads] = (tuple(taken[0]), tuple(min(taken[1:], key=statistics.median)))
    success = float(found.support_exact(z).float().mean() if row.name == "top-k" else found.exact(z).float().mean())
    return Line(row.name, row.peer, seconds, (success, right), flops / 1e6, limit, (row.at_least, row.aim))


def _byte_flops(left: Sequence[int], right: Sequence[int], *_: Any, **__: Any) -> int:
    """Of a product of these shapes, by torch's own rule for others."""
    return 2 * left[0] * left[1] * right[1]


def opponent(
    row: Row, dictionary: Dictionary, z: SparseCodes, x: torch.Tensor
) -> tuple[Callable[[int], list[tuple[Callable[[], object], int]]], float]:
    """The peer's ways to decode on so many threads, each with its number of samples, and the share of codes that it reads right."""
    table = dictionary.dense()
    if row.solve is None:
        found = (x @ table.T).topk(K)
        right = (found.indices.sort(1).values == z.indices.sort(1).values).all(1).float().mean()
        return lambda threads: [(lambda: (x @ table.T).topk(K), BATCH)], float(right)  # noqa: ARG005
    columns, samples, truth = np.asfortranarray(table.T.numpy()), x.numpy(), z.dense().numpy()
    solve = row.solve

    def one_by_one() -> None:
        for i in range(row.samples):
            solve(columns, samples[i])

    def ways(threads: int) -> list[tuple[Callable[[], object], int]]:
        if threads == 1:
            return [(one_by_one, row.samples)]
        pool, count = ThreadPoolExecutor(threads), max(threads, row.samples)

        def at_once() -> None:
            with threadpool_limits(1):
                list(pool.map(lambda i: solve(columns, samples[i]), range(count)))

        return [(one_by_one, row.samples), (at_once, count)]

    trials = min(TRIALS, 8 * row.samples)
    with threads_of(2), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        right = float(np.mean([(np.rint(solve(columns, samples[i])) == truth[i]).all() for i in range(trials)]))
    return ways, right


def growth(make: Callable[[int], Decoder]) -> dict[str, tuple[float, float]]:
    """The powers with which seconds a batch and peak memory grow, by least squares on logarithms."""
    powers = {}
    for name, ladder in GROWTH.items():
        axis = ("N", "d", "k", "batch").index(name)
        seconds, memory = [], []
        for n, d, k, batch in ladder:
            dictionary, _, x = problem(n, d, k, batch)
            decoder = make(k)
            state = decoder.init(dictionary)
            tegum.decode(dictionary, x, decoder, state=state)
            memory.append(peak_bytes(lambda: tegum.decode(dictionary, x, decoder, state=state)))  # noqa: B023
            taken = []
            for _ in range(5):
                begin = time.perf_counter()
                tegum.decode(dictionary, x, decoder, state=state)
                taken.append(time.perf_counter() - begin)
            seconds.append(min(taken))
        sizes = np.log([rung[axis] for rung in ladder])
        powers[name] = tuple(float(np.polyfit(sizes, np.log(np.maximum(grown, 1)), 1)[0]) for grown in (np.multiply(seconds, 1e9), memory))
    return powers
