"""Features as a frame: how evenly they fill the dims, and how far apart any n directions can be.

Benedetto & Fickus 2003, 'Finite normalized tight frames' (the frame potential, at least n^2/m for n unit vectors, equal for tight frames);
Welch 1974, 'Lower bounds on the maximum cross correlation of signals' (the bound on the largest cosine).
"""

from math import comb

from torch import Tensor

from tegum.geometry._directions import Directions, as_directions
from tegum.geometry.coherence import coherence
from tegum.shapes import Float


def frame_potential(W: Directions) -> Float[Tensor, " *batch"]:
    """Sum of (W_i . W_j)^2 over all i and j, i = j included, as |W^T W|_F^2. Lengths count: pass unit rows for directions alone."""
    W = as_directions(W)
    return (W.mT @ W).square().sum((-2, -1))


def welch_bound(n_features: int, n_dims: int, order: int = 1) -> float:
    """No n unit vectors in m dims have all |cosines| below this: [(n / C(m + k - 1, k) - 1) / (n - 1)]^(1/2k) for order k.

    Welch 1974, eq. 3. Order 1 bounds the root mean square cosine too. The bound is 0 where it says nothing: n <= C(m + k - 1, k), which at
    order 1 is n <= m.
    """
    if n_features < 1 or n_dims < 1 or order < 1:
        raise ValueError(f"n_features, n_dims and order must be at least 1, not {n_features}, {n_dims} and {order}")
    room = comb(n_dims + order - 1, order)
    if n_features <= room:
        return 0.0
    return ((n_features - room) / (room * (n_features - 1))) ** (0.5 / order)


def welch_gap(W: Directions) -> Float[Tensor, " *batch"]:
    """Coherence minus the Welch bound for as many features, zero rows counted: 0 only for equiangular tight frames, or orthogonal rows."""
    W = as_directions(W)
    return coherence(W) - welch_bound(max(1, W.shape[-2]), W.shape[-1])
