"""Ranges of work over a few threads, as many as torch has: compiled kernels release the interpreter's lock."""

import threading
from collections.abc import Callable
from itertools import pairwise

import torch


def shared_out(work: Callable[[int, int], object], n: int, *, worth: bool = True) -> None:
    """Call `work(first, last)` so that 0 to n is covered once: at once, or where it is `worth` starting threads by one range a thread.

    The calling thread takes the first range itself. An exception of any thread is raised here.
    """
    threads = min(torch.get_num_threads(), n) if worth else 1
    edges = [n * i // threads for i in range(threads + 1)] if threads > 1 else [0, n]
    failures: list[BaseException] = []

    def guarded(first: int, last: int) -> None:
        try:
            work(first, last)
        except BaseException as failure:  # noqa: BLE001 - it is raised below, in the thread that asked
            failures.append(failure)

    others = [threading.Thread(target=guarded, args=pair, name="tegum") for pair in pairwise(edges[1:])]
    for other in others:
        other.start()
    guarded(edges[0], edges[1])
    for other in others:
        other.join()
    if failures:
        raise failures[0]
