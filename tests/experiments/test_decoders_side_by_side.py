"""Decoders side by side: counts as theory has them get every claim, other counts refute theirs; and a small run from end to end."""

from functools import cache

import numpy as np
import pytest
from scipy.special import ndtr

from tegum import theory
from tegum.capacity.laws import LAWS
from tegum.capacity.panel import PANEL
from tegum.experiments import Row, Rows
from tegum.experiments.codes import decoders_side_by_side
from tegum.experiments.codes.decoders_side_by_side import DICTIONARIES, ELSEWHERE, GROUPS, DecodersSideBySide, fit_of

N, K = 1024, 8
PARAMS = DecodersSideBySide.Params(n_features=N, n_active=K, samples=2000)
DIMS = np.unique(np.concatenate([np.arange(20, 100, 6), np.geomspace(100, 1100, 14).astype(int)]))
EXPERIMENT = DecodersSideBySide()
l1_success = theory.l1_success


@cache
def chances(dims, signed):
    return l1_success(np.array(dims), N, K, signed=signed)


@pytest.fixture(autouse=True)
def l1_once(monkeypatch):
    """The exact chances of l1, computed once for all worlds."""

    def known(dims, n, k, signed=False):
        return chances(tuple(dims.tolist()), signed) if (n, k) == (N, K) else l1_success(dims, n, k, signed=signed, trials=1000)

    monkeypatch.setattr(theory, "l1_success", known)


def needs(decoder, kind):
    """(d50, width) of a world in which all claims hold."""
    known = {name: law.dims(N, K, 0.5, 0.0) for name, law in LAWS.items()}
    known |= {"OMP": 1.4 * theory.lasso_dims(N, K), "matching pursuit, 2 steps": 150}
    d50 = float(known.get(decoder, 100))
    tight = decoder == "top-k" and kind.startswith("hadamard")
    return (d50 / (1 + d50 / N) if tight else d50), 0.1 * d50


def world(**other):
    """Rows of such a world; `other` maps a decoder's name to a factor on the dims it needs, on all dictionaries or (name, kind) on one."""
    rows = []
    for cell in EXPERIMENT.cells(PARAMS):
        factor = other.get(cell.decoder, other.get(f"{cell.decoder}|{cell.dictionary}", 1.0))
        d50, width = needs(cell.decoder, cell.dictionary)
        chance = ndtr((DIMS / factor - d50) / width)
        if cell.decoder.startswith("basis pursuit"):
            chance = np.interp(DIMS / factor, DIMS, chances(tuple(DIMS.tolist()), "signed" in cell.decoder).probability)
        right = np.random.default_rng(1).binomial(PARAMS.samples, chance)
        rows.append(Row(dims=DIMS, right=right, seconds=np.ones(len(DIMS)), told="n_active", codes="binary").of(cell))
    return Rows(PARAMS, rows)


def verdicts(rows):
    return {claim.statement: claim.verdict for claim in EXPERIMENT.claims(rows)}


def test_counts_as_theory_has_them_get_every_claim():
    found = verdicts(world())
    assert len(found) == 2 + 11 + 5 + 9
    assert set(found.values()) == {"holds"}


@pytest.mark.parametrize(
    ("other", "fragment"),
    [
        ({"basis pursuit": 1.1}, "basis pursuit reads as many codes"),
        ({"basis pursuit, signed": 0.9}, "basis pursuit, signed reads as many codes"),
        ({"basis pursuit": 1.3}, "basis pursuit reads half"),
        ({"AMP": 1.2}, "AMP reads half"),
        ({"Bayes-AMP": 1.2}, "Bayes-AMP reads half"),
        ({"top-k": 0.8}, "top-k reads half"),
        ({"threshold 1/2": 1.2}, "threshold 1/2 reads half"),
        ({"Bayes-AMP": 2}, "basis pursuit needs more than the dims of Bayes-AMP"),
        ({"OMP": 0.5}, "OMP needs more than the dims of basis pursuit"),
        ({"top-k": 0.3}, "top-k needs more than 3 times"),
        ({"threshold 1/2": 0.5}, "threshold 1/2 needs more than 1.5 times"),
        ({"matching pursuit, 4 steps": 2}, "matching pursuit, 2 steps needs more"),
        ({"top-k|hadamard, whole": 1.2}, "top-k through hadamard, whole"),
        ({"basis pursuit|hadamard, in blocks": 0.7}, "basis pursuit through hadamard, in blocks"),
        ({"Bayes-AMP|rademacher": 1.2}, "Bayes-AMP through rademacher"),
    ],
)
def test_other_counts_refute_their_claim(other, fragment):
    (verdict,) = {verdict for statement, verdict in verdicts(world(**other)).items() if statement.startswith(fragment)}
    assert verdict == "refuted"


def test_a_small_run_has_a_row_for_every_cell_and_figures_that_say_how_they_were_made(monkeypatch):
    few = {name: PANEL[name] for name in ("threshold 1/2", "top-k", "OMP", "basis pursuit, signed", "basis pursuit", "Bayes-AMP")}
    monkeypatch.setattr(decoders_side_by_side, "PANEL", few)
    params = DecodersSideBySide.Params(n_features=64, n_active=2, dims=(6, 40), samples=16, refine=1)
    cells = EXPERIMENT.cells(params)
    assert len(cells) == len(few) + 3 * (len(DICTIONARIES) - 1)
    rows = Rows(params, [EXPERIMENT.run(cell, params).of(cell) for cell in cells])
    for row in rows:
        assert row.right[row.dims == 40] >= row.right[row.dims == 6]
        assert len(row.dims) == 2 + (fit_of(row, params) is not None)
    captions = [figure.layout.meta["caption"] for figure in EXPERIMENT.figures(rows)]
    assert len(set(captions)) == len(captions) == 1 + len(GROUPS) + len(ELSEWHERE)
    assert all("2 of 64 features on, 16 codes a point" in caption for caption in captions)
    assert list(EXPERIMENT.claims(rows))


def test_more_active_features_than_there_are_is_refused_before_any_work():
    with pytest.raises(ValueError, match="n_active is 64, but there are 64 features"):
        EXPERIMENT.cells(DecodersSideBySide.Params(n_features=64, n_active=64))


def test_every_decoder_of_the_panel_is_in_one_figure():
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(PANEL)
