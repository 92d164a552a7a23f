"""Compiled code is found again by another process, and is not trusted once any file that it may be made of has changed."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tegum
from tegum import _kernel_numba
from tegum._compiled import kernels
from tegum._kernel_numba import kernel

ALIVE = []  # numba takes the environment of what it finds on disk from what is alive, or else imports its module, which here has no name
SOURCE = "def doubled(x):\n    return 2 * x\n"


def compiled_and_found(path):
    """What a process that starts now does: the number of compilations and of finds on disk."""
    spec = importlib.util.spec_from_file_location("doubling_numba", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    doubled = kernel(module.doubled)
    ALIVE.append(doubled)
    assert doubled(21) == 42
    return sum(doubled.stats.cache_misses.values()), sum(doubled.stats.cache_hits.values())


def test_a_kernel_is_compiled_once_and_again_when_a_numba_file_has_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(_kernel_numba, "__file__", str(tmp_path / "_kernel_numba.py"))
    (tmp_path / "room").mkdir()
    monkeypatch.setattr(_kernel_numba, "_CONSTANTS", ("room/constants.py",))
    path, other, third = tmp_path / "doubling_numba.py", tmp_path / "room" / "_other_numba.py", tmp_path / "room" / "other.py"
    constants = tmp_path / "room" / "constants.py"
    for file in (path, other, third, constants):
        file.write_text(SOURCE)
    assert compiled_and_found(path) == (1, 0)
    assert compiled_and_found(path) == (0, 1)
    other.write_text(SOURCE + "# and more\n")  # not the kernel's own file
    assert compiled_and_found(path) == (1, 0)
    assert compiled_and_found(path) == (0, 1)
    os.utime(other, ns=(0, 0))
    assert compiled_and_found(path) == (1, 0)
    third.write_text(SOURCE + "# of which no kernel is made\n")
    assert compiled_and_found(path) == (0, 1)
    constants.write_text(SOURCE + "# of which some are built into kernels\n")
    assert compiled_and_found(path) == (1, 0)
    (tmp_path / "room" / "_new_numba.py").write_text(SOURCE)
    assert compiled_and_found(path) == (1, 0)


def test_every_file_whose_constants_kernels_take_is_in_their_stamp():
    package = Path(tegum.__file__).parent
    taken = set()
    for file in package.rglob("*_numba.py"):
        for line in ast.walk(ast.parse(file.read_text())):
            if isinstance(line, ast.ImportFrom) and line.module.startswith("tegum") and not line.module.endswith("_numba"):
                taken.add(line.module.removeprefix("tegum.").replace(".", "/") + ".py")
    assert taken == set(_kernel_numba._CONSTANTS)


def test_without_numba_the_same_is_done_in_torch_and_other_missing_modules_are_not_hidden():
    code = """
import sys
sys.modules["numba"] = None
import tegum
D = tegum.dictionaries.gaussian(1200, 60)
z = tegum.features.ExactlyK(n_features=1200, n_active=2).sample(200, seed=0)
print([float(tegum.decode(D, D.encode(z), d).exact(z).float().mean()) > 0.9 for d in (tegum.decoders.OMP(n_active=2), tegum.decoders.AMP())])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "[True, True]\n", ran.stderr
    with pytest.raises(ModuleNotFoundError, match="not_there"):
        kernels("tegum.not_there")
