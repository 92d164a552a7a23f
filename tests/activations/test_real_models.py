"""Real inputs that are on every machine: docstrings, MiniLM, digits."""

import os

import pytest
import torch

from tegum.activations import capture, digits_network, docstrings, minilm, token_batches

os.environ.setdefault("HF_HUB_OFFLINE", "1")


def test_docstrings_are_many_and_come_in_one_order():
    texts = docstrings()
    assert 6000 < len(texts) < 12_000
    assert texts[:50] == docstrings(50)
    assert "json.dumps" in dict(texts)
    assert "json.decoder.JSONDecoder.decode" in dict(texts)
    assert min(len(text) for _, text in texts) >= 20


def test_digits_are_read_by_a_network_that_is_trained_in_seconds():
    digits = digits_network(32, epochs=15)
    assert digits.accuracy > 0.93
    acts = capture(digits.network, "active", digits.batches())
    assert len(acts) == 1797
    assert acts.n_dims == 32
    assert (acts.read() >= 0).all()
    assert torch.equal(
        digits.network.readout(acts.read()).argmax(1)[digits.held_out], digits.network(digits.images[digits.held_out]).argmax(1)
    )


@pytest.fixture(scope="module")
def language():
    pytest.importorskip("transformers")
    return minilm()


def test_a_layer_of_minilm_is_what_the_model_says_it_is(language):
    model, tokenizer = language
    texts = [text for _, text in docstrings(12)]
    batches = token_batches(tokenizer, texts, batch_size=4, length=48)
    acts = capture(model, "encoder.layer.3", batches)
    assert len(acts) == batches.n_tokens
    rows = []
    for batch in batches:
        with torch.no_grad():
            hidden = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], output_hidden_states=True).hidden_states[4]
        rows.append(hidden[batch["attention_mask"].bool()])
    torch.testing.assert_close(acts.read(), torch.cat(rows), rtol=1e-5, atol=1e-5)


def test_long_texts_are_cut_into_samples_of_one_document(language):
    _, tokenizer = language
    batches = token_batches(tokenizer, ["a few words", "many words " * 40, ""], batch_size=2, length=16, by_length=False)
    assert len(batches) == -(-len(batches.samples) // 2)
    assert batches.documents[0] == 0
    assert batches.documents.count(1) == -(-80 // 14)
    assert all(len(sample) <= 16 and sample[0] == tokenizer.cls_token_id for sample in batches.samples)
    ids = [token for sample, of in zip(batches.samples, batches.documents, strict=True) if of == 1 for token in sample[1:-1]]
    assert ids == tokenizer("many words " * 40, add_special_tokens=False)["input_ids"]
    sorted_ones = token_batches(tokenizer, ["a few words", "many words " * 40, ""], batch_size=2, length=16)
    assert sorted(zip(sorted_ones.documents, sorted_ones.samples, strict=True)) == sorted(
        zip(batches.documents, batches.samples, strict=True)
    )
    assert [len(sample) for sample in sorted_ones.samples] == sorted(len(sample) for sample in batches.samples)
    with pytest.raises(ValueError, match="there are no texts"):
        token_batches(tokenizer, [])
    with pytest.raises(ValueError, match="texts is the string 'hello'"):
        token_batches(tokenizer, "hello")
