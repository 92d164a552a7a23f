"""LearntDictionary: what sparse coding learns: directions, a centre, and the decoder whose codes they were fitted to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tegum.activations import Activations
from tegum.decoders import Decoder, Values, decode
from tegum.dictionaries import Dictionary
from tegum.dictionaries.dense import Dense
from tegum.features import SparseCodes
from tegum.files import read_tensors, write_tensors
from tegum.learning.autoencoders.matching_pursuit_sae import MatchingPursuitSAE
from tegum.learning.sparse_autoencoder import SparseAutoencoder
from tegum.parts import find
from tegum.results import Result
from tegum.shapes import Float

if TYPE_CHECKING:
    import pandas as pd

_KIND = "learnt dictionary"
_HELD = 1 << 22  # codes made at a time


@dataclass(frozen=True, eq=False)
class LearntDictionary(Result):
    """x is near centre + sum of z_i D_i: D are unit directions, z the codes of x - centre by `decoder`.

    `history` has an entry a pass: pass, rows, explained_variance, error (|x - y|^2 a row), objective (1/2 |x - y|^2 + penalty |z|_1 a row, of
    decoders with a penalty), l0, replaced (features that began anew), dead_share, and of up to 4,096 rows held out their explained variance and L0.
    The first four are of codes as they were made, so for directions of the time. `notes` are facts as JSON values.
    """

    dictionary: Dictionary
    centre: Float[Tensor, " dims"]
    decoder: Decoder
    history: Sequence[Mapping[str, int | float]] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)

    def encode(self, x: Float[Tensor, "batch dims"]) -> SparseCodes:
        """Codes of x, by the decoder. Raises ValueError for x of other dims or of another dtype."""
        return decode(self.dictionary, self._centred(x), self.decoder).z

    def decode(self, z: SparseCodes) -> Float[Tensor, "batch dims"]:
        """What codes stand for. Raises ValueError for codes of another number of features."""
        return self.dictionary.encode(z) + self.centre

    def __call__(self, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch dims"]:
        """The reconstruction of x. Raises as `encode` does."""
        return self.decode(self.encode(x))

    @property
    def n_features(self) -> int:
        """How many directions."""
        return self.dictionary.n_features

    @property
    def n_dims(self) -> int:
        """Of how many dims."""
        return self.dictionary.n_dims

    @property
    def dtype(self) -> torch.dtype:
        """Of the directions."""
        return self.dictionary.dtype

    def measure(self, activations: Activations) -> dict[str, Any]:
        """Over all rows: rows, explained_variance and l0 as `tegum.learning.metrics` defines them, dead_share, and firing_rates, one a feature.

        Raises ValueError for activations of other dims, or without rows.
        """
        if not len(activations) or activations.n_dims != self.n_dims:
            raise ValueError(f"there are {len(activations):,} rows of {activations.n_dims} dims; the dictionary has {self.n_dims} dims")
        fired, total = torch.zeros(self.n_features, dtype=torch.int64), torch.zeros(self.n_dims, dtype=torch.float64)
        square = error = 0.0
        step = max(1, _HELD // self.n_features)
        for first in range(0, len(activations), step):
            x = activations.read(slice(first, first + step), self.dtype)
            z = self.encode(x)
            fired += torch.bincount(z.indices[z.values != 0], minlength=self.n_features)
            error += float((x - self.decode(z)).double().square().sum())
            moved = (x - self.centre).double()
            total, square = total + moved.sum(0), square + float(moved.square().sum())
        n = len(activations)
        spread = square - float(total.square().sum()) / n
        told = {"rows": n, "explained_variance": 1 - error / spread if spread > 0 else 0.0, "l0": int(fired.sum()) / n}
        return told | {"dead_share": float((fired == 0).double().mean()), "firing_rates": (fired.double() / n).tolist()}

    def as_autoencoder(self, n_active: int | None = None) -> SparseAutoencoder:
        """A matching-pursuit autoencoder with these directions and this centre, which other people's formats have a place for.

        It takes `n_active` steps; by default as many as the decoder is told, or else as its mean L0, rounded up. Its codes are those of plain
        matching pursuit, which fits x a little worse than OMP does. Raises ValueError where codes are signed: an autoencoder's are not negative.
        """
        if self.decoder.values is Values.SIGNED:
            raise ValueError(f"the codes of {self.decoder} are signed; those of an autoencoder are not negative")
        if n_active is None:
            n_active = getattr(self.decoder, "n_active", None)
        if n_active is None:
            if not self.history:
                raise ValueError(f"{self.decoder} is not told how many features are active: give n_active")
            n_active = max(1, math.ceil(self.history[-1]["l0"]))
        notes = {name: value for name, value in self.notes.items() if name != "held_out"}  # which was measured with the decoder's codes
        weights = {"decoder": self.dictionary.dense(), "b_dec": self.centre.to(self.dtype)}
        return SparseAutoencoder(MatchingPursuitSAE(n_features=self.n_features, n_active=n_active), weights, notes)

    def save(self, path: str | Path) -> None:
        """Write it to one .safetensors file, whole or not at all; `tegum.learning.load_dictionary` reads it."""
        decoder = {"name": type(self.decoder).__name__, "fields": asdict(self.decoder)}
        facts = {"kind": _KIND, "decoder": decoder, "history": list(self.history), "notes": dict(self.notes)}
        write_tensors(path, {"directions": self.dictionary.dense(), "centre": self.centre}, facts)

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a pass."""
        import pandas as pd

        return pd.DataFrame([dict(entry) for entry in self.history])

    def __repr__(self) -> str:
        told = self.notes.get("held_out") or (self.history[-1] if self.history else {})
        measured = f", explained variance {told['explained_variance']:.3f} at L0 {told['l0']:.1f}" if told else ""
        return f"LearntDictionary({self.n_features:,} features in {self.n_dims} dims by {type(self.decoder).__name__}{measured})"

    def _centred(self, x: Tensor) -> Tensor:
        if x.ndim != 2 or x.shape[1] != self.n_dims:
            raise ValueError(f"x has shape {tuple(x.shape)}; the dictionary takes (samples, {self.n_dims})")
        if x.dtype != self.dtype:
            raise ValueError(f"x is {x.dtype} but the dictionary is {self.dtype}; x.to({self.dtype}) makes them alike")
        return x - self.centre


def load_dictionary(path: str | Path) -> LearntDictionary:
    """What `LearntDictionary.save` wrote. Raises ValueError for another file; UnknownPart for a decoder that is not installed."""
    tensors, facts = read_tensors(path)
    if facts.get("kind") != _KIND:
        raise ValueError(f"{path} holds no dictionary that sparse coding saved")
    decoder = find("decoders", facts["decoder"]["name"])(**facts["decoder"]["fields"])
    return LearntDictionary(Dense(tensors["directions"]), tensors["centre"], decoder, facts["history"], facts["notes"])
