"""Sparsify: `cfg.json` and `sae.safetensors` of EleutherAI's `sparsify`; TopK autoencoders, a feature a row in both tables.

b_dec is subtracted before encoding, whatever `normalize_decoder` is. Source: its `sparse_coder.py` and `config.py`, version 1.3.3.
SAELens' converter of these folders turns W_dec round and, where decoders are of unit length, subtracts no b_dec: it gives other codes.
"""

from typing import Any

import torch
from torch import Tensor

from tegum.learning.autoencoders.top_k_sae import TopKSAE
from tegum.learning.formats._folders import FolderFormat, agrees, counted, ours, theirs
from tegum.learning.sparse_autoencoder import SparseAutoencoder

_NAMES = {"encoder": "encoder.weight", "b_enc": "encoder.bias", "decoder": "W_dec", "b_dec": "b_dec"}
_DEFAULT_FACTOR, _DEFAULT_K = 32, 32


class Sparsify(FolderFormat):
    """Transcoders, skip connections, group-max and signed activations are not ours, and are refused."""

    name = "sparsify"
    wants = "a folder with sae.safetensors and cfg.json (sparsify)"
    files = "sae.safetensors", "cfg.json"
    architectures = (TopKSAE,)

    def taken(self, config: dict[str, Any], tensors: dict[str, Tensor]) -> SparseAutoencoder:
        """One of these folders."""
        if config.get("activation", "topk") != "topk" or config.get("signed"):
            raise ValueError(
                f"its activation is {'signed ' if config.get('signed') else ''}{config.get('activation', 'topk')}; topk is read"
            )
        for key in ("transcode", "skip_connection"):
            if config.get(key):
                raise ValueError(f"{key} is true: it does not reconstruct what it reads by its features alone, so it is no autoencoder")
        weights = ours(tensors, _NAMES)
        dims = counted(config, "d_in")
        factor = counted({"expansion_factor": _DEFAULT_FACTOR} | config, "expansion_factor")
        sizes = {"num_latents": config.get("num_latents") or factor * dims, "d_in": dims}
        agrees(sizes, weights, "num_latents", "d_in")
        k = counted({"k": _DEFAULT_K} | config, "k")
        return SparseAutoencoder(TopKSAE(n_features=sizes["num_latents"], n_active=k), weights)

    def given(self, sae: SparseAutoencoder) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """An autoencoder as one of these folders. `num_latents` says the size, as an expansion factor need be no whole number."""
        assert isinstance(sae.architecture, TopKSAE)
        lengths = sae.weights["decoder"].double().norm(dim=1)
        config = {
            "activation": "topk",
            "expansion_factor": max(1, sae.n_features // sae.n_dims),
            "normalize_decoder": bool(torch.allclose(lengths, torch.ones_like(lengths), atol=1e-2)),
            "num_latents": sae.n_features,
            "k": sae.architecture.n_active,
            "multi_topk": False,
            "skip_connection": False,
            "transcode": False,
            "d_in": sae.n_dims,
        }
        return config, theirs(sae.weights, _NAMES)
