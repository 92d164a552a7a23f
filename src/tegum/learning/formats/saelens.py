"""SAELens: `cfg.json` and `sae_weights.safetensors`, of sae_lens 6 and of versions before; W_enc holds a feature a column, W_dec a feature a row.

Folded into the weights: biases where no b_dec is subtracted, and the lengths of decoder rows where a TopK chooses by codes times lengths. BatchTopK
and Matryoshka autoencoders are written as JumpReLU ones, as sae_lens does; they come back as such, with the same codes.
Source: its `saes/` and `loading/pretrained_sae_loaders.py`, version 6.54.12.
"""

import re
from typing import Any

import torch
from torch import Tensor

from tegum.learning.autoencoders._base import Autoencoder, Weights
from tegum.learning.autoencoders.batch_top_k_sae import BatchTopKSAE
from tegum.learning.autoencoders.gated_sae import GatedSAE
from tegum.learning.autoencoders.jump_relu_sae import JumpReLUSAE
from tegum.learning.autoencoders.matching_pursuit_sae import MatchingPursuitSAE
from tegum.learning.autoencoders.matryoshka_sae import MatryoshkaSAE
from tegum.learning.autoencoders.relu_sae import ReLUSAE
from tegum.learning.autoencoders.top_k_sae import TopKSAE
from tegum.learning.formats._folders import FolderFormat, agrees, centred, counted, ours, site_of, theirs, with_threshold
from tegum.learning.sparse_autoencoder import SparseAutoencoder

_VERSION = "6.0.0"  # the first whose cfg.json is of this form
_PURSUED = {"decoder": "W_dec", "b_dec": "b_dec"}
_TABLES = _PURSUED | {"encoder": "W_enc"}
_NAMES = {
    "standard": _TABLES | {"b_enc": "b_enc"},
    "topk": _TABLES | {"b_enc": "b_enc"},
    "jumprelu": _TABLES | {"b_enc": "b_enc", "threshold": "threshold"},
    "gated": _TABLES | {"r_mag": "r_mag", "b_gate": "b_gate", "b_mag": "b_mag"},
    "matching_pursuit": _PURSUED,
}
_ARCHITECTURES: dict[type[Autoencoder], str] = {
    ReLUSAE: "standard",
    TopKSAE: "topk",
    JumpReLUSAE: "jumprelu",
    BatchTopKSAE: "jumprelu",
    MatryoshkaSAE: "jumprelu",
    GatedSAE: "gated",
    MatchingPursuitSAE: "matching_pursuit",
}
_OLD_NAMES = {"hook_point": "hook_name", "hook_point_head_index": "hook_head_index", "activation_fn_str": "activation_fn"}
_MODEL_FACTS = (
    "model_name",
    "hook_name",
    "model_class_name",
    "hook_head_index",
    "model_from_pretrained_kwargs",
    "prepend_bos",
    "exclude_special_tokens",
    "neuronpedia_id",
    "context_size",
    "seqpos_slice",
    "dataset_path",
    "hf_hook_name",
)  # what its metadata says of the model; kept in `notes["saelens"]`, and written again
_SHAPED = "hook_z"  # activations of (heads, dims of a head), which they make flat first: ours takes them flat


class SAELens(FolderFormat):
    """Activations that are normalised before encoding, transcoders, temporal and absolute-topk autoencoders are not ours, and are refused."""

    name = "saelens"
    wants = "a folder with sae_weights.safetensors and cfg.json (SAELens)"
    files = "sae_weights.safetensors", "cfg.json"
    architectures = tuple(_ARCHITECTURES)

    def taken(self, config: dict[str, Any], tensors: dict[str, Tensor]) -> SparseAutoencoder:
        """One of these folders."""
        config = _of_version_6(config)
        kind = config["architecture"]
        _check(config)
        weights = ours(_unscaled(tensors), _NAMES[kind])
        agrees(config, weights, "d_sae", "d_in")
        if kind == "topk" and config.get("rescale_acts_by_decoder_norm"):
            weights = _rescaled(weights)
        if not config.get("apply_b_dec_to_input", True):
            weights = _without_b_dec(weights) if kind == "matching_pursuit" else centred(weights)
        return SparseAutoencoder(_architecture(kind, config, len(weights["decoder"])), weights, _notes(config))

    def given(self, sae: SparseAutoencoder) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """An autoencoder as one of these folders."""
        kind, told = _ARCHITECTURES[type(sae.architecture)], sae.notes.get("saelens")
        if isinstance(sae.architecture, BatchTopKSAE):
            with_threshold(sae)
        told = dict(told) if isinstance(told, dict) else {}
        shape = told.pop("reshape_activations", "none")
        if site := site_of(sae):
            told.setdefault("hook_name", site)
        config = {
            "architecture": kind,
            "d_in": sae.n_dims,
            "d_sae": sae.n_features,
            "dtype": str(sae.dtype).removeprefix("torch."),
            "device": "cpu",
            "apply_b_dec_to_input": True,
            "normalize_activations": "none",
            "reshape_activations": shape,
            "metadata": {"sae_lens_version": _VERSION, "sae_lens_training_version": None} | told,
        }
        if isinstance(sae.architecture, TopKSAE):
            config |= {"k": sae.architecture.n_active, "rescale_acts_by_decoder_norm": False}
        if isinstance(sae.architecture, MatchingPursuitSAE):
            config |= {"max_iterations": sae.architecture.n_active, "residual_threshold": 0.0, "stop_on_duplicate_support": False}
        return config, theirs(sae.weights, _NAMES[kind])


