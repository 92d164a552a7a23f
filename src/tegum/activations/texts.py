"""Texts that are on every machine: the docstrings of Python's standard library, read from its source files without importing anything."""

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_LEAST = 20  # characters: shorter ones say nothing
_LEFT_OUT = {"site-packages", "dist-packages", "__pycache__", "test", "tests"}


def docstrings(most: int | None = None) -> list[tuple[str, str]]:
    """(name, text) of modules, classes and functions with a docstring, file by file in the order of their paths, `most` of them at most.

    Some 8,300 on Python 3.11; tests are left out. What a file that cannot be parsed holds is not there.
    """
    stdlib, found = Path(sysconfig.get_paths()["stdlib"]), []
    for file in sorted(_sources(stdlib)):
        module = ".".join(file.relative_to(stdlib).with_suffix("").parts).removesuffix(".__init__")
        found += list(_of(file, module))
        if most is not None and len(found) >= most:
            return found[:most]
    return found


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name not in _LEFT_OUT:
            yield from _sources(path)
        elif path.suffix == ".py":
            yield path


def _of(file: Path, module: str) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return
    yield from _inside(tree, module)


def _inside(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Iterator[tuple[str, str]]:
    text = ast.get_docstring(node)
    if text and len(text) >= _LEAST:
        yield name, text
    for inner in node.body:
        if isinstance(inner, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _inside(inner, f"{name}.{inner.name}")
