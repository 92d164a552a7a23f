"""What an active feature's value is, as seen through a Gaussian channel r = z + tau g: the denoisers of Bayes-AMP and VAMP.

An entry z is 0, or with a small chance active, and then of one kind: binary 1, signed +-1, gaussian N(0,1), uniform U[0,1]. Given r,

    log f1(r)/f0(r) = log E_z exp((2 r z - z^2) / (2 tau^2))       r under an active entry against r under an inactive one
    P(active | r)   = sigmoid(log-odds of the prior + log f1/f0)
    d E[z | r] / dr = Var[z | r] / tau^2                           (Tweedie: the slope that AMP's Onsager term needs)

All but the uniform kind are a few exponentials. There z given r is a normal truncated to [0, 1], whose textbook moments are differences of
nearly equal numbers in many places; `_uniform` says what stands there instead. Everything holds for tau from 1e-8 to 1e4, in float32 as well.

Source: Donoho, Maleki & Montanari 2010, 'Message passing algorithms for compressed sensing: I', sec. 3; Krzakala et al. 2012,
'Probabilistic reconstruction in compressed sensing', sec. 3.4; Efron 2011, 'Tweedie's formula and selection bias'.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tegum.features._base import _MEAN, _SECOND
from tegum.features._events import VALUES
from tegum.shapes import Float

NEAR = 2.0  # standard deviations outside [0, 1] up to which the textbook form holds: beyond, it loses 10 units of rounding and ever more
SHORT = 4.5  # the tilt of the density over [0, 1], in nats, below which its ends cancel: there it is integrated by Gauss's rule


class Channel(NamedTuple):
    """An active value given r, each of the shape of r and the variance broadcast."""

    log_ratio: Tensor
    mean: Tensor
    variance: Tensor


class Posterior(NamedTuple):
    """An entry given r: the chance that it is active, and mean and variance of z with the chance of 0 counted in."""

    chance: Tensor
    mean: Tensor
    variance: Tensor


def value_moments(values: str) -> tuple[float, float]:
    """E z and E z^2 of an active value. Raises ValueError for an unknown kind."""
    _check_kind(values)
    return _MEAN[values], _SECOND[values]


def log_odds(density: float) -> float:
    """ln(p / (1 - p)). Raises ValueError unless 0 < p < 1."""
    if not 0 < density < 1:
        raise ValueError(f"density is {density!r}; it must lie strictly between 0 and 1")
    return math.log(density) - math.log1p(-density)


def channel(values: str, r: Float[Tensor, "..."], variance: float | Tensor) -> Channel:
    """log f1(r)/f0(r), and mean and variance of the active value z given r = z + sqrt(variance) g; `variance` broadcasts against r.

    Raises ValueError for an unknown kind. `variance` must be positive, which is not checked: this stands in the inner loop of decoders.
    """
    _check_kind(values)
    variance = torch.as_tensor(variance, dtype=r.dtype, device=r.device)
    if values == "uniform":
        return _uniform(r, variance)
    if values == "gaussian":
        ratio = (0.5 * r * r).mul(1 / (variance * (1 + variance))) - 0.5 * torch.log1p(1 / variance)
        return Channel(ratio, r / (1 + variance), (variance / (1 + variance)).expand_as(ratio))
    if values == "binary":
        ratio = (r - 0.5) / variance
        return Channel(ratio, torch.ones_like(ratio), torch.zeros_like(ratio))
    size = r.abs()
    flipped = torch.exp(-2 * size / variance)  # how much less likely the other sign is
    ratio = (size - 0.5) / variance + torch.log1p(flipped) - math.log(2)
    return Channel(ratio, torch.tanh(r / variance), 4 * flipped / (1 + flipped).square())


def posterior(values: str, r: Float[Tensor, "..."], variance: float | Tensor, *, log_odds: float | Tensor) -> Posterior:
    """P(z is active | r), E[z | r] and Var[z | r] under the prior log-odds (`log_odds(density)`), which broadcast against r.

    The slope of the mean in r is variance / (channel's variance). Raises ValueError for an unknown kind.
    """
    if values in ("binary", "signed"):
        return (_binary if values == "binary" else _signed)(r, torch.as_tensor(variance, dtype=r.dtype, device=r.device), log_odds)
    ratio, mean, spread = channel(values, r, variance)
    logit = ratio + log_odds
    chance = torch.sigmoid(logit)
    weighted = chance * mean
    return Posterior(chance, weighted, spread.mul(chance).addcmul_(weighted * mean, torch.sigmoid_(logit.neg_())))


def _check_kind(values: str) -> None:
    if values not in VALUES:
        raise ValueError(f"values is {values!r}; it must be one of {', '.join(VALUES)}")


def _binary(r: Tensor, variance: Tensor, log_odds: float | Tensor) -> Posterior:
    """Six passes over the array: this and `_signed` stand in the inner loop of Bayes-AMP."""
    logit = (r - 0.5) * (1 / variance) + log_odds
    chance = torch.sigmoid(logit)
    return Posterior(chance, chance, logit.neg_().sigmoid_().mul_(chance))


def _signed(r: Tensor, variance: Tensor, log_odds: float | Tensor) -> Posterior:
    """Three states, weighed against the sign of r: 1, `flipped` for the other sign and `off` for 0."""
    inverse = 1 / variance
    size = r.abs()
    most = 80.0 if r.dtype == torch.float32 else 700.0  # chances below exp(-most) are given as that
    off = ((size - 0.5) * inverse + (log_odds - math.log(2))).neg_().clamp_(max=most).exp_()
    flipped = (size * inverse).mul_(-2).exp_().expand_as(off)
    share = (flipped + 1).add_(off).reciprocal_()
    off.mul_(share)
    chance = (flipped + 1).mul_(share)
    mean = (1 - flipped).mul_(share).copysign_(r)
    return Posterior(chance, mean, (flipped * 4).mul_(share).mul_(share).addcmul_(off, chance))


def _uniform(r: Tensor, variance: Tensor) -> Channel:
    """z ~ U[0,1]: given r, a normal about r truncated to [0, 1].

    r above 1/2 is folded back (z -> 1 - z), so that the nearer end is 0. In units of tau the ends lie at a = -r/tau and b = a + w from r,
    w = 1/tau, and the density falls by `tilt` = (b^2 - a^2) / 2 nats from one end to the other. Three forms then cover the plane without
    cancellation: Gauss's rule where the interval is short and the density nearly flat, the textbook form near and inside the interval, Mills'
    ratio far outside.
    """
    r, variance = torch.broadcast_tensors(r, variance)
    folded = torch.minimum(r, 1 - r)
    w = variance.rsqrt()
    a, tilt = -folded * w, (0.5 - folded) / variance
    short = (w * w < 2 * SHORT) & (tilt < SHORT)
    far = (a > NEAR) & ~short
    found = _near(a, w)
    for mask, form in ((far, _far), (short, _short)):
        where = mask.nonzero(as_tuple=True)
        if where[0].numel():
            for whole, part in zip(found, form(a[where], w[where], tilt[where]), strict=True):
                whole[where] = part
    ratio, mean, spread = found
    beyond = (r - 0.5).clamp_(min=0)
    return Channel(ratio.addcdiv_(beyond, variance), torch.where(beyond > 0, 1 - mean, mean), spread)


def _near(a: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The textbook form; where a > NEAR its numbers may be anything."""
    b = a + w
    lower, upper, half = torch.exp(-0.5 * a * a), torch.exp(-0.5 * b * b), math.sqrt(0.5)
    mass = math.sqrt(math.pi / 2) * (torch.erfc(half * a) - torch.erfc(half * b))
    pull = (lower - upper) / mass
    spread = 1 + (a * lower - b * upper) / mass - pull * pull
    return (mass / w).log_().add_(0.5 * a * a), (pull - a) / w, spread / (w * w)


def _far(a: Tensor, w: Tensor, tilt: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Beyond the end at a: what lies above a in units of tau, less what lies above b, each by Mills' ratio."""
    b = a + w
    excess, square = _excess(a)
    excess_b, square_b = _excess(b)
    beyond = torch.exp(-tilt) * (a + excess) / (b + excess_b)  # P(x > b | x > a); x + excess(x) is the inverse of Mills' ratio
    mean = (excess - beyond * (w + excess_b)) / (1 - beyond)
    second = (square - beyond * (square_b + w * (2 * excess_b + w))) / (1 - beyond)
    return torch.log1p(-beyond) - ((a + excess) * w).log(), mean / w, (second - mean.square()) / w.square()


def _excess(x: Tensor) -> tuple[Tensor, Tensor]:
    """E[g - x | g > x] and E[(g - x)^2 | g > x], g ~ N(0,1), x >= 2: Laplace's continued fraction 1/(x + 2/(x + 3/(x + ...)))."""
    terms = 60 if x.dtype == torch.float64 else 14
    rest = torch.sqrt(x * x / 4 + terms) - x / 2  # the fixed point of c = terms / (x + c), which the tail of the fraction is close to
    for n in range(terms - 1, 1, -1):
        rest = n / (x + rest)
    excess = 1 / (x + rest)
    return excess, rest * excess


def _short(a: Tensor, w: Tensor, tilt: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ARG001 (one signature for all three forms)
    """Gauss's rule on [0, 1] for exp(-a w z - w^2 z^2 / 2): 14 points, exact to rounding while the exponent stays within 10."""
    total = first = second = torch.zeros_like(a)
    slope, curve = a * w, 0.5 * w.square()
    points, weights = np.polynomial.legendre.leggauss(14)
    for z, weight in zip((points + 1) / 2, weights / 2, strict=True):
        mass = weight * torch.exp(-z * (slope + z * curve))
        total, first, second = total + mass, first + z * mass, second + z * z * mass
    mean = first / total
    return total.log(), mean, second / total - mean.square()
