"""How a layer is laid out: each number against brute force, a closed form, or data whose layout is known."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, kurtosis

from tegum import geometry
from tegum.activations import Activations
from tegum.activations.dataset import in_memory
from tegum.auditing._answer import Answer
from tegum.auditing._layout_basis import _along_coordinates, _along_rows
from tegum.auditing.how_laid_out import effective_dims, layout, meetings, polysemanticity, privileged_basis
from tegum.features import SparseCodes


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rows(x: torch.Tensor) -> Activations:
    return in_memory({"layer": x}, ["layer"])


def sparse(n: int, m: int, p: float, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(n, m, generator=draw) * (torch.rand(n, m, generator=draw) < p)


def found(answer: Answer, name: str):
    return next(finding.value for finding in answer.findings if finding.name == name)


# the basis


def test_kurtosis_along_coordinates_is_scipys():
    U = torch.nn.functional.normalize(seeded(500, 7) ** 3, dim=1)
    U = U - 0  # about 0 as they are: rows of length 1
    expected = np.exp(np.mean([np.log((u**4).mean() / (u**2).mean() ** 2) for u in U.double().numpy().T]))
    assert _along_coordinates(U) == pytest.approx(expected, rel=1e-5)
    symmetric = torch.cat([U, -U])  # of mean 0, so scipy's central kurtosis is the same
    own = kurtosis(symmetric.double().numpy(), axis=0, fisher=False)
    assert _along_coordinates(symmetric) == pytest.approx(float(np.exp(np.log(own).mean())), rel=1e-5)


def test_kurtosis_along_rows_is_that_of_the_geometry_room():
    X = seeded(300, 9)
    test = privileged_basis(rows(X), n_rotations=5, seed=3)
    other = geometry.kurtosis_against_rotations(X, 5, 3)
    assert test.rows.observed == pytest.approx(float(other.observed), rel=1e-5)
    torch.testing.assert_close(test.rows.rotated, other.rotated.double(), rtol=1e-5, atol=0)
    assert _along_rows(torch.eye(6)) == 6  # on an axis: d


def test_sparse_neurons_of_one_size_are_privileged_along_coordinates_and_only_there():
    x = (torch.rand(4000, 16, generator=torch.Generator().manual_seed(0)) < 0.1).float() * seeded(4000, 16, seed=1).sign()
    test = privileged_basis(rows(x))
    assert test.coordinates.p_value == 0.02
    assert test.coordinates.excess > 0.3
    assert test.p_value == 0.04


def test_neurons_that_are_on_or_off_have_less_kurtosis_and_are_found_too():
    x = (torch.rand(3000, 12, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    test = privileged_basis(rows(x))
    assert test.coordinates.excess < -0.1
    assert test.coordinates.p_value == 0.02


def test_a_gaussian_with_one_large_coordinate_is_privileged_along_rows_alone():
    x = seeded(3000, 12)
    x[:, 3] += 30
    test = privileged_basis(rows(x), seed=1)
    assert test.rows.p_value == 0.02
    assert test.rows.excess > 1
    assert test.coordinates.p_value > 0.05


@pytest.mark.parametrize(
    ("common", "words"),
    [(3.0, "coordinates are more alike in size than after a rotation (-"), (0.0, "some coordinates are larger than others (+")],
)
def test_the_verdict_words_the_excess_along_rows_by_its_sign(common: float, words: str):
    """A common mean of all coordinates makes them alike in size, which a rotation does not leave so; one large coordinate does the opposite."""
    x = seeded(3000, 12) + common
    if not common:
        x[:, 3] += 30
    answer = layout(rows(x), seed=1)
    assert words in answer.verdict


def test_a_few_long_rows_decide_nothing():
    x = seeded(3000, 12)
    x[:5] *= 1e4
    assert privileged_basis(rows(x), seed=2).p_value > 0.05


def test_false_alarms_are_as_rare_as_the_p_value_says():
    """60 layers whose basis is turned at random: sparse, of unequal scales. More than ten alarms at .05 come with a chance below .001."""
    alarms = 0
    for seed in range(60):
        x = sparse(200, 5, 0.3, seed) * torch.tensor([1.0, 2.0, 3.0, 1.0, 5.0]) @ geometry.haar_rotation(5, 900, seed).float()
        alarms += privileged_basis(rows(x), n_rotations=79, seed=seed).p_value <= 0.05
    assert alarms <= 10
    assert binomtest(11, 60, 0.05, alternative="greater").pvalue < 0.001


def test_a_layer_of_one_dim_has_no_other_basis():
    assert privileged_basis(rows(seeded(50, 1)), n_rotations=79).p_value == 1


# dims


def test_effective_dims_of_a_known_spectrum():
    sizes = torch.tensor([3.0, 2.0, 1.0, 0.0], dtype=torch.float64)
    axes = torch.linalg.qr(seeded(400, 4).double() - seeded(400, 4).double().mean(0)).Q
    axes = torch.linalg.qr(axes - axes.mean(0)).Q  # orthonormal columns of mean 0
    x = axes * sizes.sqrt() * 400**0.5 @ geometry.haar_rotation(4) + 5
    measured = effective_dims(rows(x.double()))
    torch.testing.assert_close(measured.eigenvalues, sizes, atol=1e-6, rtol=0)
    shares = np.array([1 / 2, 1 / 3, 1 / 6])
    assert measured.participation == pytest.approx(36 / 14, rel=1e-6)
    assert measured.entropy == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)
    assert measured.holding == {0.9: 3, 0.95: 3, 0.99: 3}
    assert measured.mean_share == pytest.approx(100 / 106, rel=1e-6)


def test_rows_that_are_not_finite_count_in_nothing():
    x = seeded(300, 6)
    spoilt = torch.cat([x[:100], torch.full((1, 6), math.nan), x[100:], torch.full((2, 6), math.inf)])
    one, two = layout(rows(x), n_rotations=9), layout(rows(spoilt), n_rotations=9)
    assert found(two, "left_out") == 3
    assert found(two, "effective_dims") == pytest.approx(found(one, "effective_dims"), rel=1e-9)


# codes


def codes_of(z: torch.Tensor, x: torch.Tensor):
    """Rows x stand for codes z."""
    place = {tuple(row.tolist()): number for number, row in enumerate(x)}
    return lambda batch: SparseCodes.from_dense(torch.stack([z[place[tuple(row.tolist())]] for row in batch]))


def test_meetings_are_those_of_a_dense_count(monkeypatch):
    z, x = sparse(600, 10, 0.3), seeded(600, 4)
    z[:, 3] = z[:, 2] * (torch.rand(600, generator=torch.Generator().manual_seed(5)) < 0.9)  # 3 is on only where 2 is
    z[:, 7] = torch.where(z[:, 6] > 0, 0.0, z[:, 7])  # 7 never where 6 is
    monkeypatch.setattr("tegum.auditing._layout_meetings._HELD", 600)  # many batches
    measured = meetings(rows(x), codes_of(z, x), mean=x.double().mean(0))
    on = (z > 0).double()
    assert measured.fired.tolist() == on.sum(0).tolist()
    torch.testing.assert_close(measured.energy, z.double().square().mean(0), rtol=1e-6, atol=0)
    torch.testing.assert_close(measured.fourth, (x - x.mean(0)).double().pow(4).mean(0), rtol=1e-4, atol=0)
    first = measured.together.iloc[0]
    assert (first.feature, first.other) == (2, 3)
    assert first.meetings == float((on[:, 2] * on[:, 3]).sum())
    assert first["by chance"] == pytest.approx(float(on[:, 2].sum() * on[:, 3].sum()) / 600)
    assert first.phi == pytest.approx(np.corrcoef(on[:, 2], on[:, 3])[0, 1])
    assert first.Jaccard == pytest.approx(float((on[:, 2] * on[:, 3]).sum() / ((on[:, 2] + on[:, 3]) > 0).sum()))
    last = measured.apart.iloc[0]
    assert (last.feature, last.other, last.meetings) == (6, 7, 0)
    together, n = on.T @ on, on.sum(0)
    chance = torch.outer(n, n) / 600
    often = (chance >= 5).triu(1)
    assert measured.pairs == int(often.sum())
    assert measured.twice == pytest.approx(float((together / chance)[often].gt(2).double().mean()))
    assert measured.half == pytest.approx(float((together / chance)[often].lt(0.5).double().mean()))
    assert int(measured.lifts.sum()) == measured.pairs


def test_pairs_are_counted_within_a_budget_spread_over_the_rows(monkeypatch):
    z, x = sparse(3000, 12, 0.4, seed=1), seeded(3000, 3)
    monkeypatch.setattr("tegum.auditing._layout_meetings._HELD", 100 * 1024)  # batches of 100 rows
    monkeypatch.setattr("tegum.auditing._layout_meetings._PAIRS", 3000 * 66 // 4)
    measured = meetings(rows(x), codes_of(z, x))
    assert measured.rows == 3000
    assert (
        900 < measured.paired_rows < 1700
    )  # the most that are on in a batch are 8 to 11 of 12: 28 to 55 pairs a row, and one batch too many
    assert measured.fired.tolist() == (z > 0).sum(0).tolist()


def test_of_many_features_some_are_paired(monkeypatch):
    z, x = sparse(400, 30, 0.3, seed=2), seeded(400, 3)
    monkeypatch.setattr("tegum.auditing._layout_meetings._MOST", 8)
    measured = meetings(rows(x), codes_of(z, x))
    assert len(measured.paired) == 8
    assert set(measured.together.feature) | set(measured.together.other) <= set(measured.paired.tolist())
    on = (z > 0).double()
    for line in measured.together.itertuples():
        assert line.meetings == float((on[:, line.feature] * on[:, line.other]).sum())


# directions


def test_a_coordinate_carries_as_many_features_as_share_it_evenly():
    W = torch.zeros(12, 3)
    W[:5, 0], W[5:11, 1], W[11, 2] = 2.0, -1.0, 3.0
    measured = polysemanticity(W)
    torch.testing.assert_close(measured.features, torch.tensor([5.0, 6.0, 1.0], dtype=torch.float64))
    assert measured.top[2, 0] == 11
    assert measured.shares[2].tolist() == [1, 0, 0]


def test_energy_weighs_what_a_coordinate_carries():
    W, energy = seeded(20, 4).abs(), torch.rand(20, generator=torch.Generator().manual_seed(1))
    parts = energy[:, None].double() * W.double().square()
    torch.testing.assert_close(polysemanticity(W, energy).features, parts.sum(0).square() / parts.square().sum(0), rtol=1e-5, atol=0)


def test_directions_at_random_give_a_coordinate_a_third_of_the_features():
    W = seeded(6000, 20)
    measured = polysemanticity(W)
    # E w^4 = 3 (E w^2)^2; the fourth moment of 6,000 numbers is known to .04 (relative variance 96/9/n), its mean over 20 coordinates to .01
    assert float(measured.features.mean()) == pytest.approx(2000, rel=0.03)
    assert measured.rotated == pytest.approx(2000, rel=0.03)


def test_features_are_told_by_their_place_in_the_whole_table():
    W = seeded(30, 8)
    W[[2, 9]] = 0
    W[20], W[25] = 2 * W[5], -3 * W[11]
    answer = layout(rows(seeded(200, 8)), W, n_rotations=9)
    assert answer.tables["antipodal pairs"].to_numpy().tolist() == [[11, 25]]
    features = answer.tables["features"].set_index("feature")
    assert features.loc[5, "nearest"] == 20
    assert features.loc[20, "cosine"] == pytest.approx(1, abs=1e-6)
    assert found(answer, "near_copies") == 2
    assert found(answer, "directions") == 28
    unit = torch.nn.functional.normalize(W[features.index.tolist()], dim=1)
    np.testing.assert_allclose(features["dimensionality"], 1 / (unit @ unit.T).square().sum(1), rtol=1e-5)


# the whole


def test_the_whole_answer_survives_json_and_is_the_same_again():
    z, x = sparse(500, 12, 0.3), seeded(500, 6)
    one, two = (layout(rows(x), seeded(12, 6, seed=1), codes_of(z, x), n_rotations=9, seed=4) for _ in range(2))
    assert one.to_json() == two.to_json()
    again = Answer.from_json(one.to_json())
    assert again.findings == one.findings
    assert {"basis", "variance", "coordinates", "features", "antipodal pairs", "together", "apart"} == set(again.tables)
    assert len(one.figures) == 6
    assert found(one, "l0") == pytest.approx(float((z > 0).sum(1).double().mean()))
    coordinates = one.tables["coordinates"].set_index("coordinate")
    np.testing.assert_allclose(
        coordinates["kurtosis over rows"].sort_index(), kurtosis(x.double().numpy(), axis=0, fisher=False), rtol=1e-4
    )
    np.testing.assert_allclose(coordinates["std"].sort_index(), x.double().numpy().std(0), rtol=1e-6)


@pytest.mark.parametrize("fill", [0.0, 3.7])
def test_a_constant_layer_is_said_to_be_one(fill):
    answer = layout(rows(torch.full((40, 5), fill)), seeded(9, 5))
    assert "all the same" in answer.verdict
    assert Answer.from_json(answer.to_json()).verdict == answer.verdict


@pytest.mark.parametrize(("n", "d"), [(1, 4), (2, 4), (3, 40), (5, 1), (30, 64)])
def test_fewer_samples_than_dims_are_answered_with_a_warning(n, d):
    answer = layout(rows(seeded(n, d)), seeded(6, d), n_rotations=9)
    assert Answer.from_json(answer.to_json()).findings == answer.findings
    if n > 2:
        assert any("come out too low" in line for line in answer.assumed) == (n < 10 * d)
        assert found(answer, "effective_dims") <= n - 1


def test_dead_dims_dead_features_and_codes_that_are_never_on():
    x = seeded(300, 6)
    x[:, 2] = 0
    nothing = layout(rows(x), torch.zeros(7, 6), lambda batch: SparseCodes.from_dense(torch.zeros(len(batch), 7)), n_rotations=9)
    assert "None of 7 features was ever on" in nothing.verdict
    assert found(nothing, "dead") == 7
    assert found(nothing, "directions") == 0
    coordinates = nothing.tables["coordinates"].set_index("coordinate")
    assert math.isnan(coordinates.loc[2, "kurtosis over rows"])
    assert Answer.from_json(nothing.to_json()).findings == nothing.findings
    one = torch.zeros(7, 6)
    one[4, 1] = 2
    assert layout(rows(x), one, n_rotations=9).tables["features"]["feature"].tolist() == [4]


def test_sizes_that_do_not_go_together_are_refused():
    x = rows(seeded(30, 6))
    with pytest.raises(ValueError, match="5 dims but the activations have 6"):
        layout(x, seeded(4, 5))
    with pytest.raises(ValueError, match="9 features but there are 4 directions"):
        layout(x, seeded(4, 6), lambda batch: SparseCodes.from_dense(torch.ones(len(batch), 9)), n_rotations=9)
    with pytest.raises(ValueError, match="2 codes for 30 rows"):
        layout(x, None, lambda batch: SparseCodes.from_dense(torch.ones(2, 9)), n_rotations=9)
    with pytest.raises(ValueError, match="none of them finite"):
        layout(rows(torch.full((3, 2), math.nan)))
    with pytest.raises(ValueError, match="energy"):
        polysemanticity(seeded(4, 5), torch.ones(3))
