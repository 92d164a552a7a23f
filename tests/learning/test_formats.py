"""Formats of autoencoders, without the programs they are of: round trips, what is refused and how, and what a full disk leaves."""

import errno
import json
import os
import pickle
import tempfile
from pathlib import Path

import pytest
import torch
from autoencoder_examples import ARCHITECTURES, autoencoder, samples
from hypothesis import assume, given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from tegum.learning import SparseAutoencoder, export, load
from tegum.learning.formats._doors import named
from tegum.learning.formats.dictionary_learning import DictionaryLearning

FORMATS = "tegum", "saelens", "dictionary_learning", "sparsify"
HELD = [(to, which) for to in FORMATS for which in ARCHITECTURES if named(to).holds(ARCHITECTURES[which](8, 2))]
CHANGED = {("saelens", "batchtopk"): "JumpReLUSAE", ("saelens", "matryoshka"): "JumpReLUSAE"}
FOLDED = [("dictionary_learning", "jumprelu")]
sizes = st.tuples(st.integers(2, 12), st.integers(1, 8), st.integers(1, 12)).map(lambda n: (n[0], n[1], min(n[2], n[0])))
dtypes = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])


def there_and_back(sae, to):
    with tempfile.TemporaryDirectory() as folder:
        export(sae, Path(folder) / "sae", to)
        return load(Path(folder) / "sae")


def test_every_format_holds_what_its_program_has():
    assert {to: [which for other, which in HELD if other == to] for to in FORMATS} == {
        "tegum": list(ARCHITECTURES),
        "saelens": list(ARCHITECTURES),
        "dictionary_learning": ["relu", "topk", "batchtopk", "matryoshka", "jumprelu", "gated"],
        "sparsify": ["topk"],
    }


@pytest.mark.parametrize(("to", "which"), [pair for pair in HELD if pair not in FOLDED])
@given(sizes, dtypes, st.integers(0, 100))
def test_an_export_comes_back_bit_for_bit(to, which, size, dtype, seed):
    n, d, k = size
    assume((to, which) != ("dictionary_learning", "relu") or dtype.itemsize >= 4)  # rows rounded to 16 bits are not of unit length
    sae = autoencoder(which, n, d, k, seed, dtype)
    back = there_and_back(sae, to)
    assert type(back.architecture).__name__ == CHANGED.get((to, which), type(sae.architecture).__name__)
    assert back.weights.keys() == sae.weights.keys()
    assert all(value.equal(sae.weights[name]) and value.dtype == dtype for name, value in back.weights.items())
    x = samples(d, seed, dtype)
    assert back.encode(x).equal(sae.encode(x))
    assert back(x).equal(sae(x))


@pytest.mark.parametrize(("which", "unit"), [("jumprelu", True), ("relu", False), ("relu", True)])
@given(sizes, dtypes, st.integers(0, 100))
def test_biases_that_are_folded_there_and_back_are_rounded_twice_and_no_more(which, unit, size, dtype, seed):
    """b - s and b again are each rounded to half an ulp of their size; s itself, in float64, is the same both ways."""
    n, d, k = size
    sae = autoencoder(which, n, d, k, seed, dtype, unit)
    back = there_and_back(sae, "dictionary_learning")
    assert all(value.equal(sae.weights[name]) for name, value in back.weights.items() if name != "b_enc")
    b, shift = sae.weights["b_enc"].double(), sae.weights["encoder"].double() @ sae.weights["b_dec"].double()
    off = (back.weights["b_enc"].double() - b).abs()
    assert (off <= torch.finfo(dtype).eps * (b.abs() + shift.abs()) * 1.01).all()


