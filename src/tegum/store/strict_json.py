"""JSON as the standard has it. Imports nothing that costs time."""

import json
import math
from typing import Any


def strict_json(value: Any) -> str:
    """`value` as indented JSON text; NaN and infinity, which JSON lacks, become null."""
    return json.dumps(_strict(value), indent=1, default=str, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _strict(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
