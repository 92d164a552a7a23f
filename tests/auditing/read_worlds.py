"""Rows of known codes in known directions, and autoencoders that read them well or badly: what tests of reading share."""

from typing import Any

import torch

from tegum.activations import Activations
from tegum.activations.dataset import DOCUMENTS, in_memory
from tegum.auditing._answer import Answer
from tegum.auditing._subject import Subject
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.uniform_sphere import spherical
from tegum.learning import SparseAutoencoder
from tegum.learning.autoencoders.top_k_sae import TopKSAE

N, D, K = 96, 32, 3
QUICK: dict[str, Any] = {"rows": 600, "few": 200, "polish_rows": 1500, "polish_passes": 1, "retrain": 2_000}


def world(rows: int = 3_000, seed: int = 0, noise: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """(x, z): K of N features on in each row, at values in [1/2, 1], so that each is well above the noise (its length in a row)."""
    draw = torch.Generator().manual_seed(seed)
    on = torch.rand(rows, N, generator=draw).topk(K, dim=1).indices
    z = torch.zeros(rows, N).scatter(1, on, 0.5 + 0.5 * torch.rand(rows, K, generator=draw))
    return z @ directions() + noise * D**-0.5 * torch.randn(rows, D, generator=draw), z


def directions() -> torch.Tensor:
    return spherical(N, D, seed=1).dense()


def autoencoder(encoder: torch.Tensor | None = None, bias: float = 0.0, n_active: int = K) -> SparseAutoencoder:
    """With the true directions, and by default the same for an encoder: a matched filter that knows nothing of interference."""
    table = directions()
    weights = {"encoder": table if encoder is None else encoder, "decoder": table, "b_enc": torch.full((N,), bias), "b_dec": torch.zeros(D)}
    return SparseAutoencoder(TopKSAE(n_features=N, n_active=n_active), weights)


def subject(encode) -> Subject:
    return Subject("made here", Dense(directions()), torch.zeros(D), encode)


def finding(answer: Answer, name: str):
    return next(one for one in answer.findings if one.name == name)


def documented(x: torch.Tensor, documents: torch.Tensor) -> Activations:
    return in_memory({"site": x, DOCUMENTS: documents}, ["site"])
