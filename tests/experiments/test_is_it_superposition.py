"""C4: laws are what they say, p values are ranks among references that are never tested, and each claim has rows that refute it."""

import math

import numpy as np
import pytest
import torch

from tegum.experiments import Row, Rows
from tegum.experiments.auditing._known_laws import COMPLETE, ELLIPTICAL, LAWS, OVERCOMPLETE, known
from tegum.experiments.auditing.is_it_superposition import IsItSuperposition, _gain, p_values

Params = IsItSuperposition.Params
SMALL = Params(
    sizes=((6, 500, 20, 19),),
    codes=(("uniform", 2),),
    spot=(("uniform", 2),),
    contaminated=("a quarter overcomplete",),
    gain_rows=0,
    fitted=0,
)


@pytest.mark.parametrize("law", LAWS)
def test_every_law_gives_finite_rows_that_differ_from_seed_to_seed(law):
    one, other = (known(law, "uniform", 8, 2, 300, seed) for seed in (0, 1))
    assert one.shape == (300, 8)
    assert bool(one.isfinite().all())
    assert not one.equal(other)
    assert one.equal(known(law, "uniform", 8, 2, 300, 0))


def test_a_complete_law_has_as_many_features_as_dims_and_its_codes_come_back():
    x = known(COMPLETE, "binary", 8, 2, 4_000, 3)
    from tegum.dictionaries import spherical

    z = torch.linalg.solve(spherical(8, 8, seed=3).dense().double().T, x.double().T).T
    assert float((z - z.round()).abs().max()) < 1e-3  # float32 sums, through a table whose condition is some dozens
    assert float(z.round().mean()) == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / 32_000))


def test_student_has_heavier_tails_than_gauss():
    kurtosis = [float(known(law, "none", 4, 0, 20_000, 5)[:, 0].double().pow(4).mean()
                      / known(law, "none", 4, 0, 20_000, 5)[:, 0].double().square().mean() ** 2) for law in ELLIPTICAL]  # fmt: skip
    assert kurtosis[0] == pytest.approx(3, abs=4 * math.sqrt(24 / 20_000))
    assert kurtosis[1] > 6


def made(left=0.0, structure=0.0, size=(6, 500, 20, 19)):
    """Rows as a run gives them: statistics of standard normal draws, those of the overcomplete law moved by `left` and `structure`."""
    draw = np.random.default_rng(0)
    experiment = IsItSuperposition()
    rows = []
    for cell in experiment.cells(SMALL):
        over = cell.law == OVERCOMPLETE
        told = {
            "z_structure": draw.normal(size=cell.sets) + (0 if cell.law in ELLIPTICAL else structure if over else 50),
            "z_left": draw.normal(size=cell.sets) + (left if over else 0),
            "left": np.full(cell.sets, 0.3 if over else 0.0), "explained": np.ones(cell.sets),
        }  # fmt: skip
        rows.append(Row(**told).of(cell))
    assert size == SMALL.sizes[0]
    return Rows(SMALL, rows)


def test_p_values_are_ranks_among_the_references():
    rows = made(left=10, structure=10)
    elliptical, complete = p_values(rows, SMALL.sizes[0], OVERCOMPLETE, "uniform", 2)
    assert np.allclose(elliptical, 0.05)
    assert np.allclose(complete, 0.05)
    own, _ = p_values(rows, SMALL.sizes[0], ELLIPTICAL[0], "none", 0)
    assert len(own) == 20
    assert own.min() >= 0.05
    assert abs(own.mean() - 0.5) < 4 * math.sqrt(1 / 12 * (1 / 20 + 1 / 19))


def test_power_is_refuted_where_either_half_sees_nothing():
    def power(rows):
        (claim,) = [claim for claim in IsItSuperposition().claims(rows) if "twice overcomplete" in claim.statement]
        return claim.verdict

    assert power(made(left=10, structure=10)) == "holds"
    assert power(made(left=0, structure=10)) == "refuted"
    assert power(made(left=10, structure=0)) == "refuted"


def test_a_level_that_is_not_held_is_refuted():
    rows = made()
    moved = [
        Row(**{**dict(row), "z_structure": row.z_structure + 3 * (row.first < 20)}) if row.law == ELLIPTICAL[0] else row for row in rows
    ]
    claims = list(IsItSuperposition().claims(Rows(SMALL, moved)))
    assert [claim.verdict for claim in claims if claim.statement.startswith("Gaussian")] == ["refuted"]


def test_figures_are_drawn_and_cells_cover_each_data_set_once():
    assert len(list(IsItSuperposition().figures(made(left=10, structure=10)))) == 2
    seen = {}
    for cell in IsItSuperposition().cells(Params()):
        if cell.how == "shared":
            key = (cell.law, cell.values, cell.n_active, cell.n_dims, cell.n_samples)
            seen.setdefault(key, []).extend(range(cell.first, cell.first + cell.sets))
    for (law, *_, d, n), numbers in seen.items():
        (size,) = [size for size in Params().sizes if size[:2] == (d, n)]
        assert sorted(numbers) == list(range(len(numbers)))
        if law in (COMPLETE, ELLIPTICAL[0]):
            assert len(numbers) == size[2] + size[3]


def test_a_second_dictionary_gains_on_gaussian_rows_too():
    assert 0 < _gain(known(ELLIPTICAL[0], "none", 8, 0, 600, 0), 2, 0) < 0.3


def test_an_unknown_law_is_refused():
    with pytest.raises(ValueError, match="there is no law 'odd'"):
        Params(contaminated=("odd",))
