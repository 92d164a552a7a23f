"""`tegum convert`: one format into another, told in one line or as JSON; what it cannot do in one line, with exit code 2."""

import os
import sys
from pathlib import Path

import pytest
import torch

from tegum.learning import export, load

sys.path.insert(0, str(Path(__file__).parents[1] / "learning"))
from autoencoder_examples import autoencoder


@pytest.fixture
def source(tmp_path):
    autoencoder("batchtopk", dtype=torch.float32).save(tmp_path / "ours.safetensors")
    return "ours.safetensors"


def test_an_autoencoder_is_converted_and_what_was_done_is_told(tegum, source, tmp_path):
    answer = tegum("convert", source, "lens", "--to", "saelens")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "BatchTopKSAE: 9 features in 4 dims, float32",
        "  read     ours.safetensors  tegum",
        "  written  lens              saelens, where it is a JumpReLUSAE of the same codes",
    ]
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    assert load(tmp_path / "lens").encode(x).equal(load(tmp_path / source).encode(x))


def test_the_same_as_json_through_every_format(tegum_here, tmp_path):
    autoencoder("topk").save(tmp_path / "0")
    for i, (read, to) in enumerate([("tegum", "sparsify"), ("sparsify", "dictionary_learning"), ("dictionary_learning", "SAELens")]):
        assert tegum_here("convert", str(i), str(i + 1), "--to", to, "--json").json == {
            "source": str(i),
            "from": read,
            "target": str(i + 1),
            "to": to.lower(),
            "architecture": "TopKSAE",
            "read_back_as": "TopKSAE",
            "n_features": 9,
            "n_dims": 4,
            "dtype": "float64",
        }
    assert load(tmp_path / "3").weights["encoder"].equal(load(tmp_path / "0").weights["encoder"])


def test_nothing_is_written_over_without_force(tegum_here, source, tmp_path):
    assert tegum_here("convert", source, "lens", "--to", "saelens").code == 0
    answer = tegum_here("convert", source, "lens", "--to", "saelens")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("tegum: there is something at lens already")
    assert tegum_here("convert", source, "lens", "--to", "saelens", "--force").code == 0
    (tmp_path / "lens" / "mine.txt").touch()
    answer = tegum_here("convert", source, "lens", "--to", "saelens", "--force")
    assert (answer.code, answer.err) == (2, "tegum: lens has other files (mine.txt); choose a new or an empty folder\n")


def test_what_cannot_be_converted_is_one_line_and_exit_code_2(tegum_here, source, tmp_path):
    (tmp_path / "empty").mkdir()
    export(autoencoder("matching_pursuit"), tmp_path / "pursuit", "saelens")
    for arguments, why in (
        (["nowhere", "out", "--to", "saelens"], "there is nothing at nowhere"),
        (["empty", "out", "--to", "saelens"], "empty holds no autoencoder that is known: looked for a folder with ae.pt"),
        ([source, "out", "--to", "onnx"], "no format named 'onnx'; "),
        ([source, "out", "--to", "sparsify"], "sparsify holds no BatchTopKSAE; "),
        (["pursuit", "out", "--to", "dictionary_learning"], "dictionary_learning holds no MatchingPursuitSAE; saelens and tegum do"),
        ([source, "no/folder/sae.safetensors", "--to", "tegum"], "no folder "),
        ([source, f"{source}/out", "--to", "saelens"], "[Errno 20] Not a directory"),
        ([source, "out"], "Missing option '--to'"),
    ):
        answer = tegum_here("convert", *arguments)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith(f"tegum: {why}"), answer.err
        assert answer.err.count("\n") == 1
        assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write anything")
def test_a_folder_that_may_not_be_written_to_is_one_line(tegum_here, source, tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    answer = tegum_here("convert", source, "shut/out", "--to", "saelens")
    assert answer.code == 2
    assert "Permission denied" in answer.err
