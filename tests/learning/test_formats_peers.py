"""Formats of autoencoders against the programs they are of: what theirs save, ours reads, and the other way round, with the same codes.

Numbers are compared in float64, so that two ways of adding up differ by no more than 1e-12 of what is added, and no code is that near its threshold.
"""

import json
import sys
import types
import warnings
from contextlib import contextmanager

import pytest
import torch
from autoencoder_examples import autoencoder, samples

from tegum.learning import export, load

SIZES = [(9, 4, 2), (6, 6, 3), (40, 8, 5)]  # of a square table both ways to lay it out would fit
CLOSE = {"rtol": 0, "atol": 1e-12}


@contextmanager
def stubs(**modules):
    """While in it, these modules hold these names and no more: what a peer imports at its top and needs for training alone."""
    for name, names in modules.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(names)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


@pytest.fixture(scope="module")
def sae_lens():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The 'utils' module has been deprecated", category=DeprecationWarning)
        import sae_lens
    return sae_lens


@pytest.fixture(scope="module")
def learning(sae_lens):  # which has imported all that would ask whether a stub is installed
    with stubs(nnsight={"LanguageModel": object}, zstandard={}):
        import dictionary_learning.utils
        from dictionary_learning import dictionary
        from dictionary_learning.trainers import batch_top_k, matryoshka_batch_top_k, top_k

    modules = dictionary, batch_top_k, matryoshka_batch_top_k, top_k
    classes = {name: value for module in modules for name, value in vars(module).items() if isinstance(value, type)}
    return types.SimpleNamespace(load=dictionary_learning.utils.load_dictionary, **classes)


@pytest.fixture(scope="module")
def sparsify(sae_lens):
    with stubs(natsort={"natsorted": sorted}, schedulefree={"ScheduleFreeWrapper": object}):
        import sparsify
    return sparsify


def filled(module, seed=0):
    """A module of theirs with random weights; what thresholds it has are positive."""
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            value.copy_(0.5 * torch.randn(value.shape, generator=draws, dtype=torch.float64))
            if name == "threshold":
                value.abs_()
    return module


def same(mine, codes, back, x):
    """Whether codes and reconstructions of x are those, and some codes are on and some off."""
    z = mine.encode(x)
    torch.testing.assert_close(z, codes, **CLOSE)
    torch.testing.assert_close(mine(x), back, **CLOSE)
    assert z.any()
    assert (z == 0).any()


LENS = {
    "standard": ("StandardSAE", "ReLUSAE", {}),
    "topk": ("TopKSAE", "TopKSAE", {"rescale_acts_by_decoder_norm": False}),
    "topk by lengths": ("TopKSAE", "TopKSAE", {"rescale_acts_by_decoder_norm": True}),
    "jumprelu": ("JumpReLUSAE", "JumpReLUSAE", {}),
    "gated": ("GatedSAE", "GatedSAE", {}),
    "matching_pursuit": ("MatchingPursuitSAE", "MatchingPursuitSAE", {"residual_threshold": 0.0, "stop_on_duplicate_support": False}),
}


@pytest.mark.parametrize("which", LENS)
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("n", "d", "k"), SIZES)
@torch.no_grad()
def test_what_sae_lens_saves_gives_the_same_codes(sae_lens, tmp_path, which, centred, n, d, k):
    name, ours, settings = LENS[which]
    settings = settings | {"TopKSAE": {"k": k}, "MatchingPursuitSAE": {"max_iterations": k}}.get(name, {})
    config = getattr(sae_lens, f"{name}Config")(d_in=d, d_sae=n, dtype="float64", apply_b_dec_to_input=centred, **settings)
    theirs = filled(getattr(sae_lens, name)(config))
    if which == "matching_pursuit":
        theirs.W_dec /= theirs.W_dec.norm(dim=1, keepdim=True)
    theirs.save_model(tmp_path / "sae")
    mine, x = load(tmp_path / "sae"), samples(d)
    assert type(mine.architecture).__name__ == ours
    same(mine, theirs.encode(x), theirs(x), x)


