"""Bad input: one ValueError of one line that names the thing and the sizes seen, before any training."""

import inspect

import numpy as np
import pytest
import torch

import tegum
from tegum import parts
from tegum.features.bernoulli import Bernoulli
from tegum.features.correlated import Correlated
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.models.token_predictor import TokenPredictor

N = 5
MODEL, FEATURES = ReLUOutput(n_features=N, n_hidden=2), Bernoulli(n_features=N, density=0.1)
SEVEN = Bernoulli(n_features=7, density=0.1)
train = inspect.unwrap(tegum.train)  # what users call: the tests' own checks of types would come before the door's

CASES = [
    ({"model": 3}, ["model is 3", "ReLUOutput"]),
    ({"model": ReLUOutput}, ["model is <class", "ReLUOutput("]),
    ({"features": 0.1}, ["features is 0.1", "Bernoulli(...)", "one an instance"]),
    ({"features": []}, ["features is []", "one an instance"]),
    ({"features": [FEATURES, None]}, ["features is [Bernoulli", "one an instance"]),
    ({"features": "Bernoulli"}, ["features is 'Bernoulli'"]),
    ({"features": SEVEN}, ["the model has 5 features but the distribution has 7"]),
    ({"features": [FEATURES, SEVEN]}, ["the model has 5 features but the distribution of instance 1 has 7"]),
    ({"features": [FEATURES] * 3, "instances": 4}, ["3 distributions were given for 4 instances"]),
    ({"instances": 0}, ["instances is 0", "at least 1"]),
    ({"instances": -3}, ["instances is -3"]),
    ({"instances": 2.5}, ["instances is 2.5", "integer"]),
    ({"instances": True}, ["instances is True", "integer"]),
    ({"steps": 0}, ["steps is 0", "at least 1"]),
    ({"steps": -1}, ["steps is -1"]),
    ({"steps": 1e4}, ["steps is 10000.0", "integer"]),
    ({"batch_size": 0}, ["batch_size is 0", "at least 1"]),
    ({"lr": float("nan")}, ["lr is nan", "finite", "at least 0"]),
    ({"lr": float("inf")}, ["lr is inf", "finite"]),
    ({"lr": -0.1}, ["lr is -0.1"]),
    ({"lr": "fast"}, ["lr is 'fast'"]),
    ({"lr": True}, ["lr is True"]),
    ({"weight_decay": float("nan")}, ["weight_decay is nan"]),
    ({"weight_decay": -1.0}, ["weight_decay is -1.0"]),
    ({"importance": float("nan")}, ["importance holds nan", "finite and not negative"]),
    ({"importance": [1.0, 1, float("inf"), 1, 1]}, ["importance holds inf"]),
    ({"importance": [1.0, 1, -0.25, 1, 1]}, ["importance holds -0.25"]),
    ({"importance": [1.0, 0.5, 0.2]}, ["importance has shape (3,)", "(5,) one a feature", "(2, 5) by instance"]),
    ({"importance": np.ones((3, N))}, ["importance has shape (3, 5)", "(2, 5) by instance"]),
    ({"importance": []}, ["importance has shape (0,)"]),
    ({"importance": "high"}, ["importance is 'high'", "numbers"]),
    ({"importance": [[1.0], [1.0, 2.0]]}, ["importance is [[1.0], [1.0, 2.0]]", "numbers"]),
    ({"importance": None}, ["importance is None", "numbers"]),
    ({"optimizer": "adamww"}, ["optimizer is 'adamww'", "did you mean 'adamw'?"]),
    ({"optimizer": "zzz"}, ["optimizer is 'zzz'", "known: adamw, adam, sgd"]),
    ({"optimizer": torch.optim.SGD}, ["optimizer is <class", "SGD"]),
    ({"schedule": "cosin"}, ["schedule is 'cosin'", "did you mean 'cosine'?"]),
    ({"loss": "SquareError"}, ["'SquareError'", "did you mean 'SquaredError'?"]),
    ({"loss": torch.nn.MSELoss()}, ["loss is MSELoss()", "CrossEntropy, SquaredError"]),
    ({"engine": "refrence"}, ["'Refrence'", "did you mean 'Reference'?"]),
    ({"engine": 7}, ["engine is 7", "Compiled, Reference"]),
    ({"engine": "compiled", "dtype": "float64"}, ["the engine Compiled does not apply", "float32 on the CPU, not in float64"]),
    ({"loss": "CrossEntropy"}, ["CrossEntropy", "'uniform'"]),
    (
        {"model": TokenPredictor(n_features=N, n_hidden=1), "features": Bernoulli(n_features=N, density=0.1, values="binary")},
        ["CrossEntropy", "exactly one active feature", "0.5 on average and up to 5", "OneHot"],
    ),
    ({"loss": "CrossEntropy", "features": [OneHot(n_features=N), FEATURES]}, ["CrossEntropy", "Bernoulli"]),
    ({"estimator": "stratfied"}, ["estimator is 'stratfied'", "did you mean 'stratified'?"]),
    ({"estimator": None}, ["estimator is None", "known: sampled, stratified"]),
    (
        {"estimator": "stratified", "features": [FEATURES, ExactlyK(n_features=N, n_active=2)]},
        ["'stratified' does not apply", "independent features (Bernoulli, Zipf)", "ExactlyK switches on 2 of 5"],
    ),
    (
        {
            "estimator": "stratified",
            "model": ReLUOutput(n_features=6, n_hidden=2),
            "features": Correlated(n_features=6, n_sets=3, density=0.1),
        },
        ["Correlated switches on 2 of 2"],
    ),
    (
        {"estimator": "stratified", "model": TokenPredictor(n_features=N, n_hidden=1), "features": OneHot(n_features=N)},
        ["'stratified' does not apply", "tied models alone (ReLUOutput, LinearAutoencoder), not for TokenPredictor"],
    ),
    (
        {"estimator": "stratified", "loss": "CrossEntropy", "features": OneHot(n_features=N)},
        ["'stratified' does not apply", "SquaredError alone, not for CrossEntropy"],
    ),
    ({"hidden_l1": -0.1}, ["hidden_l1 holds -0.1", "finite and not negative"]),
    ({"hidden_l1": [0.1, float("nan")]}, ["hidden_l1 holds nan"]),
    ({"hidden_l1": [0.1, 0.2, 0.3]}, ["hidden_l1 has shape (3,)", "one number, or 2, one an instance"]),
    ({"hidden_l1": "some"}, ["hidden_l1 is 'some'", "numbers"]),
    ({"hidden_l1": 0.1, "estimator": "stratified"}, ["'stratified' does not apply", "hidden_l1"]),
    ({"seed": -1}, ["seed is -1", "2^63"]),
    ({"seed": 2**63}, ["seed is 9223372036854775808"]),
    ({"seed": 2**70}, ["seed is 1180591620717411303424"]),
    ({"seed": 0.5}, ["seed is 0.5", "integer"]),
    ({"seed": [1, 2, 3]}, ["seed is [1, 2, 3]", "2, one an instance"]),
    ({"seed": [1, -2]}, ["seed is [1, -2]"]),
    ({"seed": list(range(1000))}, ["seed is [0, 1, 2", "...; give one integer", "2, one an instance"]),
    ({"seed": None}, ["seed is None"]),
    ({"record": -1}, ["record is -1", "at least 0"]),
    ({"record": [0, 101]}, ["record asks for steps 0 to 101 of a training of 100 steps"]),
    ({"record": [-1, 5]}, ["record asks for steps -1 to 5"]),
    ({"record": [0.5]}, ["record is [0.5]", "integers"]),
    ({"record": "all"}, ["record is 'all'"]),
    ({"record": 2.5}, ["record is 2.5"]),
    ({"device": "abacus"}, ["device is 'abacus'"]),
    ({"device": "meta"}, ["device is 'meta'", "can not be used here"]),
    ({"device": "cuda:99"}, ["device is 'cuda:99'", "can not be used here"]),
    ({"device": None}, ["device is 'None'"]),
    ({"dtype": torch.int32}, ["dtype is torch.int32", "float32 or float64"]),
    ({"dtype": "int64"}, ["dtype is 'int64'", "float32 or float64"]),
    ({"dtype": "float33"}, ["dtype is 'float33'"]),
    ({"dtype": torch.float16}, ["dtype is torch.float16"]),
    ({"dtype": None}, ["dtype is None"]),
]


