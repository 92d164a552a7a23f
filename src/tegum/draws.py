"""The one random-number contract: every draw is a pure function of (seed, stream, instance, step, block, index).

Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, 'Parallel random numbers: as easy as 1, 2, 3') turns a 128-bit counter and a 64-bit key into
four 32-bit words. Here the key is the seed and the counter says what the words are for, so the numbers are the same in torch, in numba and on
a GPU, whatever the batching, the chunking or the number of workers:

    counter = (index, block, step, stream << 24 | instance)         index, block, step < 2^32; instance < 2^24; stream < 2^8

From words to numbers only IEEE additions, multiplications and divisions are used, in one fixed order, and never a library's logarithm or
square root: two libraries round those differently (torch's vectorised square root is off by an ulp in 1 of 200). The numba version stands in
`_draws_numba.py`; the tests hold both to the generator's published vectors and to each other, bit for bit.
"""

from collections.abc import Sequence
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tegum._compiled import kernels
from tegum._threads import shared_out
from tegum.shapes import Float, Int

_kernels = partial(kernels, "tegum._normals_numba")

# What a stream of words is for. A distribution may use up to 64 streams for its events and 64 for their members.
EVENTS, MEMBERS, WEIGHTS, DIRECTIONS, ROTATIONS, NOISE = 0, 64, 128, 129, 130, 131
INTRINSIC_VOLUMES = 160  # vectors whose projections on a cone measure it
HELD_OUT, SHUFFLES = 161, 162  # documents that are held out; orders in which rows are read
EVALUATION_STEP = 2**32 - 1  # the step that no training reaches: common evaluation sets are drawn there

_WORTH_THREADS = 1 << 16  # numbers
_MASK = 0xFFFFFFFF
_M0, _M1, _W0, _W1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85
_LN2, _HALF_ROOT = 0.6931471805599453, 0x3FE6A09E667F3BCD  # the latter: sqrt(1/2), as bits
# Sun Microsystems 1993, fdlibm, e_log.c: 2 atanh(s) = s (2 + sum_i _LOG[i] s^(2i+2)) for |s| < .1716, within 2^-58.
_LOG = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip
# Wichura 1988, 'Algorithm AS 241', PPND16: numerator and denominator of the centre, the near tail and the far tail, constant term first.
_CENTRE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
_NEAR = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip


def words(seed: int | Tensor, stream: int, instance: Any, step: Any, block: Any, index: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Four words (int64 tensors in [0, 2^32)) for each counter; the arguments broadcast. `seed` is an integer in [0, 2^63) or an int64 tensor."""
    index, block, step, instance = (torch.as_tensor(v, dtype=torch.int64) for v in (index, block, step, instance))
    device = next((v.device for v in (index, block, step, instance) if v.device.type != "cpu"), index.device)
    key = torch.as_tensor(seed, dtype=torch.int64, device=device)
    index, block, step, instance = torch.broadcast_tensors(*(v.to(device) for v in (index, block, step, (stream << 24) | instance)))
    return philox4x32((index, block, step, instance), (key & _MASK, (key >> 32) & _MASK))


def philox4x32(counter: Sequence[Tensor], key: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10 on int64 tensors that hold 32-bit words. A product wraps in int64; its upper half is still right after the mask."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = ((p1 >> 32) & _MASK) ^ c1 ^ k0, p1 & _MASK, ((p0 >> 32) & _MASK) ^ c3 ^ k1, p0 & _MASK
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return c0, c1, c2, c3


def uniform32(word: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """U(0,1) from one word: (w + 1/2) / 2^32, float64."""
    return (word.to(torch.float64) + 0.5) * 2.0**-32


def uniform52(high: Int[Tensor, "*shape"], low: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """U(0,1) from two words, 52 bits and a half, never 0 or 1, float64."""
    return (((high >> 6) * 67108864 + (low >> 6)).to(torch.float64) + 0.5) * 2.0**-52


def log(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """ln u for positive normal float64: its exponent, and 2 atanh of the rest in [sqrt(1/2), sqrt(2)); within 2 ulp or 2e-16 of the truth."""
    bits = u.view(torch.int64)
    exponent = (bits - _HALF_ROOT) >> 52
    rest = (bits - (exponent << 52)).view(torch.float64)
    s = (rest - 1.0) / (rest + 1.0)
    x = s * s
    y = x * x
    odd = x * (_LOG[0] + y * (_LOG[2] + y * (_LOG[4] + y * _LOG[6])))
    even = y * (_LOG[1] + y * (_LOG[3] + y * _LOG[5]))
    return exponent.to(torch.float64) * _LN2 + s * (2.0 + (odd + even))


def normal(u: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The standard normal quantile of u in (0,1) down to about 2^-33 (|z| < 6.4), float64: AS 241."""
    q = u - 0.5
    r = 0.180625 - q * q
    centre = q * _horner(_CENTRE[0], r) / _horner(_CENTRE[1], r)
    t = _sqrt(-log(torch.where(q < 0, u, 1.0 - u))) - 1.6
    near = _horner(_NEAR[0], t) / _horner(_NEAR[1], t)
    return torch.where(q.abs() <= 0.425, centre, torch.where(q < 0, -near, near))


def normals(
    seed: int | Tensor, stream: int, rows: Int[Tensor, " rows"], n: int, *, instance: int | Tensor = 0, step: int = 0
) -> Float[Tensor, "rows n"]:
    """`n` standard normal numbers a row, float64: entry t of row r is word t % 4 of block r, index t // 4. `seed` and `instance` may be (rows,)."""
    alike = all(not isinstance(v, Tensor) or (v.device.type == "cpu" and v.numel() in (1, len(rows))) for v in (seed, instance))
    compiled = _kernels() if alike and rows.device.type == "cpu" and isinstance(step, int) else None
    return (
        _by_torch(seed, stream, rows, n, instance, step)
        if compiled is None
        else _by_kernel(compiled, seed, stream, rows, n, instance, step)
    )


def _by_torch(seed: int | Tensor, stream: int, rows: Tensor, n: int, instance: int | Tensor, step: int) -> Tensor:
    seed, instance = (torch.as_tensor(v, device=rows.device).reshape(-1, 1) for v in (seed, instance))
    index = torch.arange(-(-n // 4), device=rows.device)
    four = torch.stack(words(seed, stream, instance, step, rows[:, None], index), dim=-1)
    return normal(uniform32(four.flatten(1)[:, :n]))


def _by_kernel(compiled: ModuleType, seed: int | Tensor, stream: int, rows: Tensor, n: int, instance: int | Tensor, step: int) -> Tensor:
    seeds, instances = (torch.as_tensor(v, dtype=torch.int64).reshape(-1).expand(len(rows)).contiguous().numpy() for v in (seed, instance))
    out = torch.empty(len(rows), n, dtype=torch.float64)
    names = rows.to(torch.int64).contiguous().numpy()
    work = partial(compiled.normals_of_rows, seeds, stream, instances, step, names, n, out.numpy())
    shared_out(work, len(rows), worth=out.numel() >= _WORTH_THREADS)
    return out


def _sqrt(a: Tensor) -> Tensor:
    root = ((a.view(torch.int64) >> 1) + 0x1FF8000000000000).view(torch.float64)  # right to 4%; Heron's rule squares that four times
    for _ in range(4):
        root = 0.5 * (root + a / root)
    return root


def _horner(coefficients: Sequence[float], x: Tensor) -> Tensor:
    total = torch.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total