@pytest.mark.parametrize("other", [to for to in FORMATS if to != "tegum"])
def test_a_topk_autoencoder_goes_through_every_format_and_comes_back_whole(other, tmp_path):
    sae = autoencoder("topk", 12, 5, 3, dtype=torch.float32)
    sae.save(tmp_path / "ours.safetensors")
    export(load(tmp_path / "ours.safetensors"), tmp_path / other, other)
    export(load(tmp_path / other), tmp_path / "again.safetensors", "tegum")
    again = load(tmp_path / "again.safetensors")
    assert again.architecture == sae.architecture
    assert all(value.equal(sae.weights[name]) for name, value in again.weights.items())


def test_tables_lie_as_each_program_has_them_where_a_square_one_could_lie_either_way(tmp_path):
    sae = autoencoder("topk", 5, 5, 2)
    encoder, decoder = sae.weights["encoder"], sae.weights["decoder"]
    for to in ("saelens", "dictionary_learning", "sparsify"):
        export(sae, tmp_path / to, to)
    lens, sparsify = load_file(tmp_path / "saelens" / "sae_weights.safetensors"), load_file(tmp_path / "sparsify" / "sae.safetensors")
    learning = torch.load(tmp_path / "dictionary_learning" / "ae.pt", weights_only=True)
    assert lens["W_enc"].equal(encoder.T)
    assert lens["W_dec"].equal(decoder)
    assert sparsify["encoder.weight"].equal(encoder)
    assert sparsify["W_dec"].equal(decoder)
    assert learning["encoder.weight"].equal(encoder)
    assert learning["decoder.weight"].equal(decoder.T)


def test_a_saelens_export_says_its_version_and_site_and_no_histories(tmp_path):
    notes = {
        "activations": {"site": "encoder.layer.2", "name": "/home/someone/acts"},
        "history": [{"l0": 7.125}],
        "held_out": {"firing_rates": [0.8125]},
    }
    export(autoencoder("batchtopk", notes=notes), tmp_path / "sae", "saelens")
    text = (tmp_path / "sae" / "cfg.json").read_text()
    told = json.loads(text)
    assert told["metadata"] == {"sae_lens_version": "6.0.0", "sae_lens_training_version": None, "hook_name": "encoder.layer.2"}
    assert (told["architecture"], told["d_in"], told["d_sae"], told["dtype"]) == ("jumprelu", 4, 9, "float64")
    assert not any(word in text for word in ("someone", "7.125", "0.8125"))


def test_what_saelens_says_of_the_model_stays_and_hook_z_is_kept_in_mind(tmp_path):
    export(autoencoder("relu"), tmp_path / "sae", "saelens")
    told = json.loads((tmp_path / "sae" / "cfg.json").read_text())
    told |= {"reshape_activations": "hook_z"}
    told["metadata"] |= {"model_name": "gpt2-small", "hook_name": "blocks.3.attn.hook_z", "training_architecture": "standard"}
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(told))
    sae = load(tmp_path / "sae")
    assert sae.notes["saelens"] == {"model_name": "gpt2-small", "hook_name": "blocks.3.attn.hook_z", "reshape_activations": "hook_z"}
    export(sae, tmp_path / "again", "saelens")
    again = json.loads((tmp_path / "again" / "cfg.json").read_text())
    assert again["reshape_activations"] == "hook_z"
    assert again["metadata"]["model_name"] == "gpt2-small"


def test_groups_of_any_sizes_come_back_as_the_same_levels():
    for sizes in ([1, 2, 4, 5], [3, 3, 3], [1, 11], [7, 1, 1, 1, 1, 1], [12]):
        kept = DictionaryLearning().taken(
            {"trainer": {"dict_class": "MatryoshkaBatchTopKSAE", "k": 1}},
            {
                "W_enc": torch.randn(3, sum(sizes)),
                "W_dec": torch.randn(sum(sizes), 3),
                "b_enc": torch.zeros(sum(sizes)),
                "b_dec": torch.zeros(3),
                "k": torch.tensor(1),
                "threshold": torch.tensor(0.5),
                "group_sizes": torch.tensor(sizes),
            },
        )
        assert kept.architecture.ends == torch.tensor(sizes).cumsum(0).tolist()


