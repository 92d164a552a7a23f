"""Random rotations, uniform over the orthogonal group (Haar), by the QR of a Gaussian matrix with the signs of R's diagonal put right.

Mezzadri 2007, 'How to generate random matrices from the classical compact groups', sec. 5: without the signs the QR alone is not uniform.
"""

import torch
from torch import Tensor

from tegum import draws
from tegum.shapes import Float


def haar_rotation(n_dims: int, seed: int = 0, index: int = 0) -> Float[Tensor, "n_dims n_dims"]:
    """Rotation number `index` of `seed`: orthogonal, determinant 1 or -1, float64, the same whatever others are drawn."""
    normals = draws.normals(seed, draws.ROTATIONS, torch.arange(n_dims), n_dims, step=index)
    Q, R = torch.linalg.qr(normals)
    return Q * R.diagonal().sign()
