"""The door of the audit: every question answered, bad input refused before any work, and a killed audit that goes on to the same result."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from audit_script import SETTINGS, rows

import tegum
from tegum.auditing import Answer, Finding
from tegum.auditing.audits import QUESTIONS, architecture
from tegum.features import ExactlyK
from tegum.learning import SparseAutoencoder, TopKSAE

SCRIPT = Path(__file__).with_name("audit_script.py")
QUICK = {"questions": ["holding", "layout"], "progress": False}


def results(audit):
    """All that is found, without what depends on the clock."""
    return timeless({key: value for key, value in json.loads(audit.to_json()).items() if key not in ("took", "activations")})


def timeless(value):
    if isinstance(value, dict):
        return {key: timeless(one) for key, one in value.items() if "second" not in key}
    return [timeless(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def whole():
    return tegum.audit(rows(), **SETTINGS)


def test_it_answers_every_question_but_for_texts_that_are_not_there(whole):
    assert list(whole.answers) == [name for name in QUESTIONS if name != "contexts"]
    assert list(whole.table.columns) == ["question", "finding", "value", "low", "high", "words"]
    assert set(whole.table["question"]) == set(whole.answers)
    assert all(one.verdict for one in whole.answers.values())
    assert len(whole.figures) >= 6
    assert all(figure.layout.meta["caption"] for figure in whole.figures)
    assert all(name.split(": ")[0] in whole.answers for name in whole.tables)
    assert whole.facts["n_features"] == 24
    assert whole.facts["took"] > 0
    assert isinstance(whole.dictionary, SparseAutoencoder)
    assert whole.dictionary.architecture == TopKSAE(n_features=24, n_active=2)
    assert "Audit(" in repr(whole)


def test_its_json_is_strict_and_has_what_the_table_has(whole):
    told = json.loads(whole.to_json(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    found = [line["name"] for one in told["answers"].values() for line in one["findings"]]
    assert found == whole.table["finding"].tolist()


def test_its_page_is_one_file_with_every_verdict(whole, tmp_path):
    whole.to_html(tmp_path / "audit.html")
    text = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert text.count("<h2") == len(whole.answers)
    assert "default-src 'none'" in text
    with pytest.raises(OSError, match="nowhere"):
        whole.to_html(tmp_path / "nowhere" / "audit.html")


def test_an_answer_comes_back_from_json_as_it_was(whole):
    for one in whole.answers.values():
        back = Answer.from_json(one.to_json())
        assert back.findings == one.findings or "nan" in repr(one.findings)
        assert back.to_json() == one.to_json()
        assert [figure.to_json() for figure in back.figures] == [figure.to_json() for figure in one.figures]


def test_a_page_escapes_what_texts_say(whole):
    from tegum.auditing._page import page

    hostile = "<script>alert(1)</script>"
    import pandas as pd

    table = pd.DataFrame([{"feature": 3, "rank": 1, "value": 0.5, "before": hostile, "token": hostile, "after": "&amp;"}])
    one = Answer(
        hostile,
        hostile,
        (Finding(hostile, hostile, words=hostile),),
        {hostile: table, "b": pd.DataFrame({hostile: [hostile]})},
        (),
        (hostile,),
    )
    text = page(dict(whole.facts) | {"name": hostile}, {"contexts": one})
    assert hostile not in text


@pytest.mark.parametrize("at", [3, 7])  # steps: within the test for superposition, its basis found and nothing drawn; and after it
def test_a_killed_audit_goes_on_to_the_same_result(tmp_path, whole, at):
    out, log = tmp_path / "out", tmp_path / "log"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, str(SCRIPT), str(out), str(log)], env=environment)
    begun = time.monotonic()
    while not (log.exists() and log.read_text().count("\n") >= at):
        assert process.poll() is None
        assert time.monotonic() - begun < 120
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {line.split(" ", 1)[1] for line in log.read_text().splitlines()}
    kept = []
    again = tegum.audit(rows(), out=out, on_step=lambda step, _, there: kept.append(step) if there else None, **SETTINGS)
    inside = {step for step in done if step.startswith("superposition: ")}
    answered = "superposition: answer" in done
    assert done - inside <= set(kept)
    assert answered or inside <= set(kept)  # the parts of what is answered are not asked for again
    assert len(kept) >= 2
    assert results(again) == results(tegum.audit(rows(), out=out, **SETTINGS))
    assert results(again)["answers"] == results(whole)["answers"]


def test_a_damaged_step_is_done_again_and_another_audit_is_refused(tmp_path):
    D = tegum.dictionaries.spherical(24, 12, seed=1)
    first = tegum.audit(rows(), D, n_active=2, out=tmp_path, **QUICK)
    step = next((tmp_path / "steps").glob("layout-answer*"))
    step.write_text(step.read_text()[:100])
    assert results(tegum.audit(rows(), D, n_active=2, out=tmp_path, **QUICK)) == results(first)
    with pytest.raises(ValueError, match=r"holds another audit: seed was 0 and is 1"):
        tegum.audit(rows(), D, n_active=2, out=tmp_path, seed=1, **QUICK)
    with pytest.raises(ValueError, match="holds another audit: dictionary was"):
        tegum.audit(rows(), tegum.dictionaries.spherical(24, 12, seed=2), n_active=2, out=tmp_path, **QUICK)
    with pytest.raises(ValueError, match="holds another audit: activations was"):
        tegum.audit(rows() * 2, D, n_active=2, out=tmp_path, **QUICK)


def test_what_a_dictionary_reads_with_and_the_model_are_part_of_an_audit(tmp_path):
    begun = TopKSAE(n_features=24, n_active=2).begin(tegum.dictionaries.spherical(24, 12, seed=1).dense(), torch.zeros(12))
    two, four = (SparseAutoencoder(TopKSAE(n_features=24, n_active=k), begun) for k in (2, 4))
    tegum.audit(rows(), two, out=tmp_path, **QUICK)
    with pytest.raises(ValueError, match="holds another audit: dictionary was"):
        tegum.audit(rows(), four, out=tmp_path, **QUICK)
    model = tegum.auditing.InModel(torch.nn.Identity(), "here", [], loss=lambda out, batch: 0.0)
    with pytest.raises(ValueError, match="holds another audit: model was None"):
        tegum.audit(rows(), two, model=model, out=tmp_path, **QUICK)


def test_rows_that_are_no_numbers_are_left_out_of_activations_too():
    x = rows()
    x[7, 3] = float("nan")
    acts = tegum.activations.dataset.in_memory({"a": x}, ["a"], "mine")
    with pytest.warns(UserWarning, match="1 of 1,500 rows are not finite"):
        told = tegum.audit(acts, learn=None, questions=["layout"], progress=False)
    assert (told.facts["rows"], told.facts["left_out"]) == (1_499, 1)


def test_questions_of_which_none_can_be_asked_are_refused():
    with pytest.raises(ValueError, match="nothing is left to ask: questions are reading, and there is no dictionary"):
        tegum.audit(rows(), learn=None, questions=["reading"], progress=False)
    with pytest.raises(ValueError, match="there is no features in contexts_of"):
        tegum.audit(rows(), tegum.dictionaries.spherical(24, 12), n_active=2, questions=["contexts"], progress=False)


def test_a_full_disk_is_said_with_what_is_kept(tmp_path, monkeypatch):
    def full(path, data, scratch=None):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tegum.auditing._audit_folder.write_whole", full)
    with pytest.raises(OSError, match=r"No space left on device: 0 steps are kept. Make room in"):
        tegum.audit(rows(), tegum.dictionaries.spherical(24, 12, seed=1), n_active=2, out=tmp_path, **QUICK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dictionary": torch.eye(5)}, "the activations have 12 dims but the dictionary has 5"),
        ({"questions": ["holding", "who"]}, "they must be some of superposition, reading"),
        ({"questions": []}, "they must be some of superposition, reading"),
        ({"learn": "topq"}, "there is no autoencoder 'topq' to learn; there are batchtopk, gated"),
        ({"contexts_of": [1]}, "give the tokenizer"),
        ({"contexts_of": [1], "tokenizer": "any"}, "no tokens are known"),
        ({"contexts_of": [1], "questions": ["layout"]}, "contexts_of asks for contexts, which are not among the questions: layout"),
        ({"references": 0}, "references is 0"),
        ({"test_rows": 1}, "test_rows is 1"),
        ({"polish_rows": 1}, "polish_rows is 1"),
        ({"dictionary": torch.eye(12), "n_active": 13}, "n_active is 13 but there are 12 features"),
        ({"rows": 1}, "rows is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"dictionary": "nowhere"}, "there is no dictionary at nowhere"),
    ],
)
def test_bad_input_is_refused_before_any_work(change, message):
    def work(step, _seconds, _kept):
        pytest.fail(f"{step} was done")

    with pytest.raises((ValueError, FileNotFoundError), match=message):
        tegum.audit(rows(), **({"progress": False, "on_step": work} | change))


@pytest.mark.parametrize("documents", [2, 5])
def test_a_dictionary_is_learnt_from_few_documents(documents):
    """Held out whole they may be a fifth of the rows, or half: batches suit what is left, or none is held out."""
    acts = tegum.activations.dataset.in_memory(
        {"a": rows()[:500], "/documents": torch.arange(500) // (500 // documents)}, ["a"], "few documents"
    )
    for seed in (1, 3):
        told = tegum.audit(acts, n_features=24, n_active=2, samples=1_000, seed=seed, questions=["holding"], progress=False)
        assert told.facts["n_features"] == 24


def test_a_dictionary_of_few_directions_needs_no_number_of_features():
    told = tegum.audit(torch.randn(300, 40), torch.eye(40)[:4], questions=["reading", "holding"], rows=50, polish_rows=0, progress=False)
    assert 1 <= told.table.query("finding == 'features_per_row'")["value"].iloc[0] <= 2  # half of the directions at most


def test_no_rows_and_several_sites_are_refused():
    with pytest.raises(ValueError, match="holds no rows"):
        tegum.audit(torch.zeros(0, 4))
    with pytest.raises(ValueError, match=r"several sites|say which"):
        tegum.audit(tegum.activations.dataset.in_memory({"a": torch.zeros(4, 2), "b": torch.zeros(4, 3)}, ["a", "b"]))


def test_names_of_architectures_get_sizes_that_suit_the_layer():
    assert architecture("topk", 384) == TopKSAE(n_features=3072, n_active=32)
    assert architecture("TopKSAE", 1024) == TopKSAE(n_features=4096, n_active=32)
    assert architecture("batch-top-k", 16, 40, 3).n_features == 40
    assert architecture("jumprelu", 16).n_features == 128


def test_a_constant_layer_is_said_to_be_one():
    told = tegum.audit(torch.full((400, 6), 2.5), progress=False)
    assert "nothing to test" in told.answers["superposition"].verdict
    assert "the same" in told.answers["layout"].verdict
    assert told.facts["n_features"] is None
    given = tegum.audit(torch.full((400, 6), 2.5), torch.eye(6), n_active=1, progress=False, polish_rows=0)
    assert "Nothing is there to read" in given.answers["reading"].verdict


def test_fewer_rows_than_dims_duplicates_and_rows_that_are_no_numbers_are_survived():
    few = tegum.audit(
        torch.randn(20, 32, generator=torch.Generator().manual_seed(0)), n_features=40, n_active=2, samples=500, **SETTINGS_FEW
    )
    assert "can not be told" in few.answers["superposition"].verdict
    assert np.isfinite(float(few.table.query("finding == 'effective_dims'")["value"].iloc[0]))
    x = rows()[:400]
    x = torch.cat([x, x, x])
    x[5] = float("nan")
    with pytest.warns(UserWarning, match="1 of 1,200 rows are not finite"):
        told = tegum.audit(x, n_features=24, n_active=2, samples=5_000, **SETTINGS_FEW)
    assert told.facts["rows"] == 1_199
    assert told.answers["superposition"].findings[0].value == 400  # each of them once


SETTINGS_FEW = {"references": 2, "rows": 50, "polish_rows": 100, "progress": False}


def test_dead_features_are_survived():
    D = tegum.dictionaries.spherical(24, 12, seed=1).dense()
    begun = TopKSAE(n_features=24, n_active=2).begin(D, torch.zeros(12))
    silent = SparseAutoencoder(TopKSAE(n_features=24, n_active=2), begun | {"b_enc": torch.full((24,), -1e6)})
    dead = tegum.audit(rows(), silent, questions=["reading", "holding", "layout"], rows=50, polish_rows=0, progress=False)
    assert "reads nothing" in dead.answers["reading"].verdict
    assert dead.table.query("question == 'layout' and finding == 'dead'")["value"].iloc[0] == 24
    one = D.clone()
    one[3] = 0
    told = tegum.audit(rows(), one, n_active=2, questions=["reading", "holding", "layout"], rows=50, polish_rows=0, progress=False)
    assert told.table.query("question == 'holding' and finding == 'left_out'")["value"].iloc[0] == 1
    none = tegum.audit(
        rows(), torch.zeros(24, 12), n_active=2, questions=["reading", "holding", "layout"], rows=50, polish_rows=0, progress=False
    )
    assert "length 0" in none.answers["reading"].verdict
    assert none.answers["holding"].verdict


def test_a_dictionary_is_read_from_its_file(tmp_path):
    x = rows()
    sae = tegum.learning.fit(TopKSAE(n_features=24, n_active=2), x, samples=5_000, progress=False)
    sae.save(tmp_path / "sae.safetensors")
    learnt = tegum.learning.sparse_coding(x, 16, tegum.decoders.OMP(n_active=2), passes=1, progress=False)
    learnt.save(tmp_path / "learnt.safetensors")
    for file, n in (("sae", 24), ("learnt", 16)):
        told = tegum.audit(x, tmp_path / f"{file}.safetensors", questions=["holding"], progress=False)
        assert told.facts["n_features"] == n


def test_contexts_are_shown_of_the_features_asked_for(tmp_path):
    class Words(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding.from_pretrained(torch.eye(20))

        def forward(self, input_ids):
            return self.table(input_ids)

    class Tokenizer:
        def decode(self, tokens):
            return " ".join(f"w{token}" for token in tokens)

    batches = [{"input_ids": torch.arange(20)[None], "documents": torch.tensor([0])}]
    acts = tegum.activations.capture(Words(), "table", batches, tmp_path / "acts", progress=False)
    begun = TopKSAE(n_features=20, n_active=1).begin(torch.eye(20), torch.zeros(20))
    sae = SparseAutoencoder(TopKSAE(n_features=20, n_active=1), begun)
    told = tegum.audit(acts, sae, questions=["contexts"], contexts_of=[7], tokenizer=Tokenizer(), progress=False)
    line = told.tables["contexts: contexts"].iloc[0]
    assert line["token"] == "w7"
    assert line["before"].endswith("w6")
    told.to_html(tmp_path / "page.html")
    assert "<mark>w7</mark>" in (tmp_path / "page.html").read_text()


def test_an_exactly_k_layer_of_more_features_than_dims_is_found_out():
    x = tegum.dictionaries.spherical(32, 16, seed=2).encode(ExactlyK(n_features=32, n_active=3, values="uniform").sample(4_000, seed=5))
    told = tegum.audit(x, learn=None, references=19, questions=["superposition"], progress=False)
    assert told.answers["superposition"].verdict.startswith("Superposition")
