"""What the machine could do at best: the rate of a large matrix product and of a large write, measured where the contest runs.

A contest's limit is its work at these rates: FLOPs over the GEMM rate, or bytes over the bandwidth, with as many threads as the contest has.
Beside them the most memory that a piece of work held.
"""

import ctypes
import gc
import time
from collections.abc import Callable
from pathlib import Path

import torch

_SIDE, _BYTES, _TIMES = 2048, 1 << 28, 7


def gemm_seconds(flops: float) -> float:
    """Seconds for `flops` floating-point operations at the best rate seen for a 2048 x 2048 float32 product."""
    a, b = torch.rand(_SIDE, _SIDE), torch.rand(_SIDE, _SIDE)
    return flops * _least(lambda: a @ b) / (2 * _SIDE**3)


def write_seconds(n_bytes: float) -> float:
    """Seconds to write `n_bytes` at the best rate seen for filling 256 MiB."""
    out = torch.empty(_BYTES // 4)
    return n_bytes * _least(lambda: out.fill_(1.0)) / _BYTES


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that the process held at once beyond what it held before (Linux with glibc: the kernel's high-water mark, set back first).

    What was freed but is still the process's own goes back before, or the work would take that and seem to need nothing.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    work()
    return max(1, _status("VmHWM") - before)


def _status(name: str) -> int:
    return 1024 * int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0])


def _least(work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(_TIMES):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
