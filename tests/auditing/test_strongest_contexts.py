"""Top-activating contexts against a plain loop, and where texts end."""

import pytest
import torch

from tegum.activations import Activations, load
from tegum.activations.dataset import DOCUMENTS, POSITIONS, TOKENS, in_memory
from tegum.auditing._answer import Answer
from tegum.auditing.strongest_contexts import contexts, top_contexts
from tegum.features import SparseCodes


class Words:
    """A tokenizer whose token t is the word 'wT'."""

    def decode(self, tokens: list[int]) -> str:
        return " ".join(f"w{token}" for token in tokens)


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def texts(x: torch.Tensor, lengths: list[int], documents: list[int] | None = None) -> Activations:
    """Samples of these lengths, each a document unless `documents` says whose it is; token number = row number."""
    documents = list(range(len(lengths))) if documents is None else documents
    return in_memory(
        {
            "layer": x,
            TOKENS: torch.arange(len(x)),
            POSITIONS: torch.cat([torch.arange(n) for n in lengths]),
            DOCUMENTS: torch.cat([torch.full((n,), document) for n, document in zip(lengths, documents, strict=True)]),
        },
        ["layer"],
    )


def rectified(x: torch.Tensor) -> SparseCodes:
    """Feature i is what coordinate i exceeds 0 by; feature 4 is never on."""
    z = x.relu()
    z[:, 4] = 0
    return SparseCodes.from_dense(z)


@pytest.mark.parametrize("once", [True, False])
def test_the_largest_are_those_of_a_plain_loop(once, monkeypatch):
    monkeypatch.setattr("tegum.auditing.strongest_contexts._ROWS", 17)
    x = seeded(200, 6)
    lengths = [7] * 20 + [15] * 4
    acts = texts(x, lengths)
    measured = top_contexts(acts, rectified, [5, 0, 4], Words(), top=8, once=once)
    for feature in (5, 0):
        found, seen = [], set()
        for row in x[:, feature].argsort(descending=True).tolist():
            document = int(acts.documents[row])
            if x[row, feature] > 0 and len(found) < 8 and not (once and document in seen):
                found.append(row)
                seen.add(document)
        own = measured.of(feature)
        assert own["row"].tolist() == found
        assert own["value"].tolist() == pytest.approx(x[found, feature].tolist())
        assert own["rank"].tolist() == list(range(1, 9))
        assert own["token"].tolist() == [f"w{row}" for row in found]
    assert len(measured.of(4)) == 0
    torch.testing.assert_close(measured.rates, torch.stack([(x[:, 5] > 0), (x[:, 0] > 0), torch.zeros(200)]).double().mean(1))


def test_neighbours_end_where_the_sample_ends():
    x = torch.zeros(10, 5)
    x[3, 0], x[4, 1], x[9, 2], x[7, 3] = 1, 1, 1, 1
    acts = texts(x, [4, 3, 3], [0, 0, 1])  # the second sample goes on with the first document, its positions begin anew
    codes = lambda batch: SparseCodes.from_dense(batch.clone())  # noqa: E731
    lines = top_contexts(acts, codes, [0, 1, 2, 3], Words(), window=2).to_dataframe().set_index("feature")
    assert lines.loc[0, ["before", "token", "after"]].tolist() == ["w1 w2", "w3", ""]
    assert lines.loc[1, ["before", "token", "after"]].tolist() == ["", "w4", "w5 w6"]
    assert lines.loc[2, ["before", "token", "after"]].tolist() == ["w7 w8", "w9", ""]
    assert lines.loc[3, ["before", "token", "after"]].tolist() == ["", "w7", "w8 w9"]
    assert lines["document"].tolist() == [0, 0, 1, 1]
    assert lines["position"].tolist() == [3, 0, 2, 0]


def test_rows_that_were_not_kept_are_not_shown_as_neighbours():
    x = torch.zeros(9, 5)
    x[4, 0] = 1
    acts = texts(x, [9]).select([0, 1, 2, 4, 5, 8])
    line = top_contexts(acts, lambda b: SparseCodes.from_dense(b.clone()), [0], Words(), window=4).to_dataframe().iloc[0]
    assert (line.before, line.token, line.after) == ("", "w4", "w5")


def test_of_equal_codes_the_first_comes_first_and_rows_that_are_not_finite_are_passed_over():
    x = torch.ones(40, 5)
    x[0] = torch.nan
    measured = top_contexts(texts(x, [4] * 10), rectified, [2], Words(), top=3)
    assert measured.of(2)["row"].tolist() == [1, 4, 8]
    assert measured.rows == 39


def test_the_answer_tells_who_was_silent_and_survives_json():
    answer = contexts(texts(seeded(30, 6), [10] * 3), rectified, [1, 4, 1], Words(), top=2)
    assert "On in no row: 4." in answer.verdict
    again = Answer.from_json(answer.to_json())
    texts_ = ["feature", "rank", "before", "token", "after", "document", "position", "row"]
    assert again.tables["contexts"][texts_].to_numpy().tolist() == answer.tables["contexts"][texts_].to_numpy().tolist()
    assert [finding.name for finding in answer.findings] == ["rate of 1", "rate of 4"]


def test_texts_are_given_as_they_are():
    class Marked(Words):
        def decode(self, tokens: list[int]) -> str:
            return "<b>&" * len(tokens)

    line = top_contexts(texts(seeded(5, 6), [5]), rectified, [0], Marked(), top=1).lines[0]
    assert line[4] == "<b>&"


def test_what_cannot_be_answered_is_refused():
    x = seeded(20, 6)
    with pytest.raises(ValueError, match="no tokens are known"):
        contexts(load(x), rectified, [0], Words())
    acts = texts(x, [20])
    with pytest.raises(ValueError, match="a feature is 6"):
        contexts(acts, rectified, [0, 6], Words())
    with pytest.raises(ValueError, match="no features"):
        contexts(acts, rectified, [], Words())
    with pytest.raises(ValueError, match="feature 3 was not asked for"):
        top_contexts(acts, rectified, [0], Words()).of(3)
