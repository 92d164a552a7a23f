"""One example of every part, to try it with: the sizes that a room's contract test gives, and what the part itself says of its other fields.

A required field that the room does not know carries its example: `threshold: float = field(metadata={"example": 0.5})`.
"""

import dataclasses
import inspect
from typing import Any

import pytest


def arguments(part: Any, sizes: dict[str, Any]) -> dict[str, Any]:
    """A value for every argument of `part` that has no default."""
    told = (
        {f.name: f.metadata["example"] for f in dataclasses.fields(part) if "example" in f.metadata}
        if dataclasses.is_dataclass(part)
        else {}
    )
    wanted = [p.name for p in inspect.signature(part).parameters.values() if p.default is p.empty]
    missing = [name for name in wanted if name not in sizes | told]
    if missing:
        pytest.fail(f"{part.__name__} needs {', '.join(missing)}: give a default, or field(metadata={{'example': ...}})")
    return {name: (sizes | told)[name] for name in wanted}
