"""Result: what a computation returns tells itself in words (`repr`), as a table (`to_dataframe`), and as both in a notebook."""

import html
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 20  # lines of a table in a notebook


class Result:
    """The base of results: a part gives `__repr__` and `to_dataframe`."""

    def to_dataframe(self) -> "pd.DataFrame":
        """The result as a table, one line per thing that it tells of."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        table = self.to_dataframe().to_html(index=False, border=0, max_rows=_SHOWN, float_format=lambda x: f"{x:.4g}")
        return f"<p><code>{html.escape(repr(self))}</code></p>{table}"


def table(axis: str, /, **columns: Tensor) -> "pd.DataFrame":
    """Tensors of one shape (..., axis) as columns, a line an entry: `axis` counts along the last axis, `instance` over the leading ones.

    A column that lacks the last axis is repeated along it.
    """
    import pandas as pd

    shape = max((c.shape for c in columns.values()), key=len)
    index = {axis: torch.arange(shape[-1]).expand(shape)}
    if len(shape) > 1:
        instances = torch.arange(shape[:-1].numel()).reshape(shape[:-1])
        index = {"instance": instances[..., None].expand(shape)} | index
    whole = {name: c if c.shape == shape else c[..., None].expand(shape) for name, c in columns.items()}
    return pd.DataFrame({name: c.detach().cpu().flatten().numpy() for name, c in (index | whole).items()})
