"""The random-number contract in numba: device functions, bit-identical to `tegum.draws` (see there for what and why).

Those named `many_` do at once, in vectors, what their namesakes do to one. No fastmath anywhere: a fused multiply-add rounds
once where torch rounds twice.
"""

import numpy as np
from numba import int64, njit, uint32, uint64

from tegum._kernel_numba import inlined
from tegum._vectors_numba import LANES, as_bits, counter, filler, from_bits, in_turn, to_float
from tegum.draws import _CENTRE, _HALF_ROOT, _LN2, _LOG, _M0, _M1, _NEAR, _W0, _W1

_M0, _M1, _W0, _W1 = uint64(_M0), uint64(_M1), uint32(_W0), uint32(_W1)
_HALF = uint64(32)
MANY = 4 * LANES  # firings at a time: 8 registers of 64-bit lanes, so that the processor always has something to do
_of, _counted = filler(MANY // 2), counter(MANY // 2)
_MASK, _W0_WIDE, _W1_WIDE = uint64(0xFFFFFFFF), uint64(_W0), uint64(_W1)
_52, _ROOT = int64(52), int64(_HALF_ROOT)
_L1, _L2, _L3, _L4, _L5, _L6, _L7 = _LOG


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
    exponent = (bits - _ROOT) >> _52
    rest = np.int64(bits - (exponent << _52)).view(np.float64)
    s = (rest - 1.0) / (rest + 1.0)
    x = s * s
    y = x * x
    odd = x * (_L1 + y * (_L3 + y * (_L5 + y * _L7)))
    even = y * (_L2 + y * (_L4 + y * _L6))
    return np.float64(exponent) * _LN2 + s * (2.0 + (odd + even))


@inlined
def many_pairs(seed, stream, instance, step, block, index):
    """Two words, w[0] and w[1], for each of MANY places from 2 `index` on: place 2 i has words 0 and 1 of index i, place 2 i + 1 words 2 and 3."""
    c0, c1 = _counted() + uint64(index), _of(uint64(block))
    c2, c3 = _of(uint64(step)), _of((uint64(stream) << uint64(24)) | uint64(instance))
    k0, k1 = uint64(seed) & _MASK, uint64(seed) >> _HALF
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3, k0, k1 = _two_rounds(c0, c1, c2, c3, k0, k1)
    return in_turn(c0, c2), in_turn(c1, c3)


@inlined
def _two_rounds(c0, c1, c2, c3, k0, k1):
    p0, p1 = (c0 & _MASK) * _M0, (c2 & _MASK) * _M1
    c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1, (p0 >> _HALF) ^ c3 ^ k1, p0
    k0, k1 = (k0 + _W0_WIDE) & _MASK, (k1 + _W1_WIDE) & _MASK
    p0, p1 = (c0 & _MASK) * _M0, (c2 & _MASK) * _M1
    c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1, (p0 >> _HALF) ^ c3 ^ k1, p0
    return c0, c1, c2, c3, (k0 + _W0_WIDE) & _MASK, (k1 + _W1_WIDE) & _MASK


@inlined
def many_uniform32(word):
    """U(0,1) from one word a lane."""
    return (to_float(word) + 0.5) * 2.0**-32


@inlined
def many_log(u):
    """Natural logarithms."""
    bits = as_bits(u)
    exponent = (bits - _ROOT) >> _52
    rest = from_bits(bits - (exponent << _52))
    s = (rest - 1.0) / (rest + 1.0)
    x = s * s
    y = x * x
    odd = x * (_L1 + y * (_L3 + y * (_L5 + y * _L7)))
    even = y * (_L2 + y * (_L4 + y * _L6))
    return to_float(exponent) * _LN2 + s * (2.0 + (odd + even))


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
