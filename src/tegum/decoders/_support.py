"""Support: the features chosen in each sample, their unit directions and Gram matrix, on which least squares costs small systems only.

Decoders that choose sets fit what is at hand with some new features, then keep the best: inner products that are at hand are not made again. Systems
are solved by Cholesky in the dictionary's precision; decoders fit what is left of x rather than x, so that each step refines the last.
"""

import torch
from torch import Tensor

from tegum.decoders._scaled import Scaled
from tegum.features import SparseCodes
from tegum.shapes import Bool, Float, Int


class Support:
    """m slots a sample: `indices` (-1 where a slot is empty), `rows`, the unit directions, and `gram`, that of the identity for an empty slot."""

    def __init__(self, unit: Scaled, indices: Int[Tensor, "batch m"], gram: Float[Tensor, "batch m m"] | None = None) -> None:
        self.indices, self.rows = indices, unit.directions(indices.clamp(min=0))
        self.gram = _products(self, self) if gram is None else gram

    def __getitem__(self, samples: Int[Tensor, " kept"]) -> "Support":
        part = object.__new__(Support)
        part.indices, part.rows, part.gram = self.indices[samples], self.rows[samples], self.gram[samples]
        return part

    def empty(self, slots: Bool[Tensor, "batch m"]) -> None:
        """Let go of the features in these slots."""
        self.indices = torch.where(slots, -1, self.indices)
        self.gram = torch.where(slots[:, :, None] | slots[:, None], 0, self.gram)
        self.gram.diagonal(dim1=1, dim2=2).masked_fill_(slots, 1)

    def inner(self, x: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch m"]:
        """Inner products with x, 0 in empty slots."""
        return torch.bmm(x[:, None], self.rows.mT)[:, 0] * (self.indices >= 0)

    def sum(self, values: Float[Tensor, "batch m"]) -> Float[Tensor, "batch dims"]:
        """What these values of the directions make; values of empty slots must be 0."""
        return torch.bmm(values[:, None], self.rows)[:, 0]

    def gram_with(self, other: "Support") -> Float[Tensor, "batch both both"]:
        """The Gram matrix of the slots of both."""
        across = _products(self, other)
        return torch.cat([torch.cat([self.gram, across], dim=2), torch.cat([across.mT, other.gram], dim=2)], dim=1)


def _products(left: Support, right: Support) -> Float[Tensor, "batch m n"]:
    products = torch.bmm(left.rows, right.rows.mT)
    if (left.indices < 0).any() or (right.indices < 0).any():
        products *= (left.indices >= 0)[:, :, None] & (right.indices >= 0)[:, None]
    if left is right:
        products.diagonal(dim1=1, dim2=2).masked_fill_(left.indices < 0, 1)
    return products


def fresh(indices: Int[Tensor, "batch n"], chosen: Int[Tensor, "batch m"]) -> Int[Tensor, "batch n"]:
    """The features that are not chosen yet; -1 in place of those that are."""
    return torch.where((indices[:, :, None] == chosen[:, None]).any(dim=2), -1, indices)


def part(gram: Float[Tensor, "batch m m"], slots: Int[Tensor, "batch k"]) -> Float[Tensor, "batch k k"]:
    """The Gram matrix of these slots."""
    n, m, k = *gram.shape[:2], slots.shape[1]
    places = slots[:, :, None] * m + slots[:, None]
    return gram.flatten(1).gather(1, places.flatten(1)).view(n, k, k)


def fit(support: Support, inner: Float[Tensor, "batch m"], *, signed: bool) -> tuple[Float[Tensor, "batch m"], Bool[Tensor, " batch"]]:
    """Least-squares values of a support, and in which samples its directions depend on each other.

    Features whose values are 0 or, unless signed, negative leave the support, and the rest is fitted again.
    """
    values, depends = solve(support.gram, inner)
    while True:
        gone = (values.eq(0) if signed else values.le(0)) & (support.indices >= 0)
        rows = gone.any(dim=1).nonzero()[:, 0]
        if not len(rows):
            return values, depends
        support.empty(gone)
        values[rows], depends[rows] = solve(support.gram[rows], torch.where(support.indices[rows] < 0, 0, inner[rows]))


def depending(gram: Float[Tensor, "batch m m"]) -> Bool[Tensor, " batch"]:
    """In which samples directions depend on each other: next to nothing of one, squared, is left across those before it."""
    factor, failed = torch.linalg.cholesky_ex(gram)
    return _depending(factor, failed)


def solve(gram: Float[Tensor, "batch m m"], inner: Float[Tensor, "batch m"]) -> tuple[Float[Tensor, "batch m"], Bool[Tensor, " batch"]]:
    """The least-squares values of what has these inner products, and in which samples directions depend on each other.

    A system of directions that do is solved with what counts as nothing added to its diagonal, which shares values out between those that are alike.
    """
    factor, failed = torch.linalg.cholesky_ex(gram)
    depends = _depending(factor, failed)
    if depends.any():
        ridge = _nothing(gram) * torch.eye(gram.shape[1], dtype=factor.dtype, device=factor.device)
        factor[depends] = torch.linalg.cholesky_ex(gram[depends] + ridge)[0]
    return torch.cholesky_solve(inner[:, :, None], factor)[:, :, 0], depends


def _depending(factor: Float[Tensor, "batch m m"], failed: Int[Tensor, " batch"]) -> Bool[Tensor, " batch"]:
    return (failed > 0) | ~(factor.diagonal(dim1=1, dim2=2).square() > _nothing(factor)).all(dim=1)


def _nothing(gram: Float[Tensor, "batch m m"]) -> float:
    return 8 * gram.shape[1] * torch.finfo(gram.dtype).eps


def strongest(
    start: SparseCodes, x: Float[Tensor, "batch dims"], unit: Scaled, k: int, *, signed: bool
) -> tuple[Int[Tensor, "batch k"], Float[Tensor, "batch k"]]:
    """The k features of each start that count most in what it makes, and their values in unit directions; -1 and 0 where there are fewer.

    Features without a direction do not count, and where x is 0 none does.
    """
    missing = max(0, k - start.indices.shape[1])
    indices = torch.nn.functional.pad(start.indices, (0, missing), value=-1)
    values = torch.nn.functional.pad(start.values, (0, missing)) * unit.by[indices]
    counts = (indices >= 0) & unit.by[indices].isfinite() & x.any(dim=1)[:, None]
    values = torch.where(counts, values if signed else values.clamp(min=0), 0)
    slots = values.abs().topk(k, dim=1).indices
    values = values.gather(1, slots)
    return torch.where(values == 0, -1, indices.gather(1, slots)), values
