"""A11: rows made from the exact minima get the verdicts on record; for each claim there are rows that do not."""

import numpy as np
import pytest

from tegum import theory
from tegum.experiments import Cell, Row, Rows
from tegum.experiments.toys.pca_to_superposition import PCAToSuperposition, _steps

A11 = PCAToSuperposition()
BORDERS = (0.07133, 0.14094, 0.39362)
# density: exact minima with none, one, two and three pairs collapsed, and the best linear loss, in units of the least; rounded
INF = np.inf
MINIMA = {
    0.05: ((1.0, 1.0216, 1.1586, 1.5471), 1 / 0.2278),
    0.1: ((1.0185, 1.0, 1.0386, 1.2793), 1 / 0.3190),
    0.2: ((1.0518, 1.0279, 1.0, 1.1089), 1 / 0.4775),
    0.3: ((INF, 1.0401, 1.0, 1.0395), 1 / 0.6394),
    0.6: ((INF, INF, INF, 1.0), 1 / 0.9605),
    0.9: ((INF, INF, INF, 1.0), 1 / 0.9985),
}
FIRST, SECOND, THIRD, AS_MANY, CLOSE, FLOOR, MORE, LIKER, ALL, NEAR = KNOWN = (
    "none to one",
    "one to two",
    "two to all three",
    "the best network has as many pairs",
    "the best network's loss is within 1%",
    "check of the theory",
    "the denser, the more pairs collapse",
    "the denser, the more like principal",
    "from density 0.5 on all three",
    "from density 0.5 on it is near",
)


def rows(best=None, excess=None, linear=None, borders=BORDERS):
    """Networks at their least minimum; `best`, `excess` and `linear` by density in place of what is found there."""
    params = A11.presets["quick"].model_copy(update={"density": tuple(MINIMA), "seeds": 10})
    made = [Row(exact=border).of(Cell(part="theory", border=k)) for k, border in enumerate(borders)]
    for p, (least, ratio) in MINIMA.items():
        count = (best or {}).get(p, int(np.argmin(least)))
        loss = 1 + (excess or {}).get(p, 1e-4)
        made.append(
            Row(
                W=np.ones((6, 2)), b=np.zeros(6), best=count, loss=loss, losses=np.full(10, loss), collapsed=np.full(10, count),
                least=np.array(least), linear=(linear or {}).get(p, ratio),
            ).of(Cell(part="networks", density=p))
        )  # fmt: skip
    return Rows(params, made)


def off_record(found):
    """The openings of the statements whose verdict is not the one on record."""
    return {next(k for k in KNOWN if claim.statement.startswith(k)) for claim in A11.claims(found) if not claim.as_recorded}


def test_networks_at_the_exact_minima_get_the_verdicts_on_record():
    assert off_record(rows()) == set()
    assert len(list(A11.claims(rows()))) == len(KNOWN)


@pytest.mark.slow
def test_these_are_the_exact_minima():
    for p, (least, ratio) in MINIMA.items():
        found = theory.pair_minima(p)
        by_count = [float(found.loss[found.collapsed == k].min()) if bool((found.collapsed == k).any()) else INF for k in range(4)]
        assert np.array(by_count) / min(by_count) == pytest.approx(least, abs=1e-3)
        assert theory.best_linear_loss(theory.three_pairs(p), 2) / min(by_count) == pytest.approx(ratio, rel=1e-3)


def test_borders_elsewhere_change_their_verdicts():
    assert off_record(rows(borders=(0.02, *BORDERS[1:]))) == {FIRST}
    assert off_record(rows(borders=(BORDERS[0], 0.18, BORDERS[2]))) == {SECOND}
    assert off_record(rows(borders=(*BORDERS[:2], 0.22))) == {THIRD}


def test_the_wrong_number_of_collapsed_pairs_is_refuted():
    assert off_record(rows(best={0.1: 0})) == {AS_MANY}
    assert off_record(rows(best={0.2: 3})) == {AS_MANY, MORE}
    assert off_record(rows(best={0.05: -1})) == {AS_MANY}
    assert off_record(rows(best={0.9: 2})) == {AS_MANY, MORE, ALL}


def test_a_number_that_hardly_leads_is_not_asked_for():
    found = rows(best={0.1: 0})
    told = [row if row.part == "theory" or row.density != 0.1 else changed(row, least=np.array([1.005, 1, 1.1, 1.3])) for row in found]
    assert off_record(Rows(found.params, told)) == set()


def test_losses_beside_the_minima_are_found_out():
    assert off_record(rows(excess={0.3: 0.02})) == {CLOSE}
    assert off_record(rows(excess={0.3: -0.001})) == {FLOOR}


def test_networks_that_gain_as_much_over_principal_components_when_dense():
    assert off_record(rows(linear={0.2: 1 / 0.7})) == {LIKER}
    assert off_record(rows(linear={0.6: 1 / 0.8, 0.9: 1 / 0.85})) == {NEAR}


def changed(row, **fields):
    return Row(**{name: value for name, value in dict(row).items() if name not in row.cell} | fields).of(row.cell)


def test_the_staircase_rises_at_the_borders():
    at, count = _steps([0.1, 0.2, 0.5], [0.05, 0.9])
    assert at.tolist() == [0.05, 0.1, 0.1, 0.2, 0.2, 0.5, 0.5, 0.9]
    assert count.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert _steps([0.1, 0.2, 0.5], [0.15, 0.3])[0].min() == 0.15


def test_untrained_networks_have_no_claim_that_is_about_them():
    params = A11.presets["quick"].model_copy(update={"density": (0.04, 0.6), "seeds": 3, "steps": 1, "batch_size": 64})
    found = Rows(params, [A11.run(cell, params).of(cell) for cell in A11.cells(params)])
    assert off_record(found) >= {AS_MANY, CLOSE, ALL}
    captions = [figure.layout.meta["caption"] for figure in A11.figures(found)]
    assert len(set(captions)) == len(captions) == 4
    assert all(len(caption) > 60 for caption in captions)


def test_densities_train_networks_of_their_own():
    params = A11.presets["paper"]
    assert len({params.training_at(p)["seed"] for p in params.density}) == len(params.density)
