"""Vectors in numba do lane by lane what numpy does to arrays, to the bit; only `fma` fuses, and nothing is added in another order than written."""

import operator

import numpy as np
import pytest
from numba import njit

from tegum._vectors_numba import (
    LANES,
    aligned,
    as_bits,
    at_most,
    counter,
    filler,
    fma,
    fma_folded,
    from_bits,
    how_many_below,
    in_turn,
    last_lane,
    loader,
    put,
    running_total,
    slid,
    spreader,
    store,
    store_some,
    to_float,
    to_whole,
    total,
    unlike,
    where_positive,
)

SIZE = 2 * LANES
_load, _fill, _spread, _counted = loader(SIZE), filler(SIZE), spreader(SIZE), counter(SIZE)
_load_half = loader(LANES)
EDGES = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 2.0**-126, 3.4e38, 1 / 3], np.float32)


def numbers(dtype, seed=0):
    """Random numbers of many sizes, and the edges, float32's own in any dtype."""
    random = np.random.default_rng(seed)
    return np.concatenate([EDGES, random.normal(size=SIZE) * 10.0 ** random.integers(-3, 4, SIZE)])[:SIZE].astype(dtype)


def words(dtype, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, SIZE, dtype, endpoint=True)


def same(ours, theirs):
    """The same bits, but for the bits of a NaN."""
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)
    if ours.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(ours[ours == 0]), np.signbit(theirs[theirs == 0]))


