"""Cells and rows: a cell is one piece of work (what varies), a row is what came of it (what was measured).

A cell holds JSON values alone, so that it has one canonical text and with it one identity. A row holds scalars, small lists and
arrays; numpy and torch values are taken as they are (torch by duck typing: this room does not import it). Nothing else gets in,
so nothing needs pickling.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tegum.parts import did_you_mean

if TYPE_CHECKING:
    import numpy as np

_LONGEST_LIST = 10_000


class _Fields:
    """A frozen mapping whose fields are attributes too; a field wins over no method, for it has only `keys`."""

    __slots__ = ("_fields",)
    _fields: dict[str, Any]

    def keys(self) -> Iterable[str]:
        """The fields' names, in the order in which they were given."""
        return self._fields.keys()

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._fields:
            return self._fields[name]
        known = [] if name.startswith("_") else list(self._fields)
        raise AttributeError(f"{type(self).__name__.lower()} has no field {name!r}; {did_you_mean(name, known)}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a {type(self).__name__.lower()} is frozen: {name!r} cannot be set")


class Cell(_Fields):
    """One piece of an experiment's work: `Cell(density=0.1, m=2)`, read as `cell.density` or `cell["density"]`.

    Values are None, bool, int, float (not NaN), str and lists of these. Two cells with the same fields are equal, whatever their order.
    """

    __slots__ = ()

    def __init__(self, **fields: Any) -> None:
        object.__setattr__(self, "_fields", {name: _cell_value(name, value) for name, value in _named(fields, "cell", {"keys"})})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cell) and canonical(self) == canonical(other)

    def __hash__(self) -> int:
        return hash(canonical(self))

    def __str__(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._fields.items())

    def __repr__(self) -> str:
        return f"Cell({self})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _cell, (self._fields,)


class Row(_Fields):
    """What came of a cell: `Row(loss=0.2, W=weights)`, read as `row.loss` or `row["loss"]`.

    Values are None, bool, int, float, str, 0-d or n-d numeric arrays (numpy or torch; a bfloat16 tensor becomes float32) and short
    lists of scalars. A row read back from a store also shows the fields of its cell, and the cell itself as `row.cell`.

    Raises
    ------
    ValueError
        When a value is of another kind, such as an object array or a function.
    """

    __slots__ = ("cell",)
    cell: Cell | None

    def __init__(self, **fields: Any) -> None:
        object.__setattr__(self, "cell", None)
        object.__setattr__(self, "_fields", {name: _row_value(name, value) for name, value in _named(fields, "row", {"keys", "cell"})})

    def of(self, cell: Cell) -> "Row":
        """Join the row with the cell that it came of, whose fields it then shows too."""
        both = [name for name in cell if name in self]
        if both:
            raise ValueError(f"row field {both[0]!r} is also a field of its cell ({cell}); give it another name")
        row = object.__new__(Row)
        object.__setattr__(row, "cell", cell)
        object.__setattr__(row, "_fields", {**dict(cell), **self._fields})
        return row

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and self.cell == other.cell and same(self._fields, other._fields)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return f"Row({', '.join(f'{name}={_brief(value)}' for name, value in self._fields.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _row, (self.cell, {name: value for name, value in self._fields.items() if self.cell is None or name not in self.cell})


def canonical(value: Any) -> str:
    """The one JSON text of a value: keys sorted, no spaces; floats to their last bit, NaN and infinity by name."""
    return json.dumps(dict(value) if isinstance(value, _Fields) else value, sort_keys=True, separators=(",", ":"))


def plain(value: Any) -> Any:
    """`value` as a plain Python scalar, list of scalars or numeric numpy array. Raises ValueError when it is none of these."""
    if value is None or type(value) in (bool, int, float, str):
        return _storable(value)
    if isinstance(value, (list, tuple)):
        return _plain_list(value)
    if hasattr(value, "detach"):
        value = _from_torch(value)
    if not (hasattr(value, "dtype") and hasattr(value, "shape")):
        raise ValueError(f"it is of type {type(value).__name__}")
    import numpy as np

    array = np.asarray(value)
    if array.ndim == 0 and array.dtype.kind in "biufU":
        scalar = array.item()
        if type(scalar) in (bool, int, float, str):
            return _storable(scalar)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ValueError(f"it is an array of {array.dtype}")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def is_scalar(value: Any) -> bool:
    """True for None, bool, int, float and str."""
    return value is None or isinstance(value, (bool, int, float, str))


def split(row: Row) -> tuple[dict[str, Any], dict[str, "np.ndarray"]]:
    """A row's own fields, apart from its cell's: (scalars and lists, arrays)."""
    own = {name: value for name, value in dict(row).items() if row.cell is None or name not in row.cell}
    arrays = {name: value for name, value in own.items() if hasattr(value, "dtype")}
    return {name: value for name, value in own.items() if name not in arrays}, arrays


def same(a: Any, b: Any) -> bool:
    """Equality to the last bit, in which NaN equals NaN and 1, 1.0 and True differ."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "dtype"):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


def _named(fields: dict[str, Any], kind: str, taken: set[str]) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if name.startswith("_") or name in taken:
            raise ValueError(f"a {kind} cannot have a field named {name!r}")
        yield name, value


def _cell_value(name: str, value: Any) -> Any:
    try:
        value = plain(value)
    except ValueError as error:
        raise ValueError(f"cell field {name!r} must be a JSON value, but {error}") from None
    if hasattr(value, "dtype"):
        raise ValueError(f"cell field {name!r} must be a JSON value, but it is an array of shape {value.shape}")
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"cell field {name!r} is NaN, which equals nothing")
    return value


def _row_value(name: str, value: Any) -> Any:
    try:
        return plain(value)
    except ValueError as error:
        raise ValueError(f"row field {name!r} must be a scalar, a list of scalars or a numeric array, but {error}") from None


def _storable(scalar: Any) -> Any:
    if type(scalar) is int and not -(2**63) <= scalar < 2**63:
        raise ValueError(f"it is {scalar}, which does not fit a 64-bit whole number; a float or a text would")
    if isinstance(scalar, str) and any("\ud800" <= letter <= "\udfff" for letter in scalar):
        raise ValueError(f"it is the text {scalar!r}, which has half a character (a surrogate) in it")
    return scalar


def _plain_list(values: Sequence[Any]) -> list[Any]:
    items = [plain(item) for item in values]
    if any(hasattr(item, "dtype") for item in items):
        raise ValueError("it is a list of arrays; stack them into one")
    if len(items) > _LONGEST_LIST:
        raise ValueError(f"it is a list of {len(items):,} items; make it an array")
    return items


def _from_torch(tensor: Any) -> Any:
    tensor = tensor.detach().cpu()
    try:
        return tensor.numpy()
    except TypeError:  # bfloat16, which numpy lacks
        return tensor.float().numpy()


def _brief(value: Any) -> str:
    if hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    return repr(value) if not isinstance(value, list) or len(value) <= 8 else f"[{len(value)} items]"


def _cell(fields: dict[str, Any]) -> Cell:
    return Cell(**fields)


def _row(cell: Cell | None, fields: dict[str, Any]) -> Row:
    return Row(**fields) if cell is None else Row(**fields).of(cell)
