"""Where a number comes from: versions, machine, git state. Recorded with every run, so that a row can be told apart from its like."""

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("tegum", "torch", "numpy", "numba", "scipy", "pandas", "pydantic", "sqlalchemy", "pebble", "safetensors", "plotly")
_GIT_SECONDS = 5
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@]*(?=@)|((?<=[?&]password=)|(?<=[?&]passwd=))[^&#\s]+")


def provenance() -> dict[str, Any]:
    """Versions, machine, number of processors and git state, as JSON values. Imports none of the packages that it names."""
    return {
        "versions": versions(),
        "machine": {
            "node": platform.node(),
            "system": platform.platform(),
            "processor": _processor(),
            "cpus": os.cpu_count(),
            "usable_cpus": usable_cpus(),
        },
        "git": git_state(Path(__file__).parent),
        "command": [without_passwords(word) for word in sys.argv],
    }


def versions() -> dict[str, str]:
    """The version of Python and of every package here that computes, draws or stores something."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """The commit of the checkout that `folder` is a part of, and whether files differ from it; None where none keeps track of its files.

    An environment inside another project's checkout is not a part of it.
    """
    if not _git(folder, "ls-files", "."):
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--untracked-files=normal")
    if commit is None or changed is None:
        return None
    return {"commit": commit, "dirty": bool(changed)}


def without_passwords(text: str) -> str:
    """The text with the password of every URL in it as ***."""
    return _PASSWORD.sub(r"\1***", text)


def usable_cpus() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
