"""A set of strings in one vector: what it answers, how sure, and what it costs beside a Bloom filter."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rbloom import Bloom
from scipy.stats import norm

import tegum
from tegum.capacity import StringSet, bloom_rate
from tegum.decoders import BasisPursuit, Status, TopK


def words(n, start=0):
    return [f"word {i}" for i in range(start, start + n)]


def test_it_is_the_sum_of_the_hashed_directions():
    s, D = StringSet(["cat", "dog", 7], n_dims=100, seed=3), tegum.dictionaries.hashed(["cat", "dog", 7], 100, seed=3)
    assert s.totals.equal((D.dense().sum(0) * 10).round().long())
    assert set(s.totals.tolist()) == {-3, -1, 1, 3}
    assert tegum.StringSet is StringSet


def test_members_read_1_and_others_0_with_the_noise_that_theory_says():
    n_dims, k = 500, 40
    members, others, means = [], [], []
    for seed in range(60):
        s = StringSet(words(k), n_dims=n_dims, seed=seed)
        members += s.query(words(k)).reading.tolist()
        inner = s.query(words(200, start=k))
        others += inner.reading.tolist()
        means.append(float(inner.z_score.square().mean()))
    for found, mean, variance in ((members, 1, (k - 1) / n_dims), (others, 0, k / n_dims)):
        spread = math.sqrt(variance / len(found))
        assert np.mean(found) == pytest.approx(mean, abs=6 * spread * (k if mean else 1) ** 0.5)  # readings of one set share its noise
        assert np.var(found) == pytest.approx(variance, rel=0.1)
    assert np.mean(means) == pytest.approx(1, abs=0.05)


def test_the_false_positive_rate_is_the_share_of_strings_that_read_as_much():
    s = StringSet(words(60), n_dims=400)
    n = 40_000
    readings = s.query(range(n))
    for rate in (0.3, 0.1, 0.01):
        share = float((readings.false_positive_rate <= rate).float().mean())
        assert share == pytest.approx(rate, abs=5 * math.sqrt(rate / n) + 0.03 * rate + 0.002)  # the sum of d signs moves by steps of 2
    wrong, missed = s.error_rates()
    assert float(readings.member.float().mean()) == pytest.approx(wrong, abs=5 * math.sqrt(wrong / n) + 0.1 * wrong)
    assert missed < wrong < norm.sf(0.5 * math.sqrt(400 / 60)) * 1.2


def test_the_rate_of_misses_is_the_share_of_members_that_read_below():
    found = [
        (s.error_rates()[1], float((~s.query(words(80)).member).float().mean()))
        for s in (StringSet(words(80), n_dims=300, seed=i) for i in range(40))
    ]
    told, seen = np.mean(found, axis=0)
    assert seen == pytest.approx(told, rel=0.1)


def test_the_normal_law_of_a_rate_is_near_the_exact_one():
    """All 2^14 sign patterns against a vector of 14 numbers."""
    s = StringSet(words(30), n_dims=14, seed=1)
    signs = 1 - 2 * ((np.arange(2**14)[:, None] >> np.arange(14)) & 1)
    sums = signs @ s.totals.numpy()
    for key in words(30):
        told = s.query([key])
        product = round(float(told.reading[0]) * 14)
        exact = (np.mean(sums >= product) + np.mean(sums > product)) / 2
        assert float(told.false_positive_rate[0]) == pytest.approx(exact, abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=6), st.integers(0, 2**64 - 1)), max_size=12), st.lists(st.text(max_size=6), max_size=8))
def test_sets_merge_by_addition_and_lose_members_by_subtraction(first, second):
    a, b = StringSet(first, n_dims=2000), StringSet(second, n_dims=2000)
    both = a + b
    assert both.totals.equal(StringSet([*first, *second], n_dims=2000).totals)
    assert both.count == len(first) + len(second)
    assert a.totals.equal(StringSet(first, n_dims=2000).totals)  # is not changed
    for key in second:
        assert key in both
        both.remove(key)
    assert both.totals.equal(a.totals)
    assert both.count == a.count


def test_the_overlap_of_two_sets_is_how_many_keys_they_share():
    a, b = StringSet(words(100), n_dims=8000), StringSet(words(100, start=70), n_dims=8000)
    assert a.overlap(b) == pytest.approx(30, abs=5 * math.sqrt(100 * 100 / 8000))


def test_what_is_not_there_is_not_removed():
    s = StringSet(["a"], n_dims=200)
    with pytest.raises(KeyError, match=r"'b' reads .* below 1/2"):
        s.remove("b")
    assert s.count == 1
    assert "b" not in s


def test_decoding_against_a_vocabulary_reads_what_single_queries_cannot():
    vocabulary, members = words(2000), words(2000)[::125]
    s = StringSet(members, n_dims=110)
    assert not s.query(vocabulary).member.numpy()[::125].all() or int(s.query(vocabulary).member.sum()) > 16
    found = s.decode(vocabulary)
    assert list(found.keys) == members
    assert found.status is Status.OK
    assert found.residual < 1e-6
    assert found.values.allclose(torch.ones(16, dtype=torch.float64), atol=1e-6)
    assert len(s.decode(vocabulary, TopK(n_active=5)).keys) == 5
    twice = StringSet([*members, members[0]], n_dims=200).decode(vocabulary, BasisPursuit())
    assert twice.values[0] == pytest.approx(2, abs=1e-6)
    assert str(found) == "Members(16 keys, OK, " + f"{found.residual:.2g} of the vector left)"
    assert found.to_dataframe().key.tolist() == members


def test_a_set_that_holds_what_the_vocabulary_lacks_says_so():
    found = StringSet([*words(5), "something else"], n_dims=300).decode(words(50))
    assert found.status is not Status.OK or found.residual > 0.2


def test_nothing_in_it_reads_as_nothing():
    s = StringSet(n_dims=64)
    assert s.query(["a"]).reading.tolist() == [0]
    assert "a" not in s
    assert s.error_rates() == (0, 0)
    assert s.decode(["a", "b"]).keys == ()
    assert s.query([]).to_dataframe().empty


def test_a_bloom_filter_of_equal_bits_is_wrong_less_often_and_neither_merges_counts_nor_forgets():
    s = StringSet(words(50), n_dims=1000)
    bloom = Bloom(2000, 0.01)
    bloom.update(words(2000))
    assert s.bits == 1000 * (1 + int(s.totals.abs().max()).bit_length())
    assert bloom_rate(50, s.bits) < 1e-20 < s.error_rates()[0]
    assert bloom_rate(2000, bloom.size_in_bits) == pytest.approx(0.01, rel=0.1)
    n = 200_000
    share = sum(i in bloom for i in range(n)) / n
    assert share == pytest.approx(bloom_rate(2000, bloom.size_in_bits), abs=0.002)
    assert bloom_rate(0, 8) == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: StringSet("cat"), "keys is the string 'cat'"), (lambda: StringSet([-1]), "key is -1"),
        (lambda: StringSet(n_dims=0), "n_dims is 0"), (lambda: StringSet(seed=-1), "seed is -1"),
        (lambda: StringSet(["a"]).merge(["b"]), "not with list"),
        (lambda: StringSet(n_dims=10) + StringSet(n_dims=20), "10 dims, seed 0 and of 20 dims"),
        (lambda: StringSet(seed=1).overlap(StringSet()), "seed 1 and of"),
        (lambda: StringSet(["a"]).decode(["b", "b"]), "keys 0 and 1 are alike"), (lambda: StringSet(["a"]).decode([]), "vocabulary"),
        (lambda: StringSet(["a"]).query(["a"], threshold=-1), "threshold is -1"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()


def test_a_set_tells_of_itself():
    s = StringSet(words(12), n_dims=300)
    assert str(s).startswith("StringSet(12 keys in 300 dims, ")
    assert (
        str(s.query(words(14)))
        == f"Readings(12 of 14 keys read as members, median reading {float(s.query(words(14)).reading.median()):.3g})"
    )
    assert s.query(words(3)).to_dataframe().columns.tolist() == ["key", "reading", "z_score", "false_positive_rate", "member"]
