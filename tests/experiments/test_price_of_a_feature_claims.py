"""The price of a feature: the table and readings that obey the laws get every claim, and others refute theirs."""

import math

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from tegum import theory
from tegum.experiments import Row, Rows
from tegum.experiments.codes._marginal_prices import closed_prices, threshold_price
from tegum.experiments.codes._tabled_readings import Entry, cone_shift
from tegum.experiments.codes.price_of_a_feature import ORDER, TABLED, PriceOfAFeature, _entry

PARAMS = PriceOfAFeature.Params(
    log2_features=(12, 14), dims=(256, 768), look_dims=300, look_log2_features=10, search_dims=64, search_log2_features=8,
    batches=3, together=1000, trials=1000,
)  # fmt: skip
EXPERIMENT = PriceOfAFeature()
LAWS = {"threshold": theory.threshold_success, "top-k": theory.topk_success}
CLOSED = "the price of a feature"
FACTOR = "'these prices can easily vary"


@pytest.fixture(scope="module")
def computed():
    """The table and the limits, which are laws; readings as the laws have them; l1's cones 2/3 of a dim off."""
    rows, entries = [], {rule: _entry(rule, PARAMS) for rule in ("threshold", "top-k", "l1", "Bayes-AMP")}
    for cell in EXPERIMENT.cells(PARAMS):
        if cell.kind in ("table", "limit"):
            rows.append((cell, EXPERIMENT.run(cell, PARAMS)))
            continue
        rule = dict(cell).get("rule", "l1")
        entry = entries[rule]
        k = entry.tried
        if cell.kind == "cones":
            z = (64 + 2 / 3 - theory.lasso_dims(256, k)) / theory.lasso_width(256, k)
            rows.append((cell, Row(k=k, chance=ndtr(z), error=np.full(4, 0.002), tabled=entry.active)))
            continue
        chance = LAWS[rule](300, 1024, k) if rule in LAWS else norm.sf((k - entry.active) / entry.width)
        right = np.random.default_rng(cell.batch).binomial(1000, chance)
        rows.append((cell, Row(k=k, right=right, tabled=entry.active, width=entry.width)))
    return rows


def verdicts(computed, kind=None, rule=None, **changed):
    rows = []
    for cell, row in computed:
        fields = dict(row)
        if cell.kind == kind and rule in (None, dict(cell).get("rule")):
            fields |= {name: change(fields[name]) for name, change in changed.items()}
        rows.append(Row(**fields).of(cell))
    return {claim.statement: claim.verdict for claim in EXPERIMENT.claims(Rows(PARAMS, rows))}


def test_laws_get_every_claim(computed):
    found = verdicts(computed)
    assert len(found) == 1 + 2 + 1 + 2 + 4 + 4 + 2 + 4
    assert set(found.values()) == {"holds"}


def scaled(rule, factor):
    """A table's column with one rule's line multiplied."""
    return lambda values: np.where(np.arange(len(TABLED))[:, None] == TABLED.index(rule), values * factor, values)


@pytest.mark.parametrize(
    ("kind", "rule", "changed", "refuted"),
    [
        ("table", None, {"price": scaled("l1", 1.0001)}, {CLOSED}),
        ("table", None, {"price": scaled("top-k, rule of thumb", 1.0001)}, {CLOSED}),
        ("table", None, {"price": scaled("one dim a bit", 1.3)}, {CLOSED, "log2(N/k) overstates", FACTOR}),
        ("table", None, {"price": scaled("one dim a bit", 0.5)}, {CLOSED, "log2(N/k) overstates", FACTOR}),
        ("table", None, {"price": scaled("threshold", 1.02)}, {CLOSED, "a threshold's price at 50%"}),
        ("limit", None, {"price": lambda price: price * [[1.02], [1], [1]]}, {"as N grows"}),
        ("limit", None, {"price": lambda price: price * [[1], [0.95], [1]]}, {"as N grows", "the ratio of prices of top-k"}),
        ("limit", None, {"price": lambda price: price[:, [0, 1, 3, 2, 4, 5, 6]]}, {"the ratio of prices"}),
        ("table", None, {"needed": lambda needed: needed * (1 + 1e-6)}, {"the capacity of d dims"}),
        ("table", None, {"capacity": lambda capacity: capacity[:, ::-1]}, {"more dims hold more"}),
        ("table", None, {"capacity": scaled("l1", 1.5)}, {"fewest features first"}),
        ("table", None, {"reliable": lambda k: k / 3}, {"'inconsistently storing a dozen'"}),
        ("reading", "threshold", {"k": lambda k: k + 3}, {"threshold: half"}),
        ("reading", "top-k", {"k": lambda k: k + 4}, {"top-k: half"}),
        ("reading", "Bayes-AMP", {"k": lambda k: k * 1.5}, {"Bayes-AMP: half"}),
        ("cones", None, {"chance": lambda chance: chance - 0.15}, {"l1: the exact chance"}),
    ],
)
def test_other_rows_refute_their_claims_and_no_others(computed, kind, rule, changed, refuted):
    statements = [statement for statement, verdict in verdicts(computed, kind, rule, **changed).items() if verdict == "refuted"]
    assert {start for start in refuted if any(s.startswith(start) for s in statements)} == refuted
    assert all(any(s.startswith(start) for start in refuted) for s in statements)


