"""The compiled engine beside the reference: a run's first steps, where runs end, what it takes and what it leaves, and what it costs."""

import functools
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats

import tegum
from tegum.features.bernoulli import Bernoulli
from tegum.features.correlated import Correlated
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.toys.engines import Plan, compiled
from tegum.toys.engines._compiled_numba import train_some
from tegum.toys.engines.compiled import Compiled
from tegum.toys.engines.reference import Reference
from tegum.toys.losses.squared_error import SquaredError
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.models.token_predictor import TokenPredictor

N, M, STEPS = 12, 3, 100
MODEL, FEATURES = ReLUOutput(n_features=N, n_hidden=M), Bernoulli(n_features=N, density=0.1)
ASKED = {"steps": 5, "batch_size": 16, "progress": False}


def plan(**changes):
    """Three networks that differ in features, importance and seed, recorded at every step."""
    features = (FEATURES, Correlated(n_features=N, n_sets=4, density=0.3), ExactlyK(n_features=N, n_active=2, values="signed"))
    return Plan(**{
        "model": MODEL,
        "features": features,
        "importance": torch.stack([torch.ones(N), 0.8 ** torch.arange(N), torch.arange(N) / N]).double(),
        "seeds": torch.tensor([3, 2**40 + 1, 3]),
        "instance_ids": torch.tensor([0, 5, 9]),
        "steps": STEPS,
        "batch_size": 100,
        "lr": 0.01,
        "weight_decay": 0.05,
        "optimizer": "adamw",
        "schedule": "constant",
        "loss": SquaredError(),
        "record": tuple(range(STEPS + 1)),
        "device": torch.device("cpu"),
        "dtype": torch.float32,
    } | changes)  # fmt: skip


def trained(engine, whole):
    return engine.train(whole, lambda done: None)


@pytest.fixture(params=[False, True], ids=["by lanes", "through the Gram matrix"])
def each_pass(request, monkeypatch):
    monkeypatch.setattr(compiled, "_gram_is_quicker", lambda *_: request.param)


RATES = {"adamw": 0.01, "adam": 0.01, "sgd": 3.0}
RUNS = [
    *({"optimizer": name, "lr": lr, "schedule": schedule} for name, lr in RATES.items() for schedule in ("constant", "linear", "cosine")),
    {"estimator": "stratified", "features": (FEATURES,) * 3},
    {"model": LinearAutoencoder(n_features=N, n_hidden=M), "weight_decay": 0.0},
]


@functools.cache
def by_reference(run, dtype):
    """The history of RUNS[run], which two tests want."""
    return trained(Reference(), plan(**RUNS[run], dtype=dtype)).history


@pytest.mark.parametrize("run", range(len(RUNS)), ids=["-".join(map(str, run.values())) for run in RUNS[:9]] + ["stratified", "linear"])
def test_a_run_stays_with_the_reference_step_by_step(each_pass, run):
    """Two float32 programs that add in different orders are about as far from float64 as each other: ours ten times as far as torch's at most."""
    ours, theirs, exact = trained(Compiled(), plan(**RUNS[run])).history, by_reference(run, torch.float32), by_reference(run, torch.float64)
    assert ours.steps.tolist() == exact.steps.tolist() == list(range(STEPS + 1))
    for name in ("W", "b", "loss"):
        a, b, c = (getattr(history, name).double().flatten(1) for history in (ours, theirs, exact))
        so_far = (b - c).abs().amax(1).cummax(0).values
        assert ((a - c).abs().amax(1) <= 10 * so_far + 1e-6).all()  # 1e-6: some ten roundings of numbers of order 1, where torch had luck
    moved = (exact.W[-1] - exact.W[0]).abs().amax()
    assert moved > 1e4 * (theirs.W - exact.W).abs().amax()  # it went somewhere, and not astray


