"""An audit in a process of its own, to be killed: arguments are the folder, and a file that each step's name is appended to."""

import sys
from pathlib import Path

import tegum
from tegum.features import ExactlyK


def rows():
    return tegum.dictionaries.spherical(24, 12, seed=1).encode(ExactlyK(n_features=24, n_active=2, values="uniform").sample(1_500, seed=0))


SETTINGS = {
    "n_features": 24, "n_active": 2, "samples": 20_000, "references": 3, "test_rows": 600, "rows": 100, "polish_rows": 600, "progress": False,
}  # fmt: skip

if __name__ == "__main__":
    out, log = Path(sys.argv[1]), Path(sys.argv[2])

    def told(step: str, _seconds: float, there: bool) -> None:  # noqa: FBT001 - called by position
        with log.open("a") as file:
            file.write(f"{'kept' if there else 'done'} {step}\n")

    tegum.audit(rows(), out=out, on_step=told, **SETTINGS)
