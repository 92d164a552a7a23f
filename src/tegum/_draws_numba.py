"""The random-number contract in numba: device functions, bit-identical to `tegum.draws` (see there for what and why).

Those named `many_` do to `MANY` counters at once, in vectors, what their namesakes do to one. No fastmath anywhere: a fused multiply-add rounds
once where torch rounds twice.
"""

import numpy as np
from numba import njit, uint32, uint64

from tegum._kernel_numba import inlined, inner
from tegum._vectors_numba import LANES, as_bits, counter, filler, from_bits, select_above, to_float
from tegum.draws import _ATANH, _CENTRE, _LN2, _M0, _M1, _NEAR, _SQRT2, _W0, _W1

_M0, _M1, _W0, _W1 = uint64(_M0), uint64(_M1), uint32(_W0), uint32(_W1)
_HALF = uint64(32)
MANY = 2 * LANES  # four registers of 64-bit lanes: enough to hide how long one takes
many_of, many_counted = filler(MANY), counter(MANY)
_MASK, _W0_WIDE, _W1_WIDE = uint64(0xFFFFFFFF), uint64(_W0), uint64(_W1)
_SIX, _TWENTY_SIX, _52, _1023, _ONE, _NONE = (uint64(number) for number in (6, 26, 52, 1023, 1, 0))
_FRACTION, _UNIT = uint64(0xFFFFFFFFFFFFF), uint64(0x3FF0000000000000)
_A10, _A9, _A8, _A7, _A6, _A5, _A4, _A3, _A2, _A1, _A0 = _ATANH[::-1]


@njit
def words(seed, stream, instance, step, block, index):
    """Four uint32 words for one counter."""
    c0, c1, c2, c3 = uint32(index), uint32(block), uint32(step), uint32((uint64(stream) << uint64(24)) | uint64(instance))
    k0, k1 = uint32(uint64(seed)), uint32(uint64(seed) >> _HALF)
    for _ in range(10):
        p0, p1 = uint64(c0) * _M0, uint64(c2) * _M1
        c0, c1, c2, c3 = uint32(p1 >> _HALF) ^ c1 ^ k0, uint32(p1), uint32(p0 >> _HALF) ^ c3 ^ k1, uint32(p0)
        k0, k1 = uint32(k0 + _W0), uint32(k1 + _W1)
    return c0, c1, c2, c3


@njit
def uniform32(word):
    """U(0,1) from one word."""
    return (np.float64(word) + 0.5) * 2.0**-32


@njit
def uniform52(high, low):
    """U(0,1) from two words."""
    return (np.float64((uint64(high) >> uint64(6)) * uint64(67108864) + (uint64(low) >> uint64(6))) + 0.5) * 2.0**-52


@njit
def log(u):
    """Natural logarithm of a positive normal float64."""
    bits = np.float64(u).view(np.int64)
    exponent = (bits >> 52) - 1023
    mantissa = np.int64((bits & np.int64(0xFFFFFFFFFFFFF)) | np.int64(0x3FF0000000000000)).view(np.float64)
    if mantissa > _SQRT2:
        mantissa = mantissa * 0.5
        exponent = exponent + 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return np.float64(exponent) * _LN2 + 2.0 * s * _horner(_ATANH, s * s)


@inner
def many_words(seed, stream, instance, step, block, index):
    """Four words for each of a vector of blocks and indices, in 64-bit lanes."""
    c0, c1 = index, block
    c2, c3 = many_of(uint64(step)), many_of((uint64(stream) << uint64(24)) | uint64(instance))
    k0, k1 = uint64(seed) & _MASK, uint64(seed) >> _HALF
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    return c0 & _MASK, c1 & _MASK, c2 & _MASK, c3 & _MASK


@inlined
def _two_rounds(c0, c1, c2, c3, k0, k1):
    p0, p1 = (c0 & _MASK) * _M0, (c2 & _MASK) * _M1
    c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1, (p0 >> _HALF) ^ c3 ^ k1, p0
    k0, k1 = (k0 + _W0_WIDE) & _MASK, (k1 + _W1_WIDE) & _MASK
    p0, p1 = (c0 & _MASK) * _M0, (c2 & _MASK) * _M1
    c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1, (p0 >> _HALF) ^ c3 ^ k1, p0
    return c0, c1, c2, c3, (k0 + _W0_WIDE) & _MASK, (k1 + _W1_WIDE) & _MASK


@inner
def many_uniform52(high, low):
    """U(0,1) from two words a lane."""
    return (to_float(((high >> _SIX) << _TWENTY_SIX) | (low >> _SIX)) + 0.5) * 2.0**-52


@inner
def many_log(u):
    """Natural logarithms."""
    bits = as_bits(u)
    mantissa = from_bits((bits & _FRACTION) | _UNIT)
    exponent = (bits >> _52) - _1023 + select_above(mantissa, _SQRT2, many_of(_ONE), many_of(_NONE))
    mantissa = select_above(mantissa, _SQRT2, mantissa * 0.5, mantissa)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    x = s * s
    near = ((((many_of(_A10) * x + _A9) * x + _A8) * x + _A7) * x + _A6) * x + _A5
    return to_float(exponent) * _LN2 + 2.0 * s * (((((near * x + _A4) * x + _A3) * x + _A2) * x + _A1) * x + _A0)


@njit
def normal(u):
    """The standard normal quantile."""
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * _horner(_CENTRE[0], r) / _horner(_CENTRE[1], r)
    t = _sqrt(-log(u if q < 0 else 1.0 - u)) - 1.6
    near = _horner(_NEAR[0], t) / _horner(_NEAR[1], t)
    return -near if q < 0 else near


@njit
def _sqrt(a):
    root = np.int64((np.float64(a).view(np.int64) >> 1) + np.int64(0x1FF8000000000000)).view(np.float64)
    for _ in range(4):
        root = 0.5 * (root + a / root)
    return root


@njit
def _horner(coefficients, x):
    total = coefficients[len(coefficients) - 1]
    for i in range(len(coefficients) - 2, -1, -1):
        total = total * x + coefficients[i]
    return total
