"""Progress as lines off a terminal and as a table on one."""

import errno
import io

import pytest

from tegum.store import Display, Progress
from tegum.store.progress import line, span


def event(done=0, failed=0, **fields):
    return Progress(
        **{
            "experiment": "walks",
            "setting": "s",
            "done": done,
            "failed": failed,
            "total": 4,
            "from_cache": 0,
            "rate": None,
            "eta": None,
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_a_span_is_told_as_short_as_it_is_useful(seconds, words):
    assert span(seconds) == words


def test_a_line_says_what_is_done_how_fast_and_how_long_it_will_take():
    assert line(event(2, 1, from_cache=1, rate=0.5, eta=70)) == "walks: 2/4 cells, 1 from the store, 1 failed, 0.5 cells/s, 1 min 10 s left"
    assert line(event(4, rate=12.34, eta=0)) == "walks: 4/4 cells, 12.3 cells/s"


def test_a_line_names_the_cell_that_keeps_a_run_waiting():
    assert line(event(3, waiting=("walk=2, steps=10", 185))) == "walks: 3/4 cells, cell (walk=2, steps=10) has run for 3 min 05 s"


def test_plain_lines_are_few_and_always_tell_the_end():
    stream = io.StringIO()
    with Display(stream) as show:
        for done in range(5):
            show(event(done))
    assert stream.getvalue().splitlines() == ["walks: 0/4 cells", "walks: 4/4 cells"]


def test_settings_of_one_experiment_are_told_apart():
    stream = io.StringIO()
    with Display(stream, {"a": "walks quick steps=1", "b": "walks quick steps=2"}) as show:
        show(event(4, setting="a"))
        show(event(4, setting="b"))
        show(event(4, setting="c"))
    assert [line.partition(":")[0] for line in stream.getvalue().splitlines()] == ["walks quick steps=1", "walks quick steps=2", "walks"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_a_stream_that_breaks_stops_nothing(kind):
    class Broken(kind):
        tries = 0

        def write(self, text):
            self.tries += 1
            raise OSError(errno.EIO, "the terminal is gone")

    stream = Broken()
    with Display(stream) as show:
        for done in range(5):
            show(event(done))
    assert stream.tries == 1


def test_a_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with Display(stream) as show:
        show(event(4))
    assert stream.getvalue() == "walks: 4/4 cells\n"


def test_a_terminal_gets_a_table(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with Display(stream) as show:
        show(event(2, 1, rate=0.5, eta=70))
    shown = stream.getvalue()
    assert all(words in shown for words in ("experiment", "walks", "2/4", "0.5", "1 min 10 s"))