def _of_version_6(config: dict[str, Any]) -> dict[str, Any]:
    """A config as version 6 has it, whatever version wrote it."""
    facts = config.get("metadata")
    facts = facts if isinstance(facts, dict) else {}
    major = re.match(r"\d+", str(config.get("sae_lens_version") or facts.get("sae_lens_version") or 0))
    if major and int(major[0]) >= 6:
        return {"architecture": None} | config | {"metadata": facts}
    config = {_OLD_NAMES.get(key, key): value for key, value in config.items()}
    settings = config.get("activation_fn_kwargs")
    settings = settings if isinstance(settings, dict) else {}
    activation = config.get("activation_fn", "relu")
    if activation not in ("relu", "topk"):
        raise ValueError(f"its activation is {activation!r}; relu and topk are read")
    config.setdefault("architecture", "standard")
    if activation == "topk":
        config |= {"architecture": "topk", "k": settings.get("k")}
    if isinstance(normalised := config.get("normalize_activations"), bool) or normalised is None:
        config["normalize_activations"] = "expected_average_only_in" if normalised else "none"
    if "reshape_activations" not in config:
        config["reshape_activations"] = _SHAPED if _SHAPED in str(config.get("hook_name", "")) else "none"
    return config | {"metadata": config}


def _check(config: dict[str, Any]) -> None:
    """Raise ValueError for what no weights of ours can do."""
    if (kind := str(config["architecture"])) not in _NAMES:
        hint = "; sae_lens' save_inference_model makes a jumprelu one of it" if "batchtopk" in kind else ""
        raise ValueError(f"its architecture is {kind!r}; these are read: {', '.join(_NAMES)}{hint}")
    if (normalised := config.get("normalize_activations", "none")) != "none":
        raise ValueError(
            f"normalize_activations is {normalised!r}: its weights are for activations that are changed first, by more than weights can do"
        )
    if (shape := config.get("reshape_activations", "none")) not in ("none", _SHAPED):
        raise ValueError(f"reshape_activations is {shape!r}; none and {_SHAPED} are read")
    stops = config.get("residual_threshold", 1e-2), config.get("stop_on_duplicate_support", True)
    if kind == "matching_pursuit" and any(stops):
        raise ValueError(
            f"it stops early (residual_threshold {stops[0]}, stop_on_duplicate_support {stops[1]}); ours takes all its steps, so codes would differ"
        )


def _architecture(kind: str, config: dict[str, Any], features: int) -> Autoencoder:
    if kind == "topk":
        return TopKSAE(n_features=features, n_active=counted(config, "k"))
    if kind == "matching_pursuit":
        steps = "d_in" if config.get("max_iterations") is None else "max_iterations"
        return MatchingPursuitSAE(n_features=features, n_active=counted(config, steps))
    return {"standard": ReLUSAE, "jumprelu": JumpReLUSAE, "gated": GatedSAE}[kind](n_features=features)


def _unscaled(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights without the factors of a finetuning that early versions kept, all 1 where there was none."""
    factors = tensors.get("scaling_factor")
    if factors is not None and not bool((factors == 1).all()):
        raise ValueError("it has a scaling_factor of finetuning, which sae_lens 6 reads no more either")
    return {name: value for name, value in tensors.items() if name != "scaling_factor"}


def _rescaled(weights: Weights) -> dict[str, Tensor]:
    """Weights whose codes are those of `weights` times the lengths of decoder rows, with rows of unit length for them."""
    lengths = weights["decoder"].double().norm(dim=1)
    by = {"encoder": lengths[:, None], "b_enc": lengths, "decoder": 1 / torch.where(lengths == 0, 1, lengths)[:, None]}
    return {key: (value.double() * by[key]).to(value.dtype) if key in by else value for key, value in weights.items()}


def _without_b_dec(weights: Weights) -> dict[str, Tensor]:
    """A matching pursuit of theirs that subtracts no b_dec adds none either."""
    return {key: torch.zeros_like(value) if key == "b_dec" else value for key, value in weights.items()}


def _notes(config: dict[str, Any]) -> dict[str, Any]:
    told = {key: config["metadata"][key] for key in _MODEL_FACTS if config["metadata"].get(key) is not None}
    told |= {"reshape_activations": _SHAPED} if config.get("reshape_activations") == _SHAPED else {}
    return {"saelens": told} if told else {}
