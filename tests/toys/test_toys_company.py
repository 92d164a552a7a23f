"""What is trained beside a network does not change it: draws are the same bits, results the same to rounding; compiled ones the same bits."""

import sys

import numpy as np
import pytest
import torch

import tegum
from tegum.features.bernoulli import Bernoulli
from tegum.features.correlated import Correlated
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.features.zipf import Zipf
from tegum.toys.engines import compiled, reference
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput

N = 4
MODEL = ReLUOutput(n_features=N, n_hidden=2)
SPARSE, DENSE = Bernoulli(n_features=N, density=0.2), Bernoulli(n_features=N, density=0.9)
ASKED = {"steps": 30, "batch_size": 32, "lr": 0.02, "dtype": torch.float64, "progress": False}
ROUNDING = 1e-11  # float64: 30 steps of a few hundred roundings of 1.1e-16 in numbers of order 1, and a hundredfold margin


def same(one, whole, i):
    torch.testing.assert_close(one.W[0], whole.W[i], rtol=0, atol=ROUNDING)
    torch.testing.assert_close(one.b[0], whole.b[i], rtol=0, atol=ROUNDING)
    torch.testing.assert_close(one.loss[0], whole.loss[i], rtol=0, atol=ROUNDING)


@pytest.fixture
def batches(monkeypatch):
    """Every batch that a training draws, by step."""
    drawn = {}

    def draw(x, plan, step):
        real(x, plan, step)
        drawn[step] = x.clone()

    real = reference.draw_batch
    monkeypatch.setattr(reference, "draw_batch", draw)
    return drawn


def test_a_seed_for_each_network_trains_it_as_alone_with_that_seed():
    seeds = [5, 2**62, 5]
    whole = tegum.train(MODEL, SPARSE, instances=3, seed=seeds, **ASKED)
    for i, seed in enumerate(seeds):
        same(tegum.train(MODEL, SPARSE, seed=seed, **ASKED), whole, i)
    assert whole.W[0].equal(whole.W[2])
    assert whole.loss[0] == whole.loss[2]
    assert not whole.W[0].equal(whole.W[1])


def test_more_networks_of_one_seed_leave_the_first_ones_as_they_were():
    few, many = (tegum.train(MODEL, SPARSE, instances=n, seed=7, **ASKED) for n in (2, 9))
    torch.testing.assert_close(few.W, many.W[:2], rtol=0, atol=ROUNDING)
    assert len({float(loss) for loss in many.loss}) == 9


def test_a_sweep_of_features_and_importances_is_its_networks_one_by_one():
    features = [SPARSE, SPARSE, DENSE, ExactlyK(n_features=N, n_active=1), SPARSE]
    importance = 0.8 ** np.arange(5 * N).reshape(5, N)
    whole = tegum.train(MODEL, features, importance=importance, seed=range(5), **ASKED)
    for i in range(5):
        same(tegum.train(MODEL, features[i], importance=importance[i], seed=i, **ASKED), whole, i)


def test_batches_are_the_same_bits_in_any_company(batches):
    def drawn(features, seed):
        batches.clear()
        tegum.train(MODEL, features, seed=seed, **ASKED)
        return {step: x.clone() for step, x in batches.items()}

    together = drawn([SPARSE, DENSE, DENSE], [1, 2, 3])
    assert len(together) == ASKED["steps"]
    for i, features in enumerate([SPARSE, DENSE, DENSE]):
        alone = drawn(features, [i + 1])
        assert all(alone[step][0].equal(x[i]) for step, x in together.items())
    assert not together[0].equal(together[1])
    assert not together[0][1].equal(together[0][2])


def test_a_batch_is_the_sample_that_the_distribution_itself_gives(batches):
    tegum.train(MODEL, SPARSE, instances=2, seed=9, **ASKED)
    for step in (0, 17):
        for i in range(2):
            assert batches[step][i].equal(SPARSE.sample(32, seed=9, instance=i, step=step, dtype=torch.float64).dense())


def test_a_sampled_loss_does_not_depend_on_the_seeds_beside_it():
    n = 13  # too many for the closed form
    features, model = Bernoulli(n_features=n, density=0.5), ReLUOutput(n_features=n, n_hidden=2)
    whole = tegum.train(model, features, seed=[5, 6], instances=2, **ASKED | {"steps": 3})
    one = tegum.train(model, features, seed=6, **ASKED | {"steps": 3})
    assert whole.loss_kind == one.loss_kind == "mean over 32,768 common samples"
    same(one, whole, 1)
    torch.testing.assert_close(one.loss_se[0], whole.loss_se[1], rtol=1e-6, atol=0)  # a difference of two sums, each to 1e-12


