"""What commands write to stdout: aligned columns or strict JSON. Imports nothing that costs time."""

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from tegum.store.strict_json import strict_json


def emit_json(value: Any) -> None:
    """Write `value` to stdout as strict JSON; NaN and infinity, which JSON lacks, become null."""
    sys.stdout.write(strict_json(value) + "\n")


def columns(rows: Sequence[Sequence[object]], indent: str = "  ") -> str:
    """Lines with aligned columns; on a terminal, cut to its width."""
    if not rows:
        return ""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in texts)
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return "\n".join(_cut(line.rstrip(), limit) for line in lines)


def _cut(line: str, limit: int | None) -> str:
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
