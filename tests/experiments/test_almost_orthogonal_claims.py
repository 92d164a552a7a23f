"""Almost orthogonal directions: a small run gets its claims, others refute theirs; draws, searches and laws against brute force."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from tegum import theory
from tegum.dictionaries.random_signs import rademacher
from tegum.dictionaries.uniform_sphere import spherical
from tegum.experiments import Row, Rows
from tegum.experiments.codes import _random_packings as packings
from tegum.experiments.codes.almost_orthogonal import AlmostOrthogonal

PARAMS = AlmostOrthogonal.Params(
    cosine_dims=(32, 64), cosine_features=300, set_dims=(10, 40), set_features=(16, 48), draws=250, eps=(0.5, 0.35), exponents=(4, 8), searched=400,
    repeats=5, packing_dims=10, packing_features=(11, 16, 25, 30), steps=60, starts=1,
)  # fmt: skip
EXPERIMENT = AlmostOrthogonal()
BELOW = "searches in order grow as exp(c eps^2 d) with c below 1"


@pytest.fixture(scope="module")
def measured():
    return [(cell, EXPERIMENT.run(cell, PARAMS)) for cell in EXPERIMENT.cells(PARAMS)]


def claims(measured, kind=None, **changed):
    rows = []
    for cell, row in measured:
        fields = dict(row)
        if cell.kind == kind:
            fields |= {name: change(fields[name]) for name, change in changed.items()}
        rows.append(Row(**fields).of(cell))
    return list(EXPERIMENT.claims(Rows(PARAMS, rows)))


def test_a_small_run_gets_every_claim(measured):
    found = claims(measured)
    assert len(found) == 3 + 4 + 4 + 3 + 3 + 1 + 4
    assert {(claim.on_record, claim.verdict) for claim in found} == {("holds", "holds")}


@pytest.mark.parametrize(
    ("kind", "changed", "refuted"),
    [
        ("cosines", {"square": lambda square: square * 1.1}, {"cosines of random directions"}),
        ("cosines", {"signs_square": lambda square: square * 0.9}, {"cosines of directions of random signs"}),
        ("cosines", {"beyond": lambda beyond: beyond * [1, 1, 3]}, {"|cosines| exceed"}),
        ("set", {"random": lambda largest: largest * 0.9}, {"sets of random directions"}),
        ("set", {"random": lambda largest: largest * 1.1}, {"sets of random directions", "where the union bound"}),
        ("set", {"signs": lambda largest: largest * 0.8}, {"sets of directions of random signs"}),
        ("clash", {"clashes": lambda n: n // 2}, {"half of all sets clash"}),
        ("search", {"kept": lambda kept: kept * 0.2}, {"a search in order keeps", "a search for |cos|"}),
        ("search", {"kept": lambda kept: kept * 1.5}, {"a search for |cos|"}),
        ("search", {"kept": lambda kept: kept**3 // 1000}, {"a search for |cos|", "ln n of searches", BELOW}),
        ("packing", {"optimised": lambda cosine: cosine * 0.9}, {"no lines in 10 dims beat"}),
        ("packing", {"optimised": lambda cosine: cosine + 0.5}, {"lines moved apart"}),
        ("packing", {"equiangular": lambda cosine: cosine + 1e-6}, {"equiangular lines"}),
        ("packing", {"gabor": lambda cosine: cosine + 1e-6}, {"gabor lines"}),
    ],
)
def test_other_rows_refute_their_claims_and_no_others(measured, kind, changed, refuted):
    found = [claim.statement for claim in claims(measured, kind, **changed) if claim.verdict == "refuted" and claim.on_record == "holds"]
    assert {start for start in refuted if any(statement.startswith(start) for statement in found)} == refuted
    assert all(any(statement.startswith(start) for start in refuted) for statement in found)


def test_too_many_lines_for_the_bounds_are_refuted(measured):
    found = claims(measured, "search", kept=lambda kept: kept * 10**6)
    assert next(claim for claim in found if claim.statement.startswith("and no more than")).verdict == "refuted"


def grown(measured, kind, name, factor, **others):
    """Numbers of one kind that grow as exp(factor eps^2 d)."""
    return [
        (cell, Row(**(dict(row) | {name: np.full(len(row[name]), round(20 * math.exp(factor * cell.eps**2 * cell.n_dims)))} | others)))
        if cell.kind == kind
        else (cell, row)
        for cell, row in measured
    ]


@pytest.mark.parametrize("factor", [0.02, 0.8])
def test_other_growth_refutes_the_exponent_of_random_sets(measured, factor):
    found = claims(grown(measured, "clash", "clashes", factor, most=10**6))
    assert {claim.verdict for claim in found if claim.statement.startswith("ln n of random sets")} == {"refuted"}


def test_searches_that_grow_faster_refute_their_exponent(measured):
    found = claims(grown(measured, "search", "kept", 1.1))
    assert [claim.verdict for claim in found if claim.statement.startswith(BELOW)] == ["refuted"]


def test_lemmas_constants_can_be_refuted(measured):
    few = claims([(cell, Row(**(dict(row) | {"kept": np.full(5, 3)})) if cell.kind == "search" else row) for cell, row in measured])
    assert next(c for c in few if c.statement.startswith("the lemma's constant for searches")).verdict == "refuted"


def test_fewer_lines_than_dims_are_refused_before_any_work():
    with pytest.raises(ValueError, match="up to 10 lines are orthogonal in as many dims"):
        EXPERIMENT.cells(AlmostOrthogonal.Params(packing_dims=10, packing_features=(10, 16)))


def test_three_lines_of_a_plane_are_clear_as_often_as_the_law_allows():
    """Three points on a circle of length pi lie theta apart with chance (1 - 3 theta / pi)^2, two with chance 1 - 2 theta / pi."""
    for theta in (0.01, 0.1, 0.3, 0.6):
        chance, slack = packings.clear_chance(3, 2 * theta / math.pi)
        assert abs((1 - 3 * theta / math.pi) ** 2 - chance) <= slack


@pytest.mark.parametrize(("d", "eps"), [(3, 0.4), (4, 0.5), (6, 0.9), (5, 0.2)])
def test_the_tail_of_random_signs_is_that_of_all_signs(d, eps):
    cosines = np.abs(np.array(list(product((-1, 1), repeat=d))).sum(1)) / d
    assert packings.sign_tail(d, eps) == pytest.approx(np.mean(cosines >= eps), abs=1e-15)


def test_no_p_value_is_too_small_too_often():
    """Over all counts, p <= alpha has chance alpha at most, at the chance itself and at any other within the slack."""
    pmf, counts = binom.pmf, np.arange(41)
    for truth in (0.55, 0.6, 0.63):
        p = np.array([packings.p_value(count, 40, 0.6, 0.05) for count in counts])
        for alpha in (0.001, 0.05, 0.3):
            assert pmf(counts, 40, truth)[p <= alpha].sum() <= alpha
    assert packings.p_value(24, 40, 0.6, 0.0) == 1.0
    assert packings.p_value(40, 40, 0.6, 0.0) == pytest.approx(2 * 0.6**40)


def test_clashes_and_largest_cosines_are_those_of_plain_loops():
    for seed in range(5):
        U = spherical(30, 6, seed).dense().numpy()
        first = next((j for j in range(30) if any(abs(U[i] @ U[j]) >= 0.8 for i in range(j))), 30)
        assert packings.first_clashes(6, 0.8, 30, [seed]) == [first]
        S = rademacher(12, 7, seed).dense().numpy()
        largest = max(abs(S[i] @ S[j]) for i in range(12) for j in range(i))
        assert packings.largest_cosines(rademacher, 12, 7, [seed]) == pytest.approx([largest], abs=1e-6)


def test_a_long_search_in_the_plane_leaves_no_room_for_another_line():
    """Lines theta apart or more, and no gap of two theta left: from pi / (2 theta) to pi / theta of them."""
    theta = math.acos(0.95)
    for seed in range(5):
        assert math.pi / (2 * theta) <= packings.search(2, 0.95, 5000, seed) <= math.pi / theta


def test_what_a_search_keeps_does_not_depend_on_how_candidates_are_cut(monkeypatch):
    """The same candidates, one after another."""
    monkeypatch.setattr(packings, "_BLOCK", 200)
    whole = packings.search(5, 0.6, 200, 3)
    (seed,) = packings.seeds(3, 0, count=1)
    kept = []
    for u in spherical(200, 5, seed).dense().numpy():
        if all(abs(u @ v) < 0.6 for v in kept):
            kept.append(u)
    assert whole == len(kept)


def test_the_tail_is_found_again_from_clashes():
    """1,000 sets whose directions clash with chance 1 - (1 - P)^before: 4 standard errors, 4 / sqrt(1000) of P, and P times the directions drawn."""
    rng, tail, most = np.random.default_rng(0), 1e-3, 90
    clash = rng.random((1000, most)) < -np.expm1(np.arange(most) * np.log1p(-tail))
    clashes = np.where(clash.any(1), clash.argmax(1), most)
    found, seen = packings.found_tail(clashes, most)
    assert seen == clash.any(1).sum()
    assert found == pytest.approx(tail, rel=4 / math.sqrt(1000) + tail * most / 2)


def test_half_of_sets_are_clear_where_pairs_times_the_tail_are_ln_2():
    n = packings.even(1e-4)
    assert n * (n - 1) / 2 * 1e-4 == pytest.approx(math.log(2))


def test_kabatjanskii_and_levensteins_bound_is_above_the_exponent_1_at_every_eps():
    eps = np.linspace(0.01, 0.99, 99)
    assert (theory.kabatjanskii_levenstein_exponent(eps) > 1.08 * eps**2).all()


def test_other_places_get_other_seeds():
    found = [seed for place in product((1, 2), (3, 4)) for seed in packings.seeds(0, *place, count=50)]
    assert len(set(found)) == 200
    assert all(0 <= seed < 2**63 for seed in found)


def test_the_figures_say_how_they_were_made(measured):
    rows = Rows(PARAMS, [row.of(cell) for cell, row in measured])
    captions = [figure.layout.meta["caption"] for figure in EXPERIMENT.figures(rows)]
    assert len(set(captions)) == 5
    assert "250 draws" in captions[0]