def applied(function):
    """The kernel that writes `function` of two vectors to a third array, and one each that takes a number in place of a vector."""

    @njit
    def both(a, b, out):
        store(out, 0, function(_load(a, 0), _load(b, 0)))

    @njit
    def left(a, b, out):
        store(out, 0, function(a, _load(b, 0)))

    @njit
    def right(a, b, out):
        store(out, 0, function(_load(a, 0), b))

    return both, left, right


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("symbol", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_arithmetic_is_numpys_between_vectors_and_with_a_number_on_either_side(symbol, dtype):
    a, b, number = numbers(dtype), numbers(dtype, 1)[::-1].copy(), dtype(1 / 3)
    both, left, right = applied(symbol)
    with np.errstate(all="ignore"):
        for kernel, one, other in ((both, a, b), (left, number, b), (right, a, number)):
            out = np.empty(SIZE, dtype)
            kernel(one, other, out)
            same(out, symbol(one, other).astype(dtype))


@pytest.mark.parametrize("symbol", [operator.add, operator.sub, operator.mul, operator.and_, operator.or_, operator.xor])
def test_arithmetic_of_words_wraps_as_numpys(symbol):
    a, b, number = words(np.uint64), words(np.uint64, 1), np.uint64(0x9E3779B97F4A7C15)
    both, _, right = applied(symbol)
    for kernel, other in ((both, b), (right, number)):
        out = np.empty(SIZE, np.uint64)
        kernel(a, other, out)
        same(out, symbol(a, np.full(SIZE, other) if other is number else other))


@pytest.mark.parametrize("symbol", [operator.rshift, operator.lshift])
@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
def test_shifts_bring_in_zeros_or_the_sign(symbol, dtype):
    a = words(np.uint64).view(dtype)
    _, _, right = applied(symbol)
    for by in (0, 1, 32, 63):
        out = np.empty(SIZE, dtype)
        right(a, dtype(by), out)
        same(out, symbol(a, dtype(by)))


def test_a_product_and_a_sum_round_twice_and_fma_once():
    @njit
    def twice(a, b, c, out):
        store(out, 0, _load(a, 0) * _load(b, 0) + _load(c, 0))

    @njit
    def once(a, b, c, out):
        store(out, 0, fma(_load(a, 0), _load(b, 0), _load(c, 0)))

    a = np.full(SIZE, 1 + 2.0**-12, np.float32)
    c = np.full(SIZE, -(1 + 2.0**-11), np.float32)  # a^2 + c is 2^-24, which the rounding of a^2 loses
    out = np.empty(SIZE, np.float32)
    twice(a, a, c, out)
    assert (out == 0).all()
    once(a, a, c, out)
    assert (out == 2.0**-24).all()


def test_a_folded_fma_adds_one_half_after_the_other():
    @njit
    def folded(a, b, c, out):
        store(out, 0, fma_folded(_load(a, 0), _load(b, 0), _load_half(c, 0)))

    random = np.random.default_rng(0)
    a, b, c = (random.integers(-99, 99, SIZE).astype(np.float32) for _ in range(3))  # products and sums are exact, in any order
    out = np.empty(LANES, np.float32)
    folded(a, b, c, out)
    same(out, c[:LANES] + (a * b).reshape(2, LANES).sum(0))
    big, tiny = np.float32(2.0**24), np.zeros(SIZE, np.float32)
    tiny[:LANES], tiny[LANES:] = 1, 2  # 2^24 + 1 is lost and 2^24 + 2 is not: the first half came first, by itself
    folded(tiny, np.ones(SIZE, np.float32), np.full(SIZE, big), out)
    assert (out == big + 2).all()


def test_places_are_read_and_written_at_any_index_and_nowhere_else():
    @njit
    def copied(source, target, at):
        store(target, at + 1, _load(source, at))
        put(target, 0, source[at])

    @njit
    def spread(source, target, at):
        store(target, 0, _spread(source, at))

    source = np.arange(3 * SIZE, dtype=np.float32) + 1
    for at in (0, 1, SIZE - 1, 2 * SIZE):
        target = np.zeros(4 * SIZE, np.float32)
        copied(source, target, at)
        wanted = np.zeros_like(target)
        wanted[at + 1 : at + 1 + SIZE], wanted[0] = source[at : at + SIZE], source[at]
        same(target, wanted)
        spread(source, target, at)
        assert (target[:SIZE] == source[at]).all()


def test_numbers_are_cut_or_rounded_to_the_array_they_are_written_to():
    @njit
    def narrowed(source, target):
        store(target, 0, _load(source, 0))

    for source, kind in ((numbers(np.float64), np.float32), (words(np.uint64), np.uint32)):
        target = np.empty(SIZE, kind)
        narrowed(source, target)
        same(target, source.astype(kind))


def test_a_test_chooses_lane_by_lane_and_nan_is_not_hidden():
    @njit
    def positive(test, a, out):
        store(out, 0, where_positive(_load(test, 0), _load(a, 0)))

    @njit
    def bounded(a, out):
        store(out, 0, at_most(_load(a, 0), 0.25))

    test, a, out = numbers(np.float32), numbers(np.float32, 1), np.empty(SIZE, np.float32)
    positive(test, a, out)
    same(out, np.where(~(test <= 0), a, np.float32(0)))
    a, out = numbers(np.float64), np.empty(SIZE)
    bounded(a, out)
    same(out, np.where(a < 0.25, a, 0.25))


def test_a_total_adds_halves_to_halves():
    @njit
    def total_of(a):
        return total(_load(a, 0))

    a = np.random.default_rng(0).normal(size=SIZE).astype(np.float32)
    folded = a
    while len(folded) > 1:
        folded = folded[: len(folded) // 2] + folded[len(folded) // 2 :]
    assert total_of(a) == folded[0] != a.sum(dtype=np.float64)


def test_bits_and_whole_numbers_go_there_and_back():
    @njit
    def converted(whole, u, small, bits, back, floats, cut, wide, counts, filled):
        store(bits, 0, as_bits(_load(u, 0)))
        store(back, 0, from_bits(as_bits(_load(u, 0))))
        store(floats, 0, to_float(_load(whole, 0)))
        store(cut, 0, to_whole(_load(u, 0)))
        store(wide, 0, to_float(_load(small, 0)))
        store(counts, 0, _counted())
        store(filled, 0, _fill(u[0]))

    whole, small = words(np.uint64).view(np.int64), words(np.uint32)
    u = np.concatenate([[0.0, 0.999, 1.0, 1.5, 2.0**52, 2.0**62, -7.5], np.random.default_rng(0).random(SIZE) * 1e6])[:SIZE]
    bits, cut, counts = np.empty(SIZE, np.int64), np.empty(SIZE, np.int64), np.empty(SIZE, np.uint64)
    back, floats, wide, filled = (np.empty(SIZE) for _ in range(4))
    converted(whole, u, small, bits, back, floats, cut, wide, counts, filled)
    same(bits, u.view(np.int64))
    same(back, u)
    same(floats, whole.astype(np.float64))
    same(cut, u.astype(np.int64))
    same(wide, small.astype(np.float64))
    same(counts, np.arange(SIZE, dtype=np.uint64))
    assert (filled == u[0]).all()


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_running_totals_and_the_last_lane(dtype):
    @njit
    def summed(a, out):
        totals = running_total(_load(a, 0))
        store(out, 0, totals)
        return last_lane(totals)

    a, out = np.random.default_rng(0).integers(-(2**20), 2**20, SIZE, dtype), np.empty(SIZE, dtype)
    assert summed(a, out) == a.sum()
    same(out, np.cumsum(a, dtype=dtype))


def test_halves_of_two_vectors_in_turn():
    @njit
    def both(even, odd, out):
        store(out, 0, in_turn(_load(even, 0), _load(odd, 0)))

    even, odd, out = words(np.uint64), words(np.uint64, 1), np.empty(2 * SIZE, np.uint32)
    both(even, odd, out)
    same(out, np.stack([even, odd], 1).astype(np.uint32).ravel())


def test_what_differs_from_its_neighbour_is_written_one_after_the_other():
    @njit
    def edges(before, a, flags, kept):
        old, new = _load(before, 0), _load(a, 0)
        unequal = unlike(new, slid(old, new))
        store(flags, 0, unequal)
        store_some(kept, 1, new, unequal)

    @njit
    def below(a, limit):
        return how_many_below(_load(a, 0), limit)

    random = np.random.default_rng(0)
    for _ in range(20):
        before, a = random.integers(-2, 2, (2, SIZE), np.int32)
        flags, kept = np.empty(SIZE, np.int32), np.full(SIZE + 2, 9, np.int32)
        edges(before, a, flags, kept)
        wanted = a != np.concatenate([before[-1:], a[:-1]])
        same(flags, wanted.astype(np.int32))
        assert kept.tolist() == [9, *a[wanted], *[9] * (SIZE + 1 - wanted.sum())]
        assert below(a, np.int32(0)) == (a < 0).sum()


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_aligned_arrays_begin_where_a_cache_line_does(dtype):
    for size in (0, 1, 15, 16, 1000):
        array = aligned(size, dtype)
        assert array.shape == (size,)
        assert array.dtype == dtype
        assert not array.any()
        assert array.ctypes.data % 64 == 0 or size == 0
