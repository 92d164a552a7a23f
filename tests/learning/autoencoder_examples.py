"""Autoencoders of every architecture with random weights, for tests of what is done with them."""

import torch

from tegum.learning.autoencoders.batch_top_k_sae import BatchTopKSAE
from tegum.learning.autoencoders.gated_sae import GatedSAE
from tegum.learning.autoencoders.jump_relu_sae import JumpReLUSAE
from tegum.learning.autoencoders.matching_pursuit_sae import MatchingPursuitSAE
from tegum.learning.autoencoders.matryoshka_sae import MatryoshkaSAE
from tegum.learning.autoencoders.relu_sae import ReLUSAE
from tegum.learning.autoencoders.top_k_sae import TopKSAE
from tegum.learning.sparse_autoencoder import SparseAutoencoder

ARCHITECTURES = {
    "relu": lambda n, k: ReLUSAE(n_features=n),
    "topk": lambda n, k: TopKSAE(n_features=n, n_active=k),
    "batchtopk": lambda n, k: BatchTopKSAE(n_features=n, n_active=k),
    "matryoshka": lambda n, k: MatryoshkaSAE(n_features=n, n_active=k, shares=(0.5, 0.5)),
    "jumprelu": lambda n, k: JumpReLUSAE(n_features=n),
    "gated": lambda n, k: GatedSAE(n_features=n),
    "matching_pursuit": lambda n, k: MatchingPursuitSAE(n_features=n, n_active=k),
}


def autoencoder(which, n=9, d=4, k=2, seed=0, dtype=torch.float64, unit=True, notes=None):
    """One with decoder rows of unit length (if `unit`), all other weights random; BatchTopK has one threshold, and JumpReLU one a feature."""
    architecture = ARCHITECTURES[which](n, k)
    draws = torch.Generator().manual_seed(seed)
    decoder = torch.randn(n, d, generator=draws, dtype=torch.float64)
    decoder = decoder / decoder.norm(dim=1, keepdim=True) if unit else decoder
    weights = architecture.begin(decoder, torch.zeros(d, dtype=torch.float64))
    for name, value in weights.items():
        if name != "decoder":
            weights[name] = 0.5 * torch.randn(value.shape, generator=draws, dtype=torch.float64)
    if "threshold" in weights:
        weights["threshold"] = weights["threshold"].abs()
        if which != "jumprelu":
            weights["threshold"] = torch.full((n,), 0.25, dtype=torch.float64)
    return SparseAutoencoder(architecture, {name: value.to(dtype) for name, value in weights.items()}, notes)


def samples(d, seed=0, dtype=torch.float64, count=64):
    return (2 * torch.randn(count, d, generator=torch.Generator().manual_seed(1000 + seed), dtype=torch.float64)).to(dtype)