@pytest.mark.parametrize("batch_size", [1, 100, 2200])
def test_the_recorded_loss_is_that_of_the_recorded_weights_on_the_next_batch(each_pass, batch_size):
    whole = plan(record=(0, 1, 17, 64, STEPS), batch_size=batch_size)
    history = trained(Compiled(), whole).history
    for at, step in enumerate(whole.record):
        for i, features in enumerate(whole.features):
            seed, instance = int(whole.seeds[i]), int(whole.instance_ids[i])
            x = features.sample(batch_size, seed, instance=instance, step=step, dtype=torch.float64).dense()
            W, b = history.W[at, i].double(), history.b[at, i].double()
            loss = (whole.importance[i] * (x - torch.relu(x @ W @ W.T + b)) ** 2).mean()
            # the same weights, so one step's rounding: 7,680 squares of one sign, each with some dozens of roundings of 6e-8
            assert history.loss[at, i].item() == pytest.approx(loss.item(), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize(("n", "m", "density"), [(2, 1, 0.3), (5, 2, 0.1)])
def test_runs_end_where_those_of_the_reference_end(n, m, density):
    """Two hundred networks each, of different seeds, and the distributions of their final exact losses by Kolmogorov and Smirnov."""
    asked = {"instances": 200, "importance": 0.8 ** np.arange(n), "steps": 400, "batch_size": 64, "schedule": "cosine", "progress": False}
    model, features = ReLUOutput(n_features=n, n_hidden=m), Bernoulli(n_features=n, density=density)
    ours = tegum.train(model, features, engine="compiled", seed=1, lr=0.03, **asked)
    theirs = tegum.train(model, features, engine="reference", seed=2, lr=0.03, **asked)
    assert ours.loss_kind == theirs.loss_kind == "exact expected loss"
    assert not ours.loss.equal(theirs.loss)
    assert stats.ks_2samp(ours.loss.numpy(), theirs.loss.numpy()).pvalue > 1e-4  # a false alarm once in 10,000 choices of seeds
    other = tegum.train(model, features, engine="compiled", seed=1, lr=0.003, **asked)
    assert stats.ks_2samp(other.loss.numpy(), theirs.loss.numpy()).pvalue < 1e-10  # which another learning rate would be


@pytest.mark.parametrize("estimator", ["sampled", "stratified"])
def test_a_training_that_diverges_is_recorded_as_such(each_pass, estimator):
    independent = {"features": (FEATURES,) * 3} if estimator == "stratified" else {}
    whole = plan(optimizer="sgd", lr=1e6, steps=60, record=(0, 30, 60), estimator=estimator, **independent)
    ours, theirs = (trained(engine, whole).history for engine in (Compiled(), Reference()))
    assert not theirs.loss[1:].isfinite().any()
    assert not ours.loss[1:].isfinite().any()
    assert not ours.W[1:].isfinite().flatten(2).all(-1).any()


class Doubled(SquaredError):
    def per_sample(self, output, x, importance):
        return 2 * super().per_sample(output, x, importance)


REFUSED = [
    ({"dtype": "float64"}, "it trains in float32 on the CPU, not in float64 on cpu"),
    ({"loss": Doubled()}, "it trains with SquaredError, not Doubled"),
    ({"loss": "CrossEntropy", "features": OneHot(n_features=N)}, "it trains with SquaredError, not CrossEntropy"),
    (
        {"model": TokenPredictor(n_features=N, n_hidden=2), "features": OneHot(n_features=N)},
        r"it trains tied models \(ReLUOutput, LinearAutoencoder\), not TokenPredictor",
    ),
    (
        {"model": TokenPredictor(n_features=N, n_hidden=2), "features": OneHot(n_features=N), "loss": "SquaredError"},
        r"it trains tied models \(ReLUOutput, LinearAutoencoder\), not TokenPredictor",
    ),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED, ids=["float64", "a loss of its own", "cross-entropy", "tokens", "tokens, squared"])
def test_what_it_can_not_train_is_refused_by_name_and_left_to_the_reference_by_auto(changes, reason):
    asked = {"model": MODEL, "features": FEATURES, **ASKED, **changes}
    with pytest.raises(ValueError, match=f"^the engine Compiled does not apply: {reason}$"):
        tegum.train(**asked, engine="compiled")
    assert tegum.train(**asked).settings["engine"] == "Reference"


def test_a_plan_for_a_gpu_is_refused():
    assert Compiled().applies(plan(device=torch.device("cuda:0"))) == "it trains in float32 on the CPU, not in float32 on cuda:0"


TAKEN = [
    {},
    {"model": LinearAutoencoder(n_features=N, n_hidden=2)},
    {"features": [OneHot(n_features=N), FEATURES]},
    {"estimator": "stratified"},
]


@pytest.mark.parametrize("changes", TAKEN, ids=["ReLU", "linear", "a list", "stratified"])
def test_auto_takes_it_where_it_applies_and_says_so(changes):
    asked = {"model": MODEL, "features": FEATURES, **ASKED, **changes}
    auto, named, other = (tegum.train(**asked, engine=engine) for engine in ("auto", "compiled", "reference"))
    assert [run.settings["engine"] for run in (auto, named, other)] == ["Compiled", "Compiled", "Reference"]
    assert auto.W.equal(named.W)


def test_one_kernel_serves_importances_in_any_layout():
    tegum.train(MODEL, FEATURES, instances=3, importance=np.ones((3, N)), **ASKED)
    before = list(train_some.signatures)
    plain = tegum.train(MODEL, FEATURES, instances=3, importance=np.arange(3.0 * N).reshape(3, N), **ASKED)
    turned = tegum.train(MODEL, FEATURES, instances=3, importance=np.arange(3.0 * N).reshape(3, N).copy("F"), **ASKED)
    assert turned.W.equal(plain.W)
    assert train_some.signatures == before


MEMORY = """
from pathlib import Path
import tegum
from tegum.toys import evaluate
from tegum.toys.engines import compiled

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])  # KiB; ru_maxrss begins at the parent's

evaluate.SAMPLES = 2048  # two blocks of the 32 of the common set
model, features = tegum.toys.ReLUOutput(n_features=20, n_hidden=5), tegum.features.Bernoulli(n_features=20, density=.1)
before = peak()
run = tegum.train(model, features, instances=10_000, steps=2, batch_size=256, progress=False)
print(run.settings["engine"], (peak() - before) / 1024)
"""

CACHE = """
import tegum
from tegum.features._events_numba import emit
from tegum.toys.engines._compiled_numba import train_some

model, features = tegum.toys.ReLUOutput(n_features=20, n_hidden=5), tegum.features.Bernoulli(n_features=20, density=.1)
run = tegum.train(model, features, instances=2, steps=3, batch_size=64, progress=False)
for kernel in (train_some, emit):
    print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


def printed(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=200)
    assert done.stderr == ""
    return done.stdout.split()


def test_ten_thousand_networks_train_in_half_a_gigabyte():
    tegum.train(MODEL, FEATURES, **ASKED)  # the kernel is on disk: compiling takes memory of its own, once a machine
    engine, megabytes = printed(MEMORY)
    assert engine == "Compiled"
    assert 15 < float(megabytes) < 500  # the weights and their moments alone are 15 MB


def test_another_process_finds_the_kernels_compiled():
    tegum.train(ReLUOutput(n_features=20, n_hidden=5), Bernoulli(n_features=20, density=0.1), instances=2, **ASKED)
    assert printed(CACHE) == ["1", "0", "1", "0"]
