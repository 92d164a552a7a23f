"""The Makefile: its targets, and a set-up that is done once, again when a pin changes, and never half."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = ("env", "demo", "test", "check", "bench", "clean")


@pytest.fixture
def clone(tmp_path):
    """A folder with what the set-up reads, and `make` in it with `python3` of one's own writing."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}

    def make(*arguments, python="#!/bin/sh\nexit 9\n"):
        shim = tmp_path / "python-shim"
        shim.write_text(python)
        shim.chmod(0o755)
        return subprocess.run(
            ["make", f"PYTHON={shim}", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    return tmp_path, make


def test_every_promised_target_is_there_and_in_the_help(clone):
    _, make = clone
    told = make().stdout
    assert re.findall(r"make (\w+)", told) == ["help", *TARGETS]
    assert re.findall(r"^(\w+):(?! export)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE) == ["help", *TARGETS]


@pytest.mark.parametrize("target", ["env", "demo", "test", "check", "bench"])
def test_every_target_sets_up_first(clone, target):
    _, make = clone
    assert "-m venv" in make("-n", target).stdout


def test_an_old_python_is_refused_in_one_line(clone):
    folder, make = clone
    old = '#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 9); $2"\n'
    done = make("env", python=old)
    assert done.returncode != 0
    assert "tegum needs Python 3.11 or newer" in done.stderr
    assert "is 3.9" in done.stderr
    assert not (folder / ".venv").exists()


def test_an_interrupted_install_leaves_no_stamp(clone):
    folder, make = clone
    # a python whose venv has a pip that answers --version and dies when it installs
    fails = (
        '#!/bin/sh\n[ "$1" = -c ] && exit 0\nmkdir -p .venv/bin\n'
        "printf '#!/bin/sh\\ncase \"$*\" in *install*) exit 137;; esac\\n' > .venv/bin/python\nchmod +x .venv/bin/python\n"
    )
    (folder / ".venv").mkdir()
    (folder / ".venv" / ".installed").touch()
    os.utime(folder / ".venv" / ".installed", (1, 1))
    done = make("env", python=fails)
    assert done.returncode != 0
    assert (folder / ".venv" / "bin" / "python").exists()
    assert not (folder / ".venv" / ".installed").exists()


def test_the_set_up_is_done_again_only_when_a_requirement_changed(clone):
    folder, make = clone
    (folder / ".venv").mkdir()
    (folder / ".venv" / ".installed").touch()
    assert make("-q", "env").returncode == 0
    for name in ("pyproject.toml", "constraints.txt"):
        os.utime(folder / name, (4e9, 4e9))
        assert make("-q", "env").returncode == 1
        os.utime(folder / name, (1, 1))


def test_every_install_is_under_the_pins():
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if "install -" in line and "$(PIP)" in line]
    assert len(installs) == 3
    assert all("-c constraints.txt" in line or "$(PINS)" in line for line in installs)


def test_continuous_integration_calls_check_test_and_demo():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.findall(r"^make (\w+)", script.read_text(), flags=re.MULTILINE) == ["check", "test", "demo"]
    assert "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)
