"""Who can read a dictionary: each reader against a known answer, intervals against simulations, and what must not happen to rows held out."""

import importlib
import json
import math
from typing import Any

import pytest
import torch

from tegum.activations import Activations
from tegum.activations.dataset import DOCUMENTS, in_memory
from tegum.auditing._answer import Answer
from tegum.auditing._paired import Estimate
from tegum.auditing._subject import Subject, subject_of
from tegum.auditing.who_reads import InModel, read_by, reading
from tegum.decoders import OMP, VAMP, TopK, Values, decode
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.uniform_sphere import spherical
from tegum.features import SparseCodes
from tegum.learning import LearntDictionary, SparseAutoencoder, fit, metrics
from tegum.learning.autoencoders.relu_sae import ReLUSAE
from tegum.learning.autoencoders.top_k_sae import TopKSAE

N, D, K = 96, 32, 3
QUICK: dict[str, Any] = {"rows": 600, "few": 200, "polish_rows": 1500, "polish_passes": 1, "retrain": 2_000}


def world(rows: int = 3_000, seed: int = 0, noise: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """(x, z): K of N features on in each row, at values in [1/2, 1], so that each is well above the noise (its length in a row)."""
    draw = torch.Generator().manual_seed(seed)
    on = torch.rand(rows, N, generator=draw).topk(K, dim=1).indices
    z = torch.zeros(rows, N).scatter(1, on, 0.5 + 0.5 * torch.rand(rows, K, generator=draw))
    return z @ directions() + noise * D**-0.5 * torch.randn(rows, D, generator=draw), z


def directions() -> torch.Tensor:
    return spherical(N, D, seed=1).dense()


def autoencoder(encoder: torch.Tensor | None = None, bias: float = 0.0, n_active: int = K) -> SparseAutoencoder:
    """With the true directions, and by default the same for an encoder: a matched filter that knows nothing of interference."""
    table = directions()
    weights = {"encoder": table if encoder is None else encoder, "decoder": table, "b_enc": torch.full((N,), bias), "b_dec": torch.zeros(D)}
    return SparseAutoencoder(TopKSAE(n_features=N, n_active=n_active), weights)


def subject(encode) -> Subject:
    return Subject("made here", Dense(directions()), torch.zeros(D), encode)


def finding(answer: Answer, name: str):
    return next(one for one in answer.findings if one.name == name)


def documented(x: torch.Tensor, documents: torch.Tensor) -> Activations:
    return in_memory({"site": x, DOCUMENTS: documents}, ["site"])


# --- readers


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


# --- the whole answer


def test_the_answer_finds_what_recovery_gains_over_a_bad_encoder():
    x, _ = world()
    answer = reading(x, autoencoder(), **QUICK)
    told = finding(answer, "gain")
    held = (
        read_by("OMP", x, autoencoder()).explained_variance(x, autoencoder()),
        read_by("encoder", x, autoencoder()).explained_variance(x, autoencoder()),
    )
    # 300 or so rows of 3,000 stand for all: three times the half width of a 95% interval, some 6 standard errors
    assert told.value == pytest.approx(held[0] - held[1], abs=3 * (told.high - told.low) / 2)
    assert told.low > 0.05
    assert f"OMP explains {Estimate(told.value, told.low, told.high)} more than the encoder" in answer.verdict
    table = answer.tables["readers"].set_index(["reader", "dictionary"])
    assert table.loc[("OMP", "as given"), "dims_per_bit"] == pytest.approx(D / math.log2(math.comb(N, K)), rel=0.02)
    assert finding(answer, "features_per_row").value == K
    by_values, by_choice = finding(answer, "gain_by_values").value, finding(answer, "gain_by_choice").value
    assert by_values + by_choice == pytest.approx(told.value, abs=1e-6)
    assert Answer.from_json(answer.to_json()).verdict == answer.verdict
    assert len(answer.figures) == 3


def test_where_the_encoder_is_omp_there_is_no_difference():
    x, _ = world(1_500)
    same = subject(lambda x: decode(Dense(directions()), x, OMP(n_active=K)).z)
    answer = reading(x, same, **QUICK)
    assert finding(answer, "gain").value == 0
    assert finding(answer, "agreement").value == 1
    assert "can not be told" in answer.verdict


def test_an_encoder_that_reads_better_is_said_to():
    """An encoder that knows the codes against OMP in a table of many near copies, among which it is lost."""
    draw = torch.Generator().manual_seed(0)
    table = torch.nn.functional.normalize(
        torch.randn(4, 8, generator=draw).repeat_interleave(16, 0) + 0.3 * torch.randn(64, 8, generator=draw), dim=1
    )
    z = torch.zeros(2_000, 64).scatter(1, torch.rand(2_000, 64, generator=draw).topk(4, 1).indices, 1.0)
    x = z @ table

    def encode(rows: torch.Tensor) -> SparseCodes:
        return SparseCodes.from_dense(z[torch.cdist(rows, x).argmin(dim=1)])

    found = read_by("OMP", x, Subject("", Dense(table), torch.zeros(8)), 4).explained_variance(x, table)
    assert found < 1 - 1e-3  # OMP does lose something, or this tests nothing
    answer = reading(x, Subject("copies", Dense(table), torch.zeros(8), encode), **QUICK | {"polish_rows": 0}, readers=["OMP"])
    assert "recovery finds nothing that the encoder misses" in answer.verdict


def test_rows_held_out_are_never_seen_by_the_polish_or_the_new_encoder(monkeypatch: pytest.MonkeyPatch):
    x, _ = world(1_200)
    x = x + torch.arange(len(x))[:, None] * 1e-6  # no two rows are alike
    seen: list[torch.Tensor] = []
    from tegum.auditing import _read_polish

    for name in ("polish", "fit"):
        real = getattr(_read_polish, name)

        def spy(first, rows, *args, real=real, **kwargs):
            seen.append((rows if isinstance(rows, Activations) else first).read())
            return real(first, rows, *args, **kwargs)

        monkeypatch.setattr(_read_polish, name, spy)
    documents = torch.arange(1_200) // 10
    acts = documented(x, documents)
    held: list[torch.Tensor] = []
    room = importlib.import_module("tegum.auditing.who_reads")  # the module, which a function of its name may hide
    real_read = room.Held
    monkeypatch.setattr(room, "Held", lambda x, groups, few: held.append(x) or real_read(x, groups, few))
    answer = reading(acts, autoencoder(), held_out=0.2, readers=["encoder", "OMP"], **QUICK)
    assert len(seen) == 2
    of = {tuple(row): int(document) for row, document in zip(x.tolist(), documents, strict=True)}
    unseen = {of[tuple(row)] for row in held[0].tolist()}
    for rows in seen:
        assert not unseen & {of[tuple(row)] for row in rows.tolist()}
    assert len(unseen) > 10
    assert any("of " in line and "documents held out" in line for line in answer.assumed)


def test_an_autoencoder_trained_on_these_activations_is_judged_on_what_its_training_held_out(tmp_path):
    x, _ = world(2_000)
    acts = documented(x, torch.arange(2_000) // 4)
    sae = fit(TopKSAE(n_features=N, n_active=K), acts, samples=2_000, batch_size=256, held_out=0.15, seed=5, progress=False)
    answer = reading(acts, sae, **QUICK | {"polish_rows": 0, "rows": 2_000}, readers=["OMP"])
    assert any("has not seen these rows" in line for line in answer.assumed)
    table = answer.tables["readers"]
    assert int(table["rows"].max()) == len(acts.split(0.15, 5)[1])
    strange = reading(
        documented(x + 1, torch.arange(2_000) // 4).select(slice(0, 1_000)), sae, **QUICK | {"polish_rows": 0}, readers=["OMP"]
    )
    assert any("not known" in line for line in strange.assumed)


@pytest.mark.parametrize("of_documents", [True, False])
def test_rows_in_another_order_or_other_documents_are_not_said_to_be_unseen(*, of_documents: bool):
    """The autoencoder was trained on 95% of them: what is held out of the shuffled rows is not what its training held out."""
    x, _ = world(1_000)
    documents, shuffled = torch.arange(1_000) // 4, torch.randperm(1_000, generator=torch.Generator().manual_seed(0))
    rows = documented(x, documents) if of_documents else x
    sae = fit(TopKSAE(n_features=N, n_active=K), rows, samples=1_000, batch_size=256, seed=5, progress=False)
    others = [(x, documents[shuffled]), (x[shuffled], documents)] if of_documents else [(x[shuffled], None)]
    for moved, by in others:
        answer = reading(moved if by is None else documented(moved, by), sae, **QUICK | {"polish_rows": 0}, readers=["OMP"])
        assert any("not known" in line for line in answer.assumed)
        assert int(answer.tables["readers"]["rows"].max()) > 70  # a tenth, by default, less four standard deviations; not a twentieth
    same = reading(rows, sae, **QUICK | {"polish_rows": 0}, readers=["OMP"])
    assert any("has not seen these rows" in line for line in same.assumed)
    sae.notes["activations"].pop("digest")
    old = reading(rows, sae, **QUICK | {"polish_rows": 0}, readers=["OMP"])
    assert any("not known" in line for line in old.assumed)


def test_steps_are_kept_and_gone_on_with(tmp_path):
    x, _ = world(1_000)
    kept: dict[str, str] = {}

    def keep(name, compute):
        if name not in kept:
            if len(kept) == 5:
                raise KeyboardInterrupt
            kept[name] = json.dumps(compute())
        return json.loads(kept[name])

    small = QUICK | {"readers": ["encoder", "OMP"]}
    with pytest.raises(KeyboardInterrupt):
        reading(x, autoencoder(), keep=keep, **small)
    first = dict(kept)

    done: list[str] = []

    def go_on(name, compute):
        if name in first:
            return json.loads(first[name])
        done.append(name)
        return json.loads(json.dumps(compute()))

    def untimed(answer):
        return json.loads(answer.to_json()) | {"tables": answer.tables["readers"].drop(columns="seconds_per_1000_rows").to_json()}

    assert untimed(reading(x, autoencoder(), keep=go_on, **small)) == untimed(reading(x, autoencoder(), **small))
    assert done
    assert not set(done) & set(first)
    assert max(len(text) for text in kept.values()) < 60_000  # bytes: 256 groups, some ten sums, two parts


def test_the_gain_on_gaussian_rows_needs_no_feature():
    """The encoder of a matched filter leaves much of Gaussian rows that OMP explains: the gain is no sign of features, and the answer shows it."""
    x, _ = world(2_000)
    null = finding(reading(x, autoencoder(), **QUICK | {"polish_rows": 0}, readers=["OMP"]), "gain_of_missed_on_gaussian_rows")
    assert null.low > 0.1


def test_recovery_is_said_to_find_what_is_missed_only_where_it_closes_more_than_on_gaussian_rows():
    x, _ = world(2_000)
    quick = QUICK | {"polish_rows": 0, "readers": ["OMP"]}
    noise = torch.randn(2_000, D, generator=torch.Generator().manual_seed(3))
    for rows, more in ((x, True), (noise, False)):
        answer = reading(rows, autoencoder(), **quick)
        ours, null, above = (finding(answer, f"gain_of_missed{what}") for what in ("", "_on_gaussian_rows", "_above_gaussian"))
        assert finding(answer, "gain").low > 0
        assert above.value == pytest.approx(ours.value - null.value)
        assert above.value - above.low == pytest.approx(math.hypot(ours.value - ours.low, null.high - null.value))
        assert above.high - above.value == pytest.approx(math.hypot(ours.high - ours.value, null.value - null.low))
        assert (above.low > 0) is more
        assert ("recovery finds what the encoder misses" in answer.verdict) is more
        assert ("no more than there" in answer.verdict) is not more


def test_the_model_is_asked_what_is_left_of_its_loss():
    """The site is the whole of a linear model, its loss the squared error of x: recovered is the share of |x|^2 that the reconstruction keeps."""
    x, _ = world(900)
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    batches = list(x[:300].split(50))
    asked = InModel(model, "0", batches, lambda out, batch: (out - batch).square().sum(1))
    answer = reading(x, autoencoder(), model=asked, readers=["encoder", "OMP"], **QUICK | {"polish_rows": 0})
    table = answer.tables["loss recovered"].set_index("reader")
    y = autoencoder()(x[:300])
    assert table.loc["encoder", "recovered"] == pytest.approx(1 - float((x[:300] - y).square().sum() / x[:300].square().sum()), abs=1e-5)
    assert table.loc["OMP", "more_low"] > 0
    assert "keeps" in answer.verdict


def test_the_loss_is_measured_with_the_polished_dictionary_too():
    x, _ = world(900)
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Identity())
    asked = InModel(model, "0", list(x[:300].split(50)), lambda out, batch: (out - batch).square().sum(1), readers=["OMP"])
    better = LearntDictionary(Dense(directions()), torch.zeros(D), OMP(n_active=K))
    bent = torch.nn.functional.normalize(directions() + 0.1 * torch.randn(N, D, generator=torch.Generator().manual_seed(4)), dim=1)
    weights = {"encoder": bent, "decoder": bent, "b_enc": torch.zeros(N), "b_dec": torch.zeros(D)}
    answer = reading(
        x, SparseAutoencoder(TopKSAE(n_features=N, n_active=K), weights), polished=better, model=asked, readers=["OMP"], **QUICK
    )
    table = answer.tables["loss recovered"].set_index(["reader", "dictionary"])
    assert set(table.index) == {(reader, which) for reader in ("encoder", "OMP") for which in ("as given", "polished")}
    assert table.loc[("OMP", "polished"), "recovered"] > 0.97 > table.loc[("OMP", "as given"), "recovered"]


# --- what it survives


def test_other_dims_are_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r"20 dims.*32"):
        reading(torch.randn(50, 20), autoencoder())


def test_a_polish_by_one_row_is_refused_and_by_two_is_not():
    with pytest.raises(ValueError, match="polish_rows is 1"):
        reading(world(60)[0], autoencoder(), **QUICK | {"polish_rows": 1})
    two = finding(reading(world(60)[0], autoencoder(), **QUICK | {"polish_rows": 2}, readers=["OMP"]), "gain_of_polish")
    assert math.isfinite(two.value)


def test_more_features_than_dims_end_the_lassos_search(monkeypatch: pytest.MonkeyPatch):
    """Refitted codes need no more features than dims; the lasso is brought to so many, and the answer says so."""
    draw = torch.Generator().manual_seed(0)
    x, table = torch.randn(600, 8, generator=draw), spherical(64, 8, seed=1).dense()
    penalties: list[float] = []
    room = importlib.import_module("tegum.auditing.readers")
    real = room.FISTA

    def spy(penalty: float, **fields: Any):
        penalties.append(penalty)
        return real(penalty=penalty, **fields)

    monkeypatch.setattr(room, "FISTA", spy)
    answer = reading(x, table, n_active=12, readers=["matched filter", "OMP", "lasso"], rows=200, few=60, polish_rows=0)
    assert min(penalties) > 1e-2  # chasing 12 they fell to 1e-5, where a look takes ten times as long
    assert answer.tables["readers"].set_index("reader").loc["lasso", "l0"] == pytest.approx(8, rel=0.03)
    assert any("no more than there are dims, 8" in line for line in answer.assumed)


def test_the_search_ends_where_no_penalty_sets_as_many_on(monkeypatch: pytest.MonkeyPatch):
    """Rows that are one direction each have one feature at every penalty; three are asked for."""
    penalties: list[float] = []
    room = importlib.import_module("tegum.auditing.readers")
    real = room.FISTA

    def spy(penalty: float, **fields: Any):
        penalties.append(penalty)
        return real(penalty=penalty, **fields)

    monkeypatch.setattr(room, "FISTA", spy)
    found = read_by("lasso", torch.eye(8).repeat(20, 1), torch.eye(8), 3)
    assert found.l0 == 1
    assert min(penalties) == pytest.approx(1e-4)  # of the largest correlation, 1
    assert len(penalties) < 20  # two searches of 20 looks each, where nothing ends them


def test_a_table_without_a_number_of_features_is_refused():
    with pytest.raises(ValueError, match="give n_active"):
        reading(world(100)[0], directions())


def test_a_constant_layer_is_said_to_hold_nothing():
    answer = reading(torch.full((200, D), 0.3), autoencoder(), **QUICK)
    assert "do not vary" in answer.verdict
    assert not answer.tables


def test_dead_encoders_and_dead_directions_are_answered():
    x, _ = world(400)
    silent = autoencoder(bias=-1e6)
    assert "reads nothing" in reading(x, silent, **QUICK).verdict
    asked = reading(x, silent, n_active=K, **QUICK | {"polish_rows": 0})
    assert finding(asked, "first_explains").value <= 0 < finding(asked, "omp_explains").value
    assert "length 0" in reading(x, torch.zeros(N, D), n_active=3, **QUICK).verdict


def test_one_dead_feature_spoils_nothing():
    x, _ = world(1_000)
    weights = {name: value.clone() for name, value in autoencoder().weights.items()}
    weights["decoder"][7] = 0
    weights["b_enc"][7] = -1e6
    answer = reading(x, SparseAutoencoder(TopKSAE(n_features=N, n_active=K), weights), **QUICK)
    assert answer.tables["readers"]["explained_variance"].notna().all()
    assert finding(answer, "gain").low > 0


@pytest.mark.parametrize("rows", [8, 20])
def test_fewer_rows_than_dims_are_read(rows: int):
    answer = reading(world(rows)[0], autoencoder(), **QUICK)
    assert 0 < finding(answer, "omp_explains").value <= 1
    assert any("rough" in line for line in answer.assumed)


def test_rows_that_come_twice_and_rows_that_are_not_finite_are_survived():
    x, _ = world(400)
    x = torch.cat([x, x])
    x[3] = torch.nan
    with pytest.warns(UserWarning, match="1 of 800 rows are not finite"):
        answer = reading(x, autoencoder(), **QUICK)
    assert math.isfinite(finding(answer, "gain").value)


def test_a_table_of_directions_is_compared_with_the_matched_filter():
    x, _ = world(1_500)
    answer = reading(x + 5, directions(), n_active=K, **QUICK | {"polish_rows": 0})
    assert "the matched filter" in answer.verdict
    assert finding(answer, "gain").low > 0
    assert finding(answer, "omp_explains").value > 0.8  # the mean of x is taken off, for no centre was told
    learnt = LearntDictionary(Dense(directions()), torch.zeros(D), OMP(n_active=K))
    assert "the matched filter" in reading(x, learnt, **QUICK | {"polish_rows": 0}).verdict


def test_subjects_are_made_of_all_that_holds_directions():
    learnt = LearntDictionary(Dense(directions().double()), torch.ones(D).double(), OMP(n_active=2, values=Values.SIGNED))
    told = subject_of(learnt)
    assert (told.values, told.n_active, told.dictionary.dtype) == (Values.SIGNED, 2.0, torch.float32)
    x, _ = world(20)
    assert told.encode is not None
    assert torch.equal(told.encode(x).indices, learnt.encode(x.double()).indices)
    sae = autoencoder()
    assert torch.allclose(subject_of(sae).decode(subject_of(sae).encode(x)), sae(x), atol=1e-5)
    assert not subject_of(Dense(directions())).centred
    assert subject_of(directions().numpy(), centre=torch.ones(D)).centred
    with pytest.raises(ValueError, match="not finite"):
        subject_of(torch.full((3, 4), torch.nan))
    with pytest.raises(ValueError, match=r"\(5,\).*features, dims"):
        subject_of(torch.ones(5))
    with pytest.raises(ValueError, match=r"\(3,\).*32"):
        subject_of(directions(), centre=torch.ones(3))


def test_the_matched_filter_is_top_k_by_correlation_refitted():
    x, _ = world(100)
    found = read_by("matched filter", x, directions(), K).codes
    plain = decode(Dense(directions()), x, TopK(n_active=K)).z
    on = (plain.dense() > 0).double()
    assert bool(((found.dense() > 0).double() <= on).all())
    assert metrics.explained_variance(x, Dense(directions()).encode(found)) >= metrics.explained_variance(
        x, Dense(directions()).encode(plain)
    )
