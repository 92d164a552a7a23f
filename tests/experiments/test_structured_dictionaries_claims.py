"""Structured dictionaries: counts of a world with one transition get every claim, others refute theirs; and a small run from end to end."""

import numpy as np
import pytest
from scipy.special import ndtr

from tegum.capacity.laws import LAWS
from tegum.experiments import Row, Rows
from tegum.experiments.codes.structured_dictionaries import StructuredDictionaries, ratio_of

EXPERIMENT = StructuredDictionaries()
PARAMS = StructuredDictionaries.presets["quick"]


def world(memory=4.0, exponent=1.0, **factors):
    """Rows in which all kinds need what the law says (a tight frame less), times a factor by decoder, kind or part."""
    rows = []
    for cell in EXPERIMENT.cells(PARAMS):
        n = cell.n_features
        if cell.part == "cost":
            rows.append(Row(bytes=int(memory * n), peak=int(memory * n) + 10**8, seconds=1e-6 * n**exponent).of(cell))
            continue
        k = PARAMS.n_active if cell.part == "kinds" else PARAMS.large_active
        d50 = float(LAWS.get(cell.decoder, LAWS["AMP"]).dims(n, k, 0.5, 0.0))
        if cell.part == "kinds" and cell.decoder == "top-k" and cell.dictionary.startswith("hadamard"):
            d50 /= 1 + d50 / n
        d50 *= factors.get(f"{cell.decoder}, {cell.dictionary}", 1.0) if cell.part == "kinds" else factors.get("large", 1.0)
        dims = np.unique(np.round(d50 * np.array([0.7, 0.85, 0.95, 1.05, 1.2, 1.4])).astype(int))
        right = np.round(500 * ndtr((dims / d50 - 1) / 0.15)).astype(int)
        rows.append(Row(dims=dims, right=right, trials=np.full(len(dims), 500), seconds=np.ones(len(dims)), stopped="precise").of(cell))
    return Rows(PARAMS, tuple(rows))


def refuted(rows):
    return [claim.statement for claim in EXPERIMENT.claims(rows) if claim.verdict == "refuted"]


def test_every_claim_holds_in_a_world_of_one_transition():
    claims = list(EXPERIMENT.claims(world()))
    assert len(claims) == 16
    assert {claim.verdict for claim in claims} == {"holds"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"OMP, rademacher": 1.16}, "OMP needs as many dims through rademacher"),
        ({"Bayes-AMP, hadamard, whole": 0.86}, "Bayes-AMP needs as many dims through hadamard, whole"),
        ({"top-k, hadamard, in blocks": 1.18}, "top-k needs as many dims through hadamard, in blocks"),
        ({"large": 1.3}, "through Hadamard directions reads half"),
        ({"memory": 2048.0}, "not a table"),
        ({"exponent": 2.0}, "the time of a code"),
    ],
)
def test_other_rows_refute_what_they_differ_in(change, said):
    [statement] = refuted(world(**change))
    assert said in statement


def test_a_ratio_holds_what_it_compares():
    ratio, (low, high) = ratio_of(world(**{"OMP, rademacher": 1.3}), "OMP", "rademacher")
    assert low < 1.3 < high
    assert ratio == pytest.approx(1.3, rel=0.03)


def test_a_small_run_has_claims_and_figures():
    params = StructuredDictionaries.Params(
        n_features=128, n_active=2, decoders=("top-k",), large=(2**12,), large_active=2, large_decoders=("top-k",), sizes=(2**12,), codes=2,
        n_dims=64, budget=64, large_budget=64,
    )  # fmt: skip
    rows = Rows(params, tuple(EXPERIMENT.run(cell, params).of(cell) for cell in EXPERIMENT.cells(params)))
    assert len(list(EXPERIMENT.claims(rows))) == 6
    assert len(list(EXPERIMENT.figures(rows))) == 4
    assert rows.at(part="cost").peak > 10**8


def test_an_unknown_decoder_is_refused():
    with pytest.raises(ValueError, match="no decoder 'topk' in the panel"):
        EXPERIMENT.cells(StructuredDictionaries.Params(decoders=("topk",)))


@pytest.mark.parametrize("changed", [{"n_active": 5000}, {"large_active": 2**18}])
def test_more_than_half_of_the_features_on_is_refused_before_any_work(changed):
    with pytest.raises(ValueError, match="are more than half of"):
        EXPERIMENT.cells(PARAMS.model_copy(update=changed))