def test_thresholds_that_differ_or_a_k_that_is_no_whole_number_make_a_jumprelu_of_dictionary_learning(tmp_path):
    sae = autoencoder("batchtopk", 6, 3)
    weights = sae.weights | {"threshold": torch.linspace(0.1, 0.6, 6, dtype=torch.float64)}
    export(SparseAutoencoder(sae.architecture, weights), tmp_path / "each", "dictionary_learning")
    export(SparseAutoencoder(type(sae.architecture)(n_features=6, n_active=1.5), sae.weights), tmp_path / "half", "dictionary_learning")
    for name in ("each", "half"):
        assert json.loads((tmp_path / name / "config.json").read_text())["trainer"]["dict_class"] == "JumpReluAutoEncoder"
    assert load(tmp_path / "each").weights["threshold"].equal(weights["threshold"])


@pytest.mark.parametrize("which", ["batchtopk", "matryoshka"])
def test_a_threshold_that_training_never_found_is_refused_where_it_is_needed_and_is_minus_1_where_that_says_so(tmp_path, which):
    sae = autoencoder(which, 6, 3)
    never = SparseAutoencoder(sae.architecture, sae.weights | {"threshold": torch.full((6,), torch.nan, dtype=torch.float64)})
    with pytest.raises(ValueError, match=r"this \w+SAE has no threshold, which training finds"):
        export(never, tmp_path / "sae", "saelens")
    assert list(tmp_path.iterdir()) == []
    export(never, tmp_path / "sae", "dictionary_learning")
    assert torch.load(tmp_path / "sae" / "ae.pt", weights_only=True)["threshold"] == -1
    assert load(tmp_path / "sae").weights["threshold"].isnan().all()
    some = SparseAutoencoder(sae.architecture, sae.weights | {"threshold": torch.tensor([torch.nan] + 5 * [0.5], dtype=torch.float64)})
    with pytest.raises(ValueError, match="has no threshold"):
        export(some, tmp_path / "some", "dictionary_learning")


@pytest.mark.parametrize(
    ("to", "which", "can"),
    [
        ("sparsify", "gated", "dictionary_learning and saelens and tegum do"),
        ("dictionary_learning", "matching_pursuit", "saelens and tegum do"),
    ],
)
def test_a_format_that_cannot_hold_an_architecture_says_which_can(tmp_path, to, which, can):
    name = type(autoencoder(which).architecture).__name__
    with pytest.raises(ValueError, match=f"^{to} holds no {name}; {can}$"):
        export(autoencoder(which), tmp_path / "sae", to)
    assert list(tmp_path.iterdir()) == []


def test_a_format_is_named_in_any_case_and_a_mistyped_one_is_guessed(tmp_path):
    assert named("SAELens").name == named("saelens").name == "saelens"
    assert named("dictionary-learning").name == "dictionary_learning"
    with pytest.raises(ValueError, match="no format named 'saelense'; did you mean 'saelens'"):
        export(autoencoder("relu"), tmp_path / "sae", "saelense")


LOOKED_FOR = [
    r"ae\.pt and config\.json",
    r"sae_weights\.safetensors and cfg\.json",
    r"sae\.safetensors and cfg\.json",
    r"a \.safetensors file that tegum saved",
]


def test_what_is_no_autoencoder_is_refused_with_all_that_was_looked_for(tmp_path):
    (tmp_path / "folder").mkdir()
    for i in range(10):
        (tmp_path / "folder" / f"note{i}.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    save_file({"decoder": torch.zeros(2, 3)}, tmp_path / "tensors.safetensors")
    for name, has in (
        ("folder", r"it has note0\.txt, .* and 2 more"),
        ("empty", "it has no files"),
        ("tensors.safetensors", "it is one file"),
    ):
        with pytest.raises(ValueError, match=rf"{name} holds no autoencoder that is known: looked for .*{'.*'.join(LOOKED_FOR)}.*; {has}"):
            load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"there is nothing at .*nowhere"):
        load(tmp_path / "nowhere")


