"""What a capture has is kept: through kill -9, a full disk, and shards that were cut or altered."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from capture_script import batches, model

from tegum.activations import Activations, capture

SHARD = 25 * 16 * 4 * 4


@pytest.fixture
def captured(tmp_path):
    return capture(model(), "1", batches(), tmp_path / "acts", shard_bytes=SHARD), tmp_path / "acts"


def test_a_capture_that_is_killed_goes_on_and_gives_the_same(captured, tmp_path):
    whole, _ = captured
    place = tmp_path / "killed"
    script = [sys.executable, str(Path(__file__).parent / "capture_script.py"), str(place), "0.05"]
    process = subprocess.Popen(script)
    while len(list(place.glob("shard-*.safetensors"))) < 2:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in place.glob("shard-*.safetensors")}
    known = {shard["file"] for shard in json.loads((place / "manifest.json").read_text())["shards"]}
    again = capture(model(), "1", batches(), place, shard_bytes=SHARD)
    assert again.read().equal(whole.read())
    assert again.documents.equal(whole.documents)
    assert all((place / name).stat().st_mtime_ns == before[name] for name in known)
    assert not [path for path in place.iterdir() if path.suffix not in (".safetensors", ".json") and path.name != ".lock"]


def test_a_full_disk_keeps_whole_shards_and_says_so(tmp_path, monkeypatch):
    real, written = os.fsync, []

    def fills(handle):
        written.append(handle)
        if len(written) > 9:  # a shard takes two files and two folders
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fills)
    with pytest.raises(OSError, match=r"No space left on device\. 2 whole shards are kept; make room"):
        capture(model(), "1", batches(), tmp_path / "acts", shard_bytes=SHARD)
    monkeypatch.setattr(os, "fsync", real)
    with pytest.warns(UserWarning, match="holds part of a capture, which was interrupted"):
        part = Activations.open(tmp_path / "acts")
    assert len(part.manifest.shards) == 2
    assert "interrupted" in repr(part)
    assert len(capture(model(), "1", batches(), tmp_path / "acts", shard_bytes=SHARD)) == 1000


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def altered(path):
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("harm", "said"), [(cut, "it was cut short or altered"), (altered, "does not have its checksum"), (Path.unlink, "is gone")]
)
def test_a_spoiled_shard_is_named_the_rest_is_usable_and_it_alone_is_done_again(captured, harm, said):
    whole, place = captured
    rows = whole.read()
    victim = sorted(place.glob("shard-*.safetensors"))[2]
    harm(victim)
    with pytest.raises(ValueError, match=said) as error:
        Activations.open(place).read()
    assert victim.name in str(error.value)
    with pytest.warns(UserWarning, match=victim.name):
        rest = Activations.open(place, damaged="leave out")
    assert 0 < len(rest) < len(rows)
    assert rest.read(slice(0, 100)).equal(rows[:100])
    others = {path.name: path.stat().st_mtime_ns for path in place.glob("shard-*.safetensors") if path != victim}
    assert capture(model(), "1", batches(), place, shard_bytes=SHARD).read().equal(rows)
    assert all((place / name).stat().st_mtime_ns == when for name, when in others.items())


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "tegum activations 9", "shards": []}'])
def test_a_manifest_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match="is no manifest of activations"):
        Activations.open(tmp_path)


def test_batches_that_are_a_generator_are_enough(tmp_path):
    acts = capture(model(), "1", (x for x in [torch.ones(2, 8)]), tmp_path / "acts")
    assert len(acts) == 2


def test_what_was_read_before_an_error_is_kept(tmp_path):
    def fails():
        yield from list(batches())[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(model(), "1", fails(), tmp_path / "acts")
    with pytest.warns(UserWarning, match="interrupted"):
        assert len(Activations.open(tmp_path / "acts")) == 75
    assert len(capture(model(), "1", batches(), tmp_path / "acts")) == 1000


def test_two_captures_into_one_folder_do_not_meet(tmp_path):
    def meets():
        yield torch.ones(2, 8)
        with pytest.raises(OSError, match="another capture is writing to"):
            capture(model(), "1", [torch.ones(2, 8)], tmp_path / "acts")
        yield torch.ones(2, 8)

    assert len(capture(model(), "1", meets(), tmp_path / "acts")) == 4


def test_activations_go_to_other_processes(captured):
    whole, _ = captured
    again = pickle.loads(pickle.dumps(whole))
    assert again.read().equal(whole.read())
