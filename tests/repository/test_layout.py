"""The house's own rules: imports run one way, files stay short, no file is a drawer for anything."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "tools"}


def lint_imports(folder, environment=None):
    script = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache', '--no-logo'])"
    return subprocess.run([sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_imports_run_one_way():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout
    assert "1 kept, 0 broken" in done.stdout


def test_an_import_the_other_way_is_caught(tmp_path):
    shutil.copytree(ROOT / "src" / "tegum", tmp_path / "src" / "tegum", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src" / "tegum" / "store" / "cell.py").open("a") as file:
        file.write("\nfrom tegum import toys\n")
    done = lint_imports(tmp_path, {**os.environ, "PYTHONPATH": str(tmp_path / "src")})
    assert done.returncode == 1
    assert "tegum.store.cell -> tegum.toys" in done.stdout


def test_every_folder_of_files_is_a_package():
    """Discovery walks packages and setuptools ships packages: a folder without `__init__.py` would be neither found nor installed."""
    folders = {file.parent for file in (ROOT / "src" / "tegum").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_no_file_is_a_drawer_for_anything():
    files = [file for folder in ("src", "bench", "tests") for file in (ROOT / folder).rglob("*.py")]
    assert [file for file in files if file.stem.strip("_").lower() in DRAWERS] == []


def test_no_two_files_of_tests_are_called_the_same():
    """pytest imports each by its bare name: run together, the second would be taken for the first."""
    names = Counter(file.name for file in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, files in names.items() if files > 1] == []


@pytest.mark.parametrize(
    ("lines", "first", "code"),
    [(400, "", 0), (401, "", 1), (401, "# over 400 lines because: a table", 0), (401, "# over 400 lines because:", 1)],
)
def test_a_long_file_must_say_why(tmp_path, lines, first, code):
    (tmp_path / "long.py").write_text(first + "\n" + "x = 1\n" * (lines - 1))
    done = subprocess.run([sys.executable, ROOT / "tools" / "check_file_length.py", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert ("long.py: 401 lines" in done.stderr) == bool(code)


def test_no_file_of_the_package_is_long_without_a_reason():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "check_file_length.py", ROOT / "src"], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_the_licence_is_the_whole_apache_licence():
    text = (ROOT / "LICENSE").read_text()
    assert text.lstrip().startswith("Apache License")
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) == 202
