"""Small symmetric systems by Cholesky, one a sample, solved again without what comes out of bounds: in numba, a sample's matrix staying in cache.

The two right-hand sides stand beside the matrix as two more columns, so that elimination takes them along.
"""

from tegum._kernel_numba import inner, kernel
from tegum._vectors_numba import filler, fma, loader, put, store

WIDE = 8
_load, _fill = loader(WIDE), filler(WIDE)


@inner
def _eliminated(system, stride, n):
    """The upper triangle of n rows made that of the Cholesky factor, in place. False where a pivot is not positive but for rounding."""
    for j in range(n):
        diagonal = system[j * stride + j]
        if not diagonal > 1e-13 * system[j * stride + n + 2]:
            return False
        scale = 1 / diagonal**0.5
        begin = j - j % WIDE
        for k in range(begin, n + 2, WIDE):
            store(system, j * stride + k, _load(system, j * stride + k) * scale)
        for i in range(j + 1, n):
            factor = _fill(-system[j * stride + i])
            for k in range(i - i % WIDE, n + 2, WIDE):
                store(system, i * stride + k, fma(factor, _load(system, j * stride + k), _load(system, i * stride + k)))
    return True


@kernel
def repaired_rows(gram, right, index, sign, penalty, upper, repairs, fit, slope, system, order, first, last):
    """`_repairs.plain` for rows `first` to `last`; `system` and `order` are room to work in, of stride `len(system) // len(order)`."""
    slots = index.shape[1]
    stride = len(system) // len(order)
    for row in range(first, last):
        for attempt in range(repairs + 1):
            n = 0
            for s in range(slots):
                fit[row, s], slope[row, s] = 0.0, 0.0
                if sign[row, s] != 0:
                    order[n] = s
                    n += 1
                elif index[row, s] >= 0:
                    fit[row, s] = 1.0
            for i in range(n):
                s = order[i]
                held = 0.0
                if n < slots:
                    for other in range(slots):
                        held += gram[row, s, other] * fit[row, other]
                for j in range(i, n):
                    put(system, i * stride + j, float(gram[row, s, order[j]]))
                put(system, i * stride + n, right[row, s] - held)
                put(system, i * stride + n + 1, sign[row, s])
                put(system, i * stride + n + 2, float(gram[row, s, s]))
            if not _eliminated(system, stride, n):
                break
            changed = False
            for back in range(n):
                i = n - 1 - back
                a, b = system[i * stride + n], system[i * stride + n + 1]
                for k in range(i + 1, n):
                    a -= system[i * stride + k] * fit[row, order[k]]
                    b -= system[i * stride + k] * slope[row, order[k]]
                fit[row, order[i]], slope[row, order[i]] = a / system[i * stride + i], b / system[i * stride + i]
            for i in range(n):
                s = order[i]
                z = fit[row, s] - penalty[row] * slope[row, s]
                if attempt < repairs and z * sign[row, s] <= 0:
                    index[row, s], sign[row, s], changed = -1, 0.0, True
                elif attempt < repairs and z > upper:
                    sign[row, s], changed = 0.0, True
            if not changed:
                break
