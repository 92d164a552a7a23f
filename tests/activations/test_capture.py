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
    acts = capture(nn.Identity(), "", [x], tmp_path / "a")
    assert len(acts) == 4
    assert '"left_out": 1' in (tmp_path / "a" / "manifest.json").read_text()


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
