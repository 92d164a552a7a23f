"""Capture takes what a submodule gives or is given, row by row, and nothing else."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from tegum.activations import Activations, capture

IDS = torch.arange(1, 13).reshape(3, 4)
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])


class Block(nn.Module):
    """What gives a tuple, whose first entry is no tensor of numbers."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(5, 5)

    def forward(self, hidden, scale=1.0):
        return ("told", hidden.long(), torch.tanh(self.mix(hidden)) * scale)


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 5)
        self.block = Block()
        self.head = nn.Linear(5, 20)
        self.runs = 0

    def forward(self, input_ids, attention_mask=None):
        self.runs += 1
        return {"logits": self.head(self.block(hidden=self.embed(input_ids), scale=2.0)[-1])}


@pytest.fixture
def language():
    torch.manual_seed(0)
    return Language().train()


def expected(language, ids=IDS):
    return (torch.tanh(language.block.mix(language.embed(ids))) * 2).detach()


def test_rows_are_the_tokens_that_are_no_padding(language, tmp_path):
    acts = capture(language, "block", [{"input_ids": IDS, "attention_mask": MASK}], tmp_path / "acts")
    assert acts.read().equal(expected(language)[MASK.bool()])
    assert acts.tokens.equal(IDS[MASK.bool()])
    assert acts.documents.tolist() == [0, 0, 0, 0, 1, 1, 2]
    assert acts.positions.tolist() == [0, 1, 2, 3, 0, 1, 0]
    assert acts.sites == {"block": 5}
    assert language.training
    assert not language.block._forward_hooks


def test_an_input_given_by_keyword_and_a_mapping_as_output_are_taken(language):
    hidden = language.embed(IDS).detach()
    assert capture(language, "block", [{"input_ids": IDS}], where="input").read().equal(hidden.reshape(-1, 5))
    logits = capture(language, "", [{"input_ids": IDS}])
    assert logits.n_dims == 20


def test_several_sites_share_their_rows(language):
    acts = capture(language, ["embed", "block"], [IDS, IDS[:1]])
    assert acts.sites == {"embed": 5, "block": 5}
    assert len(acts) == 16
    assert acts.at("embed").read(torch.tensor([13])).equal(language.embed(IDS[0, 1:2]).detach())
    assert acts.tokens.equal(torch.cat([IDS.flatten(), IDS[0]]))
    assert acts.documents[-1] == 3
    with pytest.raises(ValueError, match=r"several sites, embed, block: pick one by \.at"):
        acts.read()


def test_the_model_runs_no_further_than_the_last_site():
    class Fails(nn.Module):
        def forward(self, x):
            raise AssertionError("reached")

    chain = nn.Sequential(nn.Linear(3, 2), Fails())
    assert len(capture(chain, "0", [torch.ones(4, 3)])) == 4


def test_what_is_kept_is_cast_and_features_may_lie_along_any_dim():
    conv = nn.Conv1d(2, 6, 1)
    x = torch.randn(3, 2, 7)
    acts = capture(conv, "", [x], dim=1, dtype=torch.bfloat16)
    assert acts.dtype == torch.bfloat16
    assert acts.read().equal(conv(x).detach().movedim(1, -1).reshape(-1, 6).bfloat16().float())


def test_a_mask_of_ones_own_and_documents_of_ones_own(language):
    acts = capture(language, "embed", [{"input_ids": IDS, "documents": torch.tensor([7, 7, 9])}], mask=lambda batch: batch["input_ids"] > 6)
    assert acts.tokens.tolist() == list(range(7, 13))
    assert acts.documents.tolist() == [7, 7, 9, 9, 9, 9]


def test_rows_that_are_not_finite_are_left_out_and_counted(tmp_path):
    x = torch.ones(5, 2)
    x[3, 1] = torch.nan
    with pytest.warns(UserWarning, match="1 rows were not finite, and are left out"):
        acts = capture(nn.Identity(), "", [x], tmp_path / "a")
    assert len(acts) == 4
    assert [shard.left_out for shard in acts.manifest.shards] == [1]
    with pytest.warns(UserWarning, match=r"2 rows do not fit into torch\.float16"):
        assert len(capture(nn.Identity(), "", [torch.tensor([[1.0], [7e4], [-1e5]])], dtype=torch.float16)) == 1


