"""The door of every construction: sizes, seed and dtype, checked before anything is drawn; and of directions that are no rows of a table."""

import torch
from torch import Tensor

from tegum.checks import check_count, check_seed
from tegum.shapes import Int


def check_construction(n_features: object, n_dims: object, seed: object, dtype: torch.dtype) -> None:
    """Raise ValueError unless both sizes are at least 1, the seed is one of the draws contract and the dtype is floating-point."""
    check_count("n_features", n_features)
    check_count("n_dims", n_dims)
    check_seed(seed)
    check_dtype(dtype)


def check_dtype(dtype: torch.dtype | None) -> None:
    """Raise ValueError for a dtype that is not a real floating-point one; None is no wish."""
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"dtype is {dtype}; directions are floating-point")


def the_device(device: torch.device | str) -> torch.device:
    """The device by the name that tensors made there give it: 'cuda' is 'cuda:0' to them, and a comparison tells the two apart."""
    return torch.empty(0, device=device).device


def in_range(indices: Int[Tensor, "*shape"], n_features: int, *, least: int = 0) -> Int[Tensor, "*shape"]:
    """The same indices. IndexError, as a table of directions gives, for one that is not from `least` to n_features - 1."""
    if indices.numel():
        low, high = (int(end) for end in indices.aminmax())
        if low < least or high >= n_features:
            raise IndexError(f"feature {low if low < least else high} is not one of {n_features:,}")
    return indices
