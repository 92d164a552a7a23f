"""FolderFormat: a folder of one file of weights and one of JSON; how such folders are read and written, and how weights are renamed and turned.

A new folder is written beside its place and renamed, and in one that is written over the JSON goes first and comes last: weights never stand beside
a JSON that is not theirs. A pickle (.pt) is read by torch's loader of tensors alone, which runs nothing.
"""

import io
import json
import pickle
import shutil
import uuid
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.files import as_number, read_tensors, write_whole
from tegum.learning.autoencoders._base import Autoencoder, Weights
from tegum.learning.formats._base import Format
from tegum.learning.sparse_autoencoder import SparseAutoencoder

_COLUMNS = "W_enc", "decoder.weight"  # tables that hold a feature a column, wherever they occur


class FolderFormat(Format):
    """`files` are that of the weights and that of the JSON. A concrete format says how these two are ours, and the other way round."""

    architectures: ClassVar[tuple[type[Autoencoder], ...]]

    def recognises(self, path: Path) -> bool:
        """Whether the file of weights is there."""
        return (path / self.files[0]).is_file()

    def read(self, path: Path) -> SparseAutoencoder:
        """The autoencoder of a folder."""
        weights, config = (path / name for name in self.files)
        if not config.is_file():
            raise ValueError(f"{path} has {weights.name} but no {config.name}, which says what the weights are")
        told = _read_json(config)
        tensors = _read_pickle(weights) if weights.suffix == ".pt" else read_tensors(weights)[0]
        try:
            return self.taken(told, tensors)
        except ValueError as error:
            raise ValueError(f"{path} ({self.name}): {error}") from None

    def holds(self, architecture: Autoencoder) -> bool:
        """Whether it is one of `architectures`, and no other made from one of them."""
        return type(architecture) in self.architectures

    def write(self, sae: SparseAutoencoder, path: Path) -> None:
        """Write the folder."""
        config, tensors = self.given(sae)
        held = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        data = _pickled(held) if self.files[0].endswith(".pt") else _safe(held)
        text = json.dumps(config, indent=1, allow_nan=False, default=as_number) + "\n"
        _write_folder(path.resolve(), dict(zip(self.files, (data, text.encode()), strict=True)))

    @abstractmethod
    def taken(self, config: dict[str, Any], tensors: dict[str, Tensor]) -> SparseAutoencoder:
        """The autoencoder that a config and weights of theirs are."""

    @abstractmethod
    def given(self, sae: SparseAutoencoder) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The config and weights of theirs that an autoencoder is."""


def ours(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Weights by our names, a feature a row; `names` says what each is called there.

    Raises ValueError for a tensor that is not there, one too many, one of other shape than the decoder asks for, or one of no floating point.
    """
    if missing := [name for name in names.values() if name not in tensors]:
        raise ValueError(f"the weights lack {', '.join(missing)}; they are {_listed(tensors)}")
    if unknown := set(tensors) - set(names.values()):
        raise ValueError(f"the weights have {', '.join(sorted(unknown))}, which such an autoencoder has not")
    turned = {key: tensors[name].T if name in _COLUMNS and tensors[name].ndim == 2 else tensors[name] for key, name in names.items()}
    if turned["decoder"].ndim != 2:
        raise ValueError(f"the decoder is no table: {_listed(tensors)}")
    features, dims = turned["decoder"].shape
    shapes = {"encoder": (features, dims), "decoder": (features, dims), "b_dec": (dims,)}
    for key, value in turned.items():
        if tuple(value.shape) != shapes.get(key, (features,)) or not value.is_floating_point():
            raise ValueError(f"{names[key]} does not fit a decoder of {features:,} features in {dims:,} dims: {_listed(tensors)}")
    return {key: value.contiguous() for key, value in turned.items()}


def theirs(weights: Weights, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Weights by their names, turned where theirs hold a feature a column."""
    return {name: weights[key].T if name in _COLUMNS else weights[key] for key, name in names.items()}


def agrees(config: Mapping[str, Any], weights: Weights, features: str, dims: str) -> None:
    """Raise ValueError where the sizes that a config tells are not those of the weights."""
    for key, size in zip((features, dims), weights["decoder"].shape, strict=True):
        if key in config and config[key] != size:
            raise ValueError(f"{key} is {config[key]!r} in the config, but the weights have {size:,}")


def counted(config: Mapping[str, Any], key: str) -> int:
    """A count of a config. Raises ValueError for what is none."""
    check_count(key, config.get(key))
    return int(config[key])


def centred(weights: Weights, sign: int = 1) -> dict[str, Tensor]:
    """Biases for encoding x - b_dec that do what these do for x; the other way round with `sign` -1. Added in float64."""
    shift = sign * (weights["encoder"].double() @ weights["b_dec"].double())
    shifts = {"b_enc": shift, "b_gate": shift}
    if "r_mag" in weights:
        shifts["b_mag"] = shift * weights["r_mag"].double().exp()
    return {key: (value.double() + shifts[key]).to(value.dtype) if key in shifts else value for key, value in weights.items()}


def with_threshold(sae: SparseAutoencoder) -> None:
    """Raise ValueError for a BatchTopK autoencoder without a threshold: only in a batch is it known which of its codes are on."""
    if sae.weights["threshold"].isnan().any():
        raise ValueError(
            f"this {type(sae.architecture).__name__} has no threshold, which training finds, so a sample by itself has no codes"
        )


def site_of(sae: SparseAutoencoder) -> str:
    """The site of the activations that it was trained on, where that is known."""
    told = sae.notes.get("activations")
    return str(told.get("site") or "") if isinstance(told, Mapping) else ""


def _listed(tensors: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items()) or "none"


def _read_json(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise ValueError(f"{file} is no JSON object")
    return told


def _read_pickle(file: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # read or refused, and that is told
            found = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        why = str(error).split("WeightsUnpickler error:")[-1].strip().splitlines()[0]
        raise ValueError(f"{file} is refused, and nothing in it was run: it holds more than tensors, or is no pickle ({why})") from None
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes torch raise
        raise ValueError(f"{file} is not a whole file of tensors: {type(error).__name__}: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"{file} holds no tensors by name")
    return {str(name): value.detach() for name, value in found.items()}


def _safe(tensors: dict[str, Tensor]) -> bytes:
    from safetensors.torch import save

    return save(tensors)


def _pickled(tensors: dict[str, Tensor]) -> bytes:
    file = io.BytesIO()
    torch.save(tensors, file)
    return file.getvalue()


def _write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Put these files, the weights first, into a new folder, or into one that has no others: there all are whole before the first is changed."""
    new, name = not path.exists(), uuid.uuid4().hex[:8]
    scratch = path.with_name(f"{path.name}.{name}") if new else path / f".{name}"
    scratch.mkdir(parents=True)
    try:
        for name, data in files.items():
            write_whole(scratch / name, data)
        if new:
            scratch.rename(path)
            return
        for name in reversed(list(files)):
            (path / name).unlink(missing_ok=True)
        for name in files:
            (scratch / name).rename(path / name)
        scratch.rmdir()
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
