"""The random-number contract in numba: scalar device functions, bit-identical to `tegum.draws` (see there for what and why).

No fastmath anywhere: a fused multiply-add rounds once where torch rounds twice.
"""

import numpy as np
from numba import njit, uint32, uint64

from tegum.draws import _ATANH, _CENTRE, _LN2, _M0, _M1, _NEAR, _SQRT2, _W0, _W1

_M0, _M1, _W0, _W1 = uint64(_M0), uint64(_M1), uint32(_W0), uint32(_W1)
_HALF = uint64(32)


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
