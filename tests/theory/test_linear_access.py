"""The worst case against all codes, the best probes against linear programs, and what they and the directions can reach against bounds."""

import math
from itertools import combinations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tegum.dictionaries import equiangular, hadamard, hashed, spherical
from tegum.dictionaries.dense import Dense
from tegum.theory import access_error_bound, best_probe_error, linear_access, optimal_linear_access, rescaled_probes
from tegum.theory._probe_search import best_scale


def table(n, d, seed=0, dtype=torch.float64):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def by_all_codes(A, B, k):
    """The largest reading error over every support and every choice of signs: the error is convex in z, so corners suffice."""
    worst = np.zeros(len(A))
    for support in combinations(range(len(A)), k):
        for signs in product((-1.0, 1.0), repeat=k):
            z = np.zeros(len(A))
            z[list(support)] = signs
            worst = np.maximum(worst, abs(B @ (A.T @ z) - z))
    return worst


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_the_worst_case_is_that_of_all_codes(k):
    A, B = table(7, 3), table(7, 3, seed=1) / 3
    expected = by_all_codes(A.numpy(), B.numpy(), k)
    found = linear_access(A, B, n_active=k)
    np.testing.assert_allclose(found.errors, expected, rtol=1e-13)
    assert found.error == pytest.approx(expected.max(), rel=1e-13)
    assert found.feature == expected.argmax()


@given(
    n=st.integers(1, 40), d=st.integers(1, 20), k=st.integers(1, 40), seed=st.integers(0, 1000),
    dtype=st.sampled_from([torch.float32, torch.float64]), given_b=st.booleans(),
)  # fmt: skip
@settings(max_examples=30)
def test_the_witness_has_the_error(n, d, k, seed, dtype, given_b):
    """A reading is a sum of k d products, off by some k d roundings of it."""
    A, k = table(n, d, seed, dtype), min(k, n)
    found = linear_access(A, table(n, d, seed + 1, dtype) if given_b else None, n_active=k)
    z = found.witness
    assert len(z) == 1
    assert int(z.n_active[0]) == k
    assert z.values.abs().max() <= 1
    off = (found.probes.correlate(found.dictionary.encode(z)) - z.dense()).abs().max()
    size = float(found.probes.dense().norm(dim=1).max() * found.dictionary.dense().norm(dim=1).max()) * k + 1
    assert float(off) == pytest.approx(found.error, abs=size * (1e-5 if dtype == torch.float32 else 1e-13))


@pytest.mark.parametrize(("n", "d"), [(20, 6), (20, 13), (12, 11)])
@pytest.mark.parametrize("k", [1, 3])
def test_splitting_finds_what_linear_programs_find(n, d, k):
    A = table(n, d)
    exact = linear_access(A, n_active=k, method="simplex")
    found = linear_access(A, n_active=k, tolerance=1e-5)
    np.testing.assert_allclose(exact.errors, exact.lower_bounds, atol=1e-6)  # HiGHS's own tolerance
    assert torch.all(found.errors <= exact.lower_bounds * (1 + 1.1e-5) + 1e-8)
    assert torch.all(found.lower_bounds <= exact.errors + 1e-12)
    assert found.gap <= 1.1e-5


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), n=st.integers(2, 30), d=st.integers(1, 12), k=st.integers(1, 6))
def test_no_other_probes_fall_below_the_lower_bounds(seed, n, d, k):
    """Others: at random, of least squares, and the found ones shifted a little."""
    A, k = table(n, d, seed), min(k, n)
    found = linear_access(A, n_active=k, tolerance=0.2)
    best = found.probes.dense()
    assert torch.all(found.errors <= 1 + 1e-6)
    for B in (table(n, d, seed + 1) / d, torch.linalg.pinv(A).T, best + 0.01 * best.norm() * table(n, d, seed + 2) / (n * d) ** 0.5):
        assert torch.all(linear_access(A, B, n_active=k).errors >= found.lower_bounds - 1e-9)


@pytest.mark.parametrize("k", [1, 4])
def test_the_best_probes_are_no_worse_than_the_directions_or_least_squares_at_their_best_lengths(k):
    A = table(60, 12)
    found = linear_access(A, n_active=k, tolerance=0.5)
    for B in (A, torch.linalg.pinv(A).T):
        assert torch.all(found.errors <= linear_access(A, rescaled_probes(A, B, n_active=k), n_active=k).errors + 1e-6)