def test_more_active_of_more_features_is_refuted(computed):
    larger = [
        (cell, Row(**(dict(row) | {"capacity": row.capacity * 3}) if dict(cell).get("log2_features") == 14 else dict(row)))
        for cell, row in computed
    ]
    found = [statement for statement, verdict in verdicts(larger).items() if verdict == "refuted"]
    assert found == ["of more features fewer may be active, under every rule"]


def test_codes_that_are_all_read_decide_nothing(computed):
    found = verdicts(computed, "reading", "top-k", right=lambda right: np.full_like(right, 1000))
    assert [statement.split(":")[0] for statement, verdict in found.items() if verdict == "undecided"] == ["top-k"]


def test_closed_prices_are_the_slopes_of_brute_force():
    """Central differences over 2h: of third derivatives, below 1e-7 of the price here, and of roundings 1e-12 d / h."""
    n, k, h = 4096, np.array([7.0, 100.0]), 1e-3
    for rule, price in closed_prices(n, k).items():
        above, below = (np.asarray(theory.RULES[rule](n, k + step), dtype=float) for step in (h, -h))
        slope = (above - below) / (2 * h)
        assert price == pytest.approx(slope, rel=1e-6), rule


def test_the_price_of_a_threshold_is_that_at_which_the_union_of_errors_is_even():
    """N Q(sqrt(price) / 2) = ln 2 to the terms left out, a tenth of ln 2 at N = 2^60."""
    n = 2.0**60
    assert n * norm.sf(math.sqrt(threshold_price(n)) / 2) == pytest.approx(math.log(2), rel=0.1)


def test_the_shift_of_cones_is_in_dims():
    entry = Entry("l1", 256, 64)
    k = np.array([14, 16])
    width, dims = theory.lasso_width(256, k), theory.lasso_dims(256, k)
    shift, error = cone_shift(entry, k, ndtr((64 + 0.5 - dims) / width), np.full(2, 0.001))
    assert shift == pytest.approx(0.5, abs=1e-12)
    assert 0 < error < width.max()


def test_a_small_run_reads_and_draws():
    params = PriceOfAFeature.Params(
        log2_features=(10,), dims=(128, 200), look_dims=64, look_log2_features=8, search_dims=48, search_log2_features=8,
        batches=1, together=8, trials=1000,
    )  # fmt: skip
    rows = Rows(params, [EXPERIMENT.run(cell, params).of(cell) for cell in EXPERIMENT.cells(params)])
    for row in rows.where(kind="reading"):
        assert (row.right >= 0).all()
        assert (row.right <= 8).all()
        assert (np.diff(row.k) == row.k[1] - row.k[0]).all()
    captions = [figure.layout.meta["caption"] for figure in EXPERIMENT.figures(rows)]
    assert len(set(captions)) == 6
    assert len(list(EXPERIMENT.claims(rows))) == 1 + 2 + 1 + 2 + 4 + 4 + 1 + 4


def test_every_rule_of_the_table_is_one_of_theory():
    assert set(TABLED) <= set(theory.RULES)
    assert set(ORDER) < set(TABLED)
