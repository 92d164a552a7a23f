"""DictionaryLearning: `ae.pt` and `config.json` of Marks, Karvonen & Mueller's `dictionary_learning`; trainer.dict_class says which of seven it is.

Its JumpReLU and its AutoEncoderNew subtract no b_dec, so that b_dec is folded into the biases. Its BatchTopK has one threshold for all features,
where -1 is none yet. Its loader scales the rows of an AutoEncoder's decoder to unit length; one that is not so is written as an AutoEncoderNew.
Source: its `dictionary.py`, `utils.py` and `trainers/`, version 0.1.0.
"""

from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from tegum.learning.autoencoders._base import Autoencoder
from tegum.learning.autoencoders.batch_top_k_sae import BatchTopKSAE
from tegum.learning.autoencoders.gated_sae import GatedSAE
from tegum.learning.autoencoders.jump_relu_sae import JumpReLUSAE
from tegum.learning.autoencoders.matryoshka_sae import MatryoshkaSAE
from tegum.learning.autoencoders.relu_sae import ReLUSAE
from tegum.learning.autoencoders.top_k_sae import TopKSAE
from tegum.learning.formats._folders import FolderFormat, agrees, centred, counted, ours, site_of, theirs, with_threshold
from tegum.learning.sparse_autoencoder import SparseAutoencoder

_LINEAR = {"encoder": "encoder.weight", "b_enc": "encoder.bias", "decoder": "decoder.weight"}
_TABLES = {"encoder": "W_enc", "b_enc": "b_enc", "decoder": "W_dec", "b_dec": "b_dec"}
_NAMES = {
    "AutoEncoder": _LINEAR | {"b_dec": "bias"},
    "AutoEncoderNew": _LINEAR | {"b_dec": "decoder.bias"},
    "GatedAutoEncoder": {
        "encoder": "encoder.weight",
        "decoder": "decoder.weight",
        "b_dec": "decoder_bias",
        "r_mag": "r_mag",
        "b_gate": "gate_bias",
        "b_mag": "mag_bias",
    },
    "JumpReluAutoEncoder": _TABLES | {"threshold": "threshold"},
    "AutoEncoderTopK": _LINEAR | {"b_dec": "b_dec"},
    "BatchTopKSAE": _LINEAR | {"b_dec": "b_dec"},
    "MatryoshkaBatchTopKSAE": _TABLES,
}
_SETTINGS = "k", "threshold", "group_sizes"  # what the classes with a k keep beside their weights
_WITH_K = "AutoEncoderTopK", "BatchTopKSAE", "MatryoshkaBatchTopKSAE"
_UNIT = 5e-6  # their loader leaves rows alone whose lengths are within 1e-5 of 1
_NOT_CENTRED = "AutoEncoderNew", "JumpReluAutoEncoder"


