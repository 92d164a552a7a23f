"""Spherical, rademacher and hashed directions: their laws, and the recipe of the last repeated without any of our code."""

import hashlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tegum.dictionaries.gaussian_entries import gaussian
from tegum.dictionaries.hashed_keys import hashed
from tegum.dictionaries.random_signs import rademacher
from tegum.dictionaries.uniform_sphere import spherical


def philox(counter, key):
    """Philox4x32-10 in plain integers, from the paper."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p, q = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(q >> 32) ^ c[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def direction(key, d, seed):
    """The recipe in the docstring of `hashed_keys`, step by step."""
    number = int.from_bytes(hashlib.blake2b(key.encode("utf-8"), digest_size=8).digest(), "little") if isinstance(key, str) else key
    entries = []
    for t in range(d):
        words = philox((t // 128, number % 2**32, number >> 32, 129 << 24 | 1), (seed % 2**32, seed >> 32))
        bit = words[(t // 32) % 4] >> (t % 32) & 1
        entries.append(-1 / math.sqrt(d) if bit else 1 / math.sqrt(d))
    return torch.tensor(entries, dtype=torch.float64)


@pytest.mark.parametrize("d", [1, 31, 128, 300])
@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1])
@pytest.mark.parametrize("key", ["cat", "", "Straße 3 😀", 0, 5, 2**32, 2**63 + 11, 2**64 - 1])
def test_a_hashed_direction_is_what_its_recipe_says(key, seed, d):
    D = hashed([key, "another"], d, seed, dtype=torch.float64)
    wanted = direction(key, d, seed)
    assert D.direction_of(key).equal(wanted)
    assert D.directions(torch.tensor([0]))[0].equal(wanted)


def test_the_published_vector_of_the_recipe():
    assert hashlib.blake2b(b"cat", digest_size=8).digest()[::-1].hex() == "2f989d7b2cdd2733"
    assert philox((0, 0x2CDD2733, 0x2F989D7B, 129 << 24 | 1), (0, 0))[0] == 0x80DF6589
    assert (hashed(["cat"], 8).direction_of("cat") * 8**0.5).round().tolist() == [-1, 1, 1, -1, 1, 1, 1, -1]


def test_rademacher_is_hashed_with_the_keys_from_0_on():
    assert rademacher(50, 70, seed=3).dense().equal(hashed(50, 70, seed=3).dense())
    assert hashed(range(10, 20), 70).dense().equal(rademacher(20, 70).dense()[10:])


@pytest.mark.parametrize("construct", [spherical, rademacher, hashed])
def test_a_direction_depends_on_its_seed_and_its_feature_alone(construct):
    small, large = construct(10, 30, seed=1), construct(1000, 30, seed=1)
    assert small.dense().equal(large.dense()[:10])
    assert not construct(10, 30, seed=2).dense().equal(small.dense())


@pytest.mark.parametrize("construct", [spherical, rademacher, hashed])
def test_directions_have_length_one(construct):
    D = construct(100, 37, dtype=torch.float64)
    torch.testing.assert_close(D.dense().square().sum(1), torch.ones(100, dtype=torch.float64), rtol=0, atol=1e-14)  # 37 roundings of 2^-53


def test_spherical_directions_are_gaussian_ones_at_length_one_and_uniform():
    D = spherical(2000, 3, seed=5, dtype=torch.float64).dense()
    rows = gaussian(2000, 3, seed=5, dtype=torch.float64).dense()
    torch.testing.assert_close(D, rows / rows.norm(dim=1, keepdim=True))
    # Archimedes: on the sphere in three dims each coordinate is uniform on [-1, 1]
    assert min(stats.kstest(D[:, i].numpy(), "uniform", args=(-1, 2)).pvalue for i in range(3)) > 1e-4


def test_signs_are_fair_and_independent_between_dims_and_features():
    """Sums of 2^18 or so fair signs are within 5 standard errors of 0: wrong once in 10^6 for each of the four."""
    S = rademacher(512, 512, seed=9, dtype=torch.float64).dense().sign()
    for product in (S, S[:, 1:] * S[:, :-1], S[1:] * S[:-1], S[:, 32:] * S[:, :-32]):
        assert abs(float(product.sum())) < 5 * product.numel() ** 0.5


def test_a_set_of_strings_is_read_out_of_their_sum():
    """The mean product is 1 for members and 0 for others, with standard deviation sqrt(k/d) or a little less: 5 of them."""
    d, k = 4000, 40
    members, others = [f"member {i}" for i in range(k)], [f"other {i}" for i in range(200)]
    D = hashed(["nothing of these"], d)
    x = D.superpose(members)[None]
    assert (D.query(x, members) - 1).abs().max() < 5 * math.sqrt(k / d)
    assert D.query(x, others).abs().max() < 5 * math.sqrt(k / d)
    noise = D.query(x, others).std()
    assert abs(noise - math.sqrt(k / d)) < 5 * math.sqrt(k / d) / math.sqrt(2 * len(others))


@given(keys=st.lists(st.one_of(st.text(max_size=8), st.integers(0, 2**64 - 1)), min_size=1, max_size=20, unique=True))
def test_a_key_is_found_at_its_place(keys):
    D = hashed(keys, 40)
    assert [D.index(key) for key in keys] == list(range(len(keys)))
    assert D.dense().equal(D.directions_of(keys))


def test_keys_that_are_none_are_refused_with_what_they_are():
    with pytest.raises(ValueError, match=r"keys 0 and 2 are alike: 'a' and 'a'"):
        hashed(["a", "b", "a"], 10)
    with pytest.raises(ValueError, match="key is -1"):
        hashed([-1], 10)
    with pytest.raises(ValueError, match="list of their keys"):
        hashed("cat", 10)
    with pytest.raises(ValueError, match="'dog' is not one of the 1 keys"):
        hashed(["cat"], 10).index("dog")
    with pytest.raises(ValueError, match="7 is not one of the 3 keys"):
        hashed(3, 10).index(7)
    with pytest.raises(IndexError, match="feature 3"):
        hashed(3, 10).directions(torch.tensor([3]))


def test_numpy_integers_are_keys():
    keys = [np.int64(4), np.uint64(2**63)]
    assert hashed(keys, 20).index(2**63) == 1
