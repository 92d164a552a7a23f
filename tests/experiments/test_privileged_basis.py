"""C5: turning parts of a small BERT, and claims that can fail."""

import numpy as np
import pytest
import torch

from tegum.experiments import Cell, Row, Rows
from tegum.experiments.real_models import _turned_minilm as turning
from tegum.experiments.real_models.privileged_basis import EMBEDDING, PrivilegedBasis, _toy, _undone

transformers = pytest.importorskip("transformers")


def small_bert():
    """Two blocks of 24 dims with gains and biases that are not those it begins with."""
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, max_position_embeddings=16
    )
    torch.manual_seed(0)
    model = transformers.BertModel(config).double().eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "LayerNorm" in name or "bias" in name:
                value.add_(0.5 * torch.randn_like(value))
            elif "dense" in name or "self" in name:
                value.mul_(10)  # beyond where GELU is nearly linear
    return model


@torch.no_grad()
def change(model, kind):
    inputs = {"input_ids": torch.arange(30).reshape(3, 10), "attention_mask": torch.ones(3, 10, dtype=torch.int64)}
    before = model(**inputs).last_hidden_state
    twin, Q = turning.turned(model, kind, seed=1)
    after = twin(**inputs).last_hidden_state
    after = after if Q is None else after @ Q
    return float((after - before).norm() / before.norm())


@pytest.mark.parametrize("kind", turning.UNCHANGED)
def test_what_is_free_can_be_turned_unnoticed(kind):
    assert change(small_bert(), kind) < 1e-12  # float64, sums of 40 terms through two blocks


@pytest.mark.parametrize("kind", turning.CHANGED)
def test_neurons_and_a_stream_with_gains_cannot(kind):
    assert change(small_bert(), kind) > 0.1


def test_without_gelu_neurons_could_be_turned():
    model = small_bert()
    for layer in model.encoder.layer:
        layer.intermediate.intermediate_act_fn = torch.nn.Identity()
    assert change(model, turning.NEURONS) < 1e-12


def test_gains_of_one_size_leave_the_stream_free():
    model = small_bert()
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "LayerNorm.weight" in name:
                value.fill_(1.3)
            elif "LayerNorm.bias" in name:
                value.fill_(0.2)
    assert change(model, turning.STREAM) < 1e-12


def test_a_matrix_that_keeps_ones_is_orthogonal_and_turns_the_rest():
    Q = turning.keeping_ones(9, 3)
    torch.testing.assert_close(Q @ Q.T, torch.eye(9, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(Q @ torch.ones(9, dtype=torch.float64), torch.ones(9, dtype=torch.float64), atol=1e-12, rtol=0)
    assert float((Q - torch.eye(9)).abs().max()) > 0.3


def test_undoing_a_gain_gives_what_was_normed():
    norm = torch.nn.LayerNorm(6)
    with torch.no_grad():
        norm.weight.copy_(torch.rand(6) + 0.5)
        norm.bias.copy_(torch.rand(6))
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(_undone(norm(x), norm).detach(), torch.nn.functional.layer_norm(x, (6,)), atol=1e-5, rtol=0)


def rows(*, free=1e-15, bound=1.0, stream_p=0.5, neurons=3.0, undone=0.1, stream=0.05) -> Rows:
    params = PrivilegedBasis.Params(blocks=(0, 3), rotations=39)
    sites = [EMBEDDING, "block 1", "block 4", "block 1, gain undone", "block 4, gain undone", "MLP 1", "MLP 4"]
    excess = {"rows": [4, 4, 4, 4 * undone, 4 * undone, 5, 5], "coordinates": [stream] * 5 + [neurons] * 2}
    fields = {}
    for way, values in excess.items():
        fields |= {f"{way}_observed": 3 * (1 + np.array(values)), f"{way}_p": np.full(7, stream_p)}
        fields |= {f"{way}_mean": np.full(7, 3.0), f"{way}_least": np.full(7, 2.9), f"{way}_most": np.full(7, 3.1)}
    kinds = [*turning.UNCHANGED, *turning.CHANGED]
    changes = np.array([free] * 4 + [bound] * 2)
    return Rows(
        params,
        [
            Row(sites=sites, n_rows=100, **fields).of(Cell(part="kurtosis")),
            Row(kinds=kinds, changes=changes, n_tokens=10).of(Cell(part="rotations")),
            _toy(params).of(Cell(part="toy")),
        ],
    )


def verdicts(**changes) -> dict[str, str]:
    return {claim.statement: claim.verdict for claim in PrivilegedBasis().claims(rows(**changes))}


def of(found: dict[str, str], words: str) -> set[str]:
    return {verdict for statement, verdict in found.items() if words in statement}


def test_every_claim_can_hold_and_each_can_be_refuted():
    assert set(verdicts().values()) == {"holds"}
    assert of(verdicts(free=1e-6), "leave the output as it is") == {"refuted"}
    assert of(verdicts(bound=0.01), "the output is another") == {"refuted"}
    assert of(verdicts(stream_p=0.05), "distributed as their mixtures") == {"refuted"}
    assert of(verdicts(stream_p=0.1), "distributed as their mixtures") == {"holds"}
    assert of(verdicts(neurons=-0.2), "unlike their mixtures") == {"refuted"}
    assert of(verdicts(neurons=0.01), "unlike their mixtures") == {"undecided"}
    assert of(verdicts(neurons=0.2), "by far more") == {"refuted"}
    for stream in (0.0, -1e-6, -0.05):  # none, or less than rotations have, makes no small difference a large ratio
        assert of(verdicts(neurons=0.04, stream=stream), "by far more") == {"refuted"}
    assert of(verdicts(stream=-0.05), "by far more") == {"holds"}
    assert of(verdicts(stream=-0.9), "by far more") == {"refuted"}
    assert of(verdicts(undone=0.9), "LayerNorm's gain") == {"refuted"}


def test_its_figures_come_from_saved_rows():
    drawn = list(PrivilegedBasis().figures(rows()))
    assert len(drawn) == 3
    assert all(figure.layout.meta["caption"] for figure in drawn)
