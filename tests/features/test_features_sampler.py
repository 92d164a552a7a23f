"""The compiled sampler is torch's to the bit: for any distribution, at any place, and where a block needs more than was drawn ahead."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tegum.features import _events_numba, _fast
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
    Bernoulli(n_features=300, density=1.0),  # 19,200 firings a block, of which 1,024 are drawn ahead
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


@pytest.fixture(params=[1, 2, None], ids=["1 drawn ahead", "2 drawn ahead", "most drawn ahead"])
def drawn_ahead(request, monkeypatch):
    """How many firings a block's row holds before it has to ask for more; never more than there is room for."""
    if request.param:
        monkeypatch.setattr(_fast, "row_length", lambda bucket: request.param)


@named
@pytest.mark.parametrize("first_sample", [0, 1, 130])
def test_any_corner_at_any_first_sample(drawn_ahead, f, first_sample):
    check(f, 140, [0, LAST_SEED], [LAST_INSTANCE, 3], LAST_STEP, first_sample)


@named
def test_the_last_blocks_of_the_counter(drawn_ahead, f):
    check(f, 100, [2**62 + 5], [1], 0, LAST_BLOCK * BLOCK - 70)


def test_a_row_is_drawn_ahead_long_enough_for_most_blocks_and_topped_up_for_the_rest():
    """So both ways are taken by an ordinary sample: at a mean of 64 * 20 * .1 = 128 firings, and 1.5 standard deviations, by one block in fifteen."""
    f = Bernoulli(n_features=20, density=0.1)
    length = _events_numba.row_length(f.buckets[0])
    firings = f.sample(BLOCK * 4000, seed=1).n_active.reshape(4000, BLOCK).sum(1)
    topped_up = (firings >= length).double().mean()
    assert 0.01 < topped_up < 0.2
    check(f, BLOCK * 400, [1], [0], 0, 0)


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
    n_samples=st.integers(1, 200),
    ahead=st.sampled_from([1, 3, 16, 17, None]),
    seeds=st.lists(st.integers(0, LAST_SEED), min_size=1, max_size=2),
    instance=st.integers(0, LAST_INSTANCE),
    step=st.integers(0, LAST_STEP),
    first_sample=st.integers(0, LAST_BLOCK * BLOCK - 200),
)
def test_any_distribution_at_any_place(f, n_samples, ahead, seeds, instance, step, first_sample):
    with pytest.MonkeyPatch.context() as patch:
        if ahead:
            patch.setattr(_fast, "row_length", lambda bucket: min(ahead, _events_numba.row_length(bucket)))  # there is room for that many
        check(f, n_samples, seeds, [instance] * len(seeds), step, first_sample)
