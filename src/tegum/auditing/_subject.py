"""Subject: what an audit asks about: directions, what is taken off x before they are read, and, where there is one, an encoder that reads them.

Autoencoders, learnt dictionaries, dictionaries and tables of directions are made alike here, so that no part of an audit has to tell them apart.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from tegum.decoders import Values
from tegum.dictionaries import Dictionary
from tegum.dictionaries.dense import Dense
from tegum.features import SparseCodes
from tegum.learning.learnt_dictionary import LearntDictionary
from tegum.learning.sparse_autoencoder import SparseAutoencoder
from tegum.shapes import Bool, Float

HELD = 1 << 22  # numbers of rows by features at a time
Source = SparseAutoencoder | LearntDictionary | Dictionary | Tensor | np.ndarray


@dataclass(frozen=True, eq=False)
class Subject:
    """x is near centre + sum of z_i D_i. All in float32 on the CPU, whatever it was made from.

    `encode` gives codes of rows, None where nothing does; `values` is the kind of its codes; `n_active` how many are on in a row on average, where
    that is declared or was measured. `centred` says whether the centre was told; otherwise it is 0, and the mean of x is the better one. `source`
    is what it was made from.
    """

    name: str
    dictionary: Dictionary
    centre: Float[Tensor, " dims"]
    encode: Callable[[Float[Tensor, "rows dims"]], SparseCodes] | None = None
    values: Values = Values.NONNEGATIVE
    n_active: float | None = None
    centred: bool = True
    source: Source | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError for a centre of other dims than the directions."""
        if self.centre.shape != (self.dictionary.n_dims,):
            raise ValueError(f"the centre has shape {tuple(self.centre.shape)} but the dictionary has {self.dictionary.n_dims} dims")

    @property
    def n_features(self) -> int:
        """How many directions."""
        return self.dictionary.n_features

    @property
    def n_dims(self) -> int:
        """Of how many dims."""
        return self.dictionary.n_dims

    @property
    def there(self) -> Bool[Tensor, " features"]:
        """Which directions are not 0."""
        return self.dictionary.squared_norms() > 0

    def decode(self, z: SparseCodes) -> Float[Tensor, "rows dims"]:
        """What codes stand for."""
        return self.dictionary.encode(z) + self.centre


def subject_of(
    source: Source | Subject, *, name: str = "", centre: Tensor | np.ndarray | None = None, values: Values | str = Values.NONNEGATIVE
) -> Subject:
    """A subject of an autoencoder, a learnt dictionary, a dictionary, or a table of directions (features, dims).

    `centre` and `values` are of what has none of its own, a dictionary or a table. Raises ValueError for what is none of these, for directions
    that are not finite, and for a centre of other dims.
    """
    if isinstance(source, Subject):
        return source
    if isinstance(source, SparseAutoencoder):
        return _of_autoencoder(source, name)
    if isinstance(source, LearntDictionary):
        return _of_learnt(source, name)
    if isinstance(source, (Tensor, np.ndarray)):
        table = torch.as_tensor(source)
        if table.ndim != 2 or 0 in table.shape or not table.is_floating_point():
            raise ValueError(f"the table has shape {tuple(table.shape)} and dtype {table.dtype}; directions are (features, dims) floats")
        source = Dense(table.detach())
    if not isinstance(source, Dictionary):
        raise ValueError(f"{type(source).__name__} holds no directions: give an autoencoder, a dictionary or a table (features, dims)")
    told = None if centre is None else torch.as_tensor(centre).detach().cpu().float()
    middle = torch.zeros(source.n_dims) if told is None else told
    plain = _plain(source)
    return Subject(name or "the dictionary", plain, middle, values=Values(values), centred=told is not None, source=source)


def _of_autoencoder(sae: SparseAutoencoder, name: str) -> Subject:
    device = sae.get_parameter("decoder").device

    def encode(x: Tensor) -> SparseCodes:
        step = max(1, HELD // sae.n_features)
        parts = [sae.sparse_codes(x[first : first + step].to(device, sae.dtype)) for first in range(0, max(1, len(x)), step)]
        return SparseCodes.concatenate(parts).to("cpu", torch.float32)

    declared = getattr(sae.architecture, "n_active", None)
    known = sae.notes.get("held_out", {}).get("l0", declared)
    return Subject(
        name or f"the {type(sae.architecture).__name__}",
        _plain(sae.dictionary),
        sae.get_parameter("b_dec").detach().cpu().float(),
        torch.no_grad()(encode),
        n_active=None if known is None else float(known),
        source=sae,
    )


def _of_learnt(learnt: LearntDictionary, name: str) -> Subject:
    known = learnt.notes.get("held_out", {}).get("l0", getattr(learnt.decoder, "n_active", None))
    kind = Values(learnt.decoder.values)
    return Subject(
        name or "the learnt dictionary",
        _plain(learnt.dictionary),
        learnt.centre.detach().cpu().float(),
        lambda x: learnt.encode(x.to(learnt.dictionary.device, learnt.dtype)).to("cpu", torch.float32),
        values=Values.SIGNED if kind is Values.SIGNED else Values.NONNEGATIVE,
        n_active=None if known is None else float(known),
        source=learnt,
    )


def _plain(dictionary: Dictionary) -> Dictionary:
    """In float32 on the CPU. Raises ValueError where a direction is not finite."""
    plain = dictionary.to("cpu", torch.float32)
    if not bool(plain.squared_norms().isfinite().all()):
        bad = int((~plain.squared_norms().isfinite()).sum())
        raise ValueError(f"{bad:,} of {plain.n_features:,} directions are not finite")
    return plain
