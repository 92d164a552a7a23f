"""What an experiment is: pure functions from parameters to cells, from a cell to a row, from saved rows to claims and figures.

Nothing here runs anything. `cells(params)` lists the work, `run(cell, params)` does one piece of it in a worker process, `claims(rows)` and
`figures(rows)` read saved rows alone, so that they can be redone without running again.
"""

import hashlib
import importlib
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tegum.store.cell import Cell, Row, canonical
from tegum.store.claim import Claim
from tegum.store.rows import Rows

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["Cell", "Claim", "Experiment", "Row", "Rows", "cell_key", "params_dict", "setting_key"]


class Experiment(ABC):
    """A claim's experiment; one concrete subclass a file. Subclasses nest their own `Params(Experiment.Params)` and set `presets`.

    `name` is the file's name, a script's too. Raise `version` whenever a change of the code changes what `run` returns: older rows are then
    not reused.
    """

    class Params(BaseModel):
        """Parameters: frozen, no unknown fields, every number finite, and no list empty that has entries by default."""

        model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

        seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

        @model_validator(mode="after")
        def _not_empty(self) -> Self:
            for name, field in type(self).model_fields.items():
                if getattr(self, name) == () and field.default:
                    raise ValueError(f"{name} is empty; it must have at least one entry")
            return self

    id: ClassVar[str] = ""
    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    source: ClassVar[str] = ""
    version: ClassVar[int] = 1
    presets: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = _name_of_file(cls.__module__)

    @abstractmethod
    def cells(self, params: Any) -> list[Cell]:
        """The work at these parameters: different cells, at least one."""

    @abstractmethod
    def run(self, cell: Cell, params: Any) -> Row:
        """One cell's row. Depends on nothing but the cell and the parameters (with their seed)."""

    @abstractmethod
    def claims(self, rows: Rows) -> Iterable[Claim]:
        """The claims, from saved rows alone; called when every cell has its row."""

    def figures(self, rows: Rows) -> Iterable["Figure"]:  # noqa: ARG002 - most experiments override it
        """Plotly figures, from saved rows alone."""
        return ()


def params_dict(params: BaseModel) -> dict[str, Any]:
    """Parameters as JSON values. Raises ValueError when they do not come back the same."""
    saved = params.model_dump(mode="json")
    back = type(params).model_validate(json.loads(canonical(saved)))
    if canonical(back.model_dump(mode="json")) != canonical(saved):
        raise ValueError(f"{type(params).__qualname__} does not survive JSON: {saved}")
    return saved


def setting_key(experiment: Experiment, params: BaseModel) -> str:
    """The identity of (experiment, version, all parameters): sha256 of their canonical JSON."""
    return _sha256({"experiment": experiment.name, "version": experiment.version, "params": params_dict(params)})


def cell_key(experiment: Experiment, params: BaseModel, cell: Cell) -> str:
    """The identity of a cell: sha256 of the canonical JSON of its setting's identity and its fields."""
    return cell_keys(experiment, params, [cell])[0]


def cell_keys(experiment: Experiment, params: BaseModel, cells: Iterable[Cell]) -> list[str]:
    """`cell_key` of each cell."""
    setting = setting_key(experiment, params)
    return [_sha256({"setting": setting, "cell": dict(cell)}) for cell in cells]


def address(experiment: Experiment) -> tuple[str, str]:
    """(module, qualified name) under which a worker process finds the experiment's class."""
    return type(experiment).__module__, type(experiment).__qualname__


def at_address(module: str, qualified_name: str) -> Experiment:
    """The experiment at that address."""
    target: Any = importlib.import_module(module)
    for name in qualified_name.split("."):
        target = getattr(target, name)
    return target()


def _name_of_file(module: str) -> str:
    """A module's own name; for the program that was started its file's, "" where it has none (a notebook, a prompt)."""
    if module not in ("__main__", "__mp_main__"):  # the second is what a worker process calls the first
        return module.rpartition(".")[2]
    stem = Path(getattr(sys.modules.get(module), "__file__", None) or "").stem
    return "" if stem == "__main__" else stem


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
