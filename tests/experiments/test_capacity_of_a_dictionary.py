"""C8: what it measures of tables that are known, and claims that can fail."""

import numpy as np
import pytest
import torch

from tegum import geometry
from tegum.dictionaries import spherical
from tegum.experiments import Row, Rows
from tegum.experiments.real_models import capacity_of_a_dictionary as c8

SMALL = c8.CapacityOfADictionary.Params(
    tokens=128, n_features=128, n_active=4, texts=2, samples=10, ks=(1, 2, 3, 4, 6, 9, 13), trials=30, crowd=6
)


def tables(of_words: torch.Tensor, of_learnt: torch.Tensor, monkeypatch) -> Rows:
    monkeypatch.setattr(c8, "_words", lambda params: of_words)
    monkeypatch.setattr(c8, "_learnt", lambda params: of_learnt)
    experiment = c8.CapacityOfADictionary()
    return Rows(SMALL, [experiment.run(cell, SMALL).of(cell) for cell in experiment.cells(SMALL)])


@pytest.fixture(scope="module")
def crowded() -> torch.Tensor:
    """As a real table: most of the length in a few dims, and some pairs that nearly coincide."""
    W = spherical(128, 40, seed=7).dense() * torch.linspace(2, 0.2, 40)
    W[10:20] = W[:10] + 0.1 * spherical(10, 40, seed=8).dense()
    return W


def test_a_random_table_is_as_its_twin_and_claims_that_it_is_not_fail(monkeypatch, crowded):
    rows = tables(spherical(128, 40, seed=5).dense(), crowded, monkeypatch)
    found = {claim.statement: claim for claim in c8.CapacityOfADictionary().claims(rows)}
    ratio = found["words: features interfere more than at random: spread of the readings of those that are off, over that of random ones"]
    assert float(ratio.estimate) == pytest.approx(1, abs=0.02)
    one_look = next(claim for statement, claim in found.items() if statement.startswith("words: top-k reads fewer"))
    assert one_look.verdict != "holds"
    assert float(one_look.estimate) == pytest.approx(1, abs=0.2)


def test_a_crowded_table_is_told_from_a_random_one(monkeypatch, crowded):
    rows = tables(crowded, crowded, monkeypatch)
    row = rows[0]
    assert row.coherence == pytest.approx(float(geometry.coherence(crowded)), abs=1e-5)
    assert row.guaranteed < row.random_guaranteed or row.guaranteed <= 1
    assert row.spread > 1.2 * row.random_spread
    claims = {claim.statement: claim.verdict for claim in c8.CapacityOfADictionary().claims(rows)}
    assert next(v for s, v in claims.items() if s.startswith("words: features interfere more")) == "holds"
    assert next(v for s, v in claims.items() if s.startswith("words: top-k reads fewer")) == "holds"
    assert {v for s, v in claims.items() if s.startswith("check of the code")} == {"holds"}
    drawn = list(c8.CapacityOfADictionary().figures(rows))
    assert len(drawn) == 6
    assert all(figure.layout.meta["caption"] for figure in drawn)


def test_codes_that_are_read_are_counted_and_none_are_asked_after_two_of_none():
    right = c8._right(torch.eye(128), "top-k", SMALL)
    assert right == [30] * len(SMALL.ks)
    one_dim = torch.ones(128, 1)
    assert c8._right(one_dim, "top-k", SMALL)[-3:] == [0, 0, 0]


def test_claims_about_the_least_and_the_most_can_be_refuted(monkeypatch, crowded):
    rows = tables(crowded, crowded, monkeypatch)
    fields = {name: rows[0][name] for name in rows[0] if name != "table"}
    spoilt = fields | {"coherence": 1e-3, "guaranteed": 20, "right": np.zeros_like(fields["right"])}
    cell = c8.CapacityOfADictionary().cells(SMALL)[0]
    row = Row(**spoilt).of(cell)
    verdicts = {claim.statement: claim.verdict for claim in c8._guaranteed(row)}
    assert [verdict for statement, verdict in verdicts.items() if "Welch" in statement] == ["refuted"]
    assert [verdict for statement, verdict in verdicts.items() if "guarantees for every code end" in statement] == ["refuted"]
    row = Row(**(spoilt | {"guaranteed": 1})).of(cell)
    assert [claim.verdict for claim in c8._read(row, SMALL) if "ten times" in claim.statement] == ["refuted"]


def test_more_features_on_than_may_be_are_refused():
    params = c8.CapacityOfADictionary.Params(tokens=64, ks=(1, 40))
    with pytest.raises(ValueError, match="ks go up to 40"):
        c8.CapacityOfADictionary().cells(params)
