"""Neural decoders: counts as theory has them get every claim, other counts refute theirs; and a small run from end to end."""

from functools import cache

import numpy as np
import pytest
from scipy.special import ndtr

from tegum import theory
from tegum.experiments import Row, Rows
from tegum.experiments.codes._neural_training import ALISTA, AMP, BAYES, ISTA, LISTA, UNROLLED, UNTRAINED
from tegum.experiments.codes.neural_decoders import LAWS, NeuralDecoders, law_of, perceptrons

N, K = 256, 6
DEPTHS, HIDDEN = (1, 2, 3, 4, 8), ((), (256,), (256, 256))
PARAMS = NeuralDecoders.Params(n_features=N, n_active=K, depths=DEPTHS, table_depths=(1, 2), hidden=HIDDEN, samples=4000, copies=1)
DIMS = np.unique(np.geomspace(18, 260, 24).astype(int))
EXPERIMENT = NeuralDecoders()
LINEAR, ONE, TWO = perceptrons(PARAMS)
FACTOR = {ISTA: 1.1, LISTA: 1.0, ALISTA: 0.9}  # of what AMP needs
WIDTH = 0.15  # of d50


@cache
def law(denoiser):
    return dict(law_of(N, K, DEPTHS, denoiser))


def needs(reader, depth):
    """d50 of a world in which all claims hold."""
    one = law("soft")[1]
    if reader in LAWS:
        return law(LAWS[reader])[depth]
    if depth == 1:
        return {ISTA: one, ALISTA: one / (1 + one / N), LISTA: 0.95 * one, LINEAR: 0.8 * one}[reader]
    return {ONE: 75, TWO: 70}.get(reader) or law("soft")[depth] * FACTOR[reader]


def world(memory=1.0, **other):
    """Rows of such a world; `other` maps a reader, or reader|depth, to a factor on the dims that it needs."""
    rows, random = [], np.random.default_rng(1)
    for cell in EXPERIMENT.cells(PARAMS):
        hidden = perceptrons(PARAMS).get(cell.reader)
        depths = (PARAMS.table_depths if cell.reader == LISTA else PARAMS.depths) if hidden is None else (len(hidden) + 1,)
        right = np.full((len(depths), len(DIMS)), -1)
        for place, depth in enumerate(depths):
            d50 = needs(cell.reader, depth) * other.get(f"{cell.reader}|{depth}", other.get(cell.reader, 1.0))
            chance = ndtr((DIMS - d50) / (WIDTH * d50))
            measured = 2 * d50 > DIMS
            right[place, measured] = random.binomial(PARAMS.samples, chance[measured])
        learnt = memory + 0.1 * random.standard_normal((len(DIMS), max(depths) - 1))
        learnt[DIMS > 60] = np.nan
        parameters = np.full(right.shape, 10)
        rows.append(Row(depths=np.array(depths), dims=DIMS, right=right, parameters=parameters, memory=learnt).of(cell))
    return Rows(PARAMS, rows)


def verdicts(rows):
    return {claim.statement: claim.verdict for claim in EXPERIMENT.claims(rows)}


def test_counts_as_theory_has_them_get_every_claim():
    found = verdicts(world())
    assert len(found) == 3 + 2 + 4 + 1 + 1 + 2 + 2 + 4
    assert set(found.values()) == {"holds"}


@pytest.mark.parametrize(
    ("other", "fragment"),
    [
        ({f"{BAYES}|8": 1.4}, f"{BAYES}: each doubling"),
        ({f"{AMP}|8": 1.4}, f"{AMP}: each doubling"),
        ({f"{ISTA}|8": 1.4}, f"{ISTA}: each doubling"),
        ({f"{ISTA}|2": 2.0}, "two layers of any unrolled kind"),
        ({f"{BAYES}|4": 1.3}, f"{BAYES}: four layers read more than a bit a dim"),
        ({BAYES: 0.8}, f"{BAYES}: L layers need the dims"),
        ({BAYES: 1.2}, f"{BAYES}: L layers need the dims"),
        ({f"{UNTRAINED}|3": 1.2}, f"{UNTRAINED}: L layers need the dims"),
        ({f"{AMP}|8": 1.2}, f"{AMP}: L layers need no more dims"),
        ({f"{AMP}|8": 0.75}, "no trained thresholds need fewer dims"),
        ({f"{ISTA}|3": 0.7}, "no trained thresholds need fewer dims"),
        ({f"{BAYES}|8": 1.2}, f"{BAYES}: 8 layers come within a tenth"),
        ({f"{ISTA}|8": 0.8}, "without the memory"),
        ({"memory": 0.0}, f"{BAYES}: training brings the memory"),
        ({"memory": 2.0}, f"{AMP}: training brings the memory"),
        ({ALISTA: 1.3}, "one layer through the inverse"),
        ({LINEAR: 0.6}, "one layer, whatever is trained in it"),
        ({f"{LISTA}|1": 0.5}, "one layer, whatever is trained in it"),
        ({ONE: 1.5, TWO: 1.5}, "the best perceptron with a hidden layer needs fewer dims than top-k"),
        ({ONE: 1.2, TWO: 1.3}, "the best perceptron with a hidden layer needs fewer dims than one layer"),
        ({TWO: 0.4}, "every perceptron needs more dims than Bayes"),
        ({TWO: 0.3}, "every perceptron needs more dims than l1"),
    ],
)
def test_other_counts_refute_their_claim(other, fragment):
    (verdict,) = {verdict for statement, verdict in verdicts(world(**other)).items() if statement.startswith(fragment)}
    assert verdict == "refuted"


