"""Training steps of toy networks: tegum's engines against the public notebook's loop and against the best that a careful torch user would write.

The notebook (Elhage et al. 2022, "Toy Models of Superposition", toy_models.ipynb) trains all instances at once: einsum over `...if,ifh->...ih`,
two `torch.rand` of (batch, instances, features) a step, AdamW, float32. The careful peer has the instances first, one `rand` a step, `bmm` and fused
AdamW, eager or through `torch.compile`. Every peer runs with one torch thread and with all, and the fastest of its ways is the
one that is quoted. All sides are timed in turn, at the start of training, when the fewest outputs are dead.
"""

import datetime as dt
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from bench.interleave import RESULTS, Side, in_turn, machine_line
from bench.limits import gemm_seconds
from tegum.features.bernoulli import Bernoulli
from tegum.toys.engines import Plan
from tegum.toys.engines.compiled import Compiled
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models.relu_output import ReLUOutput

BATCH, ROUNDS, THREADS = 1024, 5, os.cpu_count() or 1


@dataclass(frozen=True)
class Work:
    """One line of the table: networks, and how many steps are timed of tegum and of its peers."""

    instances: int
    n: int
    m: int
    density: float
    steps: int
    peer_steps: int

    def __str__(self) -> str:
        return f"{self.instances} x ({self.n}, {self.m}), p={self.density:g}"


WORKS = (
    Work(10, 5, 2, 0.1, 8000, 100),
    Work(10, 20, 5, 0.1, 2000, 60),
    Work(20, 100, 20, 0.1, 160, 8),
    Work(20, 400, 30, 0.01, 60, 3),
    Work(1000, 2, 1, 0.1, 250, 5),
)
LADDERS = {  # what grows, and the plans it grows through, all of them through the Gram matrix or all by lanes
    "features n, through G": [(4, n, 20, 512, 0.01) for n in (50, 100, 200, 400)],
    "hidden m, through G": [(4, 100, m, 512, 0.05) for m in (16, 32, 64, 128)],
    "batch, through G": [(4, 100, 20, batch, 0.05) for batch in (256, 512, 1024, 2048)],
    "features n, by lanes": [(4, n, 5, 512, 0.3) for n in (10, 20, 40, 80)],
    "hidden m, by lanes": [(4, 40, m, 512, 0.3) for m in (4, 8, 16, 32)],
    "batch, by lanes": [(4, 20, 5, batch, 0.1) for batch in (256, 512, 1024, 2048)],
    "instances": [(i, 20, 5, 512, 0.1) for i in (8, 16, 32, 64)],
}


@dataclass(frozen=True)
class Line:
    """Microseconds a step of each side in each round, tegum first; what the work would take as dense products at the machine's best rate."""

    work: Work
    microseconds: dict[str, tuple[float, ...]]
    dense_flops: float
    dense_microseconds: float

    def median(self, side: str) -> float:
        """Median over rounds."""
        return statistics.median(self.microseconds[side])

    def best(self, peer: str) -> str:
        """The fastest way of a peer."""
        return min((side for side in self.microseconds if side.startswith(peer)), key=self.median)

    def ratios(self, peer: str) -> tuple[float, ...]:
        """How many times as fast tegum is, round by round."""
        return tuple(b / a for a, b in zip(self.microseconds["tegum"], self.microseconds[self.best(peer)], strict=True))

    def __str__(self) -> str:
        told = [f"  {self.work!s:24} {self.median('tegum'):10.1f} us"]
        for peer in ("notebook", "careful"):
            ratios = self.ratios(peer)
            told.append(
                f"{self.median(self.best(peer)):10.0f} us {statistics.median(ratios):7.1f}x ({min(ratios):.0f}-{max(ratios):.0f}, {self.best(peer)})"
            )
        told.append(f"{self.dense_flops / 1e6:8.1f} MFLOP  {self.dense_microseconds / self.median('tegum'):6.0%}")
        return " ".join(told)