def test_the_loss_of_very_many_supports_is_sampled_however_few_networks_there_are(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the closed form was asked for")

    monkeypatch.setattr(sys.modules["tegum.toys.evaluate"].theory, "expected_loss", refuse)
    run = tegum.train(ReLUOutput(n_features=12, n_hidden=2), Bernoulli(n_features=12, density=0.1), **ASKED | {"steps": 1})  # 12 3^12 terms
    assert run.loss_kind.startswith("mean over")


def test_the_kind_of_a_loss_does_not_depend_on_what_is_trained_beside_it():
    few, many = OneHot(n_features=12), Bernoulli(n_features=12, density=0.5)
    model, asked = ReLUOutput(n_features=12, n_hidden=3), ASKED | {"steps": 3}
    whole = tegum.train(model, [few, many, few], seed=[5, 6, 7], **asked)
    assert whole.loss_kind == "exact expected loss of 2 instances, mean over 32,768 common samples of 1"
    assert (whole.loss_se > 0).tolist() == [False, True, False]
    for i, features in enumerate([few, many, few]):
        one = tegum.train(model, features, seed=5 + i, **asked)
        same(one, whole, i)
        torch.testing.assert_close(one.loss_se[0], whole.loss_se[i], rtol=1e-6, atol=0)


WIDE = 18
SWEEPS = {
    "sampled": [
        Bernoulli(n_features=WIDE, density=0.03),
        Bernoulli(n_features=WIDE, density=0.9),
        ExactlyK(n_features=WIDE, n_active=5, values="gaussian"),
        Zipf(n_features=WIDE, density=0.8),
        OneHot(n_features=WIDE),
        Correlated(n_features=WIDE, n_sets=6, density=0.3, values="signed"),
        Bernoulli(n_features=WIDE, density=0.2),
    ],
    "stratified": [Bernoulli(n_features=WIDE, density=p, values=v) for p in (0.01, 0.3) for v in ("uniform", "binary", "gaussian")],
}
COMPILED = {"steps": 40, "batch_size": 1300, "lr": 0.02, "record": [0, 7, 40], "engine": "compiled", "progress": False}


def swept(estimator, some=slice(None), model=ReLUOutput, **changes):
    """Some networks of a sweep, each with its features, importance and seed; those of few active features go through the Gram matrix."""
    features, importance = SWEEPS[estimator], 0.9 ** np.arange(7 * WIDE).reshape(7, WIDE)
    return tegum.train(
        model(n_features=WIDE, n_hidden=5),
        features[some],
        importance=importance[: len(features)][some],
        seed=range(len(features))[some],
        estimator=estimator,
        **COMPILED | changes,
    )


def bits(run, some=slice(None)):
    return [run.W[some], run.b[some], *(getattr(run.history, name)[:, some] for name in ("loss", "W", "b"))]


def equal(ones, others):
    return all(one.equal(other) for one, other in zip(ones, others, strict=True))


@pytest.fixture
def pieces(monkeypatch):
    """What the kernel was asked for, as (first instance, last, first step, last), with small networks going through either of its passes."""
    asked = []

    def train_some(first, last, start, end, *rest):
        asked.append((first, last, start, end))
        real(first, last, start, end, *rest)

    real = compiled.train_some
    monkeypatch.setattr(compiled, "train_some", train_some)
    monkeypatch.setattr(compiled, "_gram_is_quicker", lambda features, *_: features.mean_active() < 2)
    return asked


@pytest.fixture
def threads():
    """`torch.set_num_threads`, taken back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", [ReLUOutput, LinearAutoencoder])
@pytest.mark.parametrize("estimator", SWEEPS)
def test_compiled_a_network_is_the_same_bits_alone_and_in_any_company(pieces, estimator, model):
    whole = swept(estimator, model=model)
    for i in range(len(whole)):
        assert equal(bits(swept(estimator, slice(i, i + 1), model)), bits(whole, slice(i, i + 1)))
    assert equal(bits(swept(estimator, slice(2, 5), model)), bits(whole, slice(2, 5)))
    backwards = bits(swept(estimator, slice(None, None, -1), model))
    assert equal(backwards, [b.flip(d) for b, d in zip(bits(whole), (0, 0, 1, 1, 1), strict=True)])
    assert len({tuple(loss) for loss in whole.history.loss.T.tolist()}) == len(whole)


@pytest.mark.parametrize("estimator", SWEEPS)
def test_compiled_it_is_the_same_bits_on_any_number_of_threads(pieces, threads, monkeypatch, estimator):
    threads(1)
    alone = bits(swept(estimator))
    assert {piece[:2] for piece in pieces} == {(0, len(SWEEPS[estimator]))}
    for n, groups in ((2, 1), (2, 2), (2, 3), (3, 100)):
        threads(n)
        monkeypatch.setattr(compiled, "_GROUPS", groups)
        pieces.clear()
        assert equal(bits(swept(estimator)), alone)
        assert len({piece[:2] for piece in pieces}) == min(n * groups, len(SWEEPS[estimator]))


@pytest.mark.parametrize("estimator", SWEEPS)
def test_compiled_it_is_the_same_bits_wherever_its_steps_are_cut(pieces, monkeypatch, estimator):
    def steps_of(seconds):
        pieces.clear()
        monkeypatch.setattr(compiled, "_ROUND", seconds)
        run = bits(swept(estimator, schedule="cosine"))
        return run, sorted({piece[2:] for piece in pieces})

    one_by_one, cuts = steps_of(0)
    assert cuts == [(step, min(step + 1, 40)) for step in range(41)]
    at_most_eightfold, cuts = steps_of(1e9)
    assert cuts == [(0, 1), (1, 9), (9, 40), (40, 40)]
    assert equal(one_by_one, at_most_eightfold)


def test_compiled_a_shorter_training_is_the_beginning_of_a_longer_one():
    longer, shorter = swept("sampled"), swept("sampled", steps=7, record=[0, 7])
    assert longer.history.W[1].equal(shorter.W)
    assert longer.history.b[1].equal(shorter.b)
    assert longer.history.loss[:2].equal(shorter.history.loss)