def test_shards_end_where_batches_end_and_read_as_one(language, tmp_path):
    batches = [torch.randint(0, 20, (3, 4), generator=torch.Generator().manual_seed(i)) for i in range(10)]
    acts = capture(language, "embed", batches, tmp_path / "acts", shard_bytes=12 * 5 * 4 * 2)
    assert len(list((tmp_path / "acts").glob("*.safetensors"))) > 3
    whole = language.embed(torch.cat(batches)).detach().reshape(-1, 5)
    assert acts.read().equal(whole)
    some = torch.tensor([119, 0, 60, 60, 7])
    assert acts.read(some).equal(whole[some])
    assert Activations.open(tmp_path / "acts").tokens.equal(torch.cat(batches).flatten())


def test_what_is_there_is_not_run_again_and_more_batches_go_on_behind(language, tmp_path):
    batches = [IDS, IDS + 1, IDS + 2, IDS + 3]
    capture(language, "embed", batches[:3], tmp_path / "acts", shard_bytes=1)
    language.runs = 0
    acts = capture(language, "embed", batches, tmp_path / "acts", shard_bytes=1)
    assert language.runs == 1
    assert acts.read().equal(language.embed(torch.cat(batches)).detach().reshape(-1, 5))
    assert acts.documents.tolist() == [i // 4 for i in range(48)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batches": [IDS + 1, IDS]}, "batches 0 to 0 are not those that"),
        ({"batches": [IDS[:1]]}, "are not those that"),
        ({"sites": "block"}, "sites were embed, are block"),
        ({"dtype": torch.float16}, "dtype was None, is torch.float16"),
        ({"where": "input"}, "where was output, is input"),
        ({"batches": []}, "of batches beyond the 0 given now"),
        ({"mask": lambda ids: ids > 3}, "masked was False, is True"),
    ],
)
def test_a_folder_of_another_capture_is_refused(language, tmp_path, change, said):
    capture(language, "embed", [IDS], tmp_path / "acts")
    asked = {"sites": "embed", "batches": [IDS]} | change
    with pytest.raises(ValueError, match=said):
        capture(language, asked.pop("sites"), asked.pop("batches"), tmp_path / "acts", **asked)


def test_a_model_that_changed_is_another_capture(language, tmp_path):
    capture(language, "embed", [IDS], tmp_path / "acts")
    with torch.no_grad():
        language.head.bias[0] += 1
    with pytest.raises(ValueError, match="parameters was"):
        capture(language, "embed", [IDS], tmp_path / "acts")


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.idle, self.wide = nn.Linear(2, 2), nn.Linear(2, 2), nn.Flatten()

    def forward(self, x):
        self.wide(x[None])
        return self.used(x).sum()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"sites": "usd"}, "Unused has no submodule 'usd'; did you mean 'used'"),
        ({"sites": []}, "no site is asked for"),
        ({"sites": ["used", "used"]}, "asked for twice"),
        ({"sites": "idle"}, "idle was not reached"),
        ({"sites": ["used", "wide"]}, r"used gives rows of shape \(3,\), wide of \(1,\)"),
        ({"sites": ""}, r"has shape \(\): it has no rows of features"),
        ({"sites": "used", "dim": 2}, "no rows of features along dim 2"),
        ({"sites": "used", "where": "both"}, "where is 'both'"),
        ({"sites": "used", "mask": lambda x: torch.ones(7)}, r"mask has shape \(7,\), but rows have \(3,\)"),
        ({"sites": "used", "shard_bytes": 0}, "shard_bytes is 0"),
    ],
)
def test_what_can_not_be_captured_is_refused_in_a_line(asked, said, tmp_path):
    asked = dict(asked)
    with pytest.raises(ValueError, match=said):
        capture(Unused(), asked.pop("sites"), [torch.ones(3, 2)], tmp_path / "acts", **asked)
    assert not list((tmp_path / "acts").glob("shard*"))


def test_named_layers_of_a_sequence_are_sites():
    net = nn.Sequential(OrderedDict(first=nn.Linear(2, 3), last=nn.Linear(3, 1)))
    assert capture(net, "first", [torch.ones(2, 2)]).sites == {"first": 3}


def test_what_several_sites_gave_is_what_each_gave_whatever_the_model_does_in_place_later():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 3))
    x = torch.randn(9, 4)
    both = capture(net, ["0", "2"], [x])
    assert both.at("0").read().equal(capture(net, "0", [x]).read())
    assert both.at("0").read().min() < 0


def scaled(x, scale=1.0):
    return {"x": x, "scale": scale}


class Scales(nn.Module):
    def forward(self, x, scale=1.0):
        return x * scale


