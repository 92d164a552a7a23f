"""Duality gaps: how far codes can be, at most, from the least objective, whoever found them.

For the lasso, min 1/2 |x - D z|^2 + penalty |z|_1, any theta with all |D_i . theta| <= penalty bounds the least objective from below by
theta . x - |theta|^2 / 2; the residual, scaled until it obeys, gives such a bound (Kim et al. 2007, sec. III). At penalty 0, min |z|_1 with D z = x,
any y with all |D_i . y| <= 1 bounds it by x . y. Codes of at least 0 need no lower bound on D_i . theta, and in the box [0, 1] theta is
free: what exceeds the penalty is subtracted from the bound instead.
"""

import math

import torch
from torch import Tensor

from tegum.checks import check_number
from tegum.decoders._base import Values
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Bool, Float

_CHUNK = 1 << 24  # numbers held at a time
_ROUNDING = 16  # units of it, of the largest value, that a code may be outside of its kind


def check_penalty(penalty: object) -> None:
    """Raise ValueError unless `penalty` is a finite number of at least 0."""
    check_number("penalty", penalty)


def check_tolerance(tolerance: object) -> None:
    """Raise ValueError unless `tolerance` is above 0 and below 1."""
    if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not 0 < tolerance < 1:
        raise ValueError(f"tolerance is {tolerance!r}; it is the duality gap as a share of the objective, above 0 and below 1")


def check_samples(dictionary: Dictionary, x: Tensor, name: str = "x") -> None:
    """Raise ValueError unless `x` is (samples, dims) of finite numbers, for what is asked without `decode`."""
    if x.ndim != 2 or x.shape[1] != dictionary.n_dims:
        raise ValueError(f"{name} has shape {tuple(x.shape)}; it must be (samples, {dictionary.n_dims})")
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} holds values that are not finite")


def duality_gap(
    dictionary: Dictionary,
    x: Float[Tensor, "batch dims"],
    z: SparseCodes,
    penalty: float = 0.0,
    values: Values | str = Values.NONNEGATIVE,
    dual: Float[Tensor, "batch dims"] | None = None,
) -> Float[Tensor, " batch"]:
    """The gap between the objective of `z` and a bound on the least one, as a share of the objective; computed in float64.

    `dual` is the point that gives the bound, by default the residual; at penalty 0 it must be given (`BasisPursuit.duals`). There a code that
    misses x counts as if it met it, and a gap may then be negative. A code outside the kind by more than rounding has an infinite gap.
    ValueError where sizes differ, x or the dual is not finite, or the dual is missing.
    """
    check_penalty(penalty)
    check_samples(dictionary, x)
    if (len(z), z.n_features) != (len(x), dictionary.n_features):
        raise ValueError(f"z has {len(z)} samples of {z.n_features} features; x has {len(x)}, and the dictionary {dictionary.n_features}")
    if dual is None and penalty == 0:
        raise ValueError("at penalty 0 the residual bounds nothing; give the dual that came with the codes")
    if dual is not None:
        check_samples(dictionary, dual, "dual")
        if len(dual) != len(x):
            raise ValueError(f"dual has {len(dual)} samples; x has {len(x)}")
    wide, size = x.double(), z.values.double().abs().sum(1)
    residual = wide - _encoded(dictionary, z)
    point = residual if dual is None else dual.double()
    peak, excess = reach(dictionary, point, Values(values), penalty or 1.0)
    if penalty:
        gap = _gap(wide, size, residual, point, peak, excess, torch.full_like(size, penalty), Values(values))
    else:
        bound = (point * wide).sum(1) - excess if values == Values.BINARY else (point * wide).sum(1) / peak.clamp(min=1)
        gap = torch.where(size > 0, (size - bound) / size, size - bound)
    return torch.where(_within(z, Values(values)), gap, math.inf)


def worse_than_none(
    x: Float[Tensor, "batch dims"], z: Float[Tensor, "batch slots"], residual: Float[Tensor, "batch dims"], penalty: float
) -> Bool[Tensor, " batch"]:
    """Which codes to begin from have a larger objective than no code at all, or none that is finite."""
    return ~(0.5 * residual.square().sum(1) + penalty * z.abs().sum(1) <= 0.5 * x.square().sum(1))


def reach(dictionary: Dictionary, point: Tensor, values: Values, limit: float) -> tuple[Tensor, Tensor]:
    """The largest inner product of a direction with each point, and by how much all of them together exceed the limit."""
    peak, excess = torch.zeros(len(point), dtype=torch.float64, device=point.device), point.new_zeros(len(point))
    step = max(1, _CHUNK // max(len(point), dictionary.n_dims))
    for first in range(0, dictionary.n_features, step):
        rows = dictionary.directions(torch.arange(first, min(first + step, dictionary.n_features), device=point.device))
        inner = point @ rows.double().T
        peak = torch.maximum(peak, (inner.abs() if values is Values.SIGNED else inner).amax(1))
        excess = excess + (inner - limit).clamp(min=0).sum(1)
    return peak, excess


def lasso_gap(
    x: Float[Tensor, "batch dims"],
    z: Float[Tensor, "batch slots"],
    residual: Float[Tensor, "batch dims"],
    correlation: Float[Tensor, "batch features"],
    penalty: Float[Tensor, " batch"],
    values: Values,
) -> Float[Tensor, " batch"]:
    """The lasso's gap as a share of its objective, from what a solver has at hand: the residual and its correlations with all directions."""
    peak = (correlation.abs() if values is Values.SIGNED else correlation).amax(1)
    excess = (correlation - penalty[:, None]).clamp(min=0).sum(1) if values is Values.BINARY else torch.zeros_like(peak)
    return _gap(x, z.abs().sum(1), residual, residual, peak, excess, penalty, values)


def _gap(x: Tensor, size: Tensor, residual: Tensor, point: Tensor, peak: Tensor, excess: Tensor, penalty: Tensor, values: Values) -> Tensor:
    along, length = (point * x).sum(1), point.square().sum(1)
    if values is Values.BINARY:
        bound = along - 0.5 * length - excess
    else:  # the multiple of the point that bounds best among those that obey
        scale = torch.minimum((along / length.clamp(min=1e-300)).clamp(min=0), penalty / peak.clamp(min=1e-300))
        bound = scale * along - 0.5 * scale.square() * length
    objective = 0.5 * residual.square().sum(1) + penalty * size
    return torch.where(objective > 0, (objective - bound) / objective, objective - bound)


def _within(z: SparseCodes, values: Values) -> Tensor:
    if values is Values.SIGNED or not z.values.shape[1]:
        return torch.ones(len(z), dtype=torch.bool, device=z.values.device)
    slack = _ROUNDING * torch.finfo(z.values.dtype).eps * z.values.abs().amax(dim=1)
    within = z.values.amin(dim=1) >= -slack
    return within & (z.values.amax(dim=1) <= 1 + slack) if values is Values.BINARY else within


def _encoded(dictionary: Dictionary, z: SparseCodes) -> Tensor:
    out = torch.zeros(len(z), dictionary.n_dims, dtype=torch.float64, device=dictionary.device)
    for slot in range(z.indices.shape[1]):
        at = (z.indices[:, slot] >= 0).nonzero()[:, 0]
        out[at] += dictionary.directions(z.indices[at, slot]).double() * z.values[at, slot, None].double()
    return out
