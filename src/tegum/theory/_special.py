"""scipy's special functions, loaded when the first is used: the decoders need this room where there is no scipy (a bare GPU box)."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(importlib.import_module("scipy.special"), name)
