"""Gabor: the shifts and modulations of Alltop's cubic chirp, as real directions: up to d^2 / 2 of them with coherence sqrt(2/d).

For a prime p >= 5 the p^2 vectors exp(2 pi i ((t - s)^3 + m t) / p) / sqrt(p) of C^p have |inner products| of 1/sqrt(p), or 0 for two of one shift
(Alltop 1980, 'Complex sequences with low periodic correlations'; as a frame: Strohmer & Heath 2003). Here C^p is read as R^2p, real parts before
imaginary ones, and each vector u is followed by i u, which is orthogonal to it there: inner products become real and imaginary parts of the complex
ones, so none exceeds 1/sqrt(p) = sqrt(2/d), and some reach it. That is sqrt(2) times what Welch's bound comes to at N = d^2 / 2, and random
directions have some sqrt(4 ln(N) / d) instead.
"""

import math

import torch

from tegum.dictionaries._base import Dictionary
from tegum.dictionaries._door import check_construction
from tegum.dictionaries.dense import Dense


def gabor(n_features: int, n_dims: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Dictionary:
    """The first N of 2 p^2 directions of length 1 in d = 2 p dims, p >= 5 prime: by shift s, modulation m, then u and i u.

    ValueError for other d, with the nearest that are right, and for N above d^2 / 2.
    """
    check_construction(n_features, n_dims, 0, dtype)
    p = n_dims // 2
    if n_dims % 2 or not _usable(p):
        below = next((2 * q for q in range(p, 4, -1) if _usable(q)), None)
        above = next(2 * q for q in range(max(p + n_dims % 2, 5), 4 * p + 8) if _usable(q))
        raise ValueError(f"n_dims is {n_dims}; it must be twice a prime of 5 or more, such as {f'{below} or ' if below else ''}{above}")
    if n_features > 2 * p * p:
        raise ValueError(f"n_features is {n_features}, but {n_dims} dims have {2 * p * p} of these directions")
    index = torch.arange(n_features, device=device)
    shift, modulation, turned = index // (2 * p), index // 2 % p, index % 2
    t = torch.arange(p, device=device)
    cubes = (t - shift[:, None]).remainder(p) ** 3
    phase = (2 * math.pi / p) * ((cubes + modulation[:, None] * t) % p).double() + (math.pi / 2) * turned[:, None].double()
    return Dense((torch.cat([phase.cos(), phase.sin()], dim=1) / math.sqrt(p)).to(dtype))


def _usable(p: int) -> bool:
    return p >= 5 and all(p % q for q in range(2, math.isqrt(p) + 1))