@dataclass(frozen=True)
class Table:
    """All lines; exponents of growth; peak memory of 10,000 networks; seconds to compile."""

    lines: tuple[Line, ...]
    growth: dict[str, float]
    memory_mb: float
    compile_seconds: tuple[float, float]  # the least kernel, and one with everything
    machine: str

    def __str__(self) -> str:
        rate = statistics.median(line.dense_flops / line.dense_microseconds / 1e3 for line in self.lines)
        head = (
            f"toys: ReLU output, batch {BATCH:,}, AdamW, float32; a step, median of {ROUNDS} rounds; FLOPs of its six dense products, and their "
            f"time at the rate of large ones ({rate:.0f} GFLOP/s) as a share of ours"
        )
        grown = ", ".join(f"{name} {power:.2f}" for name, power in self.growth.items())
        tail = [
            f"  time grows as a power of: {grown}",
            f"  10,000 networks of (20, 5): {self.memory_mb:.0f} MB more than one",
            f"  compiled once a machine: the least kernel in {self.compile_seconds[0]:.1f} s, one with everything in {self.compile_seconds[1]:.1f} s",
        ]
        return "\n".join([head, *map(str, self.lines), *tail])

    def save(self, folder: Path = RESULTS) -> Path:
        """Write `<date>-toys.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-toys.json"
        lines = [asdict(line) | {f"{p}_ratio": statistics.median(line.ratios(p)) for p in ("notebook", "careful")} for line in self.lines]
        rest = {"growth": self.growth, "memory_mb": self.memory_mb, "compile_seconds": self.compile_seconds}
        file.write_text(json.dumps({"name": "toys", "machine": self.machine, "lines": lines} | rest, indent=1) + "\n")
        return file


def contest() -> Table:
    """Every line, then growth, memory and compilation."""
    machine = machine_line()
    return Table(tuple(line(work) for work in WORKS), growth(), *fresh_process(), machine)


def line(work: Work) -> Line:
    """One race."""
    shape = work.instances, work.n, work.m, BATCH, work.density
    runs: dict[str, tuple[Callable[[], object], int]] = {"tegum": (tegum_steps(*shape, work.steps), work.steps)}
    for threads in sorted({1, THREADS}):
        for name, steps in (("notebook", notebook_steps), ("careful eager", careful_steps), ("careful compiled", compiled_steps)):
            runs[f"{name}, {threads} thread{'s' * (threads > 1)}"] = on_threads(threads, steps(*shape, work.peer_steps)), work.peer_steps
    seconds = in_turn([Side(name, run) for name, (run, _) in runs.items()], ROUNDS)
    taken = {name: tuple(s / steps * 1e6 for s in each) for (name, (_, steps)), each in zip(runs.items(), seconds, strict=True)}
    flops = 6 * 2.0 * work.instances * BATCH * work.n * work.m  # forward x W, h W^T; backward two for each
    return Line(work, taken, flops, gemm_seconds(flops) * 1e6)


def tegum_steps(instances: int, n: int, m: int, batch: int, density: float, steps: int) -> Callable[[], object]:
    """The compiled engine on all threads; `tegum.train` would also measure the loss of what comes out."""
    plan = Plan(
        model=ReLUOutput(n_features=n, n_hidden=m), features=(Bernoulli(n_features=n, density=density),) * instances,
        importance=torch.ones(instances, n, dtype=torch.float64), seeds=torch.zeros(instances, dtype=torch.int64),
        instance_ids=torch.arange(instances), steps=steps, batch_size=batch, lr=1e-3, weight_decay=0.01, optimizer="adamw",
        schedule="constant", loss=SquaredError(), record=(), device=torch.device("cpu"), dtype=torch.float32,
    )  # fmt: skip
    return on_threads(THREADS, lambda: Compiled().train(plan, lambda done: None))  # noqa: ARG005


def on_threads(threads: int, run: Callable[[], object]) -> Callable[[], object]:
    """The same with so many torch threads."""

    def limited() -> object:
        torch.set_num_threads(threads)
        return run()

    return limited


def notebook_steps(instances: int, n: int, m: int, batch: int, density: float, steps: int) -> Callable[[], object]:
    """The notebook's loop, its progress bar left out."""

    def run() -> torch.Tensor:
        shape = (batch, instances, n)
        weights = torch.nn.Parameter(torch.nn.init.xavier_normal_(torch.empty(instances, n, m)))
        bias = torch.nn.Parameter(torch.zeros(instances, n))
        importance = torch.ones(())
        optimizer = torch.optim.AdamW([weights, bias], lr=1e-3)
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            x = torch.where(torch.rand(shape) <= density, torch.rand(shape), torch.zeros(()))
            hidden = torch.einsum("...if,ifh->...ih", x, weights)
            out = torch.relu(torch.einsum("...ih,ifh->...if", hidden, weights) + bias)
            loss = (importance * (x.abs() - out) ** 2).mean(dim=(0, 2)).sum()
            loss.backward()
            optimizer.step()
        return weights

    return run


