"""What a figure accepts: arrays of any library, tables of any kind.

Torch tensors are known by their methods, so this room imports no torch.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def array(values: Any) -> np.ndarray:
    """`values` as a numpy array; a tensor is detached and brought to the CPU (bfloat16, which numpy lacks, becomes float32)."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if "bfloat16" in str(values.dtype):
            values = values.float()
    return np.asarray(values)


def instances_of(values: Any, ndim: int, name: str) -> np.ndarray:
    """An array with a leading instances axis, which may be absent. Raises ValueError when the rest has not `ndim` axes."""
    found = array(values)
    if found.ndim not in (ndim, ndim + 1):
        raise ValueError(f"{name} has shape {found.shape}; a figure needs {ndim} axes, or {ndim + 1} with instances first")
    found = found[None] if found.ndim == ndim else found
    return found.astype(np.float32) if found.dtype == np.float64 else found


def table(data: Any, *columns: str | None) -> pd.DataFrame:
    """A data frame holding `columns` (None is passed over). Raises ValueError naming the columns there are."""
    if isinstance(data, pd.DataFrame):
        frame = data
    elif hasattr(data, "to_dataframe"):
        frame = data.to_dataframe()
    elif isinstance(data, Mapping):
        frame = pd.DataFrame({key: array(column) for key, column in data.items()})
    else:
        frame = pd.DataFrame(list(data))
    missing = [c for c in columns if c is not None and c not in frame]
    if missing:
        raise ValueError(f"the table has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns)) or 'no columns'}")
    return frame


def panel_titles(titles: Any, count: int) -> list[str]:
    """One title a panel. Raises ValueError when there are more or fewer."""
    given = [""] * count if titles is None else [str(t) for t in titles]
    if len(given) != count:
        raise ValueError(f"{len(given)} titles were given for {count} panels")
    return given
