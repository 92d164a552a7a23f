"""Loss recovered is that of a splice by hand: 1 for a perfect autoencoder, 0 for one that gives nothing, and the model is left as it was."""

import math
from collections import OrderedDict

import pytest
import torch
from torch import nn

from tegum.activations import capture, digits_network
from tegum.decoders import OMP
from tegum.dictionaries import Dense
from tegum.learning import LearntDictionary, TopKSAE, fit, loss_recovered

cross_entropy = nn.functional.cross_entropy


class Zero:
    """Gives nothing, at the width it says."""

    def __init__(self, n_dims=64):
        self.n_dims = n_dims

    def __call__(self, rows):
        return torch.zeros_like(rows)


@pytest.fixture(scope="module")
def digits():
    return digits_network(epochs=10)


@pytest.fixture(scope="module")
def batches(digits):
    return list(zip(digits.images.split(200), digits.labels.split(200), strict=True))


def images(batch):
    return batch[0]


def losses(out, batch):
    return cross_entropy(out, batch[1], reduction="none")


def test_an_identity_recovers_all_and_a_zero_nothing(digits, batches):
    perfect = loss_recovered(digits.network, "active", lambda rows: rows, batches, losses, inputs=images)
    assert perfect.recovered == 1
    assert perfect.clean == perfect.spliced < perfect.ablated
    assert perfect.samples == len(digits.images)
    assert perfect.interval() == (1, 1)
    nothing = loss_recovered(digits.network, "active", Zero(), batches, losses, inputs=images)
    assert nothing.recovered == 0
    assert nothing.ablated == perfect.ablated


def test_it_is_what_a_splice_by_hand_gives(digits, batches):
    acts = capture(digits.network, "active", [image for image, _ in batches])
    sae = fit(TopKSAE(n_features=128, n_active=8), acts, samples=20_000, batch_size=256, progress=False)
    learnt = LearntDictionary(sae.dictionary, torch.zeros(64), OMP(n_active=8))
    hidden, readout = acts.read(), digits.network.readout
    clean = float(cross_entropy(readout(hidden), digits.labels).detach())
    for what in (sae, learnt):
        spliced = float(cross_entropy(readout(what(hidden)), digits.labels).detach())
        for ablation, other in (("zero", torch.zeros(64)), ("mean", hidden.mean(0))):
            ablated = float(cross_entropy(readout(other.expand_as(hidden)), digits.labels).detach())
            found = loss_recovered(digits.network, "active", what, batches, losses, inputs=images, ablation=ablation)
            assert (found.clean, found.spliced, found.ablated) == pytest.approx((clean, spliced, ablated), abs=1e-5)
            assert found.recovered == pytest.approx((ablated - spliced) / (ablated - clean), abs=1e-5)
            low, high = found.interval()
            assert low < found.recovered < high
            assert high - low < 0.2


def test_a_mean_of_losses_weighs_as_its_batch_has_samples_and_inputs_of_a_site_are_replaced_too(digits, batches):
    def mean(out, batch):
        return cross_entropy(out, batch[1])

    every = loss_recovered(digits.network, "active", Zero(), batches, losses, inputs=images)
    means = loss_recovered(digits.network, "readout", Zero(), batches, mean, inputs=images, where="input")
    assert (means.clean, means.ablated) == pytest.approx((every.clean, every.ablated))
    assert means.samples == every.samples


class Language(nn.Module):
    """A block that gives a tuple, called twice a pass; dropout that evaluation turns off."""

    def __init__(self):
        super().__init__()
        self.embed, self.mix, self.drop, self.head = nn.Embedding(20, 6), Mix(), nn.Dropout(0.5), nn.Linear(6, 20)

    def forward(self, input_ids, attention_mask=None):
        first = self.mix(hidden=self.embed(input_ids))[1]["hidden"]
        return {"logits": self.head(self.drop(first)), "again": self.mix(hidden=first)[1]["hidden"], "first": first}


class Mix(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, hidden):
        return hidden.long(), OrderedDict(count=3, hidden=torch.tanh(self.linear(hidden)))


