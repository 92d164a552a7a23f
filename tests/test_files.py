"""Files are there whole or not at all, and nothing in them is run."""

import errno
import json
import os

import numpy as np
import pytest
import torch

from tegum.files import read_tensors, sha256_of, write_json, write_tensors, write_whole


def test_tensors_and_facts_come_back(tmp_path):
    whole = torch.arange(6.0).reshape(2, 3)
    write_tensors(tmp_path / "a", {"x": whole.T, "same": whole, "half": whole.bfloat16()}, {"n": 3})
    tensors, facts = read_tensors(tmp_path / "a")
    assert facts == {"n": 3}
    assert tensors["x"].equal(whole.T)
    assert tensors["half"].dtype == torch.bfloat16


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    write_whole(tmp_path / "a", b"before")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "a", b"after")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"before"


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_cut_is_refused_and_its_sum_differs(tmp_path):
    write_tensors(tmp_path / "a", {"x": torch.zeros(100)}, {})
    before = sha256_of(tmp_path / "a")
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-8])
    assert sha256_of(tmp_path / "a") != before
    with pytest.raises(ValueError, match="is not a whole safetensors file"):
        read_tensors(tmp_path / "a")


def test_numbers_of_numpy_are_written_as_numbers_and_other_things_are_refused(tmp_path):
    write_json(tmp_path / "facts.json", {"count": np.int64(3), "rate": np.float32(0.5)})
    assert json.loads((tmp_path / "facts.json").read_text()) == {"count": 3, "rate": 0.5}
    with pytest.raises(TypeError, match="is no JSON"):
        write_json(tmp_path / "facts.json", {"what": object()})
