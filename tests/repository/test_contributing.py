"""CONTRIBUTING.md's parts, each one file, put into a scratch copy of the package: they are listed, run and pass the contract tests."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = dict(re.findall(r"```python\n# (src/\S+\.py)\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.DOTALL))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """(folder, environment) of a copy of the package with CONTRIBUTING's files in it."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "src" / "tegum", folder / "src" / "tegum", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        assert (folder / name).parent.is_dir(), f"{name} would need a folder of its own"
        assert not (folder / name).exists()
        (folder / name).write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "TEGUM_CACHE_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return folder, environment


def python(scratch, *arguments, **options):
    folder, environment = scratch
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False, **options
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_guide_shows_a_distribution_and_an_experiment():
    assert [Path(name).parts[2] for name in FILES] == ["features", "experiments"]


def test_one_file_each_is_listed_run_and_in_the_report(scratch):
    listed = json.loads(python(scratch, "-m", "tegum", "list", "--json"))
    found = {part["name"]: part["room"] for part in listed if part["available"]}
    assert found["TwoRates"] == "features"
    assert found["random_directions"] == "experiments"
    told = json.loads(python(scratch, "-m", "tegum", "run", "random_directions", "--json"))
    assert [claim["verdict"] for claim in told[0]["claims"]] == ["holds"] * 3
    page = Path(python(scratch, "-m", "tegum", "report").strip())
    assert "Random directions interfere as 1/sqrt(d)" in page.read_text()


@pytest.mark.slow
def test_the_distribution_passes_the_contract_tests_of_its_room(scratch):
    shutil.copytree(ROOT / "tests" / "contract", scratch[0] / "tests" / "contract")
    shutil.copy(ROOT / "tests" / "conftest.py", scratch[0] / "tests")
    shutil.copy(ROOT / "pyproject.toml", scratch[0])
    report = python(
        scratch,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "tests/contract/test_features_contract.py",
        "-k",
        "TwoRates",
    )
    assert re.search(r"\d+ passed", report)


def test_both_files_are_in_the_houses_style(scratch):
    shutil.copy(ROOT / "pyproject.toml", scratch[0])
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([*ruff, *command, *FILES], cwd=scratch[0], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
