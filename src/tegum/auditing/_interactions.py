"""Interactions of three and of four coordinates at once: the part of the third and fourth moments that independent coordinates do not have.

For centred independent coordinates E p_i p_j p_k and E p_i p_j p_k p_l are 0 for different indices, however two of them depend on each other's size.
Their squares are summed over all different indices without listing them: sum over i, j, k of (p_i p_j p_k)(q_i q_j q_k) is, by Newton's identities, a
polynomial in the power sums s_a = sum_i (p_i q_i)^a, so means over pairs of rows are unbiased estimates (U-statistics, Hoeffding 1948; for three
variables this is the Lancaster interaction of Sejdinovic et al. 2013 with linear kernels).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tegum.shapes import Float

_TILE = 256  # rows against rows at a time: what is made of them stays in a core's cache
_ROUNDS, _DAMPING, _STILL = 25, 0.6, 2e-3
_FITTED = 1 << 20  # numbers that common factors are fitted to
_MOST = 3.0  # of a common factor, where coordinates have mean square 1
_LEAST = 1e-3  # of the standard error that independent coordinates have: what rounding may not fall below


@dataclass(frozen=True)
class Interactions:
    """Sums of squares over ordered indices that all differ, of three and of four, unbiased, with standard errors where there are none.

    `common_third` and `common_fourth` are what one product c_i c_j c_k (+-c_i c_j c_k c_l) explains of them.
    """

    third: float
    fourth: float
    third_error: float
    fourth_error: float
    common_third: float
    common_fourth: float

    @property
    def z_third(self) -> float:
        """What is left beside a common factor, in standard errors."""
        return (self.third - self.common_third) / self.third_error

    @property
    def z_fourth(self) -> float:
        """The same for four coordinates."""
        return (self.fourth - self.common_fourth) / self.fourth_error


def interactions(p: Float[Tensor, "rows rank"]) -> Interactions:
    """Of rows in the coordinates of a basis; `p` has mean square near 1."""
    (third, fourth), (var3, var4) = _pairs(p)
    n, d = p.shape
    pairs = n * (n - 1) / 2
    least = [_LEAST * math.sqrt(math.factorial(k) * math.perm(d, k) / pairs) for k in (3, 4)]
    errors = max(math.sqrt(var3 / pairs), least[0]) or 1.0, max(math.sqrt(var4 / pairs), least[1]) or 1.0
    return Interactions(third, fourth, *errors, _common(p, 3), _common(p, 4))


def totals(y: Float[Tensor, "rows rank"]) -> tuple[float, float, float, float]:
    """Squared lengths of the third-moment tensor of directions, and of the fourth's less the uniform sphere's; then their standard errors there.

    The means over pairs of (y.y')^3 and (y.y')^4 - 3 d^3/(d + 2): Sobolev tests of uniformity (Gine 1975) of the third and fourth degree.
    """
    n, d = y.shape
    sums = torch.zeros(2, dtype=torch.float64)
    for mine, others in _tiles(n):
        s = y[mine] @ y[others].T
        square = s * s
        for k, part in enumerate((s.mul_(square), square.square_())):
            sums[k] += (part.triu_(1) if mine == others else part).sum()
    pairs = n * (n - 1) / 2
    moments = [d**k * math.prod(range(1, k, 2)) / math.prod(range(d, d + k, 2)) for k in (4, 6, 8)]  # of y.y' with y' uniform
    return (
        float(sums[0]) / pairs,
        float(sums[1]) / pairs - moments[0],
        math.sqrt(moments[1] / pairs),
        math.sqrt(max(moments[2] - moments[0] ** 2, 1e-30) / pairs),
    )


def _pairs(p: Float[Tensor, "rows rank"]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Means over pairs of rows of the two polynomials, and of their squares."""
    n = len(p)
    powers = [p, p * p, p**3, p**4]
    sums = torch.zeros(4, dtype=torch.float64)
    for mine, others in _tiles(n):
        s1, s2, s3, s4 = (power[mine] @ power[others].T for power in powers)
        for k, part in enumerate(_different(s1, s2, s3, s4)):
            if mine == others:
                part.triu_(1)
            sums[k] += part.sum()
            sums[2 + k] += part.square_().sum()
    told = (sums / (n * (n - 1) / 2)).tolist()
    return (told[0], told[1]), (told[2], told[3])


def _tiles(n: int) -> Iterator[tuple[slice, slice]]:
    """Every pair of rows in one of these, once; on the diagonal both ways."""
    for first in range(0, n, _TILE):
        for second in range(first, n, _TILE):
            yield slice(first, first + _TILE), slice(second, second + _TILE)


def _different(s1: Tensor, s2: Tensor, s3: Tensor, s4: Tensor) -> tuple[Tensor, Tensor]:
    """3! e_3 and 4! e_4, the sums over ordered different indices, from power sums (Newton's identities)."""
    square = s1 * s1
    third = (square - 3 * s2).mul_(s1).add_(s3, alpha=2)
    fourth = (square - 6 * s2).mul_(square).add_(s2 * s2, alpha=3).addcmul_(s1, s3, value=8).sub_(s4, alpha=6)
    return third, fourth


def _common(p: Float[Tensor, "rows rank"], order: int) -> float:
    """How much smaller the sum of squares becomes by the best product of one factor c a coordinate: alternating least squares, damped."""
    if p.shape[1] < order:
        return 0.0
    some = p[: max(2, _FITTED // p.shape[1])]
    p = p.double()  # for the last word: sums of large terms that cancel
    best = 0.0
    for start in (torch.ones_like(some[0]), (some**3).mean(0)):
        for sign in (1, -1)[: 1 + (order == 4)]:
            c = _fitted(some, start / start.norm().clamp(min=1e-30), order, sign).double()
            along, size = max(0.0, sign * _moment(p, c, order)), _moment(c[None], c, order)
            best = max(best, along**2 / size if size > 0 else 0.0)  # of the best multiple of c's product
    return best


def _fitted(p: Float[Tensor, "some rank"], c: Float[Tensor, " rank"], order: int, sign: int) -> Float[Tensor, " rank"]:
    """The factors, from those of length 1; of the wrong sign they stay as they are."""
    along, size = sign * _moment(p, c, order), _moment(c[None], c, order)
    if along == 0 or size <= 0 or (along < 0 and order == 4):
        return c
    c = c * math.copysign(abs(along / size) ** (1 / order), along)
    for _ in range(_ROUNDS):
        above = sign * (p * _without(p * c, order)).mean(0)
        below = _without((c * c)[None], order)[0].clamp(min=1e-12)
        step = _DAMPING * ((above / below).clamp(-_MOST, _MOST) - c)
        c = c + step
        if float(step.norm()) <= _STILL * float(c.norm()):
            break
    return c


def _moment(p: Float[Tensor, "some rank"], c: Float[Tensor, " rank"], order: int) -> float:
    """The mean over rows of the sum over different indices of products of p_i c_i."""
    q = p * c
    square = q * q
    sums = [part.sum(1) for part in (q, square, square * q, square * square)]
    return float(_different(*sums)[order - 3].mean())


def _without(q: Float[Tensor, "some rank"], order: int) -> Float[Tensor, "some rank"]:
    """For each i the sum over different indices other than i, one fewer of them, of products of q."""
    square = q * q
    s1, s2 = q.sum(1, keepdim=True) - q, square.sum(1, keepdim=True) - square
    if order == 3:
        return s1 * s1 - s2
    cube = square * q
    return s1 * (s1 * s1 - 3 * s2) + 2 * (cube.sum(1, keepdim=True) - cube)
