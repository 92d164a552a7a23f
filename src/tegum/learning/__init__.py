"""Learning: what is learnt from activations, and how well. Sparse autoencoders and others' formats, sparse coding, networks that read codes, metrics.

Names load when first used (PEP 562).
"""

import importlib
from typing import TYPE_CHECKING, Any

from tegum.parts import lazy

if TYPE_CHECKING:
    from tegum.learning import metrics
    from tegum.learning.coding import polish, sparse_coding
    from tegum.learning.depth_law import depth_dims, depth_success
    from tegum.learning.fitting import fit
    from tegum.learning.formats._doors import export, load
    from tegum.learning.hierarchy_metrics import Absorption, Splitting, absorption, splitting
    from tegum.learning.learnt_dictionary import LearntDictionary, load_dictionary
    from tegum.learning.measuring import measure
    from tegum.learning.neural_decoder import NeuralDecoder, load_reader, save_reader
    from tegum.learning.perceptron import Perceptron
    from tegum.learning.reader import Reader
    from tegum.learning.sparse_autoencoder import SparseAutoencoder
    from tegum.learning.splicing import LossRecovered, loss_recovered
    from tegum.learning.training import count_right, train_reader
    from tegum.learning.unrolled import Unrolled

_HOMES = {
    "Absorption": "hierarchy_metrics",
    "LearntDictionary": "learnt_dictionary",
    "LossRecovered": "splicing",
    "NeuralDecoder": "neural_decoder",
    "Perceptron": "perceptron",
    "Reader": "reader",
    "SparseAutoencoder": "sparse_autoencoder",
    "Splitting": "hierarchy_metrics",
    "Unrolled": "unrolled",
    "absorption": "hierarchy_metrics",
    "count_right": "training",
    "depth_dims": "depth_law",
    "depth_success": "depth_law",
    "export": "formats._doors",
    "fit": "fitting",
    "load": "formats._doors",
    "load_dictionary": "learnt_dictionary",
    "load_reader": "neural_decoder",
    "loss_recovered": "splicing",
    "measure": "measuring",
    "polish": "coding",
    "save_reader": "neural_decoder",
    "sparse_coding": "coding",
    "splitting": "hierarchy_metrics",
    "train_reader": "training",
}
__all__ = [
    "Absorption",
    "LearntDictionary",
    "LossRecovered",
    "NeuralDecoder",
    "Perceptron",
    "Reader",
    "SparseAutoencoder",
    "Splitting",
    "Unrolled",
    "absorption",
    "count_right",
    "depth_dims",
    "depth_success",
    "export",
    "fit",
    "load",
    "load_dictionary",
    "load_reader",
    "loss_recovered",
    "measure",
    "metrics",
    "polish",
    "save_reader",
    "sparse_coding",
    "splitting",
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
