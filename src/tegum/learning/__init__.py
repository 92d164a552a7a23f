"""Learning: what is learnt from activations, and how well. Networks that read codes, trained by us: unrolled iterations and perceptrons; metrics.

Names load when first used (PEP 562).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tegum.learning import metrics
    from tegum.learning.depth_law import depth_dims, depth_success
    from tegum.learning.neural_decoder import NeuralDecoder, load_reader, save_reader
    from tegum.learning.perceptron import Perceptron
    from tegum.learning.reader import Reader
    from tegum.learning.training import count_right, train_reader
    from tegum.learning.unrolled import Unrolled

_HOMES = {
    "NeuralDecoder": "tegum.learning.neural_decoder",
    "Perceptron": "tegum.learning.perceptron",
    "Reader": "tegum.learning.reader",
    "Unrolled": "tegum.learning.unrolled",
    "count_right": "tegum.learning.training",
    "depth_dims": "tegum.learning.depth_law",
    "depth_success": "tegum.learning.depth_law",
    "load_reader": "tegum.learning.neural_decoder",
    "save_reader": "tegum.learning.neural_decoder",
    "train_reader": "tegum.learning.training",
}
__all__ = [
    "NeuralDecoder",
    "Perceptron",
    "Reader",
    "Unrolled",
    "count_right",
    "depth_dims",
    "depth_success",
    "load_reader",
    "metrics",
    "save_reader",
    "train_reader",
]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("tegum.learning.metrics")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tegum.learning' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