X = torch.arange(1.0, 7).reshape(3, 2)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (scaled(X), scaled(X, 5.0)),
        ({"x": X}, {"x": X, "documents": [0, 0, 1]}),
        ({"x": X, "documents": [0, 1, 2]}, {"x": X, "documents": [0, 0, 1]}),
        (scaled(X, torch.tensor(2.0)), scaled(X, torch.tensor(3.0))),
    ],
)
def test_inputs_that_are_no_tensors_are_told_apart_too(tmp_path, first, then):
    capture(Scales(), "", [first], tmp_path / "acts")
    with pytest.raises(ValueError, match="are not those that"):
        capture(Scales(), "", [then], tmp_path / "acts")


def test_another_mask_and_another_layer_are_another_capture(tmp_path):
    capture(nn.LeakyReLU(0.1), "", [X], tmp_path / "a", mask=lambda x: x[:, 0] > 1)
    with pytest.raises(ValueError, match="are not those that"):
        capture(nn.LeakyReLU(0.1), "", [X], tmp_path / "a", mask=lambda x: x[:, 0] < 1)
    with pytest.raises(ValueError, match="layers was"):
        capture(nn.LeakyReLU(0.9), "", [X], tmp_path / "a", mask=lambda x: x[:, 0] > 1)


def test_what_cannot_be_known_again_is_refused_for_a_folder(tmp_path):
    with pytest.raises(ValueError, match="a batch holds a object, by which it would not be known again"):
        capture(Scales(), "", [scaled(X, object())], tmp_path / "acts")


def test_files_of_others_in_the_folder_are_left_alone(tmp_path):
    others = ["model.safetensors.index.json", "manifest.json.bak", "shard-1.safetensors.tmp"]
    for name in others:
        (tmp_path / name).write_text("mine")
    (tmp_path / "shard-0000000.safetensors.0123abcd").write_text("a killed writer's")
    capture(nn.Identity(), "", [X], tmp_path)
    assert all((tmp_path / name).read_text() == "mine" for name in others)
    assert not (tmp_path / "shard-0000000.safetensors.0123abcd").exists()


def test_samples_are_numbered_alike_after_a_resume(tmp_path):
    flat = nn.Sequential(nn.Flatten(0, 1), nn.Linear(2, 3))  # rows of its own: five a sample
    batches = [torch.randn(4, 5, 2, generator=torch.Generator().manual_seed(i)) for i in range(4)]
    whole = capture(flat, "1", batches)
    capture(flat, "1", batches[:2], tmp_path / "acts", shard_bytes=1)
    assert capture(flat, "1", batches, tmp_path / "acts", shard_bytes=1).documents.equal(whole.documents)


def test_modules_keep_the_mode_that_each_was_in():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()).train()
    net[0].eval()
    capture(net, "1", [X])
    assert (net.training, net[0].training, net[1].training) == (True, False, True)


def test_a_site_may_be_called_like_what_stands_beside_it(tmp_path):
    net = nn.Module()
    net.tokens = nn.Linear(2, 3)
    net.forward = lambda x: net.tokens(x) + 0
    acts = capture(net, "tokens", [X], tmp_path / "acts")
    assert acts.read().shape == (3, 3)
    assert acts.documents.tolist() == [0, 1, 2]


def test_a_model_that_catches_its_errors_does_not_catch_the_end_of_the_pass():
    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)

        def forward(self, x):
            try:
                return self.inner(x)
            except Exception as error:
                raise RuntimeError("caught") from error

    assert len(capture(Careful(), "inner", [X])) == 3


def test_an_input_behind_a_positional_argument_that_is_none_is_found():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Later()

        def forward(self, x):
            return self.block(None, hidden=x)

    class Later(nn.Module):
        def forward(self, cache, hidden):
            return hidden

    assert capture(Outer(), "block", [X], where="input").read().equal(X)


def test_dims_that_change_and_an_alias_and_no_batches():
    class Grows(nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(ValueError, match="has 3 dims in batch 1, but had 2 before"):
        capture(Grows(), "", [X, torch.ones(2, 3)])
    tied = nn.Module()
    tied.first = tied.second = nn.Linear(2, 2)
    tied.forward = lambda x: tied.second(x) + 0
    assert len(capture(tied, "second", [X])) == 3
    with pytest.raises(ValueError, match="there are no batches"):
        capture(Grows(), "", [])


def test_many_small_batches_take_time_in_proportion(monkeypatch):
    """Each batch is looked at once when it is taken, however many are pending."""
    from tegum.activations import _reader

    looks = []
    plain = _reader.Part.n_bytes.fget
    monkeypatch.setattr(_reader.Part, "n_bytes", property(lambda part: looks.append(1) or plain(part)))
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        capture(nn.Identity(), "", [torch.ones(1, 2)] * 300, place)
    assert len(looks) == 300
