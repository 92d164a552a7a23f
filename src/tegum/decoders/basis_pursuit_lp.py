"""Basis pursuit as a linear program, one sample at a time, by HiGHS (Huangfu & Hall 2018): the oracle for small cases.

min sum z with D z = x and z >= 0; signed codes are split into two parts of at least 0, and zeros and ones are relaxed to the box [0, 1].
HiGHS's tolerances are absolute, so x and the directions are given to it with a largest entry of 1 each. `BasisPursuit` finds the same codes
hundreds of times as fast.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.optimize import linprog

from tegum.decoders._base import Decoded, Decoder, Status, Values
from tegum.decoders.homotopy import rounding
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Float

_STATUS = {0: Status.OK, 1: Status.MAX_STEPS, 2: Status.DIVERGED, 3: Status.DIVERGED, 4: Status.SINGULAR}  # by scipy's numbers
_MISSES = 4.0  # tolerances, of the largest entry of x, that a residual may have


@dataclass(frozen=True, kw_only=True)
class BasisPursuitLP(Decoder):
    """The code of the least |z|_1 with D z = x; DIVERGED where no code of the kind gives x, MAX_STEPS where that found misses it."""

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)

    def init(self, dictionary: Dictionary) -> tuple[np.ndarray, float]:
        """The equations' matrix, (d, N) in float64 with a largest entry of 1, twice as wide for signed codes; and what it was divided by."""
        matrix = dictionary.dense().double().cpu().numpy().T
        largest = float(np.abs(matrix).max()) or 1.0
        matrix = matrix / largest
        return (np.hstack([matrix, -matrix]) if self.values is Values.SIGNED else matrix), largest

    def run(self, state: tuple[np.ndarray, float], dictionary: Dictionary, x: Float[torch.Tensor, "batch dims"]) -> Decoded:
        """One program a sample."""
        (matrix, largest), n = state, dictionary.n_features
        tolerance = float(np.clip(rounding(x.dtype), 1e-7, 1e-3))  # of the largest entry; 1e-7 is HiGHS's own
        options = {"primal_feasibility_tolerance": tolerance, "dual_feasibility_tolerance": 1e-10}
        z = np.zeros((len(x), n))
        status, steps = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
        for sample, row in enumerate(x.double().cpu().numpy()):
            unit = float(np.abs(row).max()) or 1.0
            bounds = (0, largest / unit if self.values is Values.BINARY else None)
            found = linprog(np.ones(matrix.shape[1]), A_eq=matrix, b_eq=row / unit, bounds=bounds, method="highs", options=options)
            status[sample], steps[sample] = _STATUS[found.status], found.nit
            if found.x is not None:
                within = np.clip(found.x, *bounds)  # a value may be outside by the tolerance
                misses = np.abs(row / unit - matrix @ within).max() > _MISSES * tolerance
                status[sample] = Status.MAX_STEPS if misses and found.status == 0 else status[sample]
                within *= unit / largest
                z[sample] = within[:n] - within[n:] if self.values is Values.SIGNED else within
        codes = SparseCodes.from_dense(torch.from_numpy(z).to(x.device, x.dtype))
        return Decoded(codes, torch.from_numpy(status).to(x.device), torch.from_numpy(steps).to(x.device))
