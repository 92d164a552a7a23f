"""Each reader against a known answer: as many features as it may have, the lasso's search, message passing, what is refused."""

import importlib
from typing import Any

import pytest
import torch
from read_worlds import D, K, N, autoencoder, directions, subject, world

from tegum.auditing.who_reads import read_by, reading
from tegum.decoders import VAMP, TopK, decode
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.uniform_sphere import spherical
from tegum.features import SparseCodes
from tegum.learning import SparseAutoencoder, metrics
from tegum.learning.autoencoders.relu_sae import ReLUSAE


@pytest.fixture
def penalties(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Those that the lasso is tried at."""
    tried: list[float] = []
    room = importlib.import_module("tegum.auditing.readers")
    real = room.FISTA

    def spy(penalty: float, **fields: Any):
        tried.append(penalty)
        return real(penalty=penalty, **fields)

    monkeypatch.setattr(room, "FISTA", spy)
    return tried


def test_omp_reads_superposed_features_exactly_where_an_encoder_cannot():
    """96 features in 32 dims, 3 on: OMP finds 99% of the sets (the bar is .95), the matched filter 55% (the bar is 10 standard errors off)."""
    x, z = world(1_000)
    truth = SparseCodes.from_dense(z)
    right = read_by("OMP", x, autoencoder(), K)
    wrong = read_by("encoder", x, autoencoder())
    exact = (right.codes.dense() > 0).eq(z > 0).all(dim=1).double().mean()
    assert exact > 0.95
    assert ((wrong.codes.dense() > 0).eq(z > 0).all(dim=1)).double().mean() < 0.7
    assert right.agreement(truth) > 0.97 > 0.85 > wrong.agreement(truth)
    assert right.explained_variance(x, autoencoder()) > 0.97


def test_every_row_has_as_many_features_as_the_encoder_uses_there():
    x, _ = world(400, noise=0.5)
    weights = {"encoder": directions(), "decoder": directions(), "b_enc": torch.full((N,), -0.35), "b_dec": torch.zeros(D)}
    uneven = SparseAutoencoder(ReLUSAE(n_features=N), weights)
    counts = uneven.sparse_codes(x).n_active
    assert int(counts.min()) < int(counts.max())
    for reader in ("matching pursuit", "OMP"):
        found = read_by(reader, x, uneven).codes.n_active
        assert bool((found <= counts).all())
        assert float((counts - found).double().mean()) < 0.05 * float(
            counts.double().mean()
        )  # what ends early or is dropped for being negative
    refit = read_by("encoder, refitted", x, uneven)
    assert bool((refit.codes.n_active <= counts).all())
    assert refit.explained_variance(x, uneven) > read_by("encoder", x, uneven).explained_variance(x, uneven)


@pytest.mark.parametrize("wanted", [2.0, 3.5, 6.0])
def test_the_lasso_is_brought_to_one_percent_of_the_features_asked_for(wanted: float):
    x, _ = world(800, noise=0.5)  # without noise the codes of every small penalty have three features
    found = read_by("lasso", x, autoencoder(), wanted)
    assert found.l0 == pytest.approx(wanted, rel=0.011)  # 1%, and a tenth of it for the granularity of 800 rows: 1/800 of a feature
    assert found.told["penalty"] > 0


def test_a_fraction_of_a_feature_is_met_on_average():
    x, _ = world(1_000)
    found = read_by("matching pursuit", x, autoencoder(), 2.25)
    assert sorted(found.codes.n_active.unique().tolist()) == [2, 3]
    assert found.l0 == pytest.approx(2.25, abs=1e-3 + 1e-9)


def test_a_top_k_encoder_told_another_number_reads_with_it():
    x, _ = world(200)
    assert read_by("encoder", x, autoencoder(), 5).codes.n_active.tolist() == autoencoder(n_active=5).sparse_codes(x).n_active.tolist()
    cut = read_by("encoder", x, subject(lambda x: autoencoder(n_active=5).sparse_codes(x)), 2).codes
    assert cut.dense().eq(autoencoder(n_active=2).sparse_codes(x).dense()).all()  # of unit directions the largest codes weigh most


def test_message_passing_reads_random_directions_told_their_law():
    """VAMP at 3 of 96 in 32 dims with values U[1/2, 1] under a prior of U[0, 1]: its largest three are the right ones in most rows."""
    x, z = world(400)
    found = read_by("message passing", x, autoencoder(), K, messages=VAMP(prior="uniform", n_active=K, noise_std=0.01, max_steps=50))
    assert found.agreement(SparseCodes.from_dense(z)) > 0.85


def test_posterior_means_are_cut_to_the_largest_some_rows_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """Of one row thousands may be above 0: codes of all rows at once took half a gigabyte where there are 4,096 features."""
    x, _ = world(200)
    decoder = VAMP(prior="uniform", n_active=K, noise_std=0.01, max_steps=50)
    whole = read_by("message passing", x, autoencoder(), K, messages=decoder)
    room = importlib.import_module("tegum.auditing.readers")
    seen: list[int] = []
    real = room.decode

    def spy(dictionary: Any, rows: torch.Tensor, *args: Any, **fields: Any) -> Any:
        seen.append(len(rows))
        return real(dictionary, rows, *args, **fields)

    monkeypatch.setattr(room, "decode", spy)
    monkeypatch.setattr(room, "HELD", 4 * 64 * N)
    parts = read_by("message passing", x, autoencoder(), K, messages=decoder)
    assert seen == [64, 64, 64, 8]
    assert parts.settled == pytest.approx(whole.settled)
    assert parts.codes.indices.shape == (200, K)
    assert torch.allclose(parts.codes.dense(), whole.codes.dense(), atol=1e-5)


def test_readers_refuse_what_they_cannot_read():
    x, _ = world(10)
    with pytest.raises(ValueError, match="reader is 'guess'"):
        read_by("guess", x, autoencoder())
    with pytest.raises(ValueError, match=r"\(10, 31\).*32"):
        read_by("OMP", x[:, :31], autoencoder())
    with pytest.raises(ValueError, match="no encoder"):
        read_by("OMP", x, directions())
    with pytest.raises(ValueError, match="needs a decoder"):
        read_by("message passing", x, directions(), 3)
    with pytest.raises(ValueError, match="10 rows"):
        read_by("OMP", x, directions(), torch.ones(4, dtype=torch.int64))


def test_more_features_than_dims_end_the_lassos_search(penalties: list[float]):
    """Refitted codes need no more features than dims; the lasso is brought to so many, and the answer says so."""
    draw = torch.Generator().manual_seed(0)
    x, table = torch.randn(600, 8, generator=draw), spherical(64, 8, seed=1).dense()
    answer = reading(x, table, n_active=12, readers=["matched filter", "OMP", "lasso"], rows=200, few=60, polish_rows=0)
    assert min(penalties) > 1e-2  # chasing 12 they fell to 1e-5, where a look takes ten times as long
    assert answer.tables["readers"].set_index("reader").loc["lasso", "l0"] == pytest.approx(8, rel=0.03)
    assert any("no more than there are dims, 8" in line for line in answer.assumed)


def test_the_search_ends_where_no_penalty_sets_as_many_on(penalties: list[float]):
    """Rows that are one direction each have one feature at every penalty; three are asked for."""
    found = read_by("lasso", torch.eye(8).repeat(20, 1), torch.eye(8), 3)
    assert found.l0 == 1
    assert min(penalties) == pytest.approx(1e-4)  # of the largest correlation, 1
    assert len(penalties) < 20  # two searches of 20 looks each, where nothing ends them


def test_the_matched_filter_is_top_k_by_correlation_refitted():
    x, _ = world(100)
    found = read_by("matched filter", x, directions(), K).codes
    plain = decode(Dense(directions()), x, TopK(n_active=K)).z
    on = (plain.dense() > 0).double()
    assert bool(((found.dense() > 0).double() <= on).all())
    assert metrics.explained_variance(x, Dense(directions()).encode(found)) >= metrics.explained_variance(
        x, Dense(directions()).encode(plain)
    )