def careful_loss(weights: torch.Tensor, bias: torch.Tensor, shape: tuple[int, int, int], density: float) -> torch.Tensor:
    """One random number an entry, instances first, products batched."""
    u = torch.rand(shape)
    x = torch.where(u < density, u / density, 0.0)
    out = torch.baddbmm(bias[:, None, :], torch.bmm(x, weights), weights.mT).relu()
    return (out - x).square().mean((1, 2)).sum()


def careful_steps(
    instances: int, n: int, m: int, batch: int, density: float, steps: int, loss: Callable[..., torch.Tensor] = careful_loss
) -> Callable[[], object]:
    """What a careful user would write."""

    def run() -> torch.Tensor:
        weights = torch.nn.Parameter(torch.randn(instances, n, m) * (2 / (n + m)) ** 0.5)
        bias = torch.nn.Parameter(torch.zeros(instances, n))
        optimizer = torch.optim.AdamW([weights, bias], lr=1e-3, fused=True)
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss(weights, bias, (instances, batch, n), density).backward()
            optimizer.step()
        return weights

    return run


def compiled_steps(instances: int, n: int, m: int, batch: int, density: float, steps: int) -> Callable[[], object]:
    """The same through torch.compile, which is compiled before the clock starts."""
    torch._dynamo.config.recompile_limit = 64  # it compiles anew for every number of threads, and falls back to eager after 8 times
    return careful_steps(instances, n, m, batch, density, steps, torch.compile(careful_loss, dynamic=False))


def growth() -> dict[str, float]:
    """The power with which the time of a step grows, by least squares on logarithms."""
    powers = {}
    for name, ladder in LADDERS.items():
        axis = next(i for i, values in enumerate(zip(*ladder, strict=True)) if len(set(values)) > 1)
        seconds = []
        for plan in ladder:
            steps = max(20, int(4e9 / math.prod(plan[:4])))  # some tenths of a second
            seconds.append(min(in_turn([Side(name, tegum_steps(*plan, steps))], ROUNDS)[0]) / steps)
        powers[name] = float(np.polyfit(np.log([plan[axis] for plan in ladder]), np.log(seconds), 1)[0])
    return powers


START = """
import time
from pathlib import Path
import tegum, torch
from tegum.features import Bernoulli, Zipf
from tegum.toys.engines.compiled import Compiled
peak = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024  # ru_maxrss begins at the parent's
def train(instances, n, m, features=None, **how):
    begin = time.perf_counter()
    features = features or Bernoulli(n_features=n, density=.1)
    tegum.train(
        tegum.toys.ReLUOutput(n_features=n, n_hidden=m), features, instances=instances, steps=3, engine="compiled", progress=False, **how)
    return time.perf_counter() - begin
torch.ones(8, 8) @ torch.ones(8, 8)
"""
LEAST = "print(train(1, 5, 2) - train(1, 5, 2))"
MOST = """
both = [Zipf(n_features=100, density=.02, values="gaussian"), Bernoulli(n_features=100, density=.9)]
print(train(2, 100, 3, both, estimator="stratified") - train(2, 100, 3, both, estimator="stratified"))
"""
MEMORY = "train(1, 20, 5); before = peak(); train(10_000, 20, 5); print(peak() - before)"


def fresh_process() -> tuple[float, tuple[float, float]]:
    """MB that 10,000 networks take beyond what one takes, and seconds that the first training of a machine takes longer than the next."""
    with tempfile.TemporaryDirectory() as cache:
        # the compiler's own memory would hide the rest, so the last finds its kernels on disk
        least, most, _, memory = (
            subprocess.run(
                [sys.executable, "-c", START + what],
                env=os.environ | {"NUMBA_CACHE_DIR": cache},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            for what in (LEAST, MOST, MEMORY, MEMORY)
        )
    return float(memory), (float(least), float(most))