@pytest.mark.parametrize("which", ["relu", "topk", "batchtopk", "matryoshka", "jumprelu", "gated", "matching_pursuit"])
@pytest.mark.parametrize(("n", "d", "k"), SIZES)
@torch.no_grad()
def test_sae_lens_reads_our_export_and_gives_the_same_codes(sae_lens, tmp_path, which, n, d, k):
    mine, x = autoencoder(which, n, d, k), samples(d)
    export(mine, tmp_path / "sae", "saelens")
    theirs = sae_lens.SAE.load_from_disk(tmp_path / "sae")
    same(mine, theirs.encode(x), theirs(x), x)
    theirs.save_model(tmp_path / "again")
    again = load(tmp_path / "again").weights
    assert all(value.equal(mine.weights[name]) for name, value in again.items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_sae_lens_reads_every_dtype_of_ours_as_it_is(sae_lens, tmp_path, dtype):
    mine = autoencoder("jumprelu", dtype=dtype)
    export(mine, tmp_path / "sae", "saelens")
    theirs = sae_lens.SAE.load_from_disk(tmp_path / "sae")
    assert theirs.dtype == dtype
    assert theirs.W_enc.equal(mine.weights["encoder"].T)
    assert theirs.threshold.equal(mine.weights["threshold"])
    assert theirs.cfg.metadata.sae_lens_version == "6.0.0"


@pytest.mark.parametrize("which", ["BatchTopK", "MatryoshkaBatchTopK"])
@torch.no_grad()
def test_a_batch_topk_trained_by_sae_lens_gives_the_codes_of_its_own_inference(sae_lens, tmp_path, which):
    settings = {"matryoshka_widths": [3, 9]} if which == "MatryoshkaBatchTopK" else {}
    config = getattr(sae_lens, f"{which}TrainingSAEConfig")(d_in=4, d_sae=9, k=2, dtype="float64", **settings)
    training = filled(getattr(sae_lens, f"{which}TrainingSAE")(config))
    training.topk_threshold = torch.tensor(0.75, dtype=torch.float64)
    training.save_inference_model(tmp_path / "sae")
    theirs, mine, x = sae_lens.SAE.load_from_disk(tmp_path / "sae"), load(tmp_path / "sae"), samples(4)
    same(mine, theirs.encode(x), theirs(x), x)
    training.save_model(tmp_path / "training")
    with pytest.raises(ValueError, match="save_inference_model makes a jumprelu one of it"):
        load(tmp_path / "training")


@torch.no_grad()
def test_a_folder_of_sae_lens_before_6_means_the_same_to_both(sae_lens, tmp_path):
    mine, x = autoencoder("topk", 9, 4, 3), samples(4)
    export(mine, tmp_path / "sae", "saelens")
    old = {"d_in": 4, "d_sae": 9, "dtype": "torch.float64", "hook_point": "blocks.0.hook_resid_pre", "apply_b_dec_to_input": False}
    old |= {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 3}, "architecture": "standard"}
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(old))
    theirs = sae_lens.SAE.load_from_disk(tmp_path / "sae")
    same(load(tmp_path / "sae"), theirs.encode(x), theirs(x), x)


def saved(module, folder, name, k=None):
    """A folder as the training of dictionary_learning leaves it."""
    folder.mkdir()
    torch.save(module.state_dict(), folder / "ae.pt")
    n, d = module.dict_size, module.activation_dim
    trainer = {"dict_class": name, "activation_dim": d, "dict_size": n, "layer": 3, "lm_name": "gpt2"} | ({"k": k} if k else {})
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"d_submodule": d}}))


LEARNT = {
    "AutoEncoder": ("ReLUSAE", {}),
    "AutoEncoderNew": ("ReLUSAE", {}),
    "GatedAutoEncoder": ("GatedSAE", {}),
    "JumpReluAutoEncoder": ("JumpReLUSAE", {}),
    "AutoEncoderTopK": ("TopKSAE", {}),
    "BatchTopKSAE": ("BatchTopKSAE", {}),
    "MatryoshkaBatchTopKSAE": ("MatryoshkaSAE", {}),
}


@pytest.mark.parametrize("name", LEARNT)
@pytest.mark.parametrize(("n", "d", "k"), SIZES)
@pytest.mark.parametrize("threshold", [0.5, -1.0])
@torch.no_grad()
def test_what_dictionary_learning_saves_gives_the_same_codes(learning, tmp_path, name, n, d, k, threshold):
    made = {"k": k} if name in ("AutoEncoderTopK", "BatchTopKSAE", "MatryoshkaBatchTopKSAE") else {}
    groups = {"group_sizes": [1, 2, n - 3]} if name == "MatryoshkaBatchTopKSAE" else {}
    theirs = filled(getattr(learning, name)(d, n, **made, **groups)).double()
    if made:
        theirs.threshold.fill_(threshold)
    saved(theirs, tmp_path / "sae", name, k if made else None)
    mine, x = load(tmp_path / "sae"), samples(d)
    assert type(mine.architecture).__name__ == LEARNT[name][0]
    assert mine.dtype == torch.float64
    same(mine, theirs.encode(x), theirs(x), x)
    if groups:
        assert mine.architecture.ends == [1, 3, n]


