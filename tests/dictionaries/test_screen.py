"""The screen: whatever eight bits round away, the answer is that of the full product."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tegum
from tegum.decoders import AMP, NIHT, OMP, BasisPursuit, BayesAMP, CoSaMP, MatchingPursuit, SubspacePursuit, TopK
from tegum.decoders._survivors import Search, survivors
from tegum.dictionaries import Dense, _screen
from tegum.dictionaries._largest import plain
from tegum.dictionaries._screen import OnDemand, Screen, multiplies_bytes

pytestmark = pytest.mark.skipif(not multiplies_bytes(), reason="the processor does not multiply bytes")


def table(n, d, kind, dtype=torch.float32, seed=0):
    g = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, d, generator=g, dtype=torch.float64)
    if kind == "unequal":
        rows *= torch.logspace(-3, 2, n, dtype=torch.float64)[torch.randperm(n, generator=g), None]
    elif kind == "outliers":
        rows[torch.arange(n), torch.randint(d, (n,), generator=g)] *= 8
    elif kind == "sparse":
        rows *= torch.rand(n, d, generator=g) < 0.1
    return rows.to(dtype)


def samples(D, n, seed=1):
    g = torch.Generator().manual_seed(seed)
    return D[torch.randint(len(D), (n,), generator=g)] + 0.7 * D[torch.randint(len(D), (n,), generator=g)]


@pytest.mark.parametrize("kind", ["plain", "unequal", "outliers", "sparse"])
@pytest.mark.parametrize(("n", "d", "dtype"), [(1100, 37, torch.float32), (2048, 64, torch.float64), (3000, 16, torch.float32)])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("k", [1, 5, 24])
def test_the_largest_are_those_of_the_full_product(kind, n, d, dtype, signed, k, monkeypatch):
    monkeypatch.setattr(_screen, "_PRODUCTS", 1 << 15)  # several blocks
    D = table(n, d, kind, dtype)
    x = samples(D, 33)
    screen = Screen.of(D)
    values, features, refused = screen.largest(x, k, signed=signed)
    wanted, _ = plain(x.double() @ D.double().T, k, signed=signed)
    kept = ~refused
    close = 4 * torch.finfo(dtype).eps * d * x.norm(dim=1, keepdim=True).double() * D.norm(dim=1).max()
    assert ((values - wanted).abs() <= close)[kept].all()
    own = (x.double()[:, None] * D.double()[features.where(kept[:, None], 0)]).sum(2)
    assert ((values - own).abs() <= close)[kept].all()
    assert all(len(set(row.tolist())) == k for row in features[kept])
    assert int(kept.sum()) > (0 if kind in ("unequal", "outliers", "sparse") or d < 30 else 30)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["plain", "unequal", "outliers", "sparse"]), signed=st.booleans())
def test_nothing_above_its_limit_is_missed_and_nothing_else_is_listed(seed, kind, signed):
    D = table(1024 + seed % 200, 16 + seed % 90, kind, seed=seed)
    x = samples(D, 9, seed + 1) * 10.0 ** (seed % 7 - 3)
    g = torch.Generator().manual_seed(seed)
    old = torch.randint(len(D), (9, 6), generator=g)  # in no order; twice the same is twice added
    plus = torch.randn(9, 6, generator=g) * x.norm(dim=1, keepdim=True) * (torch.rand(9, 6, generator=g) < 0.7)
    offset = torch.rand(len(D), generator=g) * float(x.norm(dim=1).mean()) * (seed % 2)
    full = (x @ D.T).double().scatter_add_(1, old, plus.double())
    ranked = ((full.abs() if signed else full) - offset).sort(dim=1, descending=True).values
    limits = ranked[:, 30] - (ranked[:, 30] - ranked[:, 31]) / 2  # between two neighbours: 31 are above, though some may be 0
    indices, values, refused = Screen.of(D).above(x, old, plus, limits.float(), offset, signed=signed)
    assert (~refused).any()
    wide = (ranked[:, 30] - ranked[:, 31]) > 1e-4 * (x.norm(dim=1) * D.norm(dim=1).max() + offset.max() + plus.abs().amax(1))
    for row in (~refused).nonzero()[:, 0].tolist():
        there = indices[row][values[row] != 0]
        assert there.equal(there.sort().values)
        error = (values[row][values[row] != 0] - full[row, there]).abs().max() if len(there) else 0
        assert float(error) <= 1e-5 * float(x[row].norm() * D.norm(dim=1).max() + plus[row].abs().max())
        if wide[row]:
            wanted = (((full[row].abs() if signed else full[row]) - offset > limits[row]) & (full[row] != 0)).nonzero()[:, 0]
            assert there.equal(wanted)


def test_a_row_that_eight_bits_cannot_hold_is_refused_and_the_others_are_not():
    D = table(1024, 32, "plain")
    x = samples(D, 8)
    x[0], x[1], x[2], x[3] = torch.nan, 0, x[3] * 1e-30, x[4] * 1e30
    none = torch.zeros(8, 0, dtype=torch.int64), torch.zeros(8, 0)
    limits = torch.full((8,), 30.0)
    limits[5] = -torch.inf
    screen = Screen.of(D)
    assert screen.above(x, *none, limits, torch.zeros(1024), signed=False)[2].tolist() == [True] * 4 + [False, True, False, False]
    values, _, refused = screen.largest(x, 3, signed=False)
    assert refused.tolist() == [True] * 4 + [False] * 4
    assert torch.allclose(values[4:], (x[4:] @ D.T).topk(3).values, atol=1e-4)


def test_search_gives_refused_rows_the_full_product(monkeypatch):
    monkeypatch.setattr(_screen, "_WORTH", 0)
    D = tegum.dictionaries.spherical(1500, 40)
    x = samples(D.table, 20)
    x[3] = 0
    limits = torch.full((20,), 0.9)
    limits[7], limits[3] = -torch.inf, -0.5
    old, plus = torch.arange(20)[:, None].repeat(1, 2) * 7, torch.ones(20, 2)
    found = Search(D).readings(x, old, plus)(limits)
    wanted = survivors(D.correlate(x).scatter_add_(1, old, plus), limits)
    assert found[0].equal(wanted[0])
    assert torch.allclose(found[1], wanted[1], atol=1e-5)
    assert found[0].shape[1] == 1500


def test_two_threads_find_the_same(monkeypatch):
    monkeypatch.setattr(_screen, "_WORTH_THREADS", 0)
    D = table(2000, 50, "plain")
    x = samples(D, 65)
    old, plus = torch.randint(2000, (65, 9)), torch.rand(65, 9)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            screen = Screen.of(D)
            found.append((*screen.largest(x, 7, signed=True), *screen.above(x, old, plus, x.norm(dim=1), torch.ones(2000), signed=False)))
    finally:
        torch.set_num_threads(threads)
    assert all(a.equal(b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize(
    "decoder",
    [
        TopK(n_active=4), TopK(n_active=4, values="signed"), OMP(n_active=4), SubspacePursuit(n_active=4), AMP(), AMP(values="signed"),
        BayesAMP(prior="binary", n_active=4), BayesAMP(prior="uniform"), BayesAMP(prior="signed", noise_std=0.05), BayesAMP(prior="gaussian"),
        BasisPursuit(), BasisPursuit(values="signed"), BasisPursuit(values="binary"), NIHT(n_active=4), CoSaMP(n_active=4),
        MatchingPursuit(n_active=4, steps=2, values="binary"),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(("dtype", "by_columns"), [(torch.float32, False), (torch.float32, True), (torch.float64, False)])
def test_decoders_find_the_same_codes_with_and_without_it(decoder, dtype, by_columns, monkeypatch):
    D = tegum.dictionaries.gaussian(1024, 60, dtype=dtype)
    z = tegum.features.ExactlyK(n_features=1024, n_active=4).sample(40, seed=3).to(dtype=dtype)
    x = D.encode(z)
    x[[0, 5]] = 0  # what is done at once stays for a while, an idle slot among the others
    x[9] = torch.nan
    x = x.T.contiguous().T if by_columns else x
    monkeypatch.setattr(_screen, "_WORTH", 0)
    with_it = tegum.decode(D, x, decoder)
    monkeypatch.setattr(Screen, "of", classmethod(lambda cls, table: None))
    without = tegum.decode(D, x, decoder)
    assert with_it.status.equal(without.status)
    assert with_it.exact(without.z, 1e-3).all()
    if not isinstance(decoder, TopK | MatchingPursuit):  # at so few dims they read nothing
        assert float(with_it.exact(z, 1e-2).float().mean()) > 0.5


def test_a_screen_that_mostly_refuses_is_left_alone_and_a_good_one_is_not():
    D = table(1024, 32, "plain")
    good, futile = Screen.of(D), Screen.of(D)
    for _ in range(40):
        good.largest(samples(D, 64), 1, signed=False)
        futile.largest(torch.zeros(64, 32), 1, signed=False)
    assert good.helps()
    assert not futile.helps()


def test_a_screen_is_made_once_and_only_for_searches_that_gain_by_it(monkeypatch):
    made = []
    monkeypatch.setattr(Screen, "of", classmethod(lambda cls, table: made.append(1) or cls(table)))
    demand = OnDemand(table(2048, 64, "plain"))
    assert demand(1) is None
    assert demand(10**6, wanted=100) is None
    assert not made
    assert demand(10**6) is demand(100) is not None
    assert made == [1]
    assert OnDemand(None)(10**6) is None


@pytest.mark.parametrize(
    "D",
    [torch.randn(500, 64), torch.randn(2048, 8), torch.randn(2048, 32).half(), torch.randn(2048, 32, dtype=torch.float64) * 1e100],
    ids=["few", "flat", "half", "beyond float32"],
)
def test_there_is_no_screen_where_there_is_nothing_to_gain_or_no_bound(D):
    assert Screen.of(D) is None


def test_the_bound_holds_for_every_product():
    D, x = table(1024, 100, "outliers"), samples(table(1024, 100, "outliers"), 64)
    screen = Screen.of(D)
    seen = screen._samples(x)
    estimate = screen._products(seen, 0, 1024) * screen.t.astype(np.float64) * seen.scale[:, None]
    error = np.abs(estimate - (x.double() @ D.double().T).numpy())
    bound = seen.slack[:, None] * screen.size
    assert (error <= bound).all()
    assert (error / bound).max() > 0.05  # and is not loose beyond use


@pytest.mark.parametrize("tiny", [1e-37, 1e-40, 0.0])
def test_a_direction_of_next_to_nothing_is_no_harm_to_the_others(tiny, monkeypatch):
    monkeypatch.setattr(_screen, "_WORTH", 0)
    W = torch.randn(1024, 64, generator=torch.Generator().manual_seed(0)) / 8
    W[5], W[6] = 0, tiny
    W[5, 0] = tiny
    D = Dense(W)
    z = tegum.features.ExactlyK(n_features=1016, n_active=2).sample(60, seed=0)
    z = tegum.SparseCodes(z.indices + 8, z.values, 1024)
    for decoder in (AMP(), BayesAMP(prior="binary", n_active=2)):
        assert float(tegum.decode(D, D.encode(z), decoder).exact(z).float().mean()) > 0.9


@pytest.mark.parametrize(("n", "k"), [(1024 + 64, 30), (4160, 100), (2048 + 1, 64)])
def test_a_last_block_shorter_than_what_is_wanted_sets_no_limit(n, k, monkeypatch):
    monkeypatch.setattr(_screen, "_PRODUCTS", 1)
    D = table(n, 16, "plain")
    x = samples(D, 60)
    values, _, refused = Screen.of(D).largest(x, k, signed=False)
    assert torch.allclose(values[~refused], (x @ D.T).topk(k).values[~refused], atol=1e-4)
    assert int(refused.sum()) < 60


@pytest.mark.parametrize("decoder", [TopK(n_active=2), AMP(), BasisPursuit()], ids=str)
def test_what_was_prepared_can_be_copied_after_use(decoder):
    D = tegum.dictionaries.gaussian(1024, 60)
    state, x = decoder.init(D), samples(D.table, 200)
    before = tegum.decode(D, x, decoder, state=state)
    assert tegum.decode(D, x, decoder, state=copy.deepcopy(state)).z.dense().equal(before.z.dense())


def test_what_was_prepared_keeps_the_directions_as_they_were():
    W = torch.randn(1024, 64, generator=torch.Generator().manual_seed(0))
    D, decoder, x = Dense(W), TopK(n_active=2), 2 * W[:300]
    state = decoder.init(D)
    before = tegum.decode(D, x, decoder, state=state)
    assert before.z.dense().argmax(1).equal(torch.arange(300))
    W.mul_(-1)
    assert tegum.decode(D, x, decoder, state=state).z.indices.equal(before.z.indices)
    assert not (tegum.decode(D, x, decoder).z.indices == torch.arange(300)[:, None]).any()
