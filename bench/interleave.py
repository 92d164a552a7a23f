"""Two ways of doing one thing, timed in turn (A B A B ...), so that a slow minute of the machine falls on both.

The number to quote is the ratio: the median over rounds of (seconds of B) / (seconds of A) in the same round, with its smallest and largest
round as the spread. Each side runs once before the clock starts, for compilation, caches and allocators.
"""

import datetime as dt
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Side:
    """One contestant: what it is called and what is timed (a call without arguments)."""

    label: str
    run: Callable[[], object]


@dataclass(frozen=True)
class Result:
    """Seconds a round for both sides, the machine they ran on, and the physical limit: what it is, and its seconds."""

    name: str
    work: str
    labels: tuple[str, str]
    seconds: tuple[tuple[float, ...], tuple[float, ...]]
    machine: str
    limit: tuple[str, float]

    @property
    def medians(self) -> tuple[float, float]:
        """Median seconds of either side."""
        return statistics.median(self.seconds[0]), statistics.median(self.seconds[1])

    @property
    def ratios(self) -> tuple[float, ...]:
        """Seconds of the second side over seconds of the first, one a round: above 1 the first side is the faster."""
        return tuple(second / first for first, second in zip(*self.seconds, strict=True))

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.work}"]
        lines += [f"  {label:32} {median * 1e3:10.1f} ms" for label, median in zip(self.labels, self.medians, strict=True)]
        ratio = statistics.median(self.ratios)
        lines.append(f"  {self.labels[0]} is {ratio:.2f} times as fast (rounds from {min(self.ratios):.2f} to {max(self.ratios):.2f})")
        what, least = self.limit
        lines.append(f"  limit: {least * 1e3:.3g} ms ({what}); {self.labels[0]} takes {self.medians[0] / least:.3g} times that")
        return "\n".join(lines)

    def save(self, folder: Path = RESULTS) -> Path:
        """Write `<date>-<name>.json`; the file's name and content say nothing of who owns the machine."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-{self.name}.json"
        ratio = {"median": statistics.median(self.ratios), "min": min(self.ratios), "max": max(self.ratios)}
        file.write_text(json.dumps(asdict(self) | {"median_seconds": self.medians, "ratio": ratio}, indent=1) + "\n")
        return file


def interleave(name: str, work: str, first: Side, second: Side, *, limit: tuple[str, float], rounds: int = 7) -> Result:
    """Time `first` and `second` in turn for `rounds` rounds, after one run of each that is not counted."""
    machine = machine_line()
    seconds = in_turn((first, second), rounds)
    return Result(name, work, (first.label, second.label), (seconds[0], seconds[1]), machine, limit)


def in_turn(sides: Sequence[Side], rounds: int) -> list[tuple[float, ...]]:
    """Seconds of each side in each round: one after the other, round by round, after one run of each that is not counted."""
    for side in sides:
        side.run()
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, taken in zip(sides, seconds, strict=True):
            start = time.perf_counter()
            side.run()
            taken.append(time.perf_counter() - start)
    return [tuple(taken) for taken in seconds]


def machine_line() -> str:
    """The processor, its cores, how busy they are, and the versions that decide speed, in one line."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    threads = f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}"
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in ("torch", "numba", "numpy"))
    busy = f"load {os.getloadavg()[0]:.1f} at the start"
    return f"{model}, {os.cpu_count()} cores, {busy}, {threads}, Python {platform.python_version()}, {versions}"
