"""A10: networks of the geometries that were found get the verdicts on record; for each claim there are networks that do not."""

from dataclasses import replace

import pytest
import torch

from tegum import theory
from tegum.experiments import Rows
from tegum.experiments.toys import correlated_sets
from tegum.experiments.toys.correlated_sets import CorrelatedSets, is_hexagon, side_by_side

A10 = CorrelatedSets()
RIGHT, RATHER_RIGHT, OPPOSITE, NOTHING_LOST, RATHER_OPPOSITE, BY_CHANCE, SIDE, RATHER_SIDE, SOMETIMES, FAILURE, NO_HEXAGON, MOSTLY_NONE = (
    "two correlated pairs: in the best network",
    "two correlated pairs: networks prefer",
    "two anticorrelated pairs: in the best network",
    "two anticorrelated pairs lose nothing",
    "two anticorrelated pairs: single networks prefer",
    "two anticorrelated pairs: sparse, single networks",
    "three correlated pairs cannot be orthogonal",
    "three correlated pairs: networks that keep all six",
    "three correlated pairs sometimes collapse",
    "that is a failure of optimisation",
    "six independent features form no hexagon",
    "six independent features: most networks",
)
ALL = (
    RIGHT,
    RATHER_RIGHT,
    OPPOSITE,
    NOTHING_LOST,
    RATHER_OPPOSITE,
    BY_CHANCE,
    SIDE,
    RATHER_SIDE,
    SOMETIMES,
    FAILURE,
    NO_HEXAGON,
    MOSTLY_NONE,
)


def at(*degrees, norm=1.0, bias=0.0):
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return norm * torch.stack((angles.cos(), angles.sin()), -1), torch.full((len(degrees),), bias, dtype=torch.float64)


TURNED, OPPOSED = at(0, 90, 180, 270), at(0, 180, 90, 270)
HEXAGON, APART = at(0, 60, 120, 180, 240, 300, norm=0.97, bias=-0.2), at(0, 120, 240, 60, 180, 300, norm=0.97, bias=-0.2)
ONE_FELL = at(72, 146, -72, -146, 0, 0, bias=-0.05)
ALONE = at(0, 120, 240, 60, 180, 300, norm=1.24, bias=-0.5)
PENTAGON = (
    at(0, 72, 144, 216, 288, 0, norm=1.15)[0] * torch.tensor([1, 1, 1, 1, 1, 0.0])[:, None],
    torch.tensor([-0.25] * 5 + [0.01]).double(),
)

# of 200 networks: how many are which
FOUND = {
    "correlated": ((TURNED, 186), (OPPOSED, 14)),
    "anticorrelated": ((OPPOSED, 68), (TURNED, 132)),
    "anticorrelated, dense": ((OPPOSED, 92), (TURNED, 108)),
    "three pairs": ((HEXAGON, 78), (ONE_FELL, 122)),
    "independent": ((ALONE, 28), (PENTAGON, 172)),
}


def claims(density=(0.02, 0.2), **changes):
    """The claims on networks as in FOUND, `changes` (dense for 'anticorrelated, dense') in place of some."""
    found = FOUND | {{"three": "three pairs", "dense": "anticorrelated, dense"}.get(name, name): value for name, value in changes.items()}
    params = A10.presets["quick"].model_copy(update={"density": density, "seeds": 200, "steps": 1, "batch_size": 64})
    trained_by = correlated_sets.train

    def rows():
        for cell in A10.cells(params):
            made = found[f"{cell.setup}, dense" if cell.setup == "anticorrelated" and cell.density == max(density) else cell.setup]
            losses = [theory.expected_loss(W, b, correlated_sets._features(cell.setup, cell.density)) for (W, b), _ in made]
            which = torch.repeat_interleave(torch.arange(len(made)), torch.tensor([count for _, count in made]))

            def train(*given, made=made, losses=losses, which=which, **settings):
                W, b = (torch.stack([network[i] for network, _ in made])[which] for i in (0, 1))
                return replace(trained_by(*given, **settings), W=W, b=b, loss=torch.stack(losses)[which])

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(correlated_sets, "train", train)
                yield A10.run(cell, params).of(cell)

    return Rows(params, list(rows()))


def off_record(rows):
    """The openings of the statements whose verdict is not the one on record."""
    return {next(k for k in ALL if claim.statement.startswith(k)) for claim in A10.claims(rows) if not claim.as_recorded}


