"""Progress: small events from the lab, and a display of them on stderr, a live table on a terminal and plain lines elsewhere."""

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TextIO

if TYPE_CHECKING:
    from rich.table import Table

_LINE_SECONDS = 5.0


@dataclass(frozen=True)
class Progress:
    """How far one experiment is at one setting.

    `done` and `failed` count towards `total`; `from_cache` of the done were in the store at the start. `rate` is cells a second computed
    in this run, `eta` the seconds left at that rate; both None until a cell was computed.
    """

    experiment: str
    setting: str
    done: int
    failed: int
    total: int
    from_cache: int
    rate: float | None
    eta: float | None

    @property
    def finished(self) -> bool:
        """True when no cell is left."""
        return self.done + self.failed == self.total


class Display:
    """Shows events: `with Display() as show: run_experiments(..., progress=show)`. Writes to stderr, or to `stream`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._latest: dict[str, Progress] = {}
        self._live: Any = None
        self._written: dict[str, float] = {}

    def __enter__(self) -> Self:
        if self._stream.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=self._stream), get_renderable=self._table, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, event: Progress) -> None:
        """Take an event."""
        self._latest[event.setting] = event
        if self._live is None and (event.finished or time.monotonic() - self._written.get(event.setting, -_LINE_SECONDS) >= _LINE_SECONDS):
            self._written[event.setting] = time.monotonic()
            self._stream.write(line(event) + "\n")
            self._stream.flush()

    def _table(self) -> "Table":
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        table = Table("experiment", "", "cells", "failed", "cells/s", "left", box=None, pad_edge=False)
        for event in self._latest.values():
            bar = ProgressBar(total=event.total, completed=event.done + event.failed, width=24)
            failed = f"[red]{event.failed}[/red]" if event.failed else ""
            left = "done" if event.finished else "" if event.eta is None else span(event.eta)
            table.add_row(event.experiment, bar, f"{event.done}/{event.total}", failed, _rate(event), left)
        return table


def line(event: Progress) -> str:
    """One event as a line of text."""
    parts = [f"{event.experiment}: {event.done}/{event.total} cells"]
    if event.from_cache:
        parts.append(f"{event.from_cache} from the store")
    if event.failed:
        parts.append(f"{event.failed} failed")
    if event.rate is not None:
        parts.append(f"{_rate(event)} cells/s")
    if event.eta is not None and not event.finished:
        parts.append(f"{span(event.eta)} left")
    return ", ".join(parts)


def span(seconds: float) -> str:
    """A time span in words as short as they are useful: 42 s, 3 min 05 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _rate(event: Progress) -> str:
    return "" if event.rate is None else f"{event.rate:.3g}"
