"""`tegum capacity` as a process: theory at once, JSON, the page, measurement that resumes, and errors before any work."""

import pytest

MEASURED = (
    "capacity",
    "--features",
    "128",
    "--active",
    "2",
    "--dims",
    "30",
    "--measure",
    "--decoder",
    "top-k",
    "--decoder",
    "Bayes-AMP",
    "-j",
    "1",
)


def test_theory_is_a_table_with_a_line_a_decoder(tegum):
    answer = tegum("capacity", "--features", "65536", "--active", "16", "--dims", "512")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0] == "16 of 65,536 features on in 512 dims: 211.7 bits; dims needed"
    assert lines[1].split() == ["decoder", "50%", "99%", "a", "bit", "one", "more", "most", "on", "at", "512", "read", "there"]
    [lasso] = [line for line in lines if line.strip().startswith("basis pursuit  ")]
    assert lasso.split() == ["basis", "pursuit", "169.1", "204.0", "0.80", "9.0", "59", "100.0%"]


def test_json_has_what_was_asked_and_every_decoder(tegum):
    told = tegum("capacity", "-N", "4096", "-k", "16", "--noise", "0.1", "--json").json
    assert (told["n_features"], told["n_active"], told["n_dims"], told["noise_std"]) == (4096, 16, None, 0.1)
    assert told["subset_bits"] == pytest.approx(147.7, abs=0.05)
    needs = {line["decoder"]: line["dims_50"] for line in told["decoders"]}
    assert needs["OMP"] is None
    assert needs["Bayes-AMP"] == pytest.approx(99.8, abs=0.1)


def test_what_was_measured_is_kept_and_not_measured_again(tegum, tegum_here):
    first = tegum(*MEASURED, "--json")
    assert first.code == 0
    assert "decoders measured: 4/4 cells" in first.err  # a search and a count each
    again = tegum_here(*MEASURED, "--json")
    assert again.json == first.json
    assert "4 from the store" in again.err
    found = {line["decoder"]: line for line in again.json["decoders"]}
    assert found["Bayes-AMP"]["low_50"] <= found["Bayes-AMP"]["measured_50"] <= found["Bayes-AMP"]["high_50"]
    assert found["Bayes-AMP"]["measured_success"] > found["top-k"]["measured_success"]
    assert "50% measured" in tegum_here(*MEASURED).out


def test_what_was_measured_is_kept_whatever_else_is_asked_for(tegum, tegum_here):
    few = "capacity", "--features", "128", "--active", "2", "--measure", "-j", "1"
    one = tegum(*few, "--decoder", "top-k", "--json")
    other = tegum_here(*few, "--decoder", "OMP", "--decoder", "top-k", "--dims", "30", "--json")
    assert "4/4 cells, 1 from the store" in other.err
    assert all(other.json["decoders"][-1][name] == value for name, value in one.json["decoders"][-1].items() if name.startswith("measured"))
    assert "4/4 cells, 2 from the store" in tegum_here(*few, "--decoder", "OMP", "--decoder", "top-k", "--dims", "40").err


def test_the_page_is_one_file(tegum, tmp_path):
    assert tegum("capacity", "-N", "512", "-k", "4", "--html", "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    assert "<h1>Who reads 4 of 512 features on?</h1>" in page
    assert "http-equiv" in page
    assert "<script src" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-N", "100", "-k", "60"), "n_active is 60 of 100 features; at most half"),
        (("-N", "100", "-k", "5", "--decoder", "topk"), "there is no decoder 'topk' in the panel"),
        (("-N", "100", "-k", "5", "--html", "nowhere/page.html"), "cannot write nowhere/page.html: there is no folder nowhere"),
        (("-N", "100", "-k", "0"), "Invalid value for '--active'"),
        (("-N", "100", "-k", "5", "--noise", "nan"), "Invalid value for '--noise'"),
        (("-N", "100"), "Missing option '--active'"),
    ],
)
def test_bad_input_is_one_line_before_any_work(tegum_here, arguments, message, tmp_path):
    answer = tegum_here("capacity", *arguments, "--measure")
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "runs").exists()
