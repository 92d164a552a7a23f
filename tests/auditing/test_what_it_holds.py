"""What a table of directions could hold: each number against brute force, a closed form, or another part of the package."""

import itertools
import math

import numpy as np
import pytest
import torch

from tegum import geometry, theory
from tegum.auditing._answer import Answer
from tegum.auditing._hold_babel import largest_others, worst_errors
from tegum.auditing.what_it_holds import babel, holding, interference_of_sets
from tegum.decoders import OMP, decode
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.uniform_sphere import spherical
from tegum.features import SparseCodes


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def brute_mu(W: torch.Tensor, k: int) -> float:
    U = torch.nn.functional.normalize(W.double(), dim=1).numpy()
    G = np.abs(U @ U.T)
    return max(sum(sorted(np.delete(G[i], i))[::-1][:k]) for i in range(len(U)))


def simplex(d: int) -> torch.Tensor:
    """d + 1 directions, every cosine -1/d."""
    centred = torch.eye(d + 1, dtype=torch.float64) - 1 / (d + 1)
    return centred @ torch.linalg.svd(centred)[2][:d].T


def found(answer: Answer, name: str):
    return next(finding.value for finding in answer.findings if finding.name == name)


def test_mu_1_is_the_largest_sum_of_others_by_brute_force():
    W = seeded(30, 6) * torch.arange(1, 31)[:, None]
    mu = babel(W).values
    assert len(mu) == 29
    for k in (1, 2, 5, 29):
        assert float(mu[k - 1]) == pytest.approx(brute_mu(W, k), abs=30 * 1e-6)  # float32 cosines


def test_mu_1_at_1_is_the_coherence_and_its_pair_is_named():
    W = seeded(200, 12)
    measured = babel(W)
    assert measured.coherence == pytest.approx(float(geometry.coherence(W)), abs=1e-6)
    i, j = measured.pairs[0].tolist()
    assert abs(float(torch.cosine_similarity(W[i], W[j], dim=0))) == pytest.approx(measured.coherence, abs=1e-6)
    assert float(measured.cosines[0]) == pytest.approx(float(torch.cosine_similarity(W[i], W[j], dim=0)), abs=1e-6)
    assert len({tuple(pair) for pair in measured.pairs.tolist()}) == 20


@pytest.mark.parametrize("d", [3, 10, 31])
def test_a_simplex_has_mu_1_of_k_over_d_and_guarantees_what_follows(d):
    measured = babel(simplex(d))
    k = torch.arange(1, d + 1)
    torch.testing.assert_close(measured.values, (k / d).double(), atol=1e-5, rtol=0)
    # (2k - 1) / d < 1
    assert measured.guaranteed == math.ceil((d + 1) / 2) - 1
    assert measured.by_coherence == math.ceil((1 + d) / 2) - 1


def test_the_guarantee_is_looked_for_until_it_ends():
    d = 301  # 151 features on are more than are looked at first
    assert babel(simplex(d)).guaranteed == 150


def test_orthogonal_directions_are_always_read():
    measured = babel(torch.eye(100)[:70])
    assert (measured.coherence, measured.guaranteed, measured.by_coherence) == (0.0, 70, 70)
    assert len(measured.pairs) == 0 or float(measured.cosines.abs().max()) == 0


def test_omp_reads_every_code_of_as_many_as_are_guaranteed():
    """A spike-and-Hadamard table of 64 directions in 32 dims: coherence 1/sqrt(32), so 3 on are read whatever they are (Donoho & Huo)."""
    H = torch.tensor([[1.0]])
    for _ in range(5):
        H = torch.cat([torch.cat([H, H], 1), torch.cat([H, -H], 1)])
    W = torch.cat([torch.eye(32), H / 32**0.5])
    measured = babel(W)
    assert measured.guaranteed == 3
    sets = torch.tensor(list(itertools.combinations(range(64), 3)))[::7]
    signs = torch.tensor([1.0, -1.0])[torch.randint(2, sets.shape, generator=torch.Generator().manual_seed(1))]
    dictionary = Dense(W)
    z = SparseCodes(sets, signs, 64)
    out = decode(dictionary, dictionary.encode(z), OMP(n_active=3, values="signed"), progress=False)
    assert (out.z.dense() - z.dense()).abs().max() < 1e-4


