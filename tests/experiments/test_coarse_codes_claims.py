"""Coarse codes: a small run gets its claims on record, and rows that do not obey a law refute the claim that states it."""

import math

import numpy as np
import pytest

from tegum.experiments import Row, Rows
from tegum.experiments.codes import _positions as positions
from tegum.experiments.codes._over_codes import deviation, interval, limit, ratio, share
from tegum.experiments.codes.coarse_codes import CoarseCodes

PARAMS = CoarseCodes.Params(
    units=(16, 100), radii=(0.1, 0.22, 0.5, 1.2), codes=16, lines=20, side=12, side_units=160, field_radii=(0.1, 0.36), sizes=(1, 2, 3, 4, 20),
    dictionaries=6, sets=40, solved=4,
)  # fmt: skip
EXPERIMENT = CoarseCodes()


@pytest.fixture(scope="module")
def measured():
    return [(cell, EXPERIMENT.run(cell, PARAMS)) for cell in EXPERIMENT.cells(PARAMS)]


def claims(measured, part=None, column=None, change=None):
    def changed(cell, row):
        fields = dict(row)
        if cell.part == part:
            fields[column] = change(fields[column])
        return Row(**fields).of(cell)

    return list(EXPERIMENT.claims(Rows(PARAMS, [changed(*one) for one in measured])))


def test_a_small_run_gets_every_claim_as_on_record(measured):
    found = claims(measured)
    assert len(found) == 24
    assert [claim.statement for claim in found if not claim.as_recorded] == []
    assert [claim.statement.split(":")[0] for claim in found if claim.on_record == "refuted"] == [
        "solving, too, needs members a diameter apart"
    ]


@pytest.mark.parametrize(
    ("part", "column", "change", "refuted"),
    [
        ("lines", "rate", lambda x: 1.3 * x, "a line changes its code"),
        ("plane", "joined", lambda x: 1.3 * x, "circles cross each other"),
        ("plane", "regions", lambda x: 3 + x, "clusters of circles"),
        ("plane", "regions", lambda x: x[::-1] * 0 + 50 + np.arange(16), "smaller fields cut fewer"),
        ("plane", "regions", lambda x: x[::-1] * 0 + 50 + np.arange(16), "fields larger than the plane cut fewer"),
        ("plane", "area", lambda x: 1.6 * x, "the positions with one code"),
        ("plane", "square", lambda x: 2 * x, "two positions with one code"),
        ("plane", "area", lambda x: 1.6 * x, "no reading beats"),
        ("plane", "error", lambda x: 5 * x, "where 8 fields and more"),
        ("plane", "error", lambda x: 5 * x, "many fields at random"),
        ("plane", "error", lambda x: 0.2 * x, "few fields at random"),
        ("plane", "error", lambda x: 0.01 + 0 * x + 1e-5 * np.arange(16), "smaller fields are read worse"),
        ("plane", "error", lambda x: 0.01 + 0 * x + 1e-5 * np.arange(16), "fields larger than the plane are read worse"),
        ("products", "moments", lambda x: np.stack([x[:, 0] * 1.4, x[:, 1]], axis=1), "the inner product of two codes is the lens"),
        ("products", "moments", lambda x: np.stack([x[:, 0], x[:, 1] * 1.8], axis=1), "the inner product of two codes spreads"),
        ("pairs", "look", np.zeros_like, "one look reads most pairs"),
        ("pairs", "look", np.ones_like, "one look reads few pairs"),
        ("sets", "look", np.zeros_like, "one look reads most sets of 3"),
        ("sets", "look", np.ones_like, "one look reads few sets of 3"),
        ("sets", "look", np.ones_like, "one look reads more sets of 3"),
        ("sets", "look", np.ones_like, "one look reads more sets through the smallest"),
        ("sets", "solve", np.zeros_like, "solving reads nearly all"),
        ("sets", "solve", np.zeros_like, "solving reads more sets through the largest"),
        ("pairs", "solve", np.zeros_like, "solving, too, needs members"),
    ],
)
def test_other_rows_change_the_verdict(measured, part, column, change, refuted):
    found = [claim for claim in claims(measured, part, column, change) if claim.statement.startswith(refuted)]
    assert len(found) == 1
    assert not found[0].as_recorded


