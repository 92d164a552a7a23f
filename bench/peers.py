"""Plain peers that no library has: the textbook form of an algorithm, a sample at a time, as a person would write it in NumPy."""

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


def _largest(c: np.ndarray, k: int) -> np.ndarray:
    return np.argpartition(-np.abs(c), k - 1)[:k]


def _fit(A: np.ndarray, chosen: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = np.linalg.lstsq(A[:, chosen], x, rcond=None)[0]
    return values, x - A[:, chosen] @ values
