"""Correlations with 2^20 implicit directions in 1,024 dims against the matrix product that does the same with stored ones; and their top 16.

The product is timed on an eighth of the features, and its time taken 8 times: all of them would need 4 GiB of directions, and seconds a call. The
outputs of both are fresh memory, as they are for who calls them once; the limit of correlate is to fill as much of it. The limit of the fused top-k,
which writes nothing, is its additions at the rate of a large product, where every multiply-add could be one. The peak memory is that of a
process of its own which decodes at N = 2^24.
"""

import datetime as dt
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

import tegum
from bench.interleave import RESULTS, Side, in_turn, machine_line
from bench.limits import gemm_seconds, peak_bytes

FEATURES, DIMS, BATCH, ACTIVE, PART, ROUNDS = 1 << 20, 1024, 256, 16, 8, 5
THREADS = sorted({1, os.cpu_count() or 1})
LADDERS = {  # features, dims, batch and k through which the top-k grows
    "features": [(n, 1024, 64, ACTIVE) for n in (1 << 16, 1 << 17, 1 << 18, 1 << 19)],
    "dims": [(1 << 18, d, 64, ACTIVE) for d in (256, 512, 1024, 2048)],
    "batch": [(1 << 17, 1024, b, ACTIVE) for b in (64, 128, 256, 512)],
    "k": [(1 << 17, 1024, 64, k) for k in (4, 16, 64, 256)],
}


@dataclass(frozen=True)
class Line:
    """Seconds a round of tegum and of its peer, whose seconds are those of the whole work; the limit and what it is."""

    work: str
    threads: int
    seconds: tuple[float, ...]
    peer: tuple[float, ...]
    limit: float
    limit_is: str

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times as fast tegum is, round by round."""
        return tuple(theirs / ours for ours, theirs in zip(self.seconds, self.peer, strict=True))

    def __str__(self) -> str:
        ours, theirs = statistics.median(self.seconds), statistics.median(self.peer)
        ratio = f"{statistics.median(self.ratios):6.1f}x ({min(self.ratios):.1f}-{max(self.ratios):.1f})"
        limit = f"{self.limit_is} {self.limit * 1e3:.0f} ms, {self.limit / ours:.0%} of ours"
        return f"  {self.work:14} {self.threads} thread{'s'[: self.threads > 1]:1} {ours * 1e3:8.0f} ms {theirs * 1e3:8.0f} ms {ratio:22} {limit}"


@dataclass(frozen=True)
class Table:
    """All lines; exponents of growth of the top-k, in time and in memory with its dictionary's; peak memory of a decode at N = 2^24, imports too."""

    lines: tuple[Line, ...]
    growth: dict[str, tuple[float, float]]
    memory_mb: float
    imports_mb: float
    machine: str

    def __str__(self) -> str:
        head = (
            f"hadamard: {BATCH} samples with {FEATURES:,} features in {DIMS:,} dims, float32, median of {ROUNDS} rounds, against a product "
            f"({FEATURES // PART:,} features, times {PART})"
        )
        grown = ", ".join(f"{name} {seconds:.2f} / {held:.2f}" for name, (seconds, held) in self.growth.items())
        memory = f"  top-k at N = 2^24: peak {self.memory_mb:.0f} MB, of which {self.imports_mb:.0f} MB are there after a small one"
        return "\n".join(
            [head, *map(str, self.lines), f"  the top-k grows as a power of (time / memory, its dictionary's too): {grown}", memory]
        )

    def save(self, folder: Path = RESULTS) -> Path:
        """Write `<date>-hadamard.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-hadamard.json"
        lines = [asdict(line) | {"ratio": statistics.median(line.ratios)} for line in self.lines]
        rest = {"growth": self.growth, "memory_mb": self.memory_mb, "imports_mb": self.imports_mb}
        file.write_text(json.dumps({"name": "hadamard", "machine": self.machine, "lines": lines} | rest, indent=1) + "\n")
        return file


def contest() -> Table:
    """Both races on one thread and on all, growth, memory."""
    machine = machine_line()
    lines = tuple(one for threads in THREADS for one in races(threads))
    torch.set_num_threads(1)
    return Table(lines, growth(), *memory(), machine)


def races(threads: int) -> list[Line]:
    """Correlate and top-k against their products."""
    torch.set_num_threads(threads)
    D = tegum.dictionaries.hadamard(FEATURES, DIMS)
    W = tegum.dictionaries.rademacher(FEATURES // PART, DIMS).dense()
    x = torch.randn(BATCH, DIMS, generator=torch.Generator().manual_seed(0))
    numbers = BATCH * FEATURES
    additions = numbers * math.log2(DIMS)
    contests = (
        ("correlate", lambda: D.correlate(x), lambda: x @ W.T, fresh_seconds(4 * numbers), "fresh memory filled in"),
        ("fused top-k", lambda: D.largest(x, ACTIVE), lambda: (x @ W.T).topk(ACTIVE), gemm_seconds(2 * additions), "additions in"),
    )
    lines = []
    for work, ours, peer, limit, limit_is in contests:
        seconds = in_turn([Side("tegum", ours), Side("product", peer)], ROUNDS)
        lines.append(Line(work, threads, seconds[0], tuple(PART * s for s in seconds[1]), limit, limit_is))
    return lines


def fresh_seconds(n_bytes: int) -> float:
    """Least seconds of three to fill memory that was just asked for, in large pages, by all threads."""
    return min(_timed(lambda: torch.from_numpy(np.empty(n_bytes // 4, np.float32)).fill_(1.0)) for _ in range(3))


def growth() -> dict[str, tuple[float, float]]:
    """The powers with which the time of the top-k and the memory of it and its dictionary grow, by least squares on logarithms.

    Least seconds of three.
    """
    powers = {}
    for name, ladder in LADDERS.items():
        axis = next(i for i, values in enumerate(zip(*ladder, strict=True)) if len(set(values)) > 1)
        seconds, held = [], []
        for n, d, batch, k in ladder:
            D, x = tegum.dictionaries.hadamard(n, d), torch.randn(batch, d, generator=torch.Generator().manual_seed(0))
            seconds.append(min(in_turn([Side(name, lambda D=D, x=x, k=k: D.largest(x, k))], 3)[0]))
            del D
            held.append(peak_bytes(partial(made_and_decoded, n, d, x, k)))
        sizes = np.log([rung[axis] for rung in ladder])
        powers[name] = tuple(float(np.polyfit(sizes, np.log(grown), 1)[0]) for grown in (seconds, held))
    return powers


def made_and_decoded(n_features: int, n_dims: int, x: torch.Tensor, k: int) -> object:
    """The top-k of a dictionary made for it."""
    return tegum.dictionaries.hadamard(n_features, n_dims).largest(x, k)


MEMORY = """
from pathlib import Path
import tegum
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024  # ru_maxrss begins at the parent's
def decode(n_features):
    D = tegum.dictionaries.hadamard(n_features=n_features, n_dims=1024)
    z = tegum.features.ExactlyK(n_features=n_features, n_active=16).sample(64)
    return tegum.decode(D, D.encode(z), tegum.decoders.TopK(n_active=16))
decode(1 << 14)
print(peak())
decode(1 << 24)
print(peak())
"""


def memory() -> tuple[float, float]:
    """Peak MB of making 2^24 features, 64 samples of 16 of them and their top 16; and of the same with few features."""
    told = subprocess.run([sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True).stdout
    small, large = map(float, told.split())
    return large, small


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