def test_one_length_is_best():
    P, own, k = table(5, 9), torch.arange(5), 3
    error, scale = best_scale(P, own, k)
    lengths = torch.linspace(-1, 3, 4001, dtype=torch.float64)[:, None, None] * scale.clamp(min=0.1)[:, None]
    off = lengths * P
    off[:, own, own] -= 1
    least = off.abs().topk(k, dim=2).values.sum(2)
    assert torch.all(least >= error - 1e-12)
    np.testing.assert_allclose(least.amin(0), error, atol=2e-3 * float(P.abs().max()) * k)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("k", [1, 5])
def test_independent_directions_are_read_exactly(dtype, k):
    for A in (torch.eye(6, dtype=dtype), torch.linalg.qr(table(9, 6, dtype=dtype)).Q.T.contiguous(), table(6, 8, dtype=dtype)):
        found = linear_access(A, n_active=k)
        assert found.error < 1e3 * torch.finfo(dtype).eps
        assert found.lower_bound == 0


def test_a_feature_apart_from_all_others_is_read_exactly_among_crowded_ones():
    A = torch.block_diag(torch.ones(1, 1, dtype=torch.float64), table(20, 4))
    found = linear_access(A, n_active=2)
    assert float(found.errors[0]) < 1e-5
    assert float(found.errors[1:].min()) > 0.1


def test_a_feature_without_a_direction_is_off_by_its_whole_size_and_twins_by_half():
    A = table(8, 5)
    A[3], A[6] = 0, A[2]
    found = linear_access(A, n_active=1, tolerance=1e-4)
    np.testing.assert_allclose(found.errors[[3, 2, 6]], [1, 0.5, 0.5], atol=1e-4)
    assert float(linear_access(torch.zeros(3, 2), n_active=1).error) == 1


@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 100))
@settings(max_examples=3)
def test_the_length_of_the_whole_table_does_not_matter(scale, seed):
    A = table(24, 6, seed)
    one, other = (linear_access(part, n_active=2, tolerance=5e-3) for part in (A, scale * A))
    np.testing.assert_allclose(other.errors, one.errors, rtol=6e-3)
    np.testing.assert_allclose(linear_access(scale * A, one.probes.dense() / scale, n_active=2).errors, one.errors, rtol=1e-9)


def test_tables_arrays_and_dictionaries_are_read_alike():
    A = table(30, 8, dtype=torch.float32)
    by_tensor = linear_access(A, n_active=3)
    for other in (A.numpy(), Dense(A), A.tolist(), A.requires_grad_()):
        found = linear_access(other, n_active=3)
        assert found.error == pytest.approx(by_tensor.error, abs=1e-6)
    same = linear_access(A, by_tensor.probes, n_active=3)
    assert same.error == by_tensor.error
    assert same.lower_bound == access_error_bound(30, 8, 3) <= by_tensor.lower_bound


@pytest.mark.parametrize("make", [hadamard, hashed])
def test_a_dictionary_made_on_the_fly_is_read_some_rows_at_a_time(make, monkeypatch):
    D = make(3000, 32)
    kind, rows = type(D), []
    plain = kind._correlate
    monkeypatch.setattr(kind, "_correlate", lambda self, x: rows.append(len(x)) or plain(self, x))
    found = linear_access(D, D, n_active=5)
    assert sum(rows) == 3000
    assert max(rows) * 3000 <= 1 << 22
    W = D.dense()
    assert found.error == pytest.approx(linear_access(W, W, n_active=5).error, abs=1e-5)
    off = found.probes.correlate(D.encode(found.witness)) - found.witness.dense()
    assert float(off.abs().max()) == pytest.approx(found.error, abs=1e-5)


@pytest.mark.parametrize("k", [1, 3])
def test_the_best_error_is_k_over_one_more_than_the_least_weights_of_the_others(k):
    """With k features on the same probe is best while no weight is above (1 + L) / k; beyond, the bound is a higher one."""
    n, d = 40, 20
    A = table(n, d)
    found = linear_access(A, n_active=k, method="simplex")
    covered = 0
    for i in range(n):
        others = np.delete(A.numpy(), i, axis=0).T
        weights = linprog(np.ones(2 * (n - 1)), A_eq=np.hstack([others, -others]), b_eq=A[i].numpy(), method="highs").x
        least, largest = weights.sum(), weights.max()
        if largest <= (1 + least) / k:
            covered += 1
            assert float(found.errors[i]) == pytest.approx(min(k / (1 + least), 1), abs=1e-6)
        else:
            assert float(found.errors[i]) <= min(k / (1 + least), 1) + 1e-6
    assert covered >= n / 2


