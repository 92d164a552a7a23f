"""C1 and C2: worlds are what they say, F1 and its interval are right, and each claim has rows that refute it."""

import numpy as np
import pytest
import torch

from tegum.experiments import Row, Rows
from tegum.experiments.learning import two_step_learning
from tegum.experiments.learning._ground_truth import WORLDS, World, f1, interval, support_counts
from tegum.experiments.learning.encoder_or_dictionary import DICTIONARIES, READERS, EncoderOrDictionary
from tegum.experiments.learning.two_step_learning import LASSO, WAYS, TwoStepLearning
from tegum.learning import metrics

ROWS = 20_000


def world(kind, seed=0):
    return World(kind, 64, 24, 3, seed)


@pytest.mark.parametrize("kind", WORLDS)
def test_as_many_features_are_on_as_the_world_says(kind):
    """20,000 rows: 3 on average with a spread of at most 3 (families), so five standard errors are .1."""
    z = world(kind).codes(ROWS, step=0)
    assert z.shape == (ROWS, 64)
    assert float((z > 0).sum(1).double().mean()) == pytest.approx(3, abs=0.1)
    assert float(z.max()) <= 1
    assert float(z.min()) == 0
    assert not world(kind).codes(100, step=1).equal(z[:100])
    assert world(kind).codes(100, step=0).equal(z[:100])


def test_children_are_on_with_their_parents_alone_and_in_a_third_of_these():
    """Some 30,000 times of parents: a standard error of .0027."""
    on = (world("in families").codes(ROWS, step=0) > 0).reshape(ROWS, 16, 4)
    parents, children = on[:, :, :1], on[:, :, 1:]
    assert not (children & ~parents).any()
    assert float(children[parents.expand_as(children)].double().mean()) == pytest.approx(1 / 3, abs=0.014)


def test_pairs_are_on_together_and_Zipf_falls_as_one_over_rank():
    on = world("in pairs").codes(ROWS, step=0) > 0
    assert on[:, ::2].equal(on[:, 1::2])
    rates = (world("Zipf").codes(ROWS, step=0) > 0).double().mean(0)
    np.testing.assert_allclose(rates[:8] * torch.arange(1, 9), rates[0], rtol=0.1)


def test_f1_is_that_of_the_metrics_and_its_interval_that_of_a_bootstrap():
    draw = torch.Generator().manual_seed(0)
    true = torch.rand(2000, 12, generator=draw) < 0.2
    found = (true & (torch.rand(true.shape, generator=draw) < 0.8)) | (torch.rand(true.shape, generator=draw) < 0.05)
    counts = support_counts(true, found[:, torch.randperm(12, generator=draw)])
    value, influence = f1(counts)
    assert value == pytest.approx(metrics.one_to_one_scores(true, found).f1, abs=1e-12)
    picks = np.random.default_rng(0).integers(0, 2000, (2000, 2000))
    spread = np.std([f1(counts[:, pick])[0] for pick in picks])
    low, high = interval(value, influence)
    assert high - low == pytest.approx(2 * 1.96 * spread, rel=0.08)  # a standard deviation of 2,000 is known to 1.6%


def params_of(experiment, **sizes):
    return experiment.Params(**{"n_features": 64, "n_dims": 24, "n_active": 3, "worlds": ("independent", "in families")} | sizes)


def factorial(better):
    """Rows of C1 in which F1 of (dictionary, reader) is made by `better(world, n, dictionary, reader)`, and cosines by the dictionary."""
    params = params_of(EncoderOrDictionary, rows=(500, 80_000), copies=1)
    made = []
    for cell in EncoderOrDictionary().cells(params):
        pairs = [(name, reader) for name in DICTIONARIES for reader in READERS]
        hits = [np.arange(4000) % 100 < 100 * better(cell.world, cell.rows, *pair) for pair in pairs]
        counts = np.stack([np.stack([np.full(4000, 1), np.full(4000, 1), hit.astype(int)]) for hit in hits])
        cosines = np.stack([np.full(64, level) + np.arange(64) % 2 / 1000 for level in (0.8, 0.9, 1.0)])
        same = {"l0": np.full(12, 3.0), "explained": np.ones(12), "codes": np.ones(12), "absorbed": 0.0}
        made.append(Row(counts=counts, directions=cosines, **same).of(cell))
    return Rows(params, made)


def test_c1_says_which_binds():
    def inference(world, n, dictionary, reader):
        return 0.5 + 0.1 * (dictionary == "true") + 0.3 * (reader != "encoder")

    def dictionary(world, n, dictionary, reader):
        return 0.5 + 0.3 * (dictionary == "true") + 0.1 * (reader != "encoder")

    by_inference, by_dictionary = (claims_of(EncoderOrDictionary, factorial(rule)) for rule in (inference, dictionary))
    assert by_inference.keys() == by_dictionary.keys()
    differ = {statement for statement in by_inference if by_inference[statement] != by_dictionary[statement]}
    assert differ
    assert all("binds" in statement for statement in differ)


