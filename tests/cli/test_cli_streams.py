"""What a command does when nobody reads it, when it cannot be heard, and when it is interrupted."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

REFUTED = ("run", "coin_flips", "--set", "claimed=.9")  # its code is 1


@pytest.fixture
def start(environment, tmp_path):
    """Start `tegum ...` in the empty folder."""

    def start(*arguments, **streams):
        return subprocess.Popen([sys.executable, "-m", "tegum", *arguments], cwd=tmp_path, env=environment, **streams)

    return start


def unread():
    """A pipe whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def test_a_reader_that_leaves_changes_neither_the_work_nor_the_code(start, tegum_here):
    running = start(*REFUTED, stdout=subprocess.DEVNULL, stderr=(nobody := unread()))
    assert running.wait(60) == 1
    assert [(run["done"], len(run["claims"])) for run in tegum_here("status", "--json").json] == [(2, 2)]
    running = start(*REFUTED, stdout=nobody, stderr=subprocess.PIPE, text=True)
    assert "Error" not in running.communicate(timeout=60)[1]
    assert running.returncode == 1
    assert start("list", stdout=nobody, stderr=nobody).wait(60) == 0
    os.close(nobody)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_result_that_cannot_be_written_is_exit_1_and_lost_progress_is_nothing(start):
    with Path("/dev/full").open("w") as full:
        listing = start("list", stdout=full, stderr=subprocess.PIPE, text=True)
        assert listing.communicate(timeout=60)[1] == "tegum: cannot write the result: No space left on device\n"
        assert listing.returncode == 1
        assert start("info", "coin_flip", stdout=subprocess.DEVNULL, stderr=full).wait(60) == 2


def test_closed_streams_are_open_to_nowhere(environment, tmp_path):
    script = f"{sys.executable} -m tegum list <&- >&- && {sys.executable} -m tegum info coin_flips >&- 2>&-"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}], ids=str)
def test_verdicts_are_coloured_on_a_terminal_that_wants_colour(environment, tmp_path, variables):
    script = (
        "from tegum.cli.claims import verdict_line; from tegum.store import Claim; import typer; "
        "typer.echo(verdict_line(Claim('x', True, expected=True)))"
    )
    runner, terminal = pty.openpty()
    plain = {name: value for name, value in environment.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | variables
    subprocess.run([sys.executable, "-c", script], env=plain, stdout=terminal, stderr=terminal, check=True)
    shown = os.read(runner, 1000)
    os.close(runner)
    os.close(terminal)
    assert b"holds" in shown
    assert (b"\x1b" in shown) == (not variables)


def test_ctrl_c_is_one_line_wherever_it_comes(environment):
    script = (
        "import os, signal, sys; from tegum import cli, parts; sys.argv = ['tegum', *sys.argv[1:]]; "
        "parts.survey = lambda: os.kill(os.getpid(), signal.SIGINT); cli.main()"
    )
    for command in ("list", "doctor"):  # one that loads no typer, one that typer calls
        done = subprocess.run([sys.executable, "-c", script, command], env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (130, "", "tegum: interrupted\n")
