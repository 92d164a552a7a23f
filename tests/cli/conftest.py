"""The command line as its users meet it: real processes in an empty folder, with one more experiment installed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tegum import cli, parts

PLUGIN = Path(__file__).parent / "plugin"


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A folder of installed packages, with the one that brings `coin_flips`."""
    site = tmp_path_factory.mktemp("site") / "site-packages"
    info = site / "coin_flips-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: coin-flips\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tegum.experiments]\ncoin_flips = coin_flips\n")
    return site


@pytest.fixture(scope="session")
def environment(site, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    paths = [str(PLUGIN), str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "TEGUM_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.fixture
def tegum(environment, tmp_path):
    """Run `tegum ...` in an empty folder and return its exit code and what it wrote."""

    def run(*arguments: str) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "tegum", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def tegum_here(site, environment, tmp_path, monkeypatch, capsys):
    """As `tegum`, but in this process: for the many inputs that are refused before any work."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setenv("TEGUM_CACHE_DIR", environment["TEGUM_CACHE_DIR"])
    monkeypatch.chdir(tmp_path)
    for remembered in (parts.discover, parts._walk):
        remembered.cache_clear()

    def run(*arguments: str) -> Answer:
        code = cli._run(list(arguments))
        return Answer(code, *capsys.readouterr())

    yield run
    for remembered in (parts.discover, parts._walk):
        remembered.cache_clear()
