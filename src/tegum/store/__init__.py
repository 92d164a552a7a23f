"""The lab and its memory: experiments, cells, rows and claims, one worker pool, one store from which everything resumes.

Domain-free: nothing here knows of superposition. Names load when first used, so that `import tegum.store` stays cheap.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tegum.store.cell import Cell, Row
    from tegum.store.claim import Claim
    from tegum.store.disk import CannotWrite, NoPermission, Unreadable
    from tegum.store.experiment import Experiment
    from tegum.store.failure import Failure
    from tegum.store.lab import Outcome, evaluate, rows_of, run_experiments
    from tegum.store.progress import Display, Progress, Together
    from tegum.store.rows import Rows
    from tegum.store.settings import params_grid
    from tegum.store.storage import ClaimRecord, RunRecord, Store

_HOMES = {
    "CannotWrite": "disk",
    "Cell": "cell",
    "Claim": "claim",
    "ClaimRecord": "storage",
    "Display": "progress",
    "Experiment": "experiment",
    "Failure": "failure",
    "NoPermission": "disk",
    "Outcome": "lab",
    "Progress": "progress",
    "Row": "cell",
    "Rows": "rows",
    "RunRecord": "storage",
    "Store": "storage",
    "Together": "progress",
    "Unreadable": "disk",
    "evaluate": "lab",
    "params_grid": "settings",
    "rows_of": "lab",
    "run_experiments": "lab",
}
__all__ = [
    "CannotWrite",
    "Cell",
    "Claim",
    "ClaimRecord",
    "Display",
    "Experiment",
    "Failure",
    "NoPermission",
    "Outcome",
    "Progress",
    "Row",
    "Rows",
    "RunRecord",
    "Store",
    "Together",
    "Unreadable",
    "evaluate",
    "params_grid",
    "rows_of",
    "run_experiments",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"tegum.store.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tegum.store' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
