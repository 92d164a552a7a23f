"""A run is saved whole or not at all, comes back bit by bit, and whatever else lies at its path is refused in one line."""

import errno
import inspect
import json
import pickle
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import tegum
from tegum.features.bernoulli import Bernoulli
from tegum.features.exactly_k import ExactlyK
from tegum.features.one_hot import OneHot
from tegum.toys.models.linear_autoencoder import LinearAutoencoder
from tegum.toys.models.relu_output import ReLUOutput
from tegum.toys.models.token_predictor import TokenPredictor

N = 4
QUICK = {"steps": 5, "batch_size": 8, "progress": False}
FOUR = {"n_features": N, "n_hidden": 2}


def sweep():
    density = np.linspace(0.1, 0.4, N)
    features = [Bernoulli(n_features=N, density=density), ExactlyK(n_features=N, n_active=2)]
    return tegum.train(
        ReLUOutput(**FOUR), [*features, features[0]], importance=0.7 ** np.arange(N), seed=[1, 2, 2**62], record=3, dtype="float64", **QUICK
    )


def linear():
    return tegum.train(LinearAutoencoder(**FOUR), Bernoulli(n_features=N, density=0.2), instances=2, **QUICK)


def tokens():
    return tegum.train(TokenPredictor(**FOUR), OneHot(n_features=N), **QUICK)


def numpy_numbers():
    train = inspect.unwrap(tegum.train)  # without the tests' own checks of types
    return train(ReLUOutput(**FOUR), Bernoulli(n_features=N, density=np.float32(0.2)), seed=np.int64(3), **QUICK | {"steps": np.int64(5)})


@pytest.mark.parametrize("way", [sweep, linear, tokens, numpy_numbers])
def test_a_run_comes_back_bit_by_bit(tmp_path, way):
    run, path = way(), tmp_path / "toy.safetensors"
    run.save(path)
    back = tegum.load(path)
    for name in ("W", "b", "loss", "loss_se", "importance"):
        assert getattr(back, name).equal(getattr(run, name)), name
        assert getattr(back, name).dtype == getattr(run, name).dtype
    for name in ("steps", "loss", "W", "b"):
        assert getattr(back.history, name).equal(getattr(run.history, name)), name
    assert {k: v.tolist() for k, v in back.state.items()} == {k: v.tolist() for k, v in run.state.items()}
    for name in ("model", "settings", "loss_kind", "steps_done", "seconds"):
        assert getattr(back, name) == getattr(run, name), name
    assert repr(back) == repr(run)
    x = torch.rand(6, N, dtype=run.W.dtype)
    assert back.module(0)(x).equal(run.module(0)(x))
    for ours, theirs in zip(back.features, run.features, strict=True):
        assert type(ours) is type(theirs)
        assert ours.sample(50, seed=3).dense().equal(theirs.sample(50, seed=3).dense())


def test_networks_of_one_distribution_share_it_after_loading(tmp_path):
    run = sweep()
    run.save(tmp_path / "toy.safetensors")
    back = tegum.load(str(tmp_path / "toy.safetensors"))
    assert back.features[0] is back.features[2] is not back.features[1]
    assert back.best_of(1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("where", ["os.fsync", "pathlib.Path.replace"])
def test_a_save_that_fails_leaves_the_file_that_was_there_and_nothing_else(tmp_path, monkeypatch, where):
    path = tmp_path / "toy.safetensors"
    sweep().save(path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(where, full)
    with pytest.raises(OSError, match="No space left"):
        tegum.train(ReLUOutput(**FOUR), Bernoulli(n_features=N, density=0.2), **QUICK).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saving_again_replaces_the_file(tmp_path):
    path = tmp_path / "toy.safetensors"
    sweep().save(path)
    other = tegum.train(ReLUOutput(**FOUR), Bernoulli(n_features=N, density=0.2), **QUICK)
    other.save(path)
    assert tegum.load(path).W.equal(other.W)
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_pickled(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("pickle was used")

    for name in ("load", "loads", "dump", "dumps", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    run, path = sweep(), tmp_path / "toy.safetensors"
    run.save(path)
    assert tegum.load(path).W.equal(run.W)
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    assert json.loads(header.pop("__metadata__")["tegum"])["model"] == {"name": "ReLUOutput", **FOUR}
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(data) - 8 - length  # names and numbers, and no more


def refused(path, *words):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        tegum.load(path)
    for word in (str(path), *words):
        assert word in str(error.value)


@pytest.mark.parametrize("share", [0, 0.0005, 0.01, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_refused(tmp_path, share):
    path = tmp_path / "toy.safetensors"
    sweep().save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refused(path, "not a whole safetensors file")


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "foreign"
    path.write_text("feature,loss\n1,0.5\n" * 20)
    refused(path, "not a whole safetensors file")
    save_file({"W": torch.zeros(2, 3)}, path)
    refused(path, "no toy run")
    save_file({"W": torch.zeros(2, 3)}, path, metadata={"tegum": "not JSON"})
    refused(path, "no toy run")
    save_file({"W": torch.zeros(2, 3)}, path, metadata={"tegum": '{"tegum": "toy run 1"}'})
    refused(path, "can not be read", "features")


def test_a_run_of_a_part_that_is_not_here_is_refused_by_its_name(tmp_path):
    path = tmp_path / "toy.safetensors"
    sweep().save(path)
    path.write_bytes(path.read_bytes().replace(b"ReLUOutput", b"ReLUInputs"))
    refused(path, "can not be read", "'ReLUInputs'")


def test_a_missing_file_and_a_folder_are_the_errors_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tegum.load(tmp_path / "nowhere")
    with pytest.raises(OSError, match=str(tmp_path)):
        tegum.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        sweep().save(tmp_path / "nowhere" / "toy.safetensors")
