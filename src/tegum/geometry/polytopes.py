"""Polytopes: which features fold together, and into which shape (Elhage et al. 2022, 'The Geometry of Superposition').

Features that are represented are joined where one sees much of the other, the components of that graph are the parts of which the whole is made
up, and each is named by the catalogue. Parts lie in orthogonal subspaces, so the whole is their tegum product, and no product is itself a part: a
square is two digons, an octahedron three, a triangular bipyramid a triangle (D = 2/3) and a digon (D = 1/2). The names of products are for lower
thresholds, at which factors that are not quite orthogonal are joined; 0 joins all, and names a table as a whole.

The threshold parts what holds a polytope together from what its neighbours see of it. A digon holds while the threshold is at most 1, a pentagon or
a square antiprism at .65, a triangle at 1/4, a tetrahedron at 1/9, a 5-cell at 1/16, a simplex of r dims at r^-2. Neighbours need not be quite
orthogonal: a ReLU with bias b < 0 filters cosines up to |b|, so training leaves interference up to b^2 (.02 at density 1/5 and |b| = .14); random
directions in m dims see 1/m of each other on average (.033 at m = 30). The default of .05 lies between that and a 5-cell. What another threshold
would give is told by `between` and `within`: any between these gives the same parts.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tegum.geometry._directions import Directions, as_directions, stacked, unit
from tegum.geometry.catalogue import nearest, signature
from tegum.geometry.dimensionality import feature_dimensionality
from tegum.geometry.interference import interference, represented
from tegum.results import Result
from tegum.shapes import Float

if TYPE_CHECKING:
    import pandas as pd

NO_POLYTOPE = "none of these"
_OWN = 0.1  # an eigenvalue of the Gram matrix above which a part extends that way; a feature with a dim of its own has 1


@dataclass(frozen=True)
class Polytope:
    """One part: the features that it joins, in table number `instance`, and what they are."""

    instance: int
    members: tuple[int, ...]
    name: str
    nearest: str
    """The polytope of the catalogue with as many vertices that it is nearest to, "" where there is none; its name, if it is near enough."""
    distance: float
    """From that one: at most the root mean square difference of cosines to any turned and reordered copy."""
    rank: int
    """Eigenvalues of the Gram matrix of its unit vectors that exceed .1."""
    dimensionality: Float[Tensor, " members"]


@dataclass(frozen=True, repr=False)
class Polytopes(Result):
    """The parts of each table, in the order of tables and of their first features; features that are not represented are in none."""

    parts: tuple[Polytope, ...]
    between: Float[Tensor, " *batch"]
    """The largest interference between two parts; 0 where there is one part alone."""
    within: Float[Tensor, " *batch"]
    """The weakest link that a part needs to hold together; infinite where all are single features."""

    def counts(self) -> dict[str, int]:
        """How many parts have each name, the most frequent first."""
        return dict(Counter(part.name for part in self.parts).most_common())

    def shares(self) -> dict[str, float]:
        """Share of the represented features that are in parts of each name, the largest first."""
        features = Counter()
        for part in self.parts:
            features[part.name] += len(part.members)
        return {name: count / features.total() for name, count in features.most_common()}

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a part; its members as one text, D_i as their mean."""
        import pandas as pd

        return pd.DataFrame(
            {
                "instance": [part.instance for part in self.parts],
                "name": [part.name for part in self.parts],
                "features": [len(part.members) for part in self.parts],
                "rank": [part.rank for part in self.parts],
                "dimensionality": [float(part.dimensionality.mean()) for part in self.parts],
                "nearest": [part.nearest for part in self.parts],
                "distance": [part.distance for part in self.parts],
                "members": [" ".join(map(str, part.members)) for part in self.parts],
            }
        )

    def __repr__(self) -> str:
        found = list(self.counts().items())
        told = [f"{name}: {count}" for name, count in found[:6]] + [f"{len(found) - 6} more names"] * (len(found) > 6)
        tables = f" in {self.between.numel()} tables" if self.between.ndim else ""
        return f"Polytopes({', '.join(told) or 'none'}{tables})"


def polytopes(W: Directions, threshold: float = 0.05, norm: float = 0.5, tolerance: float = 0.1) -> Polytopes:
    """Join features with |W_i| > `norm` where (unit(W_i) . W_j)^2 or its converse is at least `threshold`, and name the parts.

    A part has the name of the catalogue's polytope of as many vertices that it is nearest to, if the distance is at most `tolerance`, in root mean
    square difference of cosines; else it is 'none of these'. Two features are a digon up to 26 degrees from opposite (cosine -.9). Antiprisms that
    flatten as features get sparser keep their name to a height of .51, where the tight one has .58. Polytopes of as many vertices are more than
    twice the tolerance apart, so a part is near to one at most.
    """
    for name, value in (("threshold", threshold), ("norm", norm), ("tolerance", tolerance)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} is {value}; it must be a finite number of at least 0")
    W = as_directions(W).detach()
    flat = stacked(W)
    there, shares = represented(flat, norm).cpu(), feature_dimensionality(flat).cpu()
    found: list[Polytope] = []
    bounds: list[tuple[float, float]] = []
    for instance, table in enumerate(flat.cpu().double()):
        kept = there[instance].nonzero().flatten()
        labels, between, within = _joined(interference(table[kept]).numpy(), threshold)
        bounds.append((between, within))
        for label in dict.fromkeys(labels.tolist()):
            members = kept[torch.from_numpy(labels == label)]
            spectrum, cosines = signature(unit(table[members]))
            near, distance = nearest(spectrum, cosines)
            found.append(
                Polytope(
                    instance=instance,
                    members=tuple(members.tolist()),
                    name=near if distance <= tolerance else NO_POLYTOPE,
                    nearest=near,
                    distance=distance,
                    rank=int((spectrum > _OWN).sum()),
                    dimensionality=shares[instance, members],
                )
            )
    between, within = torch.tensor(bounds, dtype=W.dtype).reshape(*W.shape[:-2], 2).unbind(-1)
    return Polytopes(tuple(found), between, within)


def _joined(seen: np.ndarray, threshold: float) -> tuple[np.ndarray, float, float]:
    """A label for the part of each feature, and the largest link that joins no two features and the smallest that does.

    The links are those of the spanning tree of the strongest: parts at any threshold are what is left of it without the weaker ones.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

    seen = np.maximum(seen, seen.T)
    weak = 1 + seen.max(initial=0) - seen
    i, j = minimum_spanning_tree(weak).nonzero()
    links = seen[i, j]
    joins = links >= threshold
    graph = coo_array((np.ones(joins.sum()), (i[joins], j[joins])), shape=seen.shape)
    labels = connected_components(graph, directed=False)[1]
    return labels, float(links[~joins].max(initial=0)), float(links[joins].min(initial=np.inf))