def test_a_folder_of_two_formats_is_refused(tmp_path):
    export(autoencoder("topk"), tmp_path / "sae", "saelens")
    export(autoencoder("topk"), tmp_path / "other", "dictionary_learning")
    (tmp_path / "other" / "ae.pt").rename(tmp_path / "sae" / "ae.pt")
    with pytest.raises(ValueError, match="holds autoencoders of 2 formats: dictionary_learning, saelens"):
        load(tmp_path / "sae")


@pytest.mark.parametrize("to", FORMATS[1:])
def test_a_folder_that_lacks_one_of_its_two_files_says_which(tmp_path, to):
    weights, config = named(to).files
    export(autoencoder("topk"), tmp_path / "sae", to)
    (tmp_path / "sae" / config).rename(tmp_path / config)
    with pytest.raises(ValueError, match=rf"sae has {weights} but no {config}"):
        load(tmp_path / "sae")
    (tmp_path / "sae" / weights).unlink()
    (tmp_path / config).rename(tmp_path / "sae" / config)
    with pytest.raises(ValueError, match=rf"looked for .*{weights}.*it has {config}"):
        load(tmp_path / "sae")


@pytest.mark.parametrize("to", FORMATS[1:])
def test_files_that_are_cut_or_no_json_are_refused_by_name(tmp_path, to):
    weights, config = named(to).files
    export(autoencoder("topk"), tmp_path / "sae", to)
    for text, why in (("{", "is no JSON"), ("[1]", "is no JSON object"), ("\ud800".encode("utf-16-le", "surrogatepass"), "is no JSON")):
        (tmp_path / "sae" / config).write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(ValueError, match=rf"{config} {why}"):
            load(tmp_path / "sae")
    export(autoencoder("topk"), tmp_path / "cut", to)
    whole = (tmp_path / "cut" / weights).read_bytes()
    for kept in (0, 1, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut" / weights).write_bytes(whole[:kept])
        with pytest.raises(ValueError, match=rf"{weights} is "):
            load(tmp_path / "cut")


def written(folder, to, which="topk", tensors=None, **changes):
    """An export with some weights and settings changed."""
    export(autoencoder(which), folder, to)
    weights, config = (folder / name for name in named(to).files)
    if tensors:
        pickled = weights.suffix == ".pt"
        held = torch.load(weights, weights_only=True) if pickled else load_file(weights)
        held |= tensors
        held = {name: value for name, value in held.items() if value is not None}
        if pickled:
            torch.save(held, weights)
        else:
            save_file(held, weights)
    told = json.loads(config.read_text())
    told["trainer" if to == "dictionary_learning" else "metadata"] = told.get(
        "trainer" if to == "dictionary_learning" else "metadata", {}
    ) | changes.pop("inner", {})
    config.write_text(json.dumps({key: value for key, value in (told | changes).items() if value is not None}))
    return folder


BAD = [
    ("saelens", "topk", {"d_in": 5}, "d_in is 5 in the config, but the weights have 4"),
    ("saelens", "topk", {"d_sae": 10}, "d_sae is 10 in the config, but the weights have 9"),
    (
        "saelens",
        "topk",
        {"tensors": {"W_enc": torch.zeros(9, 4, dtype=torch.float64)}},
        "W_enc does not fit a decoder of 9 features in 4 dims",
    ),
    ("saelens", "topk", {"tensors": {"b_enc": torch.zeros(8, dtype=torch.float64)}}, "b_enc does not fit"),
    ("saelens", "topk", {"tensors": {"b_dec": torch.zeros(4)}}, "the weights are of 2 dtypes"),
    ("saelens", "topk", {"tensors": {"b_enc": torch.zeros(9, dtype=torch.int64)}}, "b_enc does not fit"),
    ("saelens", "topk", {"tensors": {"W_dec": torch.zeros(9, dtype=torch.float64)}}, "the decoder is no table"),
    ("saelens", "topk", {"tensors": {"b_enc": None}}, "the weights lack b_enc; they are W_dec .* W_enc .* b_dec"),
    ("saelens", "topk", {"tensors": {"W_skip": torch.zeros(4, 4)}}, "the weights have W_skip, which such an autoencoder has not"),
    ("saelens", "topk", {"tensors": {"scaling_factor": torch.full((9,), 2.0)}}, "scaling_factor of finetuning"),
    ("saelens", "topk", {"k": None}, "k is None; it must be an integer of at least 1"),
    ("saelens", "topk", {"k": 10}, "n_active is 10 but there are 9 features"),
    (
        "saelens",
        "topk",
        {"architecture": "jumprelu_transcoder"},
        "its architecture is 'jumprelu_transcoder'; these are read: standard, topk,",
    ),
    ("saelens", "topk", {"architecture": ["topk"]}, "its architecture is"),
    ("saelens", "topk", {"architecture": "temporal"}, "its architecture is 'temporal'"),
    ("saelens", "topk", {"architecture": "batchtopk"}, "save_inference_model makes a jumprelu one of it"),
    ("saelens", "topk", {"normalize_activations": "layer_norm"}, "normalize_activations is 'layer_norm'"),
    ("saelens", "topk", {"normalize_activations": "expected_average_only_in"}, "normalize_activations is 'expected_average_only_in'"),
    ("saelens", "topk", {"reshape_activations": "hook_q"}, "reshape_activations is 'hook_q'; none and hook_z are read"),
    ("saelens", "matching_pursuit", {"stop_on_duplicate_support": True}, "it stops early"),
    ("saelens", "matching_pursuit", {"residual_threshold": 0.01}, "it stops early"),
    ("saelens", "relu", {"metadata": None, "activation_fn_str": "tanh-relu"}, "its activation is 'tanh-relu'"),
    ("sparsify", "topk", {"d_in": 5}, "d_in is 5 in the config, but the weights have 4"),
    ("sparsify", "topk", {"num_latents": 8}, "num_latents is 8 in the config, but the weights have 9"),
    ("sparsify", "topk", {"num_latents": 0, "expansion_factor": 2}, "num_latents is 8 in the config, but the weights have 9"),
    ("sparsify", "topk", {"d_in": None}, "d_in is None"),
    ("sparsify", "topk", {"activation": "groupmax"}, "its activation is groupmax; topk is read"),
    ("sparsify", "topk", {"signed": True}, "its activation is signed topk; topk is read"),
    ("sparsify", "topk", {"transcode": True}, "transcode is true: .* no autoencoder"),
    ("sparsify", "topk", {"skip_connection": True}, "skip_connection is true"),
    ("sparsify", "topk", {"tensors": {"W_dec": torch.zeros(4, 9, dtype=torch.float64)}}, "does not fit a decoder of 4 features in 9 dims"),
    ("dictionary_learning", "topk", {"inner": {"activation_dim": 5}}, "activation_dim is 5 in the config, but the weights have 4"),
    ("dictionary_learning", "topk", {"inner": {"dict_size": 5}}, "dict_size is 5 in the config, but the weights have 9"),
    ("dictionary_learning", "topk", {"inner": {"dict_class": "IdentityDict"}}, "dict_class is IdentityDict; these are read: AutoEncoder,"),
    ("dictionary_learning", "topk", {"inner": {"dict_class": "GatedAutoEncoder"}}, "the weights lack decoder_bias"),
    ("dictionary_learning", "topk", {"inner": {"k": 3}}, "k is 3 in the config but 2 in the weights"),
    ("dictionary_learning", "topk", {"inner": {"k": None}, "tensors": {"k": None}}, "neither config nor weights say k"),
    ("dictionary_learning", "topk", {"trainer": None}, "dict_class is not told"),
    ("dictionary_learning", "matryoshka", {"tensors": {"group_sizes": torch.tensor([4, 4])}}, "group_sizes are .4, 4.; .* add up to 9"),
    ("dictionary_learning", "matryoshka", {"tensors": {"group_sizes": None}}, "group_sizes are "),
]


@pytest.mark.parametrize(("to", "which", "changes", "why"), BAD, ids=[f"{to}-{why[:24]}" for to, _, _, why in BAD])
def test_what_does_not_fit_or_is_not_ours_is_refused_with_the_folder_and_the_reason(tmp_path, to, which, changes, why):
    with pytest.raises(ValueError, match=rf"sae \({to}\): .*{why}"):
        load(written(tmp_path / "sae", to, which, **changes))


def test_a_matching_pursuit_of_saelens_takes_as_many_steps_as_there_are_dims_unless_it_says_and_may_have_no_b_dec(tmp_path):
    sae = load(written(tmp_path / "sae", "saelens", "matching_pursuit", max_iterations=None, apply_b_dec_to_input=False))
    assert sae.architecture.n_active == 4
    assert not sae.weights["b_dec"].any()


def test_a_folder_of_saelens_before_6_is_read(tmp_path):
    sae = autoencoder("topk", 9, 4, 3)
    export(sae, tmp_path / "sae", "saelens")
    old = {
        "d_in": 4,
        "d_sae": 9,
        "dtype": "torch.float64",
        "hook_point": "blocks.0.hook_z",
        "model_name": "gelu-2l",
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 3},
        "normalize_activations": False,
        "apply_b_dec_to_input": True,
        "sae_lens_training_version": "3.9.1",
    }
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(old))
    read = load(tmp_path / "sae")
    assert read.architecture == sae.architecture
    assert read.notes == {"saelens": {"model_name": "gelu-2l", "hook_name": "blocks.0.hook_z", "reshape_activations": "hook_z"}}
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(old | {"normalize_activations": True}))
    with pytest.raises(ValueError, match="expected_average_only_in"):
        load(tmp_path / "sae")
    held = load_file(tmp_path / "sae" / "sae_weights.safetensors") | {"scaling_factor": torch.ones(9, dtype=torch.float64)}
    save_file(held, tmp_path / "sae" / "sae_weights.safetensors")
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(old | {"architecture": "standard", "activation_fn_str": "relu"}))
    assert type(load(tmp_path / "sae").architecture).__name__ == "ReLUSAE"


