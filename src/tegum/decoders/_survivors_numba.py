"""The numbers of each row above that row's limit, in numba: one pass in vectors, and of the vectors with nothing above it no more than a look."""

from numba import uint64

from tegum._kernel_numba import kernel
from tegum._vectors_numba import loader
from tegum.dictionaries._comparing_numba import lanes_above, lowest_bit, magnitude

WIDE = 64  # numbers looked at at a time: one bit each in a word
_load = loader(WIDE)


@kernel
def survivors_of_rows(values, n, offset, limits, signed, indices, found, counts, first, last):
    """Of rows `first` to `last` of n numbers each, which are above `offset` + the row's limit (in magnitude if `signed`), and how many.

    As many as there is room for are written to `indices` and `found`; the rest of the room is filled with zeros.
    """
    room = indices.shape[1]
    whole = n - n % WIDE
    for row in range(first, last):
        begin, count, limit = row * n, 0, limits[row]
        for j in range(0, whole, WIDE):
            vector = _load(values, begin + j)
            above = lanes_above((magnitude(vector) if signed else vector) - _load(offset, j), limit)
            while above != uint64(0):
                lane = lowest_bit(above)
                if count < room:
                    indices[row, count], found[row, count] = j + lane, values[begin + j + lane]
                count += 1
                above &= above - uint64(1)
        for j in range(whole, n):
            value = values[begin + j]
            if (abs(value) if signed else value) - offset[j] > limit:
                if count < room:
                    indices[row, count], found[row, count] = j, value
                count += 1
        counts[row] = count
        for slot in range(min(count, room), room):
            indices[row, slot], found[row, slot] = 0, 0
