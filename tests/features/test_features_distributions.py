"""Facts about single distributions, and what sampling costs."""

import time
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tegum.features import SparseCodes
from tegum.features._base import active
from tegum.features._events import draw
from tegum.features.anticorrelated import Anticorrelated
from tegum.features.bernoulli import Bernoulli
from tegum.features.correlated import Correlated
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.features.zipf import Zipf


def test_exactly_k_has_k_distinct_features_even_past_the_scan():
    for n, k in ((40, 9), (300, 90), (90, 90)):
        z = ExactlyK(n_features=n, n_active=k).sample(500)
        assert (z.n_active == k).all()
        assert (z.indices.diff(dim=1) > 0).all()


@pytest.mark.parametrize(
    "f",
    [
        ExactlyK(n_features=300, n_active=90),  # past 64 members of an event
        ExactlyK(n_features=2**24, n_active=100, values="gaussian"),
        Bernoulli(n_features=2**24, density=3e-8),
        Bernoulli(n_features=40, density=np.linspace(0, 1, 40)),
        Bernoulli(n_features=3, density=1e-18),
        Bernoulli(n_features=1, density=0.5),
        OneHot(n_features=1),
        Zipf(n_features=500, density=0.9, exponent=2.0),
    ],
    ids=lambda f: f"{type(f).__name__}-{f.n_features}",
)
def test_numba_and_torch_agree_bit_for_bit_at_the_corners(f):
    seeds, instances = torch.tensor([0, 2**63 - 1]), torch.tensor([1, 2**24 - 1])
    ours, theirs = (by(which, 200, seeds, instances, 2**32 - 1, 70) for by, which in ((active, f), (_torch_draw, f)))
    assert ours[0].equal(theirs[0])
    assert ours[1].equal(theirs[1])


def _torch_draw(f, *place):
    return draw(f.buckets, f.n_features, f.values, *place)


def test_correlated_sets_are_on_as_a_whole_with_independent_values():
    z = Correlated(n_features=6, n_sets=2, density=0.3).sample(4000).dense()
    on = (z != 0).reshape(-1, 2, 3)
    assert (on.all(2) == on.any(2)).all()
    both = z[on[:, 0, 0]]
    assert abs(float(torch.corrcoef(both[:, :2].T)[0, 1])) < 5 / len(both) ** 0.5


@pytest.mark.parametrize(("density_of", "marginal"), [("set", 0.1), ("feature", 0.3)])
def test_anticorrelated_features_never_meet_and_their_density_follows_the_definition(density_of, marginal):
    f = Anticorrelated(n_features=6, n_sets=2, density=0.3, density_of=density_of)
    on = (f.sample(4000).dense() != 0).reshape(-1, 2, 3)
    assert on.sum(2).max() == 1
    np.testing.assert_allclose(f.marginal_density(), marginal)


def test_a_density_of_features_that_exclude_each_other_cannot_pass_their_share():
    with pytest.raises(ValueError, match="exclude each other"):
        Anticorrelated(n_features=6, n_sets=2, density=0.4, density_of="feature")


def test_one_hot_has_one_active_feature_and_log2_n_bits():
    f = OneHot(n_features=8)
    assert (f.sample(100).n_active == 1).all()
    assert f.entropy_bits() == pytest.approx(3)


def test_densities_from_zero_to_one_side_by_side():
    f = Bernoulli(n_features=5, density=[0, 1e-9, 0.03, 0.5, 1])
    on = (f.sample(50_000, seed=2).dense() != 0).double().mean(0)
    assert on[0] == 0
    assert on[4] == 1
    assert abs(float(on[2]) - 0.03) < 5 * (0.03 * 0.97 / 50_000) ** 0.5


def test_zipf_densities_fall_by_rank():
    np.testing.assert_allclose(Zipf(n_features=4, density=0.6, exponent=2.0).marginal_density(), [0.6, 0.15, 0.6 / 9, 0.0375])


def test_sampling_costs_what_is_active_not_what_there_is():
    Bernoulli(n_features=4, density=0.5).sample(1)  # compiled
    for f in (
        Bernoulli(n_features=2**24, density=32 / 2**24),
        ExactlyK(n_features=2**24, n_active=32),
        Zipf(n_features=2**20, density=0.5),
    ):
        f.buckets  # noqa: B018 - a description's own table is made once
        tracemalloc.start()
        begin = time.perf_counter()
        z = f.sample(200)
        seconds, peak = time.perf_counter() - begin, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(z) == 200
        assert peak < 32 * 2**20  # one dense sample of 2^24 float32 alone is 64 MiB
        assert seconds < 5


def test_continuous_values_have_no_finite_entropy():
    with pytest.raises(ValueError, match="support_bits"):
        Bernoulli(n_features=3, density=0.5).entropy_bits()


def test_supports_of_many_features_are_refused_before_they_are_listed():
    with pytest.raises(ValueError, match="more than 4096 supports"):
        Bernoulli(n_features=10**6, density=0.5).supports()


@given(st.lists(st.lists(st.sampled_from([0.0, 0.0, 1.0, -2.5]), min_size=4, max_size=4), min_size=0, max_size=6))
def test_dense_and_sparse_are_one_thing(rows):
    z = torch.tensor(rows).reshape(-1, 4)
    codes = SparseCodes.from_dense(z)
    assert codes.dense().equal(z)
    assert codes.n_active.equal((z != 0).sum(1))
    assert codes[1:3].dense().equal(z[1:3])
    assert len(codes) == len(z)
