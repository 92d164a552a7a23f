"""Who can read a dictionary, as a whole: the gain, its intervals, what must not happen to rows held out, and what it survives."""

import importlib
import json
import math

import pytest
import torch
from read_worlds import QUICK, D, K, N, autoencoder, directions, documented, finding, subject, world

from tegum.activations import Activations
from tegum.auditing._answer import Answer
from tegum.auditing._paired import Estimate
from tegum.auditing._subject import Subject, subject_of
from tegum.auditing.who_reads import InModel, read_by, reading
from tegum.decoders import OMP, Values, decode
from tegum.dictionaries.dense import Dense
from tegum.features import SparseCodes
from tegum.learning import LearntDictionary, SparseAutoencoder, fit
from tegum.learning.autoencoders.top_k_sae import TopKSAE

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
