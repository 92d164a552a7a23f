"""A8: small searches get the verdicts on record; for each claim there are configurations that do not."""

import numpy as np
import pytest
import torch

from tegum import theory
from tegum.experiments import Cell, Row, Rows
from tegum.experiments.toys.thomson_problem import ThomsonProblem, _stacks, apart, relation
from tegum.geometry import haar_rotation
from tegum.geometry.catalogue import vertices

A8 = ThomsonProblem()
(
    PUBLISHED, RINGS, AGREE_2, PART_2, NONE_2, PENTAGON_2, AGREE_3, PART_3, NONE_3, PENTAGON_3, MANY, ALONE, KIND, FIVE, NINE,
) = KNOWN = (
    "the least Coulomb energies on a sphere",
    "the least Coulomb energies on a circle",
    "in 2 dims, up to 6 features",
    "in 2 dims, from 7 features",
    "4 features in 2 dims have no",
    "one more feature, 5 in 2 dims",
    "in 3 dims, up to 7 features",
    "in 3 dims, from 8 features",
    "6 features in 3 dims have no",
    "one more feature, 7 in 3 dims",
    "fewer than 2m directions",
    "2m and 2m + 1 directions",
    "in 3 dims 8 to 10 features keep",
    "in 2 dims up to 6 features have",
    "in 3 dims up to 10 features have",
)  # fmt: skip
PENTAGON = 10 / 3 * np.cos(np.radians(72)) ** 2
SMALL = {"n_features": (4, 5, 6, 7, 8), "starts": 50, "steps": 200}


def row(m, n):
    """What the search finds, in round numbers."""
    zero, alone = n <= 2 * m, n in (2 * m, 2 * m + 1)
    agree = n <= {2: 6, 3: 7}[m]
    loss = 0.0 if zero else PENTAGON if n == 2 * m + 1 else float(n - 2 * m)
    stacked = n >= {2: 7, 3: 11}[m]
    return {
        "U": np.zeros((n, m)), "electrons": np.zeros((n, m)), "loss": loss, "loss_of_electrons": loss if agree else 1.01 * loss,
        "energy": theory.ring_energy(n) if m == 2 else theory.THOMSON_ENERGY[n], "spread": 0.0 if alone or not zero else 0.2,
        "distance": 0.0 if agree else 0.02, "directions": {2: 5, 3: 9}[m] if stacked else n, "share_at_best": 0.5,
    }  # fmt: skip


def rows(change=lambda m, n: {}):
    params = A8.presets["quick"]
    return Rows(params, [Row(**row(cell.n_dims, cell.n) | change(cell.n_dims, cell.n)).of(cell) for cell in A8.cells(params)])


def off_record(found):
    """The openings of the statements whose verdict is not the one on record."""
    return {next(k for k in KNOWN if claim.statement.startswith(k)) for claim in A8.claims(found) if not claim.as_recorded}


def test_what_was_found_gets_the_verdicts_on_record():
    assert off_record(rows()) == set()
    assert len(list(A8.claims(rows()))) == len(KNOWN)


def at(dims, features, **fields):
    return lambda m, n: fields if (m, n) == (dims, features) else {}


@pytest.mark.parametrize(
    ("change", "refuted"),
    [
        (at(3, 9, energy=25.75999), {PUBLISHED}),
        (at(2, 9, energy=1.000001 * theory.ring_energy(9)), {RINGS}),
        (at(2, 6, loss=1.9), {AGREE_2}),
        (at(3, 6, loss_of_electrons=0.01), {AGREE_3}),
        (at(2, 8, loss_of_electrons=4.0), {PART_2}),
        (at(3, 9, loss_of_electrons=3.0), {PART_3}),
        (at(2, 4, loss=1e-6, loss_of_electrons=1e-6), {NONE_2}),
        (at(3, 6, loss=1e-6, loss_of_electrons=1e-6), {NONE_3}),
        (at(2, 5, loss=0.32, loss_of_electrons=0.32), {PENTAGON_2}),
        (at(3, 7, loss=0.31, loss_of_electrons=0.31), {PENTAGON_3}),
        (at(3, 4, spread=1e-6), {MANY}),
        (at(2, 4, spread=0.1), {ALONE}),
        (at(3, 7, spread=0.1), {ALONE}),
        (at(3, 9, distance=0.2), {KIND}),
        (lambda m, n: {"distance": 1e-6}, {KIND}),
        (at(2, 7, directions=7), {FIVE}),
        (at(2, 6, directions=5), {FIVE}),
        (at(2, 12, directions=6), {FIVE}),
        (at(3, 12, directions=12), {NINE}),
        (at(3, 10, directions=9), {NINE}),
    ],
)
def test_a_single_configuration_that_is_otherwise_refutes_its_claim(change, refuted):
    assert off_record(rows(change)) == refuted


def test_small_searches_find_what_stands_on_record():
    """Few starts do for up to 8 features."""
    params = A8.presets["quick"].model_copy(update=SMALL)
    found = Rows(params, [A8.run(cell, params).of(cell) for cell in A8.cells(params)])
    assert off_record(found) == set()
    told = {(found_row.n_dims, found_row.n): relation(found_row) for found_row in found}
    assert told == {
        (2, 4): "the same", (2, 5): "the same", (2, 6): "the same", (2, 7): "stacked", (2, 8): "stacked",
        (3, 4): "one of many", (3, 5): "one of many", (3, 6): "the same", (3, 7): "the same", (3, 8): "other proportions",
    }  # fmt: skip
    captions = [figure.layout.meta["caption"] for figure in A8.figures(found)]
    assert len(set(captions)) == len(captions) == 4
    assert all(len(caption) > 60 for caption in captions)


@pytest.mark.slow
def test_what_stands_on_record_is_found_with_another_seed():
    params = A8.presets["quick"].model_copy(update={"seed": 1})
    assert off_record(Rows(params, [A8.run(cell, params).of(cell) for cell in A8.cells(params)])) == set()


def test_claims_that_a_choice_of_features_cannot_decide_are_not_made():
    params = A8.presets["quick"].model_copy(update={"n_features": (3,)})
    made = [claim.statement for claim in A8.claims(Rows(params, [Row(**row(m, 3)).of(Cell(n_dims=m, n=3)) for m in (2, 3)]))]
    assert {next(k for k in KNOWN if statement.startswith(k)) for statement in made} == {PUBLISHED, RINGS, AGREE_2, AGREE_3, MANY}


def test_configurations_are_apart_by_more_than_rotation_and_order():
    antiprism, cube = vertices("square antiprism"), vertices("cube")
    turned = (antiprism @ haar_rotation(3, seed=1))[torch.tensor([3, 1, 4, 0, 5, 7, 2, 6])]
    assert apart(turned, antiprism) < 1e-12
    assert apart(cube, antiprism) > 0.1


def test_features_are_stacked_where_they_share_a_direction():
    U = theory.polygon(5)[torch.tensor([0, 0, 1, 2, 3, 4, 4])]
    assert _stacks(U).sum(-1).tolist() == [2, 2, 1, 1, 1, 2, 2]
