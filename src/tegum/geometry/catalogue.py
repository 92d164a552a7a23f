"""Polytopes by name, and how far a set of directions is from each.

The vertices are those in which networks were found to fold features (Elhage et al. 2022, 'The Geometry of Superposition'), their neighbours among
small polytopes, and others of as many vertices, so that not all of eight is an antiprism. Digon, pentagon and square antiprism begin a series of
3r - 1 vertices in r dims that networks go on with: 11 in 4, 14 in 5, ... Its cosines are negative along the edges of an Andrásfai graph (Andrásfai
1964, 'Graphentheoretische Extremalprobleme'), which is r-regular and has no triangle, and it is named after it.

Directions are told apart by what neither rotation,
reflection nor another order of theirs changes: the eigenvalues of their Gram matrix, and their cosines, sorted. How far these lie apart bounds from
below how far any turned and reordered copy does: |spectrum(G) - spectrum(H)| <= |G - H|_F (Hoffman & Wielandt 1953, 'The variation of the
spectrum of a normal matrix'), and sorted numbers are nearer than in any other order (Hardy, Littlewood & Pólya 1934, 'Inequalities', theorem 368).

The spectrum alone would not do: n unit vectors that form a tight frame of r dims have the one spectrum n/r, r times. A square antiprism shares it
with a cube, and a pentagon with every pentagon of which some vertices are reversed.
"""

import math
from functools import cache

import torch
from torch import Tensor

from tegum.geometry._directions import unit
from tegum.parts import did_you_mean
from tegum.shapes import Float


def _polygon(k: int) -> Tensor:
    angle = 2 * math.pi * torch.arange(k, dtype=torch.float64) / k
    return torch.stack([angle.cos(), angle.sin()], -1)


def _simplex(dims: int) -> Tensor:
    """dims + 1 directions with all cosines -1 / dims: the axes of dims + 1 dims, seen along their diagonal."""
    _, _, across = torch.linalg.svd(torch.ones(1, dims + 1, dtype=torch.float64))
    return unit(across[1:].mT)


def _orthoplex(dims: int) -> Tensor:
    axes = torch.eye(dims, dtype=torch.float64)
    return torch.cat([axes, -axes])


def _bipyramid(k: int) -> Tensor:
    return torch.block_diag(_polygon(k), _simplex(1))


def _antiprism(k: int) -> Tensor:
    """Two k-gons, one turned by half a step, at the height of 1 / sqrt 3 at which they are a tight frame."""
    turns = torch.arange(2 * k, dtype=torch.float64)
    angle, side = math.pi / k * turns, 1 - 2 * (turns % 2)
    return torch.stack([math.sqrt(2) * angle.cos(), math.sqrt(2) * angle.sin(), side], -1) / math.sqrt(3)


def _icosahedron() -> Tensor:
    golden = (1 + math.sqrt(5)) / 2
    edges = torch.tensor([[0, s, t * golden] for s in (1, -1) for t in (1, -1)], dtype=torch.float64)
    return unit(torch.cat([edges.roll(turn, 1) for turn in range(3)]))


def _andrasfai(dims: int) -> Tensor:
    """The tight frame of 3r - 1 directions on a ring whose r frequencies are the highest."""
    n = 3 * dims - 1
    frequencies = n / 2 + torch.arange(dims, dtype=torch.float64) - (dims - 1) / 2
    apart = torch.arange(n)[:, None] - torch.arange(n)
    values, axes = torch.linalg.eigh((2 * math.pi / n * frequencies * apart[..., None]).cos().mean(-1))
    return unit(axes[:, -dims:] * values[-dims:].sqrt())


_CUBE = unit(torch.cartesian_prod(*[torch.tensor([1.0, -1.0], dtype=torch.float64)] * 3))

_VERTICES = {
    "single feature": torch.ones(1, 1, dtype=torch.float64), "digon": _simplex(1), "triangle": _polygon(3), "tetrahedron": _simplex(3),
    "square": _polygon(4), "pentagon": _polygon(5), "5-cell": _simplex(4), "triangular bipyramid": _bipyramid(3), "hexagon": _polygon(6),
    "octahedron": _orthoplex(3), "5-simplex": _simplex(5), "heptagon": _polygon(7), "pentagonal bipyramid": _bipyramid(5),
    "octagon": _polygon(8), "cube": _CUBE, "square antiprism": _antiprism(4), "16-cell": _orthoplex(4), "icosahedron": _icosahedron(),
    **{f"Andrásfai {3 * dims - 1}": _andrasfai(dims) for dims in range(4, 9)},
}  # fmt: skip
POLYTOPES = tuple(_VERTICES)


def vertices(name: str) -> Float[Tensor, "features dims"]:
    """The unit vertices of a polytope of the catalogue, float64; ValueError for a name that is not in it."""
    if name not in _VERTICES:
        raise ValueError(f"no polytope {name!r}; {did_you_mean(name, list(POLYTOPES))}")
    return _VERTICES[name].clone()


def nearest(spectrum: Float[Tensor, " features"], cosines: Float[Tensor, " pairs"]) -> tuple[str, float]:
    """The polytope of as many vertices that a `signature` is nearest to; ("", inf) where the catalogue has none.

    The distance is at most the root mean square difference of cosines, over pairs, to any turned and reordered copy of it.
    """
    found = [(_apart(spectrum, cosines, *known), name) for name, known in _signatures(len(spectrum)).items()]
    distance, name = min(found, default=(math.inf, ""))
    return name, distance


def signature(U: Float[Tensor, "features dims"]) -> tuple[Float[Tensor, " features"], Float[Tensor, " pairs"]]:
    """Eigenvalues of the Gram matrix of unit rows, and the cosines of its pairs i < j; both ascend."""
    gram = U @ U.mT
    i, j = torch.triu_indices(len(U), len(U), 1)
    return torch.linalg.eigvalsh(gram), gram[i, j].sort().values


def _apart(spectrum: Tensor, cosines: Tensor, its_spectrum: Tensor, its_cosines: Tensor) -> float:
    ordered_pairs = max(1, 2 * len(cosines))
    by_spectrum = (spectrum - its_spectrum).square().sum() / ordered_pairs
    by_cosines = 2 * (cosines - its_cosines).square().sum() / ordered_pairs
    return math.sqrt(max(float(by_spectrum), float(by_cosines)))


@cache
def _signatures(n_vertices: int) -> dict[str, tuple[Tensor, Tensor]]:
    return {name: signature(V) for name, V in _VERTICES.items() if len(V) == n_vertices}
