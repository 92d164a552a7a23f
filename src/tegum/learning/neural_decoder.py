"""Neural decoder: a trained reader behind `tegum.decode`; and its file, which is one of safetensors, with nothing pickled."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from tegum.decoders import Decoded, Decoder, Values
from tegum.dictionaries import Dictionary
from tegum.dictionaries.dense import Dense
from tegum.features import SparseCodes
from tegum.files import read_tensors, write_tensors
from tegum.learning.perceptron import Perceptron
from tegum.learning.reader import Reader
from tegum.learning.unrolled import Unrolled
from tegum.shapes import Float

_KINDS = {"Unrolled": Unrolled, "Perceptron": Perceptron}
_FORMAT = "tegum reader 1"


@dataclass(frozen=True, kw_only=True)
class NeuralDecoder(Decoder):
    """Features whose log-odds are above 0 are on, at 1. `reader` is one network, trained for the dictionary that it reads.

    ValueError for several networks at once (`reader.some([i])` is one of them) and, when it reads, for a dictionary of another size.
    """

    kinds: ClassVar[tuple[Values, ...]] = (Values.BINARY,)
    arrays: ClassVar[int] = 8
    values: Values | str = Values.BINARY
    reader: Reader = field(repr=False)

    def _check(self) -> None:
        if not isinstance(self.reader, Reader):
            raise ValueError(f"reader is {type(self.reader).__name__}; it must be a Reader, such as tegum.learning.Unrolled")
        if len(self.reader.n_dims) != 1:
            raise ValueError(f"reader holds {len(self.reader.n_dims)} networks; reader.some([0]) is the first of them")

    def init(self, dictionary: Dictionary) -> Reader:
        """The network, where the dictionary is."""
        taken, given = (self.reader.n_features, int(self.reader.n_dims)), (dictionary.n_features, dictionary.n_dims)
        if taken != given:
            raise ValueError(f"the reader was made for {taken[0]} features in {taken[1]} dims; the dictionary has {given[0]} in {given[1]}")
        return self.reader.to(dictionary.device)

    def run(self, state: Reader, dictionary: Dictionary, x: Float[Tensor, "batch dims"]) -> Decoded:
        """One pass through the network, in its own dtype."""
        own = next(state.parameters()).dtype
        on = SparseCodes.from_dense((state(x[None].to(own))[0] > 0).to(x.dtype))
        return Decoded.of(on.indices.where(on.indices >= 0, dictionary.n_features), on.values, dictionary.n_features, steps=state.depth)


def save_reader(reader: Reader, path: str | Path) -> None:
    """Write a reader to one safetensors file, whole or not at all."""
    facts = {"format": _FORMAT, "kind": type(reader).__name__, "n_dims": reader.n_dims.tolist(), "settings": reader.settings}
    write_tensors(path, reader.state_dict(), facts)


def load_reader(path: str | Path) -> Reader:
    """A reader that was saved. Raises ValueError for a file that is not one, or not whole."""
    tensors, facts = read_tensors(path)
    if facts.get("format") != _FORMAT:
        raise ValueError(f"{path} holds no reader: it was not written by save_reader")
    try:
        return _restored(facts, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} holds a reader that can not be read: {type(error).__name__}: {error}") from None


def _restored(facts: dict[str, Any], tensors: dict[str, Tensor]) -> Reader:
    if _KINDS[facts["kind"]] is Unrolled:
        tables = zip(tensors["directions"], facts["n_dims"], strict=True)
        reader = Unrolled([Dense(table[:, :d]) for table, d in tables], **facts["settings"])
    else:
        reader = Perceptron(facts["n_dims"], **facts["settings"]).to(tensors["weights.0"].dtype)
    reader.load_state_dict(tensors)
    return reader