def test_what_was_found_gets_the_verdicts_on_record():
    rows = claims()
    assert off_record(rows) == set()
    assert len(list(A10.claims(rows))) == len(ALL)


def test_opposite_ends_are_not_right_angles():
    assert off_record(claims(correlated=((OPPOSED, 200),))) == {RIGHT, RATHER_RIGHT}
    assert off_record(claims(correlated=((at(0, 98, 180, 278), 200),))) == {RIGHT, RATHER_RIGHT}


def test_right_angles_are_not_opposite_ends():
    """A cross filled by the other two ways is no preference either; nor is a third, at the largest density."""
    assert off_record(claims(anticorrelated=((TURNED, 200),), dense=((TURNED, 200),))) == {
        OPPOSITE,
        NOTHING_LOST,
        RATHER_OPPOSITE,
        BY_CHANCE,
    }
    assert off_record(claims(dense=((OPPOSED, 68), (TURNED, 132)))) == {RATHER_OPPOSITE}


def test_a_preference_where_pairs_are_sparse_would_change_that_verdict():
    assert off_record(claims(anticorrelated=((OPPOSED, 150), (TURNED, 50)))) == {BY_CHANCE}


def test_opposed_pairs_that_are_too_short_lose_something():
    short, shorter = (0.9 * OPPOSED[0], OPPOSED[1]), (0.8 * TURNED[0], TURNED[1])
    assert off_record(claims(anticorrelated=((short, 68), (shorter, 132)))) == {NOTHING_LOST}


def test_a_hexagon_with_its_pairs_apart_is_not_side_by_side():
    assert off_record(claims(three=((APART, 78), (ONE_FELL, 122)))) >= {SIDE, RATHER_SIDE}


def test_networks_that_always_or_never_collapse_do_not_do_so_sometimes():
    assert off_record(claims(three=((ONE_FELL, 200),))) == {SIDE, SOMETIMES, FAILURE}  # alone, it is as good as the best
    assert off_record(claims(three=((HEXAGON, 200),))) == {SOMETIMES}


def test_independent_features_in_no_hexagon_or_in_one_as_a_rule():
    assert off_record(claims(independent=((PENTAGON, 200),))) == {NO_HEXAGON}
    assert off_record(claims(independent=((ALONE, 150), (PENTAGON, 50)))) == {MOSTLY_NONE}


def test_claims_about_sparse_pairs_are_made_of_sparse_ones_alone():
    rows = claims(density=(0.2,))
    made = [next(k for k in ALL if claim.statement.startswith(k)) for claim in A10.claims(rows)]
    assert not {SIDE, RATHER_SIDE, SOMETIMES, FAILURE, BY_CHANCE} & set(made)


def test_on_record_a_hexagon_is_the_better_of_the_two_where_it_is():
    """Exact: the regular hexagon against the pentagon and the variance of a sixth feature."""
    for density in (correlated_sets.HEXAGON_BELOW - 0.003, correlated_sets.HEXAGON_BELOW + 0.003):
        six, five = theory.best_polygon(6, density).loss, theory.best_polygon(5, density).loss + density / 3 - density**2 / 4
        assert (six < five) == (density < correlated_sets.HEXAGON_BELOW)


def test_a_hexagon_has_six_directions_apart():
    tables = [at(0, 60, 120, 180, 240, 300), at(0, 70, 135, 180, 250, 300), at(0, 29, 120, 180, 240, 300), at(330, 359, 120, 180, 240, 70)]
    short = at(0, 60, 120, 180, 240, 300)[0]
    short[2] *= 0.4
    assert is_hexagon(torch.stack([*(W for W, _ in tables), short])).tolist() == [True, True, False, False, False]


def test_neighbours_are_counted_round_the_circle():
    tables = [HEXAGON, APART, at(300, 0, 60, 180, 120, 240), ONE_FELL]
    assert side_by_side(torch.stack([W for W, _ in tables])).tolist() == [3, 0, 1, 3]


def test_every_figure_has_a_caption_that_says_how_it_was_made():
    captions = [figure.layout.meta["caption"] for figure in A10.figures(claims())]
    assert len(set(captions)) == len(captions) == 5
    assert all(len(caption) > 60 for caption in captions)


def test_cells_train_networks_of_their_own():
    params = A10.presets["paper"]
    seeds = [params.training_at(cell)["seed"] for cell in A10.cells(params)]
    assert len(set(seeds)) == len(seeds)