class DictionaryLearning(FolderFormat):
    """A threshold that a TopK autoencoder of theirs has learnt beside its k is left: it changes no codes unless asked for."""

    name = "dictionary_learning"
    wants = "a folder with ae.pt and config.json (dictionary_learning)"
    files = "ae.pt", "config.json"
    architectures = ReLUSAE, GatedSAE, JumpReLUSAE, TopKSAE, BatchTopKSAE, MatryoshkaSAE

    def taken(self, config: dict[str, Any], tensors: dict[str, Tensor]) -> SparseAutoencoder:
        """One of these folders."""
        trainer = config.get("trainer")
        kind = str(trainer.get("dict_class")) if isinstance(trainer, dict) else "not told"
        if not isinstance(trainer, dict) or kind not in _NAMES:
            raise ValueError(f"its trainer.dict_class is {kind}; these are read: {', '.join(_NAMES)}")
        settings = {key: tensors[key] for key in _SETTINGS if kind in _WITH_K and key in tensors}
        weights = ours({key: value for key, value in tensors.items() if key not in settings}, _NAMES[kind])
        agrees(trainer, weights, "dict_size", "activation_dim")
        if kind in _NOT_CENTRED:
            weights = centred(weights)
        features = len(weights["decoder"])
        if kind in _WITH_K:
            k = _k(trainer, settings)
            if kind == "AutoEncoderTopK":
                return SparseAutoencoder(TopKSAE(n_features=features, n_active=k), weights)
            weights["threshold"] = _threshold(settings, weights["b_enc"])
            if kind == "BatchTopKSAE":
                return SparseAutoencoder(BatchTopKSAE(n_features=features, n_active=k), weights)
            return SparseAutoencoder(MatryoshkaSAE(n_features=features, n_active=k, shares=_shares(settings, features)), weights)
        made = {"GatedAutoEncoder": GatedSAE, "JumpReluAutoEncoder": JumpReLUSAE}.get(kind, ReLUSAE)
        return SparseAutoencoder(made(n_features=features), weights)

    def given(self, sae: SparseAutoencoder) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """An autoencoder as one of these folders."""
        kind, weights = _class_of(sae), sae.weights
        trainer: dict[str, Any] = {"dict_class": kind, "activation_dim": sae.n_dims, "dict_size": sae.n_features}
        if site := site_of(sae):
            trainer["submodule_name"] = site
        if kind in _NOT_CENTRED:
            weights = centred(weights, -1)
        tensors = theirs(weights, _NAMES[kind])
        if kind == "JumpReluAutoEncoder" and isinstance(sae.architecture, BatchTopKSAE):
            with_threshold(sae)
        if kind in _WITH_K:
            assert isinstance(sae.architecture, (TopKSAE, BatchTopKSAE))
            trainer["k"] = int(sae.architecture.n_active)
            threshold = weights["threshold"][0].nan_to_num(-1.0) if "threshold" in weights else torch.tensor(-1.0)
            tensors |= {"k": torch.tensor(trainer["k"], dtype=torch.int), "threshold": threshold}
        if kind == "MatryoshkaBatchTopKSAE":
            assert isinstance(sae.architecture, MatryoshkaSAE)
            tensors["group_sizes"] = torch.tensor([end - first for first, end in pairwise([0, *sae.architecture.ends])])
        return {"trainer": trainer, "buffer": {}}, tensors


def _class_of(sae: SparseAutoencoder) -> str:
    """Their class that gives the same codes from what their own loader makes of it."""
    kind: type[Autoencoder] = type(sae.architecture)
    if kind is ReLUSAE:
        lengths = sae.weights["decoder"].float().norm(dim=1)
        return "AutoEncoder" if torch.allclose(lengths, torch.ones_like(lengths), rtol=_UNIT) else "AutoEncoderNew"
    if isinstance(sae.architecture, BatchTopKSAE):
        thresholds = sae.weights["threshold"]
        alike = bool((thresholds == thresholds[0]).all() or thresholds.isnan().all())
        if not alike or sae.architecture.n_active % 1:  # their k is a whole number, their threshold one for all
            return "JumpReluAutoEncoder"
        return "MatryoshkaBatchTopKSAE" if kind is MatryoshkaSAE else "BatchTopKSAE"
    return {GatedSAE: "GatedAutoEncoder", JumpReLUSAE: "JumpReluAutoEncoder", TopKSAE: "AutoEncoderTopK"}[kind]


def _k(trainer: dict[str, Any], settings: dict[str, Tensor]) -> int:
    told = [counted(trainer, "k")] if trainer.get("k") is not None else []
    told += [int(settings["k"])] if "k" in settings else []
    if len(set(told)) != 1:
        raise ValueError(f"k is {told[0]} in the config but {told[1]} in the weights" if told else "neither config nor weights say k")
    return told[0]


def _threshold(settings: dict[str, Tensor], like: Tensor) -> Tensor:
    value = float(settings.get("threshold", torch.tensor(-1.0)))
    return torch.full_like(like, value if value >= 0 else torch.nan)


def _shares(settings: dict[str, Tensor], features: int) -> tuple[float, ...]:
    sizes = settings["group_sizes"].tolist() if "group_sizes" in settings else []
    if sum(sizes) != features or min(sizes) < 1:
        raise ValueError(f"its group_sizes are {sizes}; they must be positive and add up to {features}")
    shares = tuple(size / features for size in sizes)
    if [round(total * features) for total in accumulate(shares)] != list(accumulate(sizes)):
        raise ValueError(f"its group_sizes {sizes} are no shares of {features} features")
    return shares
