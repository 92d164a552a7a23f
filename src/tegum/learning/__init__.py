"""Learning: what is learnt from activations, and how well. Sparse autoencoders and others' formats, sparse coding, networks that read codes, metrics.

Names load when first used (PEP 562).
"""

import importlib
from typing import TYPE_CHECKING, Any

from tegum.parts import lazy

if TYPE_CHECKING:
    from tegum.learning import metrics
    from tegum.learning.depth_law import depth_dims, depth_success
    from tegum.learning.fitting import fit
    from tegum.learning.formats._doors import export, load
    from tegum.learning.measuring import measure
    from tegum.learning.neural_decoder import NeuralDecoder, load_reader, save_reader
    from tegum.learning.perceptron import Perceptron
    from tegum.learning.reader import Reader
    from tegum.learning.sparse_autoencoder import SparseAutoencoder
    from tegum.learning.training import count_right, train_reader
    from tegum.learning.unrolled import Unrolled

_HOMES = {
    "NeuralDecoder": "neural_decoder",
    "Perceptron": "perceptron",
    "Reader": "reader",
    "SparseAutoencoder": "sparse_autoencoder",
    "Unrolled": "unrolled",
    "count_right": "training",
    "depth_dims": "depth_law",
    "depth_success": "depth_law",
    "export": "formats._doors",
    "fit": "fitting",
    "load": "formats._doors",
    "load_reader": "neural_decoder",
    "measure": "measuring",
    "save_reader": "neural_decoder",
    "train_reader": "training",
}
__all__ = [
    "NeuralDecoder",
    "Perceptron",
    "Reader",
    "SparseAutoencoder",
    "Unrolled",
    "count_right",
    "depth_dims",
    "depth_success",
    "export",
    "fit",
    "load",
    "load_reader",
    "measure",
    "metrics",
    "save_reader",
    "train_reader",
]
_part, _all_names = lazy(__name__, "autoencoders")


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("tegum.learning.metrics")
    if name in _HOMES:
        return getattr(importlib.import_module(f"tegum.learning.{_HOMES[name]}"), name)
    return _part(name)  # an architecture, or the error


def __dir__() -> list[str]:
    return _all_names()