@pytest.mark.parametrize(("reader", "fragment"), [(f"{BAYES}|4", f"{BAYES}: four layers"), (ONE, "every perceptron needs more dims")])
def test_a_transition_that_was_not_seen_decides_nothing(reader, fragment):
    (verdict,) = {verdict for statement, verdict in verdicts(world(**{reader: 100.0})).items() if statement.startswith(fragment)}
    assert verdict == "undecided"


def test_the_levels_of_the_made_up_world_are_those_of_theory():
    assert law("posterior")[8] < 1.1 * theory.lasso_dims(N, K)
    assert law("posterior")[4] < theory.subset_bits(N, K) < law("posterior")[2]


def test_a_small_run_has_a_row_for_every_cell_and_figures_that_say_how_they_were_made():
    params = NeuralDecoders.Params(
        n_features=48, n_active=2, dims=(6, 10, 20, 60), wide_dims=(8, 16, 32), depths=(1, 2, 4), table_depths=(1, 2),
        hidden=((), (24,)), steps=8, table_steps=8, wide_steps=10, batch_size=32, samples=200, copies=1,
    )  # fmt: skip
    cells = EXPERIMENT.cells(params)
    assert [cell.reader for cell in cells] == [UNTRAINED, *UNROLLED, "perceptron, hidden: none", "perceptron, hidden: 24"]
    rows = Rows(params, [EXPERIMENT.run(cell, params).of(cell) for cell in cells])
    for row in rows:
        assert row.right.shape == row.parameters.shape == (len(row.depths), len(row.dims))
        assert ((row.right >= -1) & (row.right <= 200)).all()
        assert row.reader not in LAWS or row.right[0, -1] > row.right[0, 0]
    deep = rows.at(reader=BAYES, copy=0)
    assert deep.parameters[:, 0].tolist() == [2, 5, 11]
    assert (deep.right[2] == -1).any()  # one layer reads nearly all codes through 60 dims, and is not made deeper
    assert rows.at(reader=LISTA, copy=0).parameters[:, 0].tolist() == [2 + 48 * 6, 4 + 2 * 48 * 6]
    assert rows.at(reader="perceptron, hidden: 24", copy=0).parameters[0].tolist() == [24 * d + 24 + 48 * 24 + 48 for d in (8, 16, 32)]
    captions = [figure.layout.meta["caption"] for figure in EXPERIMENT.figures(rows)]
    assert len(set(captions)) == len(captions) == 5
    assert "2 of 48 features on, 200 codes a point" in captions[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"depths": (1, 3)}, r"^depths are \(1, 3\): claims compare 1, 2, 4 layers; missing: 2, 4$"),
        ({"depths": (4, 8)}, "missing: 1, 2$"),
        ({"depths": (1, 2, 3)}, "missing: 4$"),
        ({"table_depths": (2, 3)}, r"table_depths are \(2, 3\): claims compare 1, 2 layers; missing: 1$"),
        ({"table_depths": (1,)}, "missing: 2$"),
        ({"hidden": ((),)}, "claims need a perceptron with a hidden layer"),
        ({"hidden": ()}, "claims need a perceptron with a hidden layer"),
        ({"hidden": ((), (8, 8)), "depths": (1, 2, 4)}, "perceptrons have 3 layers"),
    ],
)
def test_depths_and_perceptrons_that_claims_lack_are_refused_before_any_work(changed, message):
    with pytest.raises(ValueError, match=message):
        EXPERIMENT.cells(PARAMS.model_copy(update=changed))


@pytest.mark.parametrize("changed", [{"depths": (1, 2, 4)}, {"depths": (1, 2, 4), "hidden": ((256,),)}, {"table_depths": (1, 2, 3)}])
def test_the_least_that_claims_need_is_judged(changed, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PARAMS", PARAMS.model_copy(update=changed))
    assert len(verdicts(world())) == 19


def test_more_active_features_than_there_are_is_refused_before_any_work():
    with pytest.raises(ValueError, match="n_active is 64, but there are 64 features"):
        EXPERIMENT.cells(NeuralDecoders.Params(n_features=64, n_active=64))
