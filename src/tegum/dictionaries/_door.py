"""The door of every construction: sizes, seed and dtype, checked before anything is drawn."""

import torch

from tegum.checks import check_count, check_seed


def check_construction(n_features: object, n_dims: object, seed: object, dtype: torch.dtype) -> None:
    """Raise ValueError unless both sizes are at least 1, the seed is one of the draws contract and the dtype is floating-point."""
    check_count("n_features", n_features)
    check_count("n_dims", n_dims)
    check_seed(seed)
    if not dtype.is_floating_point:
        raise ValueError(f"dtype is {dtype}; directions are floating-point")
