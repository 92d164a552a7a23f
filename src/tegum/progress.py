"""A bar on stderr for long work: nothing where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(doing: str, total: int, unit: str, progress: bool | None = None) -> Iterator[Callable[[int], None]]:  # noqa: FBT001
    """A function that is told how much of `total` is done. `progress` None: a bar on a terminal alone; False: none."""
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield lambda done: None  # noqa: ARG005
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn(f"{unit}, left"), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=console.is_terminal) as shown:
        task = shown.add_task(doing, total=total)
        yield lambda done: shown.update(task, completed=done)