@pytest.mark.parametrize(("n", "d"), [(6, 3), (16, 6), (28, 7), (8, 7)])
@pytest.mark.parametrize("k", [1, 2])
def test_equiangular_tight_frames_read_themselves_as_well_as_anything_could(n, d, k):
    D = equiangular(n, d, dtype=torch.float64)
    mu = math.sqrt((n - d) / (d * (n - 1)))
    found = linear_access(D, rescaled_probes(D, D, n_active=k), n_active=k)
    assert found.error == pytest.approx(k * mu / (1 + mu), rel=1e-12)
    assert found.lower_bound == pytest.approx(found.error, rel=1e-12)
    assert linear_access(D, n_active=k).error == pytest.approx(found.error, abs=1e-6)


def test_it_may_stop_at_the_worst_feature():
    A = spherical(300, 60).dense()
    every, worst = (linear_access(A, n_active=3, every=every) for every in (True, False))
    assert (worst.gap, every.gap) <= (0.01 * worst.error, 0.01 * every.error)
    assert torch.all(every.errors - every.lower_bounds <= 0.0101 * every.errors + 1e-5)


def test_few_steps_leave_a_gap_that_is_still_true():
    A = table(80, 40)
    exact = linear_access(A, n_active=3, tolerance=1e-3)
    short = linear_access(A, n_active=3, tolerance=1e-3, max_steps=1)
    assert short.gap > 2 * exact.gap
    assert torch.all(short.lower_bounds <= exact.errors + 1e-12)
    assert torch.all(short.errors >= exact.lower_bounds - 1e-12)


def test_random_directions_are_read_as_well_as_the_law_says():
    """A law of large d and n - d; the mean over 384 features has a standard error of some .2%."""
    n, d, k = 384, 128, 2
    found = linear_access(spherical(n, d, 3, dtype=torch.float64), n_active=k, tolerance=5e-3)
    middle = float((found.errors + found.lower_bounds).mean()) / 2
    assert middle == pytest.approx(best_probe_error(n, d, k), rel=2 / d)


def test_directions_made_for_it_beat_random_ones_with_their_best_probes():
    n, d, k = 40, 16, 2
    made = optimal_linear_access(n, d, k, starts=2, steps=60)
    chance = [linear_access(spherical(n, d, seed), n_active=k) for seed in range(5)]
    assert made.error < 0.8 * min(access.lower_bound for access in chance)
    assert access_error_bound(n, d, k) <= made.lower_bound <= made.error
    again = optimal_linear_access(n, d, k, starts=2, steps=60)
    assert torch.equal(again.dictionary.dense(), made.dictionary.dense())


@pytest.mark.parametrize(
    ("call", "sizes"),
    [
        (lambda: linear_access(table(5, 3), table(4, 3), n_active=2), "A has 5 features in 3 dims but B has 4 in 3"),
        (lambda: linear_access(table(5, 3), table(5, 2), n_active=2), "A has 5 features in 3 dims but B has 5 in 2"),
        (lambda: linear_access(table(5, 3), n_active=6), "n_active is 6, but there are 5 features"),
        (lambda: linear_access(table(5, 3), n_active=0), "n_active is 0"),
        (lambda: linear_access(torch.ones(5), n_active=1), r"directions have shape \(5,\)"),
        (lambda: linear_access(torch.full((2, 2), torch.nan), n_active=1), "2 of 2 directions are not finite"),
        (lambda: linear_access(table(5, 3), n_active=2, tolerance=0.0), "tolerance is 0"),
        (lambda: linear_access(table(5, 3), n_active=2, method="guess"), "method is 'guess'"),
        (lambda: rescaled_probes(table(5, 3), table(5, 3), n_active=9), "n_active is 9, but there are 5 features"),
        (lambda: optimal_linear_access(5, 3, 2, starts=0), "starts is 0"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_sizes(call, sizes):
    with pytest.raises(ValueError, match=sizes):
        call()


def test_it_tells_itself():
    found = linear_access(table(9, 4), n_active=2)
    assert repr(found).startswith("LinearAccess(9 features in 4 dims, 2 active: off by ")
    assert list(found.to_dataframe()) == ["feature", "error", "lower_bound"]
    assert len(found.to_dataframe()) == 9