class Touches:
    """Unpickled, it makes a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize("by", ["torch", "torch's old way", "pickle"])
def test_a_pickle_that_would_run_something_is_refused_and_has_not_run(tmp_path, by):
    payload, sae = tmp_path / "it-ran", written(tmp_path / "sae", "dictionary_learning")
    if by == "pickle":
        (sae / "ae.pt").write_bytes(pickle.dumps({"encoder.weight": Touches(payload)}))
    else:
        torch.save({"encoder.weight": Touches(payload)}, sae / "ae.pt", _use_new_zipfile_serialization=by == "torch")
    with pytest.raises(ValueError, match=r"ae\.pt is refused, and nothing in it was run: it holds more than tensors"):
        load(sae)
    assert not payload.exists()
    if by == "pickle":
        pickle.loads((sae / "ae.pt").read_bytes())
    else:
        torch.load(sae / "ae.pt", weights_only=False)
    assert payload.exists()  # so it would have


def test_a_pickle_of_tensors_without_names_is_refused(tmp_path):
    sae = written(tmp_path / "sae", "dictionary_learning")
    for value in ([torch.zeros(2)], {"k": 3}):
        torch.save(value, sae / "ae.pt")
        with pytest.raises(ValueError, match=r"ae\.pt holds no tensors by name"):
            load(sae)


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_a_full_disk_leaves_nothing_or_what_was_there(tmp_path, monkeypatch, to, kept):
    if to == "tegum" and kept > 0:
        kept = 0  # one file, and its folder after it: 1 is written already
    old, new = autoencoder("topk", seed=1), autoencoder("topk", seed=2)
    export(old, tmp_path / "old", to)
    real, synced = os.fsync, []

    def fills(handle):
        synced.append(handle)
        if len(synced) > kept:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    for target, replace in ((tmp_path / "new", False), (tmp_path / "old", True)):
        synced.clear()
        monkeypatch.setattr(os, "fsync", fills)
        with pytest.raises(OSError, match="No space left on device"):
            export(new, target, to, replace=replace)
        monkeypatch.setattr(os, "fsync", real)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert load(tmp_path / "old").weights["decoder"].equal(old.weights["decoder"])
    assert not (tmp_path / "old").is_dir() or sorted(path.name for path in (tmp_path / "old").iterdir()) == sorted(named(to).files)
    export(new, tmp_path / "old", to, replace=True)
    assert load(tmp_path / "old").weights["decoder"].equal(new.weights["decoder"])


@pytest.mark.parametrize("to", FORMATS)
def test_nothing_is_written_over_unless_asked_and_then_only_one_of_the_same_format(tmp_path, to):
    place = tmp_path / "sae"
    export(autoencoder("topk", seed=1), place, to)
    with pytest.raises(ValueError, match=r"there is something at .*sae already; replace=True \(--force\)"):
        export(autoencoder("topk", seed=2), place, to)
    export(autoencoder("topk", seed=2), place, to, replace=True)
    assert load(place).weights["decoder"].equal(autoencoder("topk", seed=2).weights["decoder"])
    if to == "tegum":
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(ValueError, match="there is something at"):
            export(autoencoder("topk"), tmp_path / "notes.txt", to, replace=True)
        with pytest.raises(ValueError, match="is a folder; tegum writes a file"):
            export(autoencoder("topk"), tmp_path, to, replace=True)
        return
    (place / "sparsity.safetensors").touch()
    with pytest.raises(ValueError, match=r"sae has other files \(sparsity\.safetensors\); choose a new or an empty folder"):
        export(autoencoder("topk"), place, to, replace=True)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=f"is a file; {to} writes a folder"):
        export(autoencoder("topk"), tmp_path / "file", to)
    (tmp_path / "empty").mkdir()
    folder = (tmp_path / "empty").stat().st_ino
    export(autoencoder("topk"), tmp_path / "empty", to)
    assert (tmp_path / "empty").stat().st_ino == folder  # who stands in it sees what was written
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == sorted(named(to).files)
    export(autoencoder("topk"), tmp_path / "some" / "way" / "down", to)
    assert load(tmp_path / "some" / "way" / "down").n_features == 9


def test_an_export_of_a_third_party_is_told_by_its_own_files(tmp_path, monkeypatch):
    from tegum import parts

    (tmp_path / "scratch_format.py").write_text(
        '"""Scratch: one file of text."""\n'
        "from tegum.learning.formats.native import Tegum as _Tegum\n\n"
        "class Scratch(_Tegum):\n"
        '    """A format of its own."""\n\n'
        "    name, wants = 'scratch', 'a file called scratch'\n\n"
        "    def recognises(self, path):\n"
        "        return path.name == 'scratch'\n"
    )
    info = tmp_path / "scratch-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scratch\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tegum.formats]\nscratch = scratch_format\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for remembered in (parts.discover, parts._walk):
        remembered.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"looked for .*a file called scratch"):
            load(tmp_path / "scratch_format.py")
        assert named("scratch").name == "scratch"
    finally:
        for remembered in (parts.discover, parts._walk):
            remembered.cache_clear()
