"""The random-number contract: published vectors, torch and numba bit for bit, one at a time and many, and numbers that have the law they claim."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from scipy import special, stats

from tegum import _draws_numba as fast
from tegum import draws
from tegum._vectors_numba import loader, store

# Random123 1.14, kat_vectors: philox4x32, 10 rounds: counter, key, answer
PUBLISHED = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0), "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("counter", "key", "answer"), PUBLISHED)
def test_torch_philox_gives_the_published_vectors(counter, key, answer):
    words = draws.philox4x32([torch.tensor(c) for c in counter], [torch.tensor(k) for k in key])
    assert " ".join(f"{int(w):08x}" for w in words) == answer


@pytest.mark.parametrize(("counter", "key", "answer"), PUBLISHED)
def test_numba_philox_gives_the_published_vectors(counter, key, answer):
    index, block, step, last = counter
    words = fast.words(np.uint64(key[0] | key[1] << 32), last >> 24, last & 0xFFFFFF, step, block, index)
    assert " ".join(f"{int(w):08x}" for w in words) == answer


words32 = st.integers(0, 2**32 - 1)


@given(
    seed=st.integers(0, 2**63 - 1),
    stream=st.integers(0, 255),
    instance=st.integers(0, 2**24 - 1),
    step=words32,
    block=words32,
    index=words32,
)
def test_torch_and_numba_draw_the_same_words_and_numbers(seed, stream, instance, step, block, index):
    ours = draws.words(seed, stream, instance, step, block, index)
    theirs = fast.words(seed, stream, instance, step, block, index)
    assert [int(w) for w in ours] == [int(w) for w in theirs]
    u = draws.uniform52(ours[0], ours[1])
    assert float(u) == fast.uniform52(*theirs[:2])
    assert float(draws.log(u)) == fast.log(float(u))
    assert float(draws.normal(draws.uniform32(ours[2]))) == fast.normal(fast.uniform32(theirs[2]))


_load = loader(fast.MANY)


@njit
def many_of_all(seed, stream, instance, step, block, index, words, numbers):
    """Both words of MANY places, a row each; and of the first the uniform number and its logarithm."""
    first, second = fast.many_pairs(seed, stream, instance, step, block, index)
    u = fast.many_uniform32(first)
    store(words[0], 0, first)
    store(words[1], 0, second)
    store(numbers[0], 0, u)
    store(numbers[1], 0, fast.many_log(u))


@given(
    seed=st.integers(0, 2**63 - 1),
    stream=st.integers(0, 255),
    instance=st.integers(0, 2**24 - 1),
    step=words32,
    block=words32,
    index=st.integers(0, 2**32 - fast.MANY),
)
def test_many_words_and_numbers_are_those_of_one_at_a_time(seed, stream, instance, step, block, index):
    words, numbers = np.empty((2, fast.MANY), np.uint32), np.empty((2, fast.MANY))
    many_of_all(seed, stream, instance, step, block, index, words, numbers)
    a, b, c, d = draws.words(seed, stream, instance, step, block, torch.arange(index, index + fast.MANY // 2))
    first, second = torch.stack([a, c], 1).flatten(), torch.stack([b, d], 1).flatten()
    assert words.tolist() == [first.tolist(), second.tolist()]
    u = draws.uniform32(first)
    assert numbers.tolist() == torch.stack([u, draws.log(u)]).tolist()


def test_many_logarithms_are_those_of_one_at_a_time_around_every_edge():
    @njit
    def logs(u, out):
        for at in range(0, len(u), fast.MANY):
            store(out, at, fast.many_log(_load(u, at)))

    root = np.sqrt(0.5)
    near = np.array([root, np.nextafter(root, 0), np.nextafter(root, 1)])
    powers = 2.0 ** -np.arange(1.0, 53)
    u = np.concatenate([powers, 1 - powers, *(near * 2.0**-k for k in range(50)), np.random.default_rng(0).random(1000), [2.0**-53]])
    u = np.resize(u, len(u) // fast.MANY * fast.MANY + fast.MANY)
    out = np.empty_like(u)
    logs(u, out)
    assert out.tolist() == draws.log(torch.from_numpy(u)).tolist()


def test_the_logarithm_is_right_to_rounding():
    u = np.concatenate([np.random.default_rng(0).random(100_000), 2.0 ** -np.arange(1.0, 53), 1 - 2.0 ** -np.arange(2.0, 53)])
    ours = draws.log(torch.from_numpy(u)).numpy()
    assert np.abs(ours - np.log(u)).max() < 2 * np.spacing(36.0)  # 36 = |ln 2^-52|, the largest answer
    assert np.abs(ours / np.log(u) - 1).max() < 6 * 2.0**-52


def test_the_normal_quantile_agrees_with_scipy_into_its_last_tail():
    u = draws.uniform32(torch.cat([torch.arange(0, 2**32, 40_013), torch.tensor([0, 1, 2**32 - 1])]))
    np.testing.assert_allclose(draws.normal(u).numpy(), special.ndtri(u.numpy()), rtol=1e-13, atol=1e-15)


def test_uniform_ends_are_never_reached():
    ends = torch.tensor([0, 2**32 - 1])
    for u in (draws.uniform32(ends), draws.uniform52(ends, ends)):
        assert 0 < float(u[0]) < float(u[1]) < 1


def test_normals_have_the_normal_law_and_do_not_depend_on_company():
    z = draws.normals(7, draws.DIRECTIONS, torch.arange(300), 200)
    assert stats.kstest(z.flatten().numpy(), "norm").pvalue > 1e-4  # false alarm rate 1e-4
    row_correlation = torch.corrcoef(z)[~torch.eye(300, dtype=torch.bool)]
    assert float(row_correlation.abs().max()) < stats.norm.isf(0.5e-4 / 44_850) / math.sqrt(200)
    assert draws.normals(7, draws.DIRECTIONS, torch.tensor([41]), 77).equal(z[41:42, :77])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 153])
def test_normals_in_numba_are_bit_identical_to_torch(n):
    rows = torch.cat([torch.arange(300), torch.tensor([2**32 - 1])])
    seeds, instances = torch.arange(301) * 12345678912345, torch.arange(301) * 7
    for seed, instance, step in ((2**63 - 1, 2**24 - 1, 5), (seeds, instances, 2**32 - 1)):
        wanted = draws._by_torch(seed, draws.DIRECTIONS, rows, n, instance, step)
        assert draws.normals(seed, draws.DIRECTIONS, rows, n, instance=instance, step=step).equal(wanted)
    assert wanted.abs().max() > 2


def test_normals_whose_arguments_broadcast_otherwise_are_drawn_all_the_same():
    one, seeds = torch.tensor([3]), torch.arange(5)
    several = draws.normals(seeds, draws.DIRECTIONS, one, 6)
    assert several.shape == (5, 6)
    assert several[2].equal(draws.normals(2, draws.DIRECTIONS, one, 6)[0])
    assert draws.normals(1, draws.DIRECTIONS, one, 6, step=torch.tensor(4)).equal(draws.normals(1, draws.DIRECTIONS, one, 6, step=4))