def named(changes):
    name = ", ".join(f"{key}={' '.join(repr(value).split())}" for key, value in changes.items())
    return name if len(name) < 60 else f"{name[:57]}..."


@pytest.fixture(autouse=True)
def no_training(monkeypatch):
    def refuse(*_):
        raise AssertionError("training began")

    for engine in parts.discover("engines").values():
        monkeypatch.setattr(engine, "train", refuse)


@pytest.mark.parametrize(("changes", "words"), [pytest.param(*case, id=named(case[0])) for case in CASES])
def test_bad_input_is_told_in_one_line_before_any_training(changes, words):
    asked = {
        "model": MODEL,
        "features": FEATURES,
        "instances": None if isinstance(changes.get("features"), list) else 2,
        "steps": 100,
    } | changes
    with pytest.raises(ValueError, match=r"^[^\n]{1,250}$") as error:
        train(**asked)
    for word in words:
        assert word in str(error.value)


def test_what_is_asked_there_but_right_would_be_trained():
    with pytest.raises(AssertionError, match="training began"):
        train(MODEL, FEATURES, instances=2, steps=100)


@pytest.mark.parametrize("wrong", [0, -1])
@pytest.mark.parametrize("field", ["n_features", "n_hidden"])
def test_a_model_of_no_size_is_refused_when_it_is_described(field, wrong):
    with pytest.raises(ValueError, match=f"^{field} is {wrong}; it must be an integer of at least 1$"):
        ReLUOutput(**{"n_features": N, "n_hidden": 2} | {field: wrong})


def test_numpy_numbers_tensors_and_ranges_are_numbers(monkeypatch):
    monkeypatch.undo()
    steps = {"steps": np.int64(3), "batch_size": np.int32(4), "instances": np.int64(2), "progress": False}
    plain = train(
        MODEL, FEATURES, importance=[1, 2, 3, 4, 5], lr=1, seed=[0, 1], record=[0, 3], steps=3, batch_size=4, instances=2, progress=False
    )
    for same in (
        {"importance": np.arange(1, 6), "lr": np.float32(1), "seed": np.arange(2), "record": np.array([0, 3])},
        {"importance": torch.arange(1.0, 6), "lr": np.float64(1), "seed": torch.arange(2), "record": torch.tensor([0, 3])},
        {"importance": range(1, 6), "lr": 1.0, "seed": range(2), "record": range(0, 4, 3)},
        {"importance": torch.arange(1.0, 6).expand(2, 5).requires_grad_(), "lr": np.int64(1), "seed": (0, 1), "record": (0, 3)},
    ):
        run = train(MODEL, FEATURES, **steps | same)
        assert run.W.equal(plain.W)
        assert run.history.steps.tolist() == [0, 3]
