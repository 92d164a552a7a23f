"""A bar on stderr for long work: nothing where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(doing: str, total: int | None, unit: str, progress: bool | None = None) -> Iterator[Callable[..., None]]:  # noqa: FBT001
    """A function that is told how much of `total` (None: not known) is done, and perhaps a note on it, such as its pace.

    `progress` None: a bar on a terminal alone; True: everywhere; False: nowhere.
    """
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield lambda done, note="": None  # noqa: ARG005
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}, left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=console.is_terminal) as shown:
        task = shown.add_task(doing, total=total, note="")
        yield lambda done, note="": shown.update(task, completed=done, note=note)
