"""Feature directions, and how codes z become activations x: one construction a file, found by discovery."""

from tegum.dictionaries._base import Dictionary
from tegum.parts import lazy

__all__ = ["Dictionary"]
__getattr__, __dir__ = lazy(__name__, "dictionaries")