def test_c1_refutes_what_is_the_other_way_round():
    worse = claims_of(EncoderOrDictionary, factorial(lambda world, n, dictionary, reader: 0.9 - 0.3 * (reader != "encoder")))
    refuted = [statement for statement, verdict in worse.items() if verdict == "refuted"]
    assert [statement for statement in worse if "OMP finds more" in statement] == [s for s in refuted if "OMP finds more" in s] != []


def claims_of(experiment, rows):
    return {claim.statement: claim.verdict for claim in experiment().claims(rows)}


def learnt(cosine, **more):
    """Rows of C2 in which each way's directions have the cosine that `cosine(way, n)` gives."""
    params = params_of(TwoStepLearning, rows=(1000, 6000))
    same = {"objective": np.array([2.0, 1.0]), "longest": 1.0, "shortest": 1.0, "l0": 3.0, "explained": 1.0, "codes": 1.0}
    made = []
    for cell in TwoStepLearning().cells(params):
        level = np.full(64, cosine(cell.way, cell.rows))
        measured = {"directions": level + np.arange(64) % 2 / 1e4, "twice": level, "counts": np.ones((3, 100), int)}
        made.append(Row(**measured, **same | more).of(cell))
    return Rows(params, made)


def test_c2_claims_follow_the_directions():
    good = claims_of(TwoStepLearning, learnt(lambda way, n: 0.95 if way == LASSO else 0.7))
    assert set(good.values()) == {"holds"}
    bad = claims_of(TwoStepLearning, learnt(lambda way, n: 0.7 if way == LASSO else 0.95))
    assert all(verdict == "refuted" for statement, verdict in bad.items() if "directions" in statement and "length" not in statement)
    assert sum(verdict == "refuted" for verdict in bad.values()) == 7


def test_c2_sees_an_objective_that_rises_and_directions_of_other_lengths():
    verdicts = claims_of(TwoStepLearning, learnt(lambda way, n: 0.95, objective=np.array([1.0, 2.0]), longest=1.1))
    assert [verdict for statement, verdict in verdicts.items() if "objective" in statement or "length" in statement] == ["refuted"] * 2


def test_sparse_coding_is_asked_for_as_the_way_says(monkeypatch):
    asked = []

    def coding(x, n_features, decoder, **settings):
        asked.append((type(decoder).__name__, settings["directions"]))
        raise StopIteration

    monkeypatch.setattr(two_step_learning, "sparse_coding", coding)
    params = params_of(TwoStepLearning)
    for way in WAYS[:2]:
        with pytest.raises(StopIteration):
            two_step_learning._learned(way, torch.zeros(600, 24), torch.zeros(5, 24), params, 0)
    assert asked == [("FISTA", "online"), ("OMP", "mod")]


def test_both_draw_their_figures_with_a_line_for_every_number():
    first = list(EncoderOrDictionary().figures(factorial(lambda world, n, dictionary, reader: 0.7)))
    assert len(first) == 2 + 1 + 1  # a world each, directions over rows, the table
    assert len(first[-1].data[0].cells.values[0]) == 2 * 2 * len(DICTIONARIES) * len(READERS)
    second = list(TwoStepLearning().figures(learnt(lambda way, n: 0.9)))
    assert len(second) == 2 + 1 + 1
    assert len(second[-1].data[0].cells.values[0]) == 2 * 2 * len(WAYS)


def test_a_run_of_each_at_the_least_sizes_gives_rows_that_can_be_judged():
    small = {"n_features": 16, "n_dims": 8, "n_active": 2, "worlds": ("in families",), "samples": 5_000, "judged": 200}
    for experiment, more in ((EncoderOrDictionary(), {"rows": (300,), "copies": 1}), (TwoStepLearning(), {"rows": (300,), "passes": 3})):
        params = experiment.Params(**small, **more)
        rows = Rows(params, [experiment.run(cell, params).of(cell) for cell in experiment.cells(params)])
        assert {claim.verdict for claim in experiment.claims(rows)} <= {"holds", "undecided", "refuted"}
        assert list(experiment.figures(rows))


def test_the_variance_that_c2_tells_is_explained_by_the_codes_that_it_counts():
    params = params_of(TwoStepLearning, n_features=16, n_dims=8, n_active=2, passes=3)
    x = World("independent", 16, 8, 2, 0).codes(400, step=0) @ World("independent", 16, 8, 2, 0).dictionary.dense()
    table, z, y, _ = two_step_learning._learned(LASSO, x, x[:50], params, 0)
    assert int((z != 0).sum(1).max()) <= 2
    centre = y - z @ table
    torch.testing.assert_close(centre, centre[:1].expand_as(centre), rtol=0, atol=1e-5)


def test_worlds_that_there_can_not_be_are_refused_before_any_work():
    for experiment in (EncoderOrDictionary(), TwoStepLearning()):
        for bad in ({"n_active": 16}, {"n_features": 66}, {"worlds": ("nowhere",)}):
            with pytest.raises(ValueError, match="world"):
                experiment.cells(params_of(experiment, **bad))
