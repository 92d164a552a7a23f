"""How small a residual means that x is fitted: a share of |x| that was asked for, and never less than what rounding leaves."""

import torch
from torch import Tensor

from tegum.checks import check_number
from tegum.shapes import Float

_ROUNDING = 32  # units of rounding: a least-squares residual that should be 0 has a few of them


def fitted(x: Float[Tensor, "batch dims"], tolerance: float | None = None) -> Float[Tensor, " batch"]:
    """The residual norm of each sample at which it is fitted: `tolerance` |x|, or what rounding leaves of |x|."""
    return x.norm(dim=1) * max(float(tolerance or 0), _ROUNDING * torch.finfo(x.dtype).eps)


def check_tolerance(tolerance: object) -> None:
    """Raise ValueError unless `tolerance`, a share of |x|, is a number of at least 0."""
    check_number("tolerance", tolerance)
