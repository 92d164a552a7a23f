"""Basis pursuit as a linear program, one sample at a time, by HiGHS (Huangfu & Hall 2018): the oracle for small cases.

min sum z with D z = x and z >= 0; signed codes are split into two parts of at least 0, and zeros and ones are relaxed to the box [0, 1].
`BasisPursuit` finds the same codes hundreds of times as fast.
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


@dataclass(frozen=True, kw_only=True)
class BasisPursuitLP(Decoder):
    """The code of the least |z|_1 with D z = x; DIVERGED where no code of the kind gives x."""

    kinds: ClassVar[tuple[Values, ...]] = (Values.NONNEGATIVE, Values.SIGNED, Values.BINARY)

    def init(self, dictionary: Dictionary) -> np.ndarray:
        """The equations' matrix, (d, N) in float64; twice as wide for signed codes."""
        matrix = dictionary.dense().double().cpu().numpy().T
        return np.hstack([matrix, -matrix]) if self.values is Values.SIGNED else matrix

    def run(self, state: np.ndarray, dictionary: Dictionary, x: Float[torch.Tensor, "batch dims"]) -> Decoded:
        """One program a sample."""
        n, bounds = dictionary.n_features, (0, 1 if self.values is Values.BINARY else None)
        z = np.zeros((len(x), n))
        status, steps = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
        for sample, row in enumerate(x.double().cpu().numpy()):
            tolerance = float(np.clip(rounding(x.dtype) * np.abs(row).max(), 1e-7, 1e-3))  # in units of x; 1e-7 is HiGHS's own
            options = {"primal_feasibility_tolerance": tolerance, "dual_feasibility_tolerance": 1e-10}
            found = linprog(np.ones(state.shape[1]), A_eq=state, b_eq=row, bounds=bounds, method="highs", options=options)
            status[sample], steps[sample] = _STATUS[found.status], found.nit
            if found.x is not None:
                within = np.clip(found.x, *bounds)  # a value may be outside by the tolerance
                z[sample] = within[:n] - within[n:] if self.values is Values.SIGNED else within
        codes = SparseCodes.from_dense(torch.from_numpy(z).to(x.device, x.dtype))
        return Decoded(codes, torch.from_numpy(status).to(x.device), torch.from_numpy(steps).to(x.device))
