"""The capacity room's three promises: best probes against linear programs, best probes at a size that no program reaches, and theory at once.

The peer is HiGHS, which solves one program a feature exactly; its size is what it can do in seconds. Without a peer stand the large sizes (a minute
was promised) and the table of a million features (a second). The limit is the search's own matrix products, as torch counts them, at the rate of a
large one.
"""

import datetime as dt
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

import tegum
from bench.interleave import RESULTS, Side, in_turn, machine_line
from bench.limits import gemm_seconds
from tegum.capacity.capacity_table import table
from tegum.dictionaries import Dictionary
from tegum.theory import LinearAccess, linear_access

SMALL, LARGE = (256, 96, 4), ((4096, 512, 4), (4096, 512, 8), (4096, 512, 16))  # features, dims, active
ASKED = (10**6, 32, 4096, 0.05)  # features, active, dims, noise
ROUNDS = 3


@dataclass(frozen=True)
class Line:
    """Seconds of each round, of the peer's too where there is one; what came out, and the seconds that the products would take."""

    work: str
    seconds: tuple[float, ...]
    peer: tuple[float, ...]
    found: str
    limit: float | None

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times as fast as the peer, round by round."""
        return tuple(theirs / ours for ours, theirs in zip(self.seconds, self.peer, strict=True)) if self.peer else ()

    def __str__(self) -> str:
        took = statistics.median(self.seconds)
        against = f", HiGHS {statistics.median(self.peer):.2f} s: {statistics.median(self.ratios):.1f} times as fast" if self.peer else ""
        least = f"; products alone {self.limit:.2f} s, {self.limit / took:.0%}" if self.limit else ""
        return f"  {self.work:44} {took:7.2f} s{against}; {self.found}{least}"


@dataclass(frozen=True)
class Table:
    """All lines."""

    lines: tuple[Line, ...]
    machine: str

    def __str__(self) -> str:
        return "\n".join(
            [f"capacity: median of rounds ({ROUNDS}, one at the large sizes), {torch.get_num_threads()} threads", *map(str, self.lines)]
        )

    def save(self, folder: Path = RESULTS) -> Path:
        """Write `<date>-capacity.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{dt.datetime.now(dt.UTC):%Y-%m-%d}-capacity.json"
        lines = [asdict(line) | {"median_seconds": statistics.median(line.seconds), "ratios": line.ratios} for line in self.lines]
        file.write_text(json.dumps({"name": "capacity", "machine": self.machine, "lines": lines}, indent=1) + "\n")
        return file


def contest() -> Table:
    """The race, the large sizes, the table."""
    machine = machine_line()
    seconds, rows = in_turn([Side("table", lambda: table(*ASKED))], ROUNDS)[0], len(table(*ASKED))
    n, k, d, noise = ASKED
    theory = Line(f"theory: {k} of {n:,} features, d = {d:,}, noise {noise:g}", seconds, (), f"{rows} lines", None)
    return Table((race(*SMALL), *(alone(*size) for size in LARGE), theory), machine)


def race(n: int, d: int, k: int) -> Line:
    """The search against the programs."""
    A = tegum.dictionaries.spherical(n, d, seed=0)
    search, programs = searching(A, k, tolerance=1e-3), searching(A, k, method="simplex")
    seconds, peer = in_turn([Side("search", search), Side("HiGHS", programs)], ROUNDS)
    off = abs(search().error / programs().error - 1)
    return Line(f"best probes, N = {n}, d = {d}, k = {k}", seconds, peer, f"worst case {off:.1e} off theirs", counted(search))


def alone(n: int, d: int, k: int) -> Line:
    """The search by itself, once: it takes tens of seconds."""
    A = tegum.dictionaries.spherical(n, d, seed=0)
    search, found = searching(A, k), []
    limit = counted(lambda: found.append(search()))
    start = time.perf_counter()
    search()
    seconds = time.perf_counter() - start
    return Line(
        f"best probes, N = {n:,}, d = {d}, k = {k}", (seconds,), (), f"worst case {found[0].error:.4f}, gap {found[0].gap:.4f}", limit
    )


def searching(A: Dictionary, k: int, **how) -> Callable[[], LinearAccess]:
    """A call that finds the best probes."""
    return lambda: linear_access(A, n_active=k, progress=False, **how)


def counted(work: Callable[[], object]) -> float:
    """Seconds of the matrix products of that work at the rate of a large one."""
    with FlopCounterMode(display=False) as counter:
        work()
    return gemm_seconds(counter.get_total_flops())
