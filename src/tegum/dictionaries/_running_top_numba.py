"""The k largest of many numbers in numba, one pass in vectors: whole vectors with nothing above the k-th largest so far are passed over.

What is above that limit joins a list of candidates with room for more than k; when it is full, a quickselect keeps the k largest and raises the
limit. Of N numbers in no order some k ln(N/k) exceed the k-th largest before them. A row that lies in memory gives a good limit at once: of the
maxima of its residues mod 64, 128, ... the k-th largest is no larger than the k-th largest number.
"""

import numpy as np
from numba import int64, uint64

from tegum._kernel_numba import inlined, inner, kernel
from tegum._vectors_numba import loader, store
from tegum.dictionaries._comparing_numba import lanes_above, larger, lowest_bit, magnitude

WIDE = 64  # numbers looked at at a time: one bit each in a word
_SAMPLED = 1 << 16  # numbers of a row that the first limit is taken from; more than fit in cache would be read twice from memory
_load = loader(WIDE)


def room(k: int) -> int:
    """How many candidates there must be room for: k, as many again between two selections, and two whole vectors."""
    return 2 * k + 2 * WIDE


@inlined
def _seen(values, at, signed):
    vector = _load(values, at)
    return magnitude(vector) if signed else vector


@inner
def offer(values, begin, n, first, signed, k, keys, ids, count, limit):
    """Take what is above `limit` of values[begin : begin + n], features `first` on, to the candidates. Returns their count and the new limit."""
    whole = n - n % WIDE
    for j in range(0, whole, WIDE):
        above = lanes_above(_seen(values, begin + j, signed), limit)
        if above == uint64(0):
            continue
        if count + WIDE > len(keys):
            limit = keep_largest(keys, ids, count, k)
            count = k
        while above != uint64(0):
            lane = lowest_bit(above)
            value = values[begin + j + lane]
            keys[count], ids[count] = abs(value) if signed else value, first + j + lane
            count += 1
            above &= above - uint64(1)
    if count + WIDE > len(keys):
        limit = keep_largest(keys, ids, count, k)
        count = k
    for j in range(whole, n):
        value = abs(values[begin + j]) if signed else values[begin + j]
        if value > limit:
            keys[count], ids[count] = value, first + j
            count += 1
    return count, limit


@inner
def keep_largest(keys, ids, count, k):
    """Bring the k largest of `count` candidates to the front, the k-th of them last, which is returned: Hoare's quickselect."""
    low, high = 0, count - 1
    while low < high:
        pivot = keys[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while keys[i] > pivot:
                i += 1
            while keys[j] < pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                ids[i], ids[j] = ids[j], ids[i]
                i, j = i + 1, j - 1
        if k <= j + 1:
            high = j
        elif k > i:
            low = i
        else:
            break
    return keys[k - 1]


@inner
def sort_down(keys, ids, k):
    """Sort the first k candidates, largest first: Shell's sort with Knuth's gaps 1, 4, 13, ..., each 3 g + 1."""
    gap = 1
    while gap < k // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, k):
            key, id_, j = keys[i], ids[i], i
            while j >= gap and keys[j - gap] < key:
                keys[j], ids[j] = keys[j - gap], ids[j - gap]
                j -= gap
            keys[j], ids[j] = key, id_
        gap //= 3


@inner
def _first_limit(values, begin, n, signed, k, peaks, ids):
    """A number just below the k-th largest of the maxima of the residues mod len(peaks), taken over some `_SAMPLED` numbers of the row."""
    size = len(peaks)
    for g in range(0, size, WIDE):
        store(peaks, g, _seen(values, begin + g, signed))
    stride = size * ((n + _SAMPLED - 1) // _SAMPLED)
    for j in range(stride, n - size + 1, stride):
        for g in range(0, size, WIDE):
            store(peaks, g, larger(_load(peaks, g), _seen(values, begin + j + g, signed)))
    bound = keep_largest(peaks, ids, size, k)
    return np.nextafter(bound, type(bound)(-np.inf))


@kernel
def largest_of_rows(values, n, signed, k, peaks, keys, ids, top, which, short, first, last):
    """The k largest of rows `first` to `last` of n numbers each, into `top` and `which`; a row with fewer that compare is marked `short`."""
    for row in range(first, last):
        begin = row * n
        limit = _first_limit(values, begin, n, signed, k, peaks, ids)
        count, limit = offer(values, begin, n, int64(0), signed, k, keys, ids, 0, limit)
        short[row] = count < k
        if count >= k:
            keep_largest(keys, ids, count, k)
            sort_down(keys, ids, k)
            for j in range(k):
                top[row, j], which[row, j] = values[begin + ids[j]], ids[j]