@pytest.mark.parametrize("which", ["relu", "relu of any lengths", "topk", "batchtopk", "matryoshka", "jumprelu", "gated"])
@pytest.mark.parametrize(("n", "d", "k"), SIZES)
@torch.no_grad()
def test_dictionary_learning_reads_our_export_and_gives_the_same_codes(learning, tmp_path, which, n, d, k):
    """Its loader makes float32 of all; folded biases are rounded to that: 6e-8 of what is added, here less than 10."""
    made = autoencoder(which.split()[0], n, d, k, dtype=torch.float32, unit=which in ("relu", "topk", "gated"))
    export(made, tmp_path / "sae", "dictionary_learning")
    theirs, config = learning.load(str(tmp_path / "sae"), device="cpu")
    theirs, mine, x = theirs.double(), made.double(), samples(d)
    folded = config["trainer"]["dict_class"] in ("AutoEncoderNew", "JumpReluAutoEncoder")
    assert folded == (which in ("relu of any lengths", "jumprelu"))
    atol = 6e-8 * 10 * (1 if not which.startswith("relu of") else 4) if folded else 1e-12
    z = mine.encode(x)
    torch.testing.assert_close(theirs.encode(x), z, rtol=0, atol=atol)
    torch.testing.assert_close(theirs.decode(z), mine.decode(z), **CLOSE)
    assert z.any()
    assert (z == 0).any()


@pytest.mark.parametrize(("n", "d", "k"), SIZES)
@pytest.mark.parametrize("factor", [False, True])
@torch.no_grad()
def test_what_sparsify_saves_gives_the_same_codes(sparsify, tmp_path, n, d, k, factor):
    n = 3 * d if factor else n
    config = sparsify.SparseCoderConfig(k=k, num_latents=0 if factor else n, expansion_factor=3)
    theirs = filled(sparsify.SparseCoder(d, config, dtype=torch.float64))
    theirs.save_to_disk(tmp_path / "layers.3")
    mine, x = load(tmp_path / "layers.3"), samples(d)
    found = theirs.encode(x)
    codes = torch.zeros(len(x), n, dtype=torch.float64).scatter(1, found.top_indices, found.top_acts)
    same(mine, codes, theirs.decode(found.top_acts, found.top_indices), x)


@pytest.mark.parametrize(("n", "d", "k"), SIZES)
@torch.no_grad()
def test_sparsify_reads_our_export_and_gives_the_same_codes(sparsify, tmp_path, n, d, k):
    mine, x = autoencoder("topk", n, d, k), samples(d)
    export(mine, tmp_path / "layers.3", "sparsify")
    theirs = sparsify.SparseCoder.load_from_disk(tmp_path / "layers.3")
    found = theirs.encode(x)
    codes = torch.zeros(len(x), n, dtype=torch.float64).scatter(1, found.top_indices, found.top_acts)
    same(mine, codes, theirs.decode(found.top_acts, found.top_indices), x)


@torch.no_grad()
def test_sae_lens_own_converter_of_sparsify_turns_w_dec_and_ours_does_not(sae_lens, sparsify, tmp_path):
    from sae_lens.loading.pretrained_sae_loaders import sparsify_disk_loader

    theirs = filled(sparsify.SparseCoder(6, sparsify.SparseCoderConfig(k=2, num_latents=6), dtype=torch.float64))
    theirs.save_to_disk(tmp_path / "layers.3")
    config, converted = sparsify_disk_loader(tmp_path / "layers.3", cfg_overrides={"dtype": "float64"})
    assert converted["W_dec"].equal(theirs.W_dec.T)  # should be W_dec, whose rows are features in both programs
    assert config["apply_b_dec_to_input"] is False  # should be True, as sparsify subtracts it
    export(load(tmp_path / "layers.3"), tmp_path / "ours", "saelens")
    ours, x = sae_lens.SAE.load_from_disk(tmp_path / "ours"), samples(6)
    found = theirs.encode(x)
    torch.testing.assert_close(ours.W_dec, theirs.W_dec, rtol=0, atol=0)
    torch.testing.assert_close(ours(x), theirs.decode(found.top_acts, found.top_indices), **CLOSE)
