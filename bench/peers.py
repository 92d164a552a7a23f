"""Peers, a sample at a time: (directions as columns (d, N), x (d,)) -> z (N,). What a library has, as its users call it; what none has, in NumPy."""

from collections.abc import Callable

import numpy as np


def subspace_pursuit(n_active: int, most_steps: int = 100) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Subspace pursuit as Dai & Milenkovic 2009 state it (algorithm 1): (directions as unit columns (d, N), x (d,)) -> z (N,)."""

    def solve(A: np.ndarray, x: np.ndarray) -> np.ndarray:
        chosen = _largest(A.T @ x, n_active)
        values, residual = _fit(A, chosen, x)
        for _ in range(most_steps):
            union = np.union1d(chosen, _largest(A.T @ residual, n_active))
            trial = union[_largest(_fit(A, union, x)[0], n_active)]
            new_values, new_residual = _fit(A, trial, x)
            if np.linalg.norm(new_residual) >= np.linalg.norm(residual):
                break
            chosen, values, residual = trial, new_values, new_residual
        z = np.zeros(A.shape[1], A.dtype)
        z[chosen] = values
        return z

    return solve


def celer_positive(A: np.ndarray, x: np.ndarray) -> np.ndarray:
    """celer's lasso with nonnegative values, its penalty a hundredth of the one that leaves nothing: near the limit of no penalty, and read right.

    A tolerance of 1e-2 is the loosest that reads as many codes as tighter ones, and the fastest; a smaller penalty takes no longer.
    """
    from celer import Lasso

    alpha = 0.01 * np.abs(A.T @ x).max() / len(x)
    return Lasso(alpha=alpha, positive=True, fit_intercept=False, tol=1e-2, max_iter=50).fit(A, x).coef_


def sklearn_omp(n_active: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """scikit-learn's orthogonal matching pursuit, told the number of active features."""
    from sklearn.linear_model import orthogonal_mp

    return lambda A, x: orthogonal_mp(A, x, n_nonzero_coefs=n_active)


def highs(A: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Basis pursuit with nonnegative values as a linear program, by scipy's HiGHS; nothing found is all zeros."""
    from scipy.optimize import linprog

    solved = linprog(np.ones(A.shape[1]), A_eq=A.astype(np.float64), b_eq=x.astype(np.float64), bounds=(0, None), method="highs")
    return np.zeros(A.shape[1]) if solved.x is None else solved.x


def _largest(c: np.ndarray, k: int) -> np.ndarray:
    return np.argpartition(-np.abs(c), k - 1)[:k]


def _fit(A: np.ndarray, chosen: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = np.linalg.lstsq(A[:, chosen], x, rcond=None)[0]
    return values, x - A[:, chosen] @ values
