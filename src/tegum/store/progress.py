"""Progress: small events from the lab, and a display of them on stderr, a live table on a terminal and plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TextIO

if TYPE_CHECKING:
    from rich.table import Table

_LINE_SECONDS = 5.0


@dataclass(frozen=True)
class Progress:
    """How far one experiment is at one setting.

    `done` and `failed` count towards `total`; `from_cache` of the done were in the store at the start. `rate` is cells a second computed
    in this run, `eta` the seconds left at that rate; both None until a cell was computed. `waiting` is (cell, seconds) of the one that runs
    longest, told when nothing was finished for a minute.
    """

    experiment: str
    setting: str
    done: int
    failed: int
    total: int
    from_cache: int
    rate: float | None
    eta: float | None
    waiting: tuple[str, float] | None = None

    @property
    def finished(self) -> bool:
        """True when no cell is left."""
        return self.done + self.failed == self.total


class Together:
    """Events of `count` settings told as one, named `name`, from when each has spoken: what is done and left of all."""

    def __init__(self, tell: Callable[[Progress], object], name: str, count: int) -> None:
        self._tell, self._name, self._count = tell, name, count
        self._latest: dict[str, Progress] = {}
        self._began = 0.0

    def __call__(self, event: Progress) -> None:
        """Take an event."""
        self._latest[event.setting] = event
        if len(self._latest) < self._count:
            return
        self._began = self._began or time.monotonic()
        events = self._latest.values()
        done, failed, total, cached = (sum(getattr(one, name) for one in events) for name in ("done", "failed", "total", "from_cache"))
        new = done + failed - cached
        rate = new / max(time.monotonic() - self._began, 1e-9) if new else None
        eta = (total - done - failed) / rate if rate else None
        self._tell(Progress(self._name, self._name, done, failed, total, cached, rate, eta, event.waiting))


class Display:
    """Shows events: `with Display() as show: run_experiments(..., progress=show)`. Writes to stderr, or to `stream`.

    `names` says what to call a setting in place of its experiment's name. A stream that cannot be written to (its reader has left) is not
    written to again: progress that nobody sees stops no work.
    """

    def __init__(self, stream: TextIO | None = None, names: Mapping[str, str] | None = None) -> None:
        self._stream: TextIO | None = stream or sys.stderr
        self._names = names or {}
        self._latest: dict[str, Progress] = {}
        self._live: Any = None
        self._written: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._stream is not None and self._stream.isatty() and os.environ.get("TERM") != "dumb":
            from rich.console import Console
            from rich.live import Live

            with self._unheard():
                live = Live(console=Console(file=self._stream), get_renderable=self._table, refresh_per_second=4)
                live.start()
                self._live = live
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            with self._unheard():
                self._live.stop()
            self._live = None

    def __call__(self, event: Progress) -> None:
        """Take an event."""
        self._latest[event.setting] = event
        if self._stream is None or self._live is not None:
            return
        if event.finished or time.monotonic() - self._written.get(event.setting, -_LINE_SECONDS) >= _LINE_SECONDS:
            self._written[event.setting] = time.monotonic()
            with self._unheard():
                self._stream.write(line(event, self._name(event)) + "\n")
                self._stream.flush()

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # broken, full or closed
            self._stream = None

    def _name(self, event: Progress) -> str:
        return self._names.get(event.setting, event.experiment)

    def _table(self) -> "Table":
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table("experiment", "", "cells", "failed", "cells/s", "left", box=None, pad_edge=False)
        for event in self._latest.values():
            bar = ProgressBar(total=event.total, completed=event.done + event.failed, width=24)
            failed = f"[red]{event.failed}[/red]" if event.failed else ""
            left = "done" if event.finished else _waiting(event) or ("" if event.eta is None else span(event.eta))
            table.add_row(Text(self._name(event)), bar, f"{event.done}/{event.total}", failed, _rate(event), left)
        return table


def line(event: Progress, name: str = "") -> str:
    """One event as a line of text."""
    parts = [f"{name or event.experiment}: {event.done}/{event.total} cells"]
    if event.from_cache:
        parts.append(f"{event.from_cache} from the store")
    if event.failed:
        parts.append(f"{event.failed} failed")
    if event.rate is not None:
        parts.append(f"{_rate(event)} cells/s")
    if event.eta is not None and not event.finished:
        parts.append(f"{span(event.eta)} left")
    if event.waiting:
        parts.append(_waiting(event))
    return ", ".join(parts)


def span(seconds: float) -> str:
    """A time span in words as short as they are useful: 42 s, 3 min 05 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _waiting(event: Progress) -> str:
    return f"cell ({event.waiting[0]}) has run for {span(event.waiting[1])}" if event.waiting else ""


def _rate(event: Progress) -> str:
    return "" if event.rate is None else f"{event.rate:.3g}"
