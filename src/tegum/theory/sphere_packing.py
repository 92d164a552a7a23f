"""Unit directions under two energies: the interference of one active feature, and Coulomb's.

With unit norms and no bias a feature alone is answered exactly, and what is left of the one-active loss L_1 (`one_active_loss`) is what it causes in
the other outputs, E relu(x cos_ij)^2 = relu(cos_ij)^2 / 3 for x in U[0,1]:

    L_1 = 1/3 sum_{i != j} relu(u_i . u_j)^2

It is 0 for up to 2m directions in m dims, which can keep all cosines at 0 or below, and for no more (Rankin 1955, 'The closest packing of spherical
caps in n dimensions'). The Thomson problem asks for the least Coulomb energy instead, sum_{i<j} 1 / |u_i - u_j|.

Source: Elhage et al. 2022, 'The geometry of superposition', on the Thomson problem.
"""

import math

import torch
from torch import Tensor

from tegum.shapes import Float

# least Coulomb energies on the sphere in 3 dims, to 9 decimals: Erber & Hockney 1991, 'Equilibrium configurations of N equal charges on a sphere'
THOMSON_ENERGY = {
    2: 0.5, 3: 1.732050808, 4: 3.674234614, 5: 6.474691495, 6: 9.985281374, 7: 14.452977414, 8: 19.675287861, 9: 25.759986531,
    10: 32.716949460, 11: 40.596450510, 12: 49.165253058,
}  # fmt: skip
THOMSON_SHAPE = {
    2: "digon", 3: "triangle", 4: "tetrahedron", 5: "triangular bipyramid", 6: "octahedron", 7: "pentagonal bipyramid", 8: "square antiprism",
    9: "triaugmented triangular prism", 10: "gyroelongated square bipyramid", 11: "edge-contracted icosahedron", 12: "icosahedron",
}  # fmt: skip


def interference_loss(U: Float[Tensor, "*batch features dims"]) -> Float[Tensor, "*batch"]:
    """L_1 of unit directions without bias: a third of relu(u_i . u_j)^2, summed over i != j."""
    seen = (U @ U.mT).clamp(min=0).square()
    return (seen.sum((-1, -2)) - seen.diagonal(dim1=-2, dim2=-1).sum(-1)) / 3


def coulomb_energy(U: Float[Tensor, "*batch features dims"]) -> Float[Tensor, "*batch"]:
    """1 / |u_i - u_j|, summed over i < j; infinite where two coincide."""
    own = torch.eye(U.shape[-2], dtype=U.dtype, device=U.device)
    squared = (U[..., :, None, :] - U[..., None, :, :]).square().sum(-1)
    return ((squared + own).rsqrt() - own).sum((-1, -2)) / 2


def ring_energy(n: int) -> float:
    """The Coulomb energy of a regular n-gon, the least in 2 dims: n/4 sum_k 1 / sin(pi k / n), k = 1 ... n - 1."""
    return n / 4 * sum(1 / math.sin(math.pi * k / n) for k in range(1, n))


def ring_harmonic(k: int) -> float:
    """How strongly interference acts on features spread over a circle k-fold: 1/pi times the integral of relu(cos t)^2 cos(k t) over a turn.

    For k > 2 it is 0 where k is even and -4 sin(k pi/2) / (pi k (k^2 - 4)) where k is odd. In 2 dims L_1 is, but for a constant, a sum of these times
    |sum_i exp(i k t_i)|^2. The first that is negative is the fifth: features gain by standing on the corners of one pentagon, several to a corner.
    """
    if k in (0, 2):
        return 0.5 if k == 0 else 0.25
    return 0.0 if k % 2 == 0 else -4 * math.sin(k * math.pi / 2) / (math.pi * k * (k * k - 4))
