"""The compiled sampler is torch's to the bit: for any distribution, at any place, however much of a block is drawn."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tegum import draws
from tegum.features._base import active, fill
from tegum.features._events import BLOCK, draw
from tegum.features.anticorrelated import Anticorrelated
from tegum.features.bernoulli import Bernoulli
from tegum.features.correlated import Correlated
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.features.zipf import Zipf

LAST_BLOCK, LAST_STEP, LAST_INSTANCE, LAST_SEED = 2**32 - 1, 2**32 - 1, 2**24 - 1, 2**63 - 1
CORNERS = [
    Bernoulli(n_features=1, density=0.5),
    Bernoulli(n_features=1, density=1.0, values="gaussian"),
    Bernoulli(n_features=7, density=1.0),
    Bernoulli(n_features=300, density=1.0),
    Bernoulli(n_features=2000, density=0.5, values="signed"),
    Bernoulli(n_features=3, density=1e-18),
    Bernoulli(n_features=2**20, density=5 / 2**20, values="gaussian"),
    Bernoulli(n_features=2**24, density=3 / 2**24),
    Bernoulli(n_features=65, density=np.geomspace(1e-18, 1, 65)),  # thinned, in a bucket for each power of two
    Zipf(n_features=900, density=1.0, exponent=1.5, values="binary"),
    Correlated(n_features=120, n_sets=12, density=0.4),
    Correlated(n_features=2**20, n_sets=2**17, density=2 / 2**17, values="gaussian"),
    Anticorrelated(n_features=120, n_sets=12, density=0.4),
    Anticorrelated(n_features=2**20, n_sets=4, density=1.0),
    ExactlyK(n_features=2**24, n_active=5, values="uniform"),
    ExactlyK(n_features=5000, n_active=70),  # past 64 members of an event
    ExactlyK(n_features=64, n_active=64, values="gaussian"),
    OneHot(n_features=2**20, density=0.01),
]
named = pytest.mark.parametrize("f", CORNERS, ids=lambda f: f"{type(f).__name__}-{f.n_features}")


def check(f, n_samples, seeds, instances, step, first_sample):
    place = (n_samples, torch.tensor(seeds), torch.tensor(instances), step, first_sample)
    flat, value = active(f, *place)
    wanted_flat, wanted_value = draw(f.buckets, f.n_features, f.values, *place)
    assert flat.equal(wanted_flat)
    assert value.equal(wanted_value)
    if f.n_features <= 2000:
        dense = torch.full((len(seeds), n_samples, f.n_features), torch.nan)
        fill(dense, f, *place[1:])
        wanted = torch.zeros_like(dense).view(-1)
        wanted[wanted_flat] = wanted_value.float()
        assert dense.view(-1).equal(wanted)


@named
@pytest.mark.parametrize("first_sample", [0, 1, BLOCK - 130])
def test_any_corner_at_any_first_sample(f, first_sample):
    check(f, 140, [0, LAST_SEED], [LAST_INSTANCE, 3], LAST_STEP, first_sample)


@named
def test_the_last_blocks_of_the_counter(f):
    check(f, 100, [2**62 + 5], [1], 0, LAST_BLOCK * BLOCK - 70)


@pytest.mark.parametrize("density", [1e-3, 0.1, 1.0])
def test_a_block_is_the_same_however_much_of_it_is_drawn(density):
    f = Bernoulli(n_features=20, density=density)
    whole = f.sample(2 * BLOCK, seed=1).dense()
    for first, count in ((0, 1), (0, BLOCK - 1), (BLOCK - 1, 2), (77, 1), (BLOCK + 5, 300)):
        assert f.sample(count, seed=1, first_sample=first).dense().equal(whole[first : first + count])


@pytest.mark.parametrize("density", [1 - 1e-9, 1 - 1e-3, 0.5, 0.3, 0.1, 1e-3, 1e-6, 1e-9])
def test_a_gap_of_one_word_is_geometric_to_two_to_the_minus_33(density):
    """P(gap < k) = 1 - (1 - p)^k. Gaps get shorter as words get larger, so the first word whose gap is below k is found by halving, for each k."""
    scale = Bernoulli(n_features=1, density=density).buckets[0].gap_scale
    k = torch.cat([torch.arange(1, 1001), torch.logspace(3, 10, 200, dtype=torch.float64).long()])
    low, high = torch.zeros_like(k), torch.full_like(k, 2**32)
    while bool((low < high).any()):
        middle = (low + high) // 2
        below = torch.floor(draws.log(draws.uniform32(middle.clamp(max=2**32 - 1))) * scale) < k
        high, low = torch.where(below, middle, high), torch.where(below | (low == high), low, middle + 1)
    wanted = -torch.expm1(k.double() * math.log1p(-density))
    assert float(((2**32 - high).double() / 2**32 - wanted).abs().max()) <= 2.0**-33 * (1 + 1e-6)


@st.composite
def distributions(draw):
    n, values = draw(st.integers(1, 90)), draw(st.sampled_from(["uniform", "binary", "signed", "gaussian"]))
    density = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-300, 1e-18, 0.02, 1 - 2.0**-53, 1.0]))
    n_sets = draw(st.sampled_from([sets for sets in range(1, n + 1) if n % sets == 0]))
    match draw(st.integers(0, 4)):
        case 0:
            return Bernoulli(n_features=n, density=draw(density), values=values)
        case 1:
            return Bernoulli(n_features=n, density=draw(st.lists(density, min_size=n, max_size=n)), values=values)
        case 2:
            return Correlated(n_features=n, n_sets=n_sets, density=draw(density), values=values)
        case 3:
            return Anticorrelated(n_features=n, n_sets=n_sets, density=draw(density), values=values)
    return ExactlyK(n_features=n, n_active=draw(st.integers(1, n)), values=values)


@given(
    f=distributions(),
    n_samples=st.one_of(st.integers(1, 200), st.integers(BLOCK - 2, BLOCK + 2)),
    seeds=st.lists(st.integers(0, LAST_SEED), min_size=1, max_size=2),
    instance=st.integers(0, LAST_INSTANCE),
    step=st.integers(0, LAST_STEP),
    first_sample=st.integers(0, LAST_BLOCK * BLOCK - 2000),
)
def test_any_distribution_at_any_place(f, n_samples, seeds, instance, step, first_sample):
    check(f, n_samples, seeds, [instance] * len(seeds), step, first_sample)
