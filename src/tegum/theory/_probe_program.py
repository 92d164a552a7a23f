"""The best probe of every feature by linear programming, one program a feature: the oracle for small sizes.

|r|_(k) is the least k t + sum_j u_j over t, u >= 0 with u_j + t >= |r_j|, so the best b is part of a program in (b, t, u); its dual is the y of
`_probe_search`. Solved by HiGHS's simplex methods, through scipy.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tegum.shapes import Float
from tegum.theory._probe_search import Range


def best_probes_exactly(
    A: Float[Tensor, "features dims"], k: int, done: Callable[[int], None]
) -> tuple[Float[Tensor, "features dims"], Float[Tensor, " features"]]:
    """Probes for A and a lower bound for each feature, equal to rounding. Raises RuntimeError where HiGHS finds no optimum."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, hstack, vstack

    space = Range(A)
    basis = space.basis.cpu().numpy()
    n, rank = basis.shape
    rows = csr_array(basis)
    slack = hstack([csr_array(np.ones((n, 1))), eye_array(n)])
    below = vstack([hstack([rows, -slack]), hstack([-rows, -slack])], format="csr")
    cost = np.concatenate([np.zeros(rank), [k], np.ones(n)])
    bounds = [(None, None)] * rank + [(0, None)] * (n + 1)
    c, y = np.empty((n, rank)), np.empty((n, n))
    for feature in range(n):
        wanted = np.zeros(2 * n)
        wanted[[feature, n + feature]] = 1, -1
        found = linprog(cost, A_ub=below, b_ub=wanted, bounds=bounds, method="highs-ds")
        if not found.success:
            raise RuntimeError(f"HiGHS found no best probe of feature {feature}: {found.message}")
        c[feature], price = found.x[:rank], found.ineqlin.marginals
        y[feature] = price[n:] - price[:n]
        done(feature + 1)
    own = torch.arange(n, device=A.device)
    return torch.from_numpy(c).to(A) @ space.back, space.lower_bounds(torch.from_numpy(y).to(A), own, k)
