"""Rows: what was measured at every cell of one experiment, as `claims` and `figures` read it."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, overload

from tegum.parts import did_you_mean
from tegum.store.cell import Cell, Row, is_scalar, split
from tegum.store.strict_json import strict_json

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Rows(Sequence[Row]):
    """The rows of one experiment at one setting, in the order of its cells: what `claims` and `figures` read.

    `missing` lists the cells that have no row: not run yet, or failed.
    """

    def __init__(self, params: Any, rows: Iterable[Row], missing: Iterable[Cell] = ()) -> None:
        self.params = params
        self.missing = tuple(missing)
        self._rows = tuple(rows)

    @property
    def complete(self) -> bool:
        """True when every cell has its row."""
        return not self.missing

    def at(self, **cell: Any) -> Row:
        """The one row whose cell has these values (floats to 1e-9). Raises LookupError naming the cells that exist."""
        found = self.where(**cell)
        if len(found) == 1:
            return found[0]
        asked = Cell(**cell)
        if len(found) > 1:
            raise LookupError(f"{len(found)} rows are at {asked}: {_list_cells(row.cell for row in found)}; name more fields")
        if found.missing:
            raise LookupError(f"the cell at {found.missing[0]} has no row: it failed or has not run")
        raise LookupError(f"no row at {asked}; there are: {_list_cells(row.cell for row in self)}")

    def where(self, **fields: Any) -> "Rows":
        """The rows whose cell has these values (floats to 1e-9)."""
        wanted = Cell(**fields)
        known = {name for row in self for name in row.cell or ()} | {name for cell in self.missing for name in cell}
        for name in wanted:
            if known and name not in known:
                raise LookupError(f"cells have no field {name!r}; {did_you_mean(name, sorted(known))}")
        return Rows(
            self.params,
            (row for row in self if row.cell is not None and _matches(row.cell, wanted)),
            (c for c in self.missing if _matches(c, wanted)),
        )

    def values(self, name: str) -> "np.ndarray":
        """Field `name` of every row as one array: rows first, then the axes that the field itself has."""
        import numpy as np

        column = [getattr(row, name) for row in self]
        shapes = {np.shape(value) for value in column}
        if len(shapes) > 1:
            ragged = np.empty(len(column), dtype=object)
            ragged[:] = column
            return ragged
        return np.array(column)

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a row: the cell's fields and the scalars (arrays and lists are left out)."""
        import pandas as pd

        return pd.DataFrame(self._table())

    def export(self, path: str | Path) -> Path:
        """Write `to_dataframe()` to `path` as .parquet, .csv or .json (NaN and infinity are null there), or the arrays as .safetensors.

        An array that has the same shape in every row is one tensor under its own name, rows first, in the order of the table; otherwise
        row i's is `name.i`. Returns the path.
        """
        path = Path(path)
        if path.suffix not in (".parquet", ".csv", ".json", ".safetensors"):
            raise ValueError(f"rows are written as .parquet, .csv, .json or .safetensors, not as {path.name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            from safetensors.numpy import save_file

            save_file(self.arrays(), path)
        elif path.suffix == ".parquet":
            self.to_dataframe().to_parquet(path, index=False)
        elif path.suffix == ".csv":
            self.to_dataframe().to_csv(path, index=False)
        else:
            path.write_text(strict_json(self._lines()), encoding="utf-8")
        return path

    def _table(self) -> list[dict[str, Any]]:
        return [{name: value for name, value in dict(row).items() if name in (row.cell or ()) or is_scalar(value)} for row in self]

    def _lines(self) -> list[dict[str, Any]]:
        """The table with every field in every line, None where a row lacks it."""
        table = self._table()
        names = dict.fromkeys(name for line in table for name in line)
        return [{name: line.get(name) for name in names} for line in table]

    def arrays(self) -> "dict[str, np.ndarray]":
        """Every array of every row: stacked under its own name where all rows have it in one shape, else row i's under `name.i`."""
        import numpy as np

        found: dict[str, dict[int, np.ndarray]] = {}
        for place, row in enumerate(self):
            for name, array in split(row)[1].items():
                found.setdefault(name, {})[place] = array
        told: dict[str, np.ndarray] = {}
        for name, of in found.items():
            if len(of) == len(self) and len({(a.shape, a.dtype) for a in of.values()}) == 1:
                told[name] = np.stack(list(of.values()))
            else:
                told |= {f"{name}.{place}": np.ascontiguousarray(array) for place, array in of.items()}
        return told

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: int | slice) -> "Row | Rows":
        return Rows(self.params, self._rows[index], self.missing) if isinstance(index, slice) else self._rows[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self.params == other.params and self._rows == other._rows and self.missing == other.missing

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        lacking = f", {len(self.missing)} cells missing" if self.missing else ""
        return f"Rows({len(self)} rows{lacking})" + ("\n" + repr(self.to_dataframe()) if self._rows else "")

    def _repr_html_(self) -> str:
        lacking = f"<p>{len(self.missing)} cells have no row.</p>" if self.missing else ""
        return self.to_dataframe().to_html(index=False, border=0, max_rows=40) + lacking


def _matches(cell: Cell, wanted: Cell) -> bool:
    return all(name in cell and _close(cell[name], wanted[name]) for name in wanted)


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_close, a, b))
    if _is_number(a) and _is_number(b):
        return math.isclose(a, b, rel_tol=1e-9)
    return type(a) is type(b) and a == b


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _list_cells(cells: Iterable[Cell | None]) -> str:
    shown = [f"({cell})" for cell in cells]
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "") if shown else "none"
