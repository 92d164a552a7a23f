"""Uniform superposition: networks that do what the source says get every claim, and each claim has networks that refute it."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tegum import geometry
from tegum.experiments import Rows
from tegum.experiments.toys import _uniform, feature_dimensionality
from tegum.experiments.toys._uniform import Uniform, densities
from tegum.experiments.toys.feature_dimensionality import FeatureDimensionality
from tegum.experiments.toys.uniform_superposition import UniformSuperposition
from tegum.geometry import vertices

N, M = 60, 12
AXES = torch.eye(M, dtype=torch.float64)


def made_of(*kinds, more=None):
    """(N, M): these polytopes on dims of their own, then the rows of `more`; the rest is not represented."""
    whole = torch.block_diag(*map(vertices, kinds))
    W = torch.zeros(N, M, dtype=torch.float64)
    W[: len(whole), : whole.shape[1]] = whole
    if more is not None:
        W[len(whole) : len(whole) + len(more)] = more
    return W


def spread(features):
    """A tight frame of so many rows of length 1 on average, and no shape: a random orthonormal basis of M columns."""
    basis = torch.linalg.qr(torch.randn(features, M, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[0]
    W = torch.zeros(N, M, dtype=torch.float64)
    W[:features] = math.sqrt(features / M) * basis
    return W


def rows_of(monkeypatch, experiment, worlds, seeds=2):
    """Rows of networks that are worlds[1/p], the same for each seed."""
    params = Uniform.Params(n_features=N, n_hidden=M, density=densities(*worlds), seeds=seeds)

    def networks(self, cell, params):
        (W,) = (W for inverse, W in worlds.items() if math.isclose(inverse * cell.density, 1))
        return SimpleNamespace(W=W.expand(seeds, N, M), loss=torch.zeros(seeds), best=lambda: SimpleNamespace(index=0, W=W))

    monkeypatch.setattr(Uniform, "networks", networks)
    return Rows(params, [experiment.run(cell, params).of(cell) for cell in experiment.cells(params)])


def claims(monkeypatch, experiment, worlds, seeds=2):
    """The claims on such rows; all thresholds would take twelve times as long."""
    monkeypatch.setattr(feature_dimensionality, "THRESHOLDS", (feature_dimensionality.THRESHOLD,))
    return list(experiment.claims(rows_of(monkeypatch, experiment, worlds, seeds)))


def captions(experiment, rows):
    return [figure.layout.meta["caption"] for figure in experiment.figures(rows)]


def refuted(found):
    """The statements that do not hold."""
    assert {claim.verdict for claim in found} <= {"holds", "refuted"}
    return [claim.statement for claim in found if claim.verdict == "refuted"]


def only(found, *openings):
    """Whether these statements are refuted, and no others."""
    told = refuted(found)
    assert len(told) == len(openings), told
    for opening in openings:
        assert any(opening in statement for statement in told), (opening, told)


DIGONS, PENTAGONS = made_of(*["digon"] * M), made_of(*["pentagon"] * (M // 2))


class TestUniformSuperposition:
    WORLD = {1: spread(M), 2.5: DIGONS, 3.5: DIGONS, 5: PENTAGONS, 10: spread(60)}

    def on(self, monkeypatch, changed=None):
        return claims(monkeypatch, UniformSuperposition(), self.WORLD | (changed or {}))

    def test_what_the_source_tells_holds(self, monkeypatch):
        found = self.on(monkeypatch)
        assert len(found) == 5
        only(found)

    def test_pairs_at_density_1_are_too_many(self, monkeypatch):
        only(self.on(monkeypatch, {1: DIGONS}), "at density 1 D* is 1")

    def test_a_network_that_lets_go_of_features_as_they_get_sparse(self, monkeypatch):
        only(self.on(monkeypatch, {10: DIGONS}), "the sparser, the smaller", "that is a plateau")

    def test_one_digon_fewer_is_forgiven_and_two_are_not(self, monkeypatch):
        one, two = made_of(*["digon"] * (M - 1), "single feature"), made_of(*["digon"] * (M - 2), *["single feature"] * 2)
        only(self.on(monkeypatch, {3.5: one}))
        only(self.on(monkeypatch, {3.5: two}), "the sparser, the smaller")

    def test_pentagons_on_the_plateau(self, monkeypatch):
        only(self.on(monkeypatch, {2.5: PENTAGONS, 3.5: PENTAGONS}), "D* is near 1/2")

    def test_a_power_law_has_no_plateau(self, monkeypatch):
        """D* of .54, .46, .39 and .25: slopes of -.48 and -.64."""
        power = {2.5: 0.54 / 0.5, 3.5: 0.46 / 0.5, 5: 0.39 / 0.4, 10: 0.25 / 0.2}
        only(self.on(monkeypatch, {x: self.WORLD[x] / math.sqrt(factor) for x, factor in power.items()}), "that is a plateau")

    def test_a_network_whose_dims_are_shared_unevenly_is_not_packed(self, monkeypatch):
        uneven = DIGONS.clone()
        uneven[0] = math.sqrt(0.5) * (AXES[0] + AXES[2])
        only(self.on(monkeypatch, {3.5: uneven}), "once packed")

    def test_a_dim_for_a_feature_that_is_hardly_there_is_shared_out_too(self, monkeypatch):
        only(self.on(monkeypatch, {2.5: made_of(*["digon"] * (M - 1), more=0.02 * AXES[-1:])}))

    def test_untrained_networks_have_no_plateau_and_are_not_packed(self):
        params = Uniform.Params(n_features=N, n_hidden=M, density=densities(1, 2.5, 3.5), seeds=2, steps=1, batch_size=8)
        experiment = UniformSuperposition()
        rows = Rows(params, [experiment.run(cell, params).of(cell) for cell in experiment.cells(params)])
        told = refuted(list(experiment.claims(rows)))
        for opening in ("at density 1", "near 1/2", "once packed"):
            assert any(opening in statement for statement in told), opening


class TestFeatureDimensionality:
    MIXED = made_of("pentagon", "pentagon", "square antiprism", *["digon"] * 5)
    WORLD = {
        1.5: made_of("tetrahedron", "triangle", "triangle", *["digon"] * 5), 3: DIGONS, 4: MIXED, 5: MIXED, 10: spread(60),
    }  # fmt: skip

    def on(self, monkeypatch, changed=None):
        return claims(monkeypatch, FeatureDimensionality(), self.WORLD | (changed or {}))

    def pressed(self, inverse, short):
        """The network of this 1/p with more features, too short to be represented."""
        W = self.WORLD[inverse].clone()
        used = int(W.any(1).sum())
        W[used : used + len(short)] = short
        return W

    def test_what_the_source_tells_holds(self, monkeypatch):
        found = self.on(monkeypatch)
        assert len(found) == 2 + 2 * 5 + 2 + 1 + 1 + 1
        only(found)

    def test_a_pentagon_among_the_pairs(self, monkeypatch):
        only(self.on(monkeypatch, {3: made_of("pentagon", *["digon"] * 10)}), "are in digons", "sit at 1/2: largest")

    def test_pairs_of_which_one_is_short_are_digons_but_not_at_one_half(self, monkeypatch):
        short = DIGONS.clone()
        short[0] *= 0.8
        only(self.on(monkeypatch, {3: short}), "sit at 1/2: largest")

    @pytest.mark.parametrize(
        ("name", "at"), [("tetrahedron", [1.5]), ("triangle", [1.5]), ("digon", [3]), ("pentagon", [4, 5]), ("square antiprism", [4, 5])]
    )
    def test_each_polytope_has_to_be_there(self, monkeypatch, name, at):
        without = {
            "tetrahedron": made_of("triangle", *["digon"] * 10), "triangle": made_of("tetrahedron", *["digon"] * 9), "digon": PENTAGONS,
            "pentagon": made_of("square antiprism", *["digon"] * 9), "square antiprism": made_of("pentagon", *["digon"] * 10),
        }[name]  # fmt: skip
        more = ["are in digons", "sit at 1/2: largest"] if name == "digon" else []
        only(self.on(monkeypatch, dict.fromkeys(at, without)), f"there is a {name}", *more)

    @pytest.mark.parametrize(
        ("name", "at", "dims"),
        [("tetrahedron", [1.5], (0, 3)), ("triangle", [1.5], (3, 7)), ("pentagon", [4, 5], (0, 4)), ("square antiprism", [4, 5], (4, 7))],
    )
    def test_a_polytope_that_many_short_features_press_on_is_there_but_not_at_its_level(self, monkeypatch, name, at, dims):
        """Features of length .4 that are not represented, along its dims and those of others of its name."""
        pressed = self.pressed(at[0], 0.4 * AXES[slice(*dims)].repeat(2, 1))
        found = self.on(monkeypatch, dict.fromkeys(at, pressed))
        only(found, f"the features of a {name} sit at")
        (claim,) = (claim for claim in found if f"the features of a {name} sit at" in claim.statement)
        perfect = float(geometry.feature_dimensionality(vertices(name))[0])
        assert claim.estimate < perfect
        assert f"is {perfect:.3f}" in claim.reason

    def test_digons_that_are_pressed_on_are_not_at_their_level(self, monkeypatch):
        pressed = DIGONS.clone()
        pressed[2 * M : 4 * M] = 0.4 * AXES.repeat(2, 1)
        only(self.on(monkeypatch, {3: pressed}), "the features of a digon sit at 1/2", "sit at 1/2: largest")

    @pytest.mark.parametrize(
        ("polygon", "at", "short"), [("triangle", [1.5], AXES[3:7].repeat(4, 1)), ("pentagon", [4, 5], AXES[7:].repeat(3, 1))]
    )
    def test_a_bipyramid_whose_poles_and_equator_have_one_dimensionality_is_not_split(self, monkeypatch, polygon, at, short):
        """Triangles pressed on until their D is below a digon's, and digons until theirs is below a pentagon's."""
        told = refuted(self.on(monkeypatch, dict.fromkeys(at, self.pressed(at[0], 0.49 * short))))
        assert any(f"a {polygon} and a digon of one network" in statement for statement in told), told

    def test_triangles_where_pentagons_should_be_are_not_of_the_series(self, monkeypatch):
        told = refuted(self.on(monkeypatch, dict.fromkeys((4, 5), made_of("pentagon", *["triangle"] * 5))))
        assert any("has 3r - 1 features" in statement for statement in told), told

    def test_frames_further_on_in_the_series_are_of_it(self, monkeypatch):
        further = made_of("pentagon", "square antiprism", "Andrásfai 11", *["digon"] * 3)
        only(self.on(monkeypatch, dict.fromkeys((4, 5), further)))

    def test_parts_that_nearly_touch_are_not_well_apart(self, monkeypatch):
        """Two digons at a cosine of .2 see .04 of each other, and a 5-cell holds by links of .0625."""
        touching = made_of("5-cell", *["digon"] * 8)
        touching[7:9] += 0.2 * AXES[4] * torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
        only(self.on(monkeypatch, {3.5: touching}), "parts are well apart")

    def test_pairs_where_there_should_be_no_polytopes(self, monkeypatch):
        only(self.on(monkeypatch, {10: DIGONS}), "they are no polytopes that have a name")

    def test_the_first_bipyramid_of_its_kind_is_not_enough_for_an_interval(self, monkeypatch):
        statements = [claim.statement for claim in claims(monkeypatch, FeatureDimensionality(), {1.5: self.WORLD[1.5]}, seeds=1)]
        assert not any("bipyramid" in statement for statement in statements)

    def test_networks_that_represent_nothing_are_drawn_and_told(self, monkeypatch):
        nothing = torch.zeros(N, M, dtype=torch.float64)
        rows = rows_of(monkeypatch, FeatureDimensionality(), {1.5: nothing, 3: nothing, 4: nothing, 10: nothing})
        assert sum("there is a" in statement for statement in refuted(list(FeatureDimensionality().claims(rows)))) == 5
        assert len(captions(FeatureDimensionality(), rows)) == 4

    def test_what_another_threshold_would_give_is_kept(self, monkeypatch):
        """Two digons at a cosine of .2 are joined up to .04 and then have no name; a feature alone is in no polytope."""
        touching = made_of(*["digon"] * (M - 1), "single feature")
        touching[2:4] += 0.2 * AXES[0] * torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
        (row,) = rows_of(monkeypatch, FeatureDimensionality(), {3: touching}, seeds=1)
        features = 2 * (M - 1) + 1
        expected = [(features - (5 if threshold < 0.04 else 1)) / features for threshold in feature_dimensionality.THRESHOLDS]
        assert row.folded == pytest.approx(expected)

    def test_its_figures_say_how_they_were_made(self, monkeypatch):
        rows = rows_of(monkeypatch, FeatureDimensionality(), self.WORLD)
        told = captions(FeatureDimensionality(), rows)
        assert len(set(told)) == 4
        assert all(len(caption) > 60 for caption in told)


@pytest.mark.parametrize("experiment", [UniformSuperposition(), FeatureDimensionality()])
def test_the_networks_of_a_density_do_not_depend_on_the_grid_or_the_experiment(experiment, monkeypatch):
    asked = []
    monkeypatch.setattr(_uniform, "train", lambda *given, **settings: asked.append(settings["seed"]))
    for grid in (densities(3), densities(2, 3, 7)):
        params = Uniform.Params(density=grid)
        for cell in experiment.cells(params):
            experiment.networks(cell, params)
    assert asked[0] == asked[2]
    assert len(set(asked)) == 3
    assert all(0 <= Uniform.Params(seed=2**63 - 1).training_at(cell)["seed"] < 2**63 for cell in experiment.cells(params))


def test_trained_networks_of_a_small_size_are_measured_drawn_and_told():
    """Not what they show, which takes n = 400: that the whole of it runs on networks that are trained."""
    for experiment in (UniformSuperposition(), FeatureDimensionality()):
        params = Uniform.Params(n_features=12, n_hidden=4, density=densities(2.5, 4, 10), seeds=2, steps=60, batch_size=64, lr=0.05)
        rows = Rows(params, [experiment.run(cell, params).of(cell) for cell in experiment.cells(params)])
        told = captions(experiment, rows)
        assert len(set(told)) == len(told) >= 2
        statements = [claim.statement for claim in experiment.claims(rows)]
        assert len(set(statements)) == len(statements) >= 3
    assert np.isfinite(rows[0].dimensionality).all()
    assert len(rows[0].kind) == len(rows[0].part) == len(rows[0].network) == len(rows[0].alone)
