"""CONTRIBUTING.md's parts, each one file, put into a scratch copy of the package: they are listed, run and pass the contract tests."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tegum import parts

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
FILES = dict(re.findall(r"```python\n# (src/\S+\.py)\n(.*?)```", GUIDE, flags=re.DOTALL))


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


def test_the_guide_shows_a_part_of_each_large_room():
    assert [Path(name).parts[2] for name in FILES] == ["features", "dictionaries", "decoders", "learning", "experiments"]


def test_the_guide_names_the_group_of_entry_points_of_every_room():
    assert [room for room in parts.ROOMS if f"`tegum.{room}`" not in GUIDE] == []


def test_one_file_each_is_listed_run_and_in_the_report(scratch):
    listed = json.loads(python(scratch, "-m", "tegum", "list", "--json"))
    found = {part["name"]: part["room"] for part in listed if part["available"]}
    assert found["TwoRates"] == "features"
    assert found["antipodal"] == "dictionaries"
    assert found["Refit"] == "decoders"
    assert found["SoftSAE"] == "autoencoders"
    assert found["random_directions"] == "experiments"
    told = json.loads(python(scratch, "-m", "tegum", "run", "random_directions", "--json"))
    assert [claim["verdict"] for claim in told[0]["claims"]] == ["holds"] * 3
    page = Path(python(scratch, "-m", "tegum", "report").strip())
    assert "Random directions interfere as 1/sqrt(d)" in page.read_text()


@pytest.mark.parametrize("file", ["opposed_pairs", "antipodal"])
@pytest.mark.parametrize("file_first", [True, False])
def test_the_dictionary_is_a_function_whatever_its_file_is_called_and_whichever_is_met_first(scratch, tmp_path, file, file_first):
    shutil.copytree(scratch[0] / "src", tmp_path / "src")
    room = tmp_path / "src" / "tegum" / "dictionaries"
    (room / "opposed_pairs.py").rename(room / f"{file}.py")
    call = "assert tegum.dictionaries.antipodal(n_features=8, n_dims=4, seed=0).n_features == 8"
    lines = ["import tegum", *([] if file_first else [call]), f"import tegum.dictionaries.{file}", call]
    python((tmp_path, scratch[1] | {"PYTHONPATH": str(tmp_path / "src")}), "-c", "\n".join(lines))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("room", "part"),
    [
        ("features", "TwoRates"),
        ("dictionaries", "antipodal"),
        ("decoders", "Refit"),
        ("autoencoders", "SoftSAE"),
        ("experiments", "random_directions"),
    ],
)
def test_each_part_passes_the_contract_tests_of_its_room(scratch, room, part):
    shutil.copytree(ROOT / "tests" / "contract", scratch[0] / "tests" / "contract", dirs_exist_ok=True)
    shutil.copy(ROOT / "tests" / "conftest.py", scratch[0] / "tests")
    shutil.copy(ROOT / "pyproject.toml", scratch[0])
    tests = f"tests/contract/test_{room}_contract.py"
    report = python(scratch, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", tests, "-k", part)
    assert re.search(r"\d+ passed", report)


def test_the_files_are_in_the_houses_style(scratch):
    shutil.copy(ROOT / "pyproject.toml", scratch[0])
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([*ruff, *command, *FILES], cwd=scratch[0], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