def test_copies_are_counted_and_guarantee_nothing():
    W = seeded(40, 10)
    W[7], W[9] = 3 * W[3], -W[20]
    measured = babel(W)
    assert measured.copies == 4
    assert (measured.guaranteed, measured.by_coherence) == (0, 0)
    answer = holding(W, 2)
    assert "4 of them are copies" in answer.verdict
    assert found(answer, "guaranteed_active") == 0
    assert found(answer, "linear_active") == 0


@pytest.mark.parametrize("k", [1, 2, 4, 11, 12])
def test_worst_errors_are_those_of_linear_access_at_the_best_length(k):
    W = torch.nn.functional.normalize(seeded(12, 5, seed=3), dim=1)
    probes = (W.double() @ torch.linalg.pinv(W.double().T @ W.double())).float()
    for B in (W, probes):
        ours = worst_errors(largest_others(B, W, min(k, 11))[0], k)
        exact = theory.linear_access(W, theory.rescaled_probes(W, B, n_active=k), n_active=k, progress=False).errors
        torch.testing.assert_close(ours, exact, atol=1e-5, rtol=0)


def test_interference_of_random_sets_is_that_of_all_sets():
    W = torch.nn.functional.normalize(seeded(9, 4, seed=5), dim=1) + 0.2
    U = torch.nn.functional.normalize(W, dim=1).double()
    readings = {i: [] for i in range(9)}
    for chosen in itertools.combinations(range(9), 3):
        read = U @ U[list(chosen)].sum(0)
        for i in set(range(9)) - set(chosen):
            readings[i].append(float(read[i]))
    all_of_them = np.array([readings[i] for i in range(9)])
    measured = interference_of_sets(W, 3, n_samples=20_000)
    assert measured.rms == pytest.approx(np.sqrt((all_of_them**2).mean()), rel=1e-5)
    assert measured.spread == pytest.approx(np.sqrt(all_of_them.var(axis=1).mean()), rel=1e-5)
    # 20,000 sets of 84: each is drawn 238 times, a share is known to within .01 at three standard errors, quantiles of 504 values to a few of them
    assert measured.false_share == pytest.approx((all_of_them > 0.5).mean(), abs=0.01)
    low, high = measured.false_interval
    assert low < (all_of_them > 0.5).mean() < high
    near = np.quantile(np.abs(all_of_them), [0.48, 0.52])
    assert near[0] < measured.quantiles[0] < near[1]
    assert int(measured.counts.sum()) == 20_000 * 6


def test_random_directions_interfere_as_the_normal_law_says():
    measured = interference_of_sets(spherical(2000, 100).dense(), 10)
    assert measured.rms == pytest.approx(measured.normal_std, rel=0.01)  # cos^2 has relative variance 2, over two million pairs
    np.testing.assert_allclose(
        measured.quantiles, measured.normal_quantiles, rtol=0.03
    )  # a sum of ten is nearly normal up to the 99.9% point
    assert measured.false_share == pytest.approx(measured.normal_false_share, rel=0.05)


def test_no_reading_above_a_half_is_not_said_to_be_impossible():
    measured = interference_of_sets(torch.eye(20), 2, n_samples=60)
    assert measured.false_share == 0
    assert measured.false_interval == (0, 3 / 60)  # the rule of three


def test_a_table_is_told_beside_one_at_random():
    answer = holding(spherical(500, 64, seed=9).dense(), 4.4)
    assert found(answer, "directions") == 500
    measures = answer.tables["measures"].set_index("measure")
    cosine = measures.loc["root mean square cosine"]
    assert cosine["dictionary"] == pytest.approx(cosine["random directions"], rel=0.02)
    assert cosine["dictionary"] == pytest.approx(cosine["reference"], rel=0.02)  # 125,000 pairs: .4%
    assert measures.loc["coherence", "reference"] == geometry.welch_bound(500, 64)
    assert "With 4 on" in answer.verdict
    laws = answer.tables["laws"].set_index("decoder")
    assert laws.loc["basis pursuit", "dims_50"] == pytest.approx(theory.lasso_dims(500, 4))
    assert found(answer, "active_top-k") == laws.loc["top-k", "active"] < laws.loc["Bayes-AMP", "active"]
    assert len(answer.figures) == 4
    assert all(figure.layout.meta["caption"] for figure in answer.figures)