@pytest.fixture
def language():
    torch.manual_seed(0)
    return Language().train()


def test_a_tensor_within_tuples_is_replaced_once_a_pass_and_padding_is_left(language):
    ids = torch.arange(1, 13).reshape(3, 4)
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": mask, "documents": torch.arange(3)}
    seen = []

    def loss(out, given):
        seen.append(out)
        return out["logits"].square().mean()

    whole = loss_recovered(language, "mix", Zero(6), [batch], loss)
    clean, spliced, _ = seen
    assert not spliced["first"][mask.bool()].any()
    assert spliced["first"][~mask.bool()].equal(clean["first"][~mask.bool()])
    assert spliced["again"].any(-1).all()  # the second call is left alone
    assert whole.clean == pytest.approx(float(language.eval()(ids)["logits"].detach().square().mean()))
    assert math.isnan(whole.interval()[0])
    seen.clear()
    loss_recovered(language, "mix.linear", Zero(6), [ids], loss, where="input", mask=lambda batch: batch > 6)
    assert seen[1]["first"][ids > 6].allclose(torch.tanh(language.mix.linear.bias).detach())
    assert seen[1]["first"][ids <= 6].equal(seen[0]["first"][ids <= 6])


def test_the_model_is_left_as_it_was_even_after_an_error(language):
    ids = torch.arange(1, 13).reshape(3, 4)
    language.mix.eval()

    def fails(rows):
        raise RuntimeError("no")

    for where in ("output", "input"):
        with pytest.raises(RuntimeError, match="no"):
            loss_recovered(language, "mix.linear", fails, [ids], lambda out, _: out["logits"].mean(), where=where)
        assert not language.mix.linear._forward_hooks
        assert not language.mix.linear._forward_pre_hooks
    assert language.training
    assert language.drop.training
    assert not language.mix.training


def test_no_gradient_is_kept(digits, batches):
    seen = []

    def loss(out, batch):
        seen.append(out.requires_grad)
        return losses(out, batch)

    loss_recovered(digits.network, "active", Zero(), batches[:1], loss, inputs=images)
    assert seen == [False] * 3


def test_an_ablation_that_costs_nothing_gives_no_share(digits):
    told = loss_recovered(digits.network, "active", Zero(), [digits.images[:9]], lambda out, _: torch.ones(len(out)))
    assert math.isnan(told.recovered)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sae": Zero(32)}, "active has 64 dims but the autoencoder has 32"),
        ({"sae": lambda rows: rows[:, :5]}, r"reconstruction has shape \(200, 5\), the rows of active \(200, 64\)"),
        ({"site": "activ"}, "no submodule 'activ'; did you mean 'active'"),
        ({"where": "both"}, "where is 'both'"),
        ({"ablation": "noise"}, "ablation is 'noise'; it must be one of zero, mean"),
        ({"batches": []}, "there are no batches"),
        ({"mask": lambda batch: torch.ones(3)}, r"the mask has shape \(3,\), but rows have \(200,\)"),
        ({"dim": 2}, "no rows of features along dim 2"),
    ],
)
def test_bad_input_is_one_clear_error(digits, batches, change, said):
    given = {"site": "active", "sae": Zero(), "batches": batches[:1], "loss": losses, "inputs": images} | change
    with pytest.raises(ValueError, match=said):
        loss_recovered(digits.network, **given)
    assert not digits.network.active._forward_hooks


def test_a_site_that_is_not_reached_is_named():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.idle = nn.Linear(6, 6)

        def forward(self, x):
            return x

    with pytest.raises(ValueError, match="idle was not reached"):
        loss_recovered(Idle(), "idle", Zero(6), [torch.ones(2, 6)], lambda out, _: out.mean())


def test_an_autoencoder_reads_rows_of_its_own_dtype(digits, batches):
    learnt = LearntDictionary(Dense(torch.eye(64, dtype=torch.float64)), torch.zeros(64, dtype=torch.float64), OMP(n_active=64))
    told = loss_recovered(digits.network, "active", learnt, batches[:1], losses, inputs=images)
    assert told.recovered == pytest.approx(1, abs=1e-6)
