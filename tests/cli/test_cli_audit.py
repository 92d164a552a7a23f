"""`tegum audit` as a process: a file in, a page, JSON and words out; steps on stderr; bad input in one line."""

import json

import numpy as np
import pytest

from tegum.dictionaries import spherical
from tegum.features import Bernoulli

FAST = "--question", "holding", "--question", "layout"


@pytest.fixture(scope="module")
def activations(tmp_path_factory):
    x = spherical(24, 12, seed=1).encode(Bernoulli(n_features=24, density=0.1).sample(1_500, seed=0))
    file = tmp_path_factory.mktemp("rows") / "acts.npy"
    np.save(file, x.numpy())
    return file


def test_json_goes_to_stdout_and_steps_to_stderr_and_the_same_command_goes_on(tegum, tegum_here, activations, tmp_path):
    command = ("audit", str(activations), "-m", "24", "-k", "2", "--samples", "5000", "--out", str(tmp_path / "out"), "--json", *FAST)
    first = tegum(*command)
    assert first.code == 0, first.err
    told = json.loads(first.out)
    assert list(told["answers"]) == ["holding", "layout"]
    assert told["n_features"] == 24
    assert "holding: answer:" in first.err
    again = tegum_here(*command)
    assert json.loads(again.out)["answers"] == told["answers"]
    assert again.err.count("kept") == first.err.count(" s\n")


def test_words_and_a_page_are_written(tegum_here, activations, tmp_path):
    page = tmp_path / "audit.html"
    done = tegum_here("audit", str(activations), "--learn", "none", "--html", str(page), "--question", "layout")
    assert done.code == 0, done.err
    assert "How is it laid out?" in done.out
    assert "effective dims" in done.out
    assert "Assumed: " in done.out
    assert "How is it laid out?" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.npy",), "there is nothing at nowhere.npy"),
        (("ACTS", "--learn", "topq"), "there is no autoencoder 'topq' to learn"),
        (("ACTS", "--question", "who"), "they must be some of superposition"),
        (("ACTS", "--dictionary", "nowhere"), "there is no dictionary at nowhere"),
        (("ACTS", "--contexts", "one"), "features are numbers with commas between them"),
        (("ACTS", "--contexts", "1"), "--contexts needs --tokenizer"),
        (("ACTS", "--html", "no/such/folder.html"), "there is no folder no/such"),
        (("ACTS", "--site", "b"), "has no 'b'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tegum_here, activations, arguments, message):
    done = tegum_here("audit", *(str(activations) if part == "ACTS" else part for part in arguments))
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