@pytest.mark.parametrize("sizes", [(1, 2), (3, 145)])
def test_sizes_that_are_no_crowd_or_larger_than_the_grid_are_refused(sizes):
    with pytest.raises(ValueError, match="sizes go up to"):
        EXPERIMENT.cells(PARAMS.model_copy(update={"sizes": sizes}))


def test_the_figures_are_drawn(measured):
    rows = Rows(PARAMS, [row.of(cell) for cell, row in measured])
    assert len(list(EXPERIMENT.figures(rows))) == 9


def test_places_with_codes_of_their_own_lie_in_a_field_that_no_other_place_shares_all_of():
    D = positions.fields_of_length_1(6, 12, 0.2, seed=3)
    fires = (D.dense() != 0).numpy()
    alone = [any(fires[i]) and not any(np.array_equal(fires[i], fires[j]) for j in range(36) if j != i) for i in range(36)]
    assert 0 < sum(alone) < 36
    np.testing.assert_array_equal(positions.own_codes(D), alone)
    length = D.dense().norm(dim=1).numpy()
    np.testing.assert_allclose(length, fires.any(1), atol=1e-12)


def test_the_least_distance_of_a_set_is_that_of_its_nearest_pair():
    found = positions.apart(np.array([[0, 1, 10], [0, 9, 15]]), 4)
    assert found == pytest.approx([1 / 4, math.hypot(2, 1) / 4])  # 9 and 15: one row and two columns apart
    assert positions.apart(np.array([[3]]), 4)[0] == math.inf


def test_inner_products_are_grouped_by_distance():
    distance, pairs, (mean, square) = positions.inner_products(3, 400, 0.25, seed=1)
    assert distance * 3 == pytest.approx([0, 1, math.sqrt(2), 2, math.sqrt(5), math.sqrt(8)])
    assert pairs.tolist() == [9, 12, 8, 6, 8, 2]
    assert mean[0] == pytest.approx(1, abs=5 * math.sqrt(1 / (400 * math.pi / 36)))
    assert np.all(np.diff(mean[:4]) < 0)
    assert np.all(square >= mean**2)


def test_a_sum_is_read_highest_where_its_only_member_is():
    read = positions.read_everywhere(np.array([[0.25, 0.75]]), 8, 3000, 0.2, seed=0)
    assert abs(np.array(np.unravel_index(read.argmax(), read.shape)) + 0.5 - [6, 2]).max() <= 1
    assert read[0, 7] == 0  # further than a diameter


def test_deviations_and_intervals_are_those_of_student():
    values = np.array([1.0, 2.0, 3.0, 6.0])
    error = values.std(ddof=1) / 2
    assert deviation(values, 1.0) == pytest.approx(2 / error)
    assert deviation(np.ones(4), 1.0) == 0
    assert deviation(np.ones(4), 1.1) == math.inf
    mean, (low, high) = interval(values)
    assert (mean, (high - low) / 2 / error) == pytest.approx((3, 3.182446), rel=1e-6)  # t at 97.5%, 3 degrees of freedom
    assert limit(4, 1) == pytest.approx(12.923979, rel=1e-6)  # t at 99.95%
    found, (low, high) = ratio(values, values, power=0.5)
    assert found == 1
    assert low * high == pytest.approx(1)


def test_shares_are_never_surer_than_wilson_and_widen_where_dictionaries_differ():
    alike, apart = share(np.array([5, 5]), np.array([10, 10])), share(np.array([10, 0]), np.array([10, 10]))
    assert alike[0] == apart[0] == 0.5
    assert apart[1] == (0, 1)
    assert alike[1] == pytest.approx((0.299298, 0.700702), abs=1e-6)  # Wilson, 10 of 20
    assert math.isnan(share(np.array([0]), np.array([0]))[0])
