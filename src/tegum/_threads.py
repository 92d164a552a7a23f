"""Ranges of work over a few threads, as many as torch has: compiled kernels release the interpreter's lock."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch

_lock, _inside, _count = threading.Lock(), 0, 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch works on one thread within, for the thread that asks; when it leaves, its count is again what it was when the first came in.

    Torch also keeps the last count set for threads that have not used it yet: one that uses torch for the first time meanwhile stays at 1.
    """
    global _inside, _count  # noqa: PLW0603 - torch's count is the process's too
    now = torch.get_num_threads()  # a thread's first question takes over the process's count, so it must come before the answer is changed
    with _lock:
        _count = _count if _inside else now
        _inside += 1
    torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            torch.set_num_threads(_count)


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
