"""Progress as lines off a terminal and as a table on one."""

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


def test_plain_lines_are_few_and_always_tell_the_end():
    stream = io.StringIO()
    with Display(stream) as show:
        for done in range(5):
            show(event(done))
    assert stream.getvalue().splitlines() == ["walks: 0/4 cells", "walks: 4/4 cells"]


def test_a_terminal_gets_a_table():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    with Display(stream) as show:
        show(event(2, 1, rate=0.5, eta=70))
    shown = stream.getvalue()
    assert all(words in shown for words in ("experiment", "walks", "2/4", "0.5", "1 min 10 s"))
