"""SparseAutoencoder: a description and the weights that go with it, trained here or read from somebody's folder; a torch module like any other."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tegum.dictionaries import Dictionary
from tegum.dictionaries.dense import Dense
from tegum.features import SparseCodes
from tegum.files import read_tensors, write_tensors
from tegum.learning.autoencoders._base import Autoencoder, Weights
from tegum.parts import find
from tegum.results import Result
from tegum.shapes import Float

if TYPE_CHECKING:
    import pandas as pd

_KIND = "sparse autoencoder"
_HELD = 1 << 24  # codes made at a time
Notes = Mapping[str, Any]


class SparseAutoencoder(Result, nn.Module):
    """x -> codes -> x again. `architecture` says how; the weights are parameters of the names that it gives them, in the units of x.

    `notes` are facts about it as JSON values: where its activations came from, how it was trained (`history`), what it measured on rows held out
    (`held_out`). Raises ValueError for weights that do not fit the architecture.
    """

    def __init__(self, architecture: Autoencoder, weights: Weights, notes: Notes | None = None) -> None:
        super().__init__()
        self.architecture, self.notes = architecture, dict(notes or {})
        _check(architecture, weights)
        for name, value in weights.items():
            self.register_parameter(name, nn.Parameter(value.detach().clone(), requires_grad=False))

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights by name."""
        return dict(self.named_parameters())

    @property
    def n_features(self) -> int:
        """How many features it has."""
        return self.architecture.n_features

    @property
    def n_dims(self) -> int:
        """How many dims it reads."""
        return self.get_parameter("decoder").shape[1]

    @property
    def dtype(self) -> torch.dtype:
        """What its weights are."""
        return self.get_parameter("decoder").dtype

    @property
    def dictionary(self) -> Dictionary:
        """Its feature directions, the rows of `decoder`."""
        return Dense(self.get_parameter("decoder").detach())

    def encode(self, x: Float[Tensor, "*batch dims"]) -> Float[Tensor, "*batch features"]:
        """Codes of all features. Raises ValueError for x of other dims or of another dtype."""
        self._takes(x)
        return self.architecture.encode(self.weights, x.reshape(-1, self.n_dims)).reshape(*x.shape[:-1], self.n_features)

    def decode(self, z: Float[Tensor, "*batch features"] | SparseCodes) -> Float[Tensor, "*batch dims"]:
        """What codes stand for. Raises ValueError for codes of another number of features."""
        if isinstance(z, SparseCodes):
            return self.dictionary.encode(z) + self.get_parameter("b_dec")
        if z.shape[-1] != self.n_features:
            raise ValueError(f"the codes have {z.shape[-1]:,} features but the autoencoder has {self.n_features:,}")
        return self.architecture.decode(self.weights, z.reshape(-1, self.n_features)).reshape(*z.shape[:-1], self.n_dims)

    def forward(self, x: Float[Tensor, "*batch dims"]) -> Float[Tensor, "*batch dims"]:
        """The reconstruction of x."""
        return self.decode(self.encode(x))

    def sparse_codes(self, x: Float[Tensor, "batch dims"]) -> SparseCodes:
        """The codes that are not 0, a part of the batch at a time. Raises as `encode` does."""
        if x.ndim != 2:
            raise ValueError(f"x has shape {tuple(x.shape)}; sparse codes are of (samples, {self.n_dims})")
        step = max(1, _HELD // self.n_features)
        parts = [SparseCodes.from_dense(self.encode(x[first : first + step])) for first in range(0, max(1, len(x)), step)]
        return SparseCodes.concatenate(parts)

    def save(self, path: str | Path) -> None:
        """Write it to one .safetensors file, whole or not at all; `tegum.learning.load` reads it, `tegum convert` makes others' folders of it."""
        facts = {"kind": _KIND, "architecture": type(self.architecture).__name__, "fields": asdict(self.architecture), "notes": self.notes}
        write_tensors(path, self.weights, facts)

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a feature: the length of its direction, and in what share of the rows held out it was on, where that is known."""
        import pandas as pd

        rates = self.notes.get("held_out", {}).get("firing_rates")
        lengths = self.get_parameter("decoder").norm(dim=1)
        return pd.DataFrame({"feature": range(self.n_features), "length": lengths.cpu().numpy(), "firing_rate": rates})

    def __repr__(self) -> str:
        told = self.notes.get("held_out", {})
        measured = f", explained variance {told['explained_variance']:.3f} at L0 {told['l0']:.1f}" if told else ""
        return f"SparseAutoencoder({self.architecture}, {self.n_dims} dims{measured})"

    def _takes(self, x: Tensor) -> None:
        if not x.ndim or x.shape[-1] != self.n_dims:
            raise ValueError(f"x has shape {tuple(x.shape)}; the autoencoder takes (..., {self.n_dims})")
        if x.dtype != self.dtype:
            raise ValueError(
                f"x is {x.dtype} but the autoencoder is {self.dtype}; x.to({self.dtype}) or autoencoder.to(x.dtype) makes them alike"
            )


def is_saved(path: Path) -> bool:
    """Whether that is a file that `save` wrote."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return f'"{_KIND}"' in (file.metadata() or {}).get("tegum", "")
    except (OSError, SafetensorError):
        return False


def read_saved(path: str | Path) -> SparseAutoencoder:
    """What `save` wrote. Raises ValueError for another file; UnknownPart for an architecture that is not installed."""
    weights, facts = read_tensors(path)
    if facts.get("kind") != _KIND:
        raise ValueError(f"{path} holds no autoencoder that tegum saved")
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in facts["fields"].items()}
    return SparseAutoencoder(find("autoencoders", facts["architecture"])(**fields), weights, facts["notes"])


def _check(architecture: Autoencoder, weights: Weights) -> None:
    shape = tuple(weights["decoder"].shape) if "decoder" in weights else ()
    if len(shape) != 2 or shape[0] != architecture.n_features:
        raise ValueError(f"the decoder has shape {shape}; {architecture} needs ({architecture.n_features}, dims)")
    begun = architecture.begin(torch.empty(shape, device="meta"), torch.empty(shape[1], device="meta"))
    wanted = {name: tuple(value.shape) for name, value in begun.items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    if wanted != found:
        raise ValueError(f"{type(architecture).__name__} has weights {wanted}, but these are {found}")
    if len(kinds := {value.dtype for value in weights.values()}) > 1:
        raise ValueError(f"the weights are of {len(kinds)} dtypes, {', '.join(sorted(map(str, kinds)))}; they must be of one")
