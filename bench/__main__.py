"""`python -m bench [NAME ...]`: run the contests (all of them, or those named), print each and save it under bench/results/."""

import importlib
import pkgutil
import sys

import bench
from bench.interleave import machine_line


def main(names: list[str]) -> int:
    """Run each `bench_NAME.py`. Returns 2 when a name is unknown, else 0."""
    known = [info.name.removeprefix("bench_") for info in pkgutil.iter_modules(bench.__path__) if info.name.startswith("bench_")]
    if unknown := [name for name in names if name not in known]:
        print(f"no bench named {unknown[0]!r}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    print(machine_line())
    for name in names or known:
        result = importlib.import_module(f"bench.bench_{name}").contest()
        print(result, f"  saved as {result.save()}", sep="\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
