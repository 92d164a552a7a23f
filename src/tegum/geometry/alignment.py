"""Whether two tables of directions are the same up to rotation and the order of their features.

Minimise |A[p] Q - B|_F over orthogonal Q and permutations p. With p given, Q is the orthogonal Procrustes solution (Schönemann 1966);
with Q given, p is a linear assignment (Kuhn 1955). Either is exact alone. Both unknown, the two alternate from several starts, each step
lowering the residual, to a local minimum: a residual of 0 proves that the tables are the same, a larger one does not prove that they
differ. The first start matches features by what rotation cannot change, the sorted row of the Gram matrix, and finds an exact copy at once
when no two features share that row; the rest are random rotations.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.geometry._directions import Directions, some_directions, stacked
from tegum.geometry._words import said
from tegum.geometry.rotations import haar_rotation
from tegum.results import Result, table
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd

_SWEEPS = 100  # an alternation ends when its permutation repeats, in practice after a few


@dataclass(frozen=True, repr=False)
class Alignment(Result):
    """`A[permutation] @ rotation` is nearest to B; `residual` is |A[p] Q - B|_F / |B|_F (|A[p] Q - B|_F where B is 0)."""

    rotation: Float[Tensor, "*batch dims dims"]
    permutation: Int[Tensor, "*batch features"]
    residual: Float[Tensor, " *batch"]
    aligned: Float[Tensor, "*batch features dims"]

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a feature of B: the feature of A that stands for it, and the residual of its table."""
        return table("feature", of_A=self.permutation, residual=self.residual)

    def __repr__(self) -> str:
        return f"Alignment(residual {said(self.residual)}, {self.aligned.shape[-2]} features in {self.aligned.shape[-1]} dims)"


def align(A: Directions, B: Directions, *, rotate: bool = True, permute: bool = True, restarts: int = 20, seed: int = 0) -> Alignment:
    """Bring A onto B; reflections count as rotations. Leading dims broadcast, one alignment each.

    `rotate=False` or `permute=False` when that part is known to be the identity: the answer is then the global optimum, `restarts` unused.
    Both unknown: `restarts` random starts after the first, stopped early by an exact match. For tables of up to a few hundred features.
    """
    A, B = some_directions(A, "A"), some_directions(B, "B")
    if A.shape[-2:] != B.shape[-2:]:
        raise ValueError(f"A has {A.shape[-2]} features in {A.shape[-1]} dims, B has {B.shape[-2]} in {B.shape[-1]}")
    try:
        batch = torch.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    except RuntimeError:
        raise ValueError(f"leading dims {tuple(A.shape[:-2])} of A and {tuple(B.shape[:-2])} of B do not broadcast") from None
    dtype, table = torch.promote_types(A.dtype, B.dtype), A.shape[-2:]
    pairs = zip(*(stacked(x.detach().to(torch.float64).expand(batch + table)) for x in (A, B)), strict=True)
    every = [_align_one(a, b, rotate=rotate, permute=permute, restarts=restarts, seed=seed) for a, b in pairs]
    Q, order, aligned, residual = (torch.stack(one).reshape(batch + one[0].shape) for one in zip(*every, strict=True))
    return Alignment(Q.to(dtype), order, residual.to(dtype), aligned.to(dtype))


def _align_one(A: Tensor, B: Tensor, *, rotate: bool, permute: bool, restarts: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    n, dims = A.shape
    same, still = torch.arange(n, device=A.device), torch.eye(dims, dtype=A.dtype, device=A.device)
    if rotate and permute:
        exact = 1e-12 * (1 + torch.linalg.norm(B))
        best = _alternate(A, B, _match(_signature(A), _signature(B)))
        for start in range(restarts):
            if best[0] <= exact:
                break
            best = min(best, _alternate(A, B, _match(A @ haar_rotation(dims, seed, start).to(A), B)), key=lambda found: found[0])
        _, Q, order = best
    else:
        order = _match(A, B) if permute else same
        Q = _procrustes(A, B) if rotate else still
    aligned = A[order] @ Q
    size = torch.linalg.norm(B)
    return Q, order, aligned, torch.linalg.norm(aligned - B) / torch.where(size > 0, size, 1)


def _alternate(A: Tensor, B: Tensor, order: Tensor) -> tuple[float, Tensor, Tensor]:
    Q = _procrustes(A[order], B)
    for _ in range(_SWEEPS):
        better = _match(A @ Q, B)
        if torch.equal(better, order):
            break
        order, Q = better, _procrustes(A[better], B)
    return float(torch.linalg.norm(A[order] @ Q - B)), Q, order


def _procrustes(A: Tensor, B: Tensor) -> Tensor:
    U, _, Vh = torch.linalg.svd(A.mT @ B)
    return U @ Vh


def _match(A: Tensor, B: Tensor) -> Tensor:
    """The p that minimises sum_i |A_p(i) - B_i|^2."""
    from scipy.optimize import linear_sum_assignment

    cost = torch.cdist(B, A, compute_mode="donot_use_mm_for_euclid_dist").square()
    return torch.as_tensor(linear_sum_assignment(cost.cpu().numpy())[1], device=A.device)


def _signature(A: Tensor) -> Tensor:
    """The features' own squared norm, then their products with all features, sorted."""
    G = A @ A.mT
    return torch.cat([G.diagonal()[:, None], G.sort(-1).values], -1)
