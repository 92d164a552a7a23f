"""Every python example of README.md and docs/ runs and prints what it says, pasted into a new process in an empty folder as its reader would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tegum import parts
from tegum.cli.app import app

README = Path(__file__).parents[2] / "README.md"
PAGES = [README, *sorted((README.parent / "docs").glob("*.md"))]
EXAMPLES = [
    pytest.param(example, id=f"{page.name}-{example.splitlines()[0][:60]}")
    for page in PAGES
    for example in re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
]
LIMIT = 240  # seconds
NUMBER = re.compile(r"(?<![\w.])-?\d+\.?\d*(?:e[+-]?\d+)?")
COMMANDS = re.findall(r"^tegum ([a-z]+(?: \S+)*)  ", README.read_text(), flags=re.MULTILINE)  # each has its meaning beside it


def told(example):
    """The lines that the example says it prints."""
    return re.findall(r"^ *# > (.*)$", example, flags=re.MULTILINE)


def alike(printed, said):
    """The same words, and numbers within 15% (training rounds differently from one processor to the next)."""
    words = [" ".join(NUMBER.sub("#", line).split()) for line in (printed, said)]
    numbers = [[float(number) for number in NUMBER.findall(line)] for line in (printed, said)]
    return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], rel=0.15)


def test_the_readme_has_examples_and_commands():
    assert {example.id.split("-")[0] for example in EXAMPLES} >= {"README.md", "choosing"}
    assert COMMANDS
    assert sum(len(told(*example.values)) for example in EXAMPLES) >= len(EXAMPLES)


@pytest.mark.parametrize(
    ("printed", "said", "is_alike"),
    [
        ("{1: 5, 0.3: 7}", "{1: 5, 0.3: 8}", True),
        ("{1: 5, 0.3: 7}", "{1: 4, 0.3: 7}", False),
        ("tensor([0.4051, 0.3956])", "tensor([0.40, 0.40])", True),
        ("[0.0291809  0.00035371]", "[0.0292 0.00035]", True),
        ("antipodal", "dropped", False),
        ("0.9", "0.9 0.9", False),
    ],
)
def test_a_line_is_compared_by_its_words_and_roughly_by_its_numbers(printed, said, is_alike):
    assert alike(printed, said) == is_alike


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_one_and_names_what_there_is(command):
    name, *arguments = command.split()
    assert name in {registered.name for registered in app.registered_commands}
    if name in ("info", "run"):
        assert parts.find("experiments", arguments[0]).presets


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example, tmp_path):
    script = tmp_path / "example.py"
    script.write_text(example)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    printed = iter(done.stdout.splitlines())
    for line in told(example):
        assert any(alike(other, line) for other in printed), f"not printed, or not in this order: {line}\n{done.stdout}"