@pytest.mark.parametrize(("table", "link"), [(torch.eye(40, 40)[:, :20] + 1e-3, "but"), (torch.eye(20), "and")])
def test_interference_is_set_against_chance_only_where_it_is_larger(table: torch.Tensor, link: str):
    """Ones beside each other, 20 of them nearly doubles, interfere more than directions at random; orthogonal ones not at all."""
    answer = holding(table, n_active=2)
    spread, chance = found(answer, "interference_spread"), found(answer, "interference_rms_random")
    assert (spread > chance) is (link == "but")
    assert f"; {link} these interfere by {spread:.3f} where random ones do by {chance:.3f}" in answer.verdict


def test_cosine_quantiles_are_those_of_all_pairs():
    W = seeded(150, 8, seed=2) + 0.3
    U = torch.nn.functional.normalize(W, dim=1)
    pairs = (U @ U.T)[torch.ones(150, 150).triu(1).bool()].abs().numpy()
    measures = holding(W, 3).tables["measures"].set_index("measure")["dictionary"]
    for share in (0.5, 0.99, 0.999):
        assert measures[f"|cosine| that {share:.1%} are below"] == pytest.approx(
            np.quantile(pairs, share), abs=0.003
        )  # bins of .001, 11,175 pairs


def test_what_it_says_survives_json():
    answer = holding(seeded(60, 20), 3)
    again = Answer.from_json(answer.to_json())
    assert again.verdict == answer.verdict
    assert again.findings == answer.findings
    assert list(again.tables) == list(answer.tables)


def test_the_same_seed_gives_the_same_answer_and_lengths_do_not_matter():
    W = seeded(80, 16)
    one, two = holding(W, 5, seed=4), holding(W * torch.rand(80, 1, generator=torch.Generator().manual_seed(2)).add(0.5), 5, seed=4)
    for name in ("coherence", "interference_rms", "interference_false", "linear_error", "rms_cosine"):
        assert found(one, name) == pytest.approx(found(two, name), rel=1e-4)


def test_dead_features_are_left_out_and_counted():
    W = seeded(50, 10)
    some = W.clone()
    some[[4, 11, 30]] = 0
    kept = torch.cat([W[:4], W[5:11], W[12:30], W[31:]])
    answer, alone = holding(some, 3), holding(kept, 3)
    assert found(answer, "left_out") == 3
    assert found(answer, "coherence") == found(alone, "coherence")
    assert "3 of length 0" in answer.verdict
    pair = answer.tables["nearest pairs"].iloc[0]
    cosine = torch.cosine_similarity(some[int(pair.feature)], some[int(pair.other)], dim=0)
    assert float(cosine) == pytest.approx(pair.cosine, abs=1e-6)  # places in the table with them


def test_nothing_but_dead_features_is_said_so():
    answer = holding(torch.zeros(7, 3), 2)
    assert answer.verdict == "Nothing: all 7 directions have length 0."
    assert answer.figures == ()
    assert Answer.from_json(answer.to_json()).verdict == answer.verdict


@pytest.mark.parametrize(("n", "d", "k"), [(1, 5, 1), (2, 1, 1), (2, 3, 1), (3, 3, 3), (6, 4, 5), (40, 1, 2)])
def test_small_tables_are_answered(n, d, k):
    answer = holding(seeded(n, d, seed=1), k)
    assert answer.verdict
    assert Answer.from_json(answer.to_json()).findings == answer.findings
    assert all(finding.value is None or np.isfinite(finding.value) for finding in answer.findings)


@pytest.mark.parametrize(
    ("W", "k", "words"),
    [
        (torch.zeros(3), 1, "shape"),
        (torch.zeros(2, 3, 4), 1, r"\(2, 3, 4\)"),
        (torch.zeros(0, 4), 1, r"\(0, 4\)"),
        (torch.tensor([[1.0, math.nan]]), 1, "finite"),
        (torch.ones(4, 2), 0, "n_active"),
        (torch.ones(4, 2), math.nan, "n_active"),
    ],
)
def test_bad_input_is_refused_in_one_line(W, k, words):
    with pytest.raises(ValueError, match=words):
        holding(W, k)


def test_sets_that_leave_none_off_are_refused():
    with pytest.raises(ValueError, match="none is off"):
        interference_of_sets(seeded(5, 3), 5)
