"""The lines through the roots of E8, E7, E6 and D4: 120 in eight dims, 63 in seven, 36 in six and 12 in four, with all cosines 0 or +-1/2.

Nothing beats them: no squared coherence is below (3 N - d^2 - 2 d) / ((d + 2) (N - d)), which is 1/4 at these sizes (Levenshtein 1982, 'Bounds on the
maximal cardinality of a code with bounded modulus of the inner product'). Coordinates are those of Bourbaki, 'Lie groups', chapter VI: E7 is what
lies in E8 at right angles to e7 + e8, E6 what is so to e6 - e7 too; D4 is the +-e_i +- e_j of four dims.
"""

import itertools

import numpy as np

_E = np.eye(8)
_NORMALS = {(120, 8): _E[:0], (63, 7): _E[6:7] + _E[7:], (36, 6): np.stack([_E[6] + _E[7], _E[5] - _E[6]]), (12, 4): _E[4:]}
SIZES = tuple(_NORMALS)


def root_lines(n_features: int, n_dims: int) -> np.ndarray | None:
    """Unit directions (N, d) in float64, one a line, or None for another size than those of `SIZES`."""
    if (n_features, n_dims) not in _NORMALS:
        return None
    normals = _NORMALS[n_features, n_dims]
    pairs = [_E[i] + sign * _E[j] for i, j in itertools.combinations(range(8), 2) for sign in (1, -1)]
    halves = [np.array([1, *signs]) / 2 for signs in itertools.product((1, -1), repeat=7) if np.prod(signs) == 1]
    roots = np.array(pairs + halves)
    basis = np.linalg.qr(normals.T, mode="complete").Q[:, len(normals) :]
    return roots[(roots @ normals.T == 0).all(axis=1)] @ basis / np.sqrt(2)
