"""One constraints file pins every install: whatever tegum and its developers need, directly or not, to one version, and that is what is installed."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = {canonicalize_name(name): version for name, version in (line.split("==") for line in (ROOT / "constraints.txt").read_text().split())}
DEVELOPERS = PROJECT["dependency-groups"]["dev"]
BARE = set(re.search(r"--no-deps (.*)", (ROOT / "Makefile").read_text().split("$(PINS)")[-1])[1].split())  # without what they do not import


def needed(requirements, extras=("",)):
    """Names of the installed distributions that `requirements` lead to, on this platform."""
    found, left = set(), [Requirement(text) for text in requirements]
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        if (requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras)) or name in found:
            continue
        found.add(name)
        wanted = {"", *requirement.extras}
        for text in metadata.requires(name) or ():
            inner = Requirement(text)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in wanted):
                inner.marker = None
                left.append(inner)
    return found


def test_every_pin_is_one_exact_version_without_a_local_tag():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), line


def test_everything_that_is_installed_for_tegum_is_pinned():
    names = needed([*PROJECT["project"]["dependencies"], *DEVELOPERS])
    assert names >= {"torch", "numpy", "pytest", "ruff"}
    assert sorted(names - PINS.keys()) == []


def test_what_builds_and_installs_is_pinned_too():
    assert {"pip", "setuptools"} | BARE <= PINS.keys()


def imported(*folders):
    """Distributions whose modules the files of these folders import."""
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    names = {file.stem for file in files} | {*folders, "tegum", *sys.stdlib_module_names}  # what needs no distribution of another
    found = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
        found |= {module.partition(".")[0] for module in modules} - names
    return {canonicalize_name(metadata.packages_distributions()[module][0]) for module in found}


def test_whatever_is_imported_is_declared_and_the_other_way_round():
    needs, tests_need = (
        {canonicalize_name(Requirement(text).name) for text in which} for which in (PROJECT["project"]["dependencies"], DEVELOPERS)
    )
    extras = {canonicalize_name(Requirement(text).name) for which in PROJECT["project"]["optional-dependencies"].values() for text in which}
    assert imported("src") == needs | extras
    assert imported("tests", "bench", "tools") - needs <= tests_need | BARE


def test_installed_versions_are_the_pinned_ones():
    names = needed([*PROJECT["project"]["dependencies"], *DEVELOPERS])
    differ = {name: metadata.version(name) for name in names if Version(metadata.version(name)).public != PINS[name]}
    assert differ == {}


def test_every_pin_is_within_the_range_that_the_package_states():
    extras = PROJECT["project"]["optional-dependencies"].values()
    for text in [*PROJECT["project"]["dependencies"], *(text for which in extras for text in which)]:
        requirement = Requirement(text)
        assert PINS[canonicalize_name(requirement.name)] in requirement.specifier, text


def test_the_version_stands_in_one_way_everywhere():
    import tegum

    version = PROJECT["project"]["version"]
    assert tegum.__version__ == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert version in (ROOT / "CHANGELOG.md").read_text()
