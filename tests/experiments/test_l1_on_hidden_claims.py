"""C7: rows made from the closed form get the verdicts on record; for each claim there are networks that refute it."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tegum import geometry, theory
from tegum.experiments import Cell, Row, Rows
from tegum.experiments.toys._l1_claims import described, feature_a_neuron, uniform_variance, without_superposition
from tegum.experiments.toys.l1_on_hidden import L1OnHidden
from tegum.features.bernoulli import Bernoulli

C7 = L1OnHidden()
N, M = 6, 2
PENALTIES = (0.0, 0.1, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8)
DENSITY, DECAYS = (0.1, 0.03), (0.8, 1.0)
TURN = torch.tensor([[0.8, 0.6], [-0.6, 0.8]], dtype=torch.float64)
EQUAL_REMOVED, PAIRS_PAY, TWO_EACH = "equal importance: at every", "equal importance: up to 95%", "equal importance: from"
REMOVED, END, DEARER, LARGE = (
    "importance 0.8^i: at every",
    "more features than neurons are kept",
    "has a higher loss",
    "that is a large price",
)
MOST, CLOSED, COUNTS, NORMS = (
    "most of it is the price",
    "it is the network of the closed form",
    "largest difference of the counts",
    "have the norm",
)
ALIGNED, TURNED = "every kept feature lies on one neuron", "without a penalty they do not"


def by_threshold(importance, density, penalty):
    """The features above the closed form's threshold at its norms, the third and fourth opposite the first two; turned where there is no penalty."""
    mean, variance = density / 2, uniform_variance(density)
    norm = torch.from_numpy(theory.lone_feature(penalty, importance, mean, variance).norm)
    W = torch.zeros(N, M, dtype=torch.float64)
    for i in range(2 * M):
        W[i, i % M] = norm[i] if i < M else -norm[i]
    b = (1 - W.square().sum(1)) * mean
    return (W if penalty else W @ TURN), b


def row(decay, density, network=by_threshold):
    """What `run` makes of these networks, all measured exactly."""
    importance, features = decay ** np.arange(N), Bernoulli(n_features=N, density=density)
    W, b = (torch.stack(parts) for parts in zip(*(network(importance, density, penalty) for penalty in PENALTIES), strict=True))
    loss, hidden = theory.expected_loss(W, b, features, importance, "sum"), theory.hidden_l1(W, features)
    return Row(
        W=W, b=b, loss=loss, hidden_l1=hidden, objective=loss + torch.tensor(PENALTIES, dtype=torch.float64) * hidden,
        nothing=float(importance.sum() * uniform_variance(density)), features_per_dim=1 / geometry.dims_per_feature(W), **described(W),
    ).of(Cell(density=density, decay=decay))  # fmt: skip


def rows(falling=by_threshold, equal=by_threshold):
    params = C7.presets["quick"].model_copy(update={"penalty": PENALTIES, "density": DENSITY})
    return Rows(params, [row(decay, density, falling if decay < 1 else equal) for density in DENSITY for decay in DECAYS])


def off_record(found):
    return [claim.statement for claim in C7.claims(found) if not claim.as_recorded]


def only(found, *parts):
    """Whether the claims with these words in them are off the record, and no others."""
    told = off_record(found)
    assert len(told) == len(parts), told
    for part in parts:
        assert any(part in statement for statement in told), (part, told)


def changed(change, at=lambda penalty: True):
    """Networks by threshold with W changed at some penalties."""

    def network(importance, density, penalty):
        W, b = by_threshold(importance, density, penalty)
        return (change(W), b) if at(penalty) else (W, b)

    return network


def test_networks_by_the_threshold_of_the_closed_form_get_the_verdicts_on_record():
    found = rows()
    only(found)
    claims = list(C7.claims(found))
    assert len(claims) == 14
    assert [claim.statement for claim in claims if claim.verdict == "refuted"] == [
        c.statement for c in claims if EQUAL_REMOVED in c.statement
    ]
    captions = [figure.layout.meta["caption"] for figure in C7.figures(found)]
    assert len(set(captions)) == len(captions) == 6


def test_pairs_that_outlive_all_else_are_not_removed():
    def paired(importance, density, penalty):
        W, b = by_threshold(np.ones(N), density, penalty)
        return W, b

    told = off_record(rows(falling=paired))
    for part in (REMOVED, END, COUNTS):
        assert any(part in statement for statement in told), part


def test_equal_features_on_a_neuron_each_would_be_without_superposition_and_at_a_higher_objective():
    alone = changed(lambda W: torch.cat([W[:M], torch.zeros(N - M, M, dtype=torch.float64)]))
    only(rows(equal=alone), EQUAL_REMOVED, PAIRS_PAY, TWO_EACH)


def test_features_that_outnumber_neurons_for_a_third_too_long_are_not_of_the_threshold():
    def late(importance, density, penalty):
        return by_threshold(importance, density, 0.75 * penalty)

    told = off_record(rows(falling=late))
    assert sum(END in statement for statement in told) == len(DENSITY)


def test_a_price_that_is_paid_from_the_start_is_none():
    """Without a penalty the two most important features alone."""
    few = changed(lambda W: torch.cat([W[:M], torch.zeros(N - M, M, dtype=torch.float64)]), at=lambda penalty: penalty == 0)
    assert any(LARGE in statement for statement in off_record(rows(falling=few)))
    none = changed(torch.zeros_like, at=lambda penalty: penalty == 0)
    told = off_record(rows(falling=none))
    assert any(DEARER in statement for statement in told)


def test_features_shrunken_by_a_fifth_more_are_not_of_the_closed_form():
    shrunken = changed(lambda W: 0.8 * W, at=lambda penalty: penalty >= 0.45)
    told = off_record(rows(falling=shrunken))
    for part in (MOST, CLOSED, NORMS):
        assert any(part in statement for statement in told), (part, told)


def test_a_layer_turned_by_37_degrees_has_no_neurons_and_one_not_turned_has_them_all_along():
    told = off_record(rows(falling=changed(lambda W: W @ TURN, at=lambda penalty: penalty > 0)))
    assert any(ALIGNED in statement for statement in told)

    def straight(importance, density, penalty):
        return by_threshold(importance, density, penalty or 1e-9)

    only(rows(falling=straight, equal=straight), TURNED)


def test_features_two_of_which_are_dropped_too_many_are_counted():
    assert any(
        COUNTS in statement for statement in off_record(rows(falling=changed(lambda W: W * torch.tensor([1, 1, 0, 0, 0, 0])[:, None])))
    )


def test_networks_are_described_by_who_shares_and_where():
    opposed, turned = torch.zeros(N, M), torch.zeros(N, M)
    opposed[:3] = torch.tensor([[0.9, 0.0], [-0.9, 0.01], [0.0, 0.8]])
    turned[0], turned[1] = torch.tensor([0.7, 0.7]), torch.tensor([-0.6, 0.6])
    turned[2] = torch.tensor([0.3, 0.3])  # too short to be kept, or in the way
    found = described(torch.stack([opposed, turned, torch.zeros(N, M)]))
    assert found["kept"].tolist() == [3, 2, 0]
    assert found["sharing"].tolist() == [2, 0, 0]
    assert found["alignment"].tolist() == pytest.approx([1, 0.5, np.inf], abs=2e-4)
    assert found["loads"][0].tolist() == [2, 1]
    assert found["loads"][2].tolist() == [0, 0]


def test_the_first_network_without_superposition_keeps_features():
    def at(kept, sharing):
        return without_superposition(Row(kept=np.array(kept), sharing=np.array(sharing)))

    assert at([4, 4, 3, 2, 2, 0], [4, 4, 2, 0, 2, 0]) == 3
    assert at([4, 4, 0], [4, 4, 0]) is None
    assert at([4, 4], [4, 4]) is None
    assert at([2, 1], [0, 0]) == 0


def test_the_best_network_of_a_feature_a_neuron_is_the_exact_loss_of_its_weights():
    found = row(0.8, 0.03)
    law = feature_a_neuron(found, np.array(PENALTIES))
    alone = [k for k in range(len(PENALTIES)) if not found.sharing[k]]
    assert len(alone) >= 4
    assert np.asarray(found.loss)[alone] == pytest.approx(law.loss[alone], rel=1e-12)
    assert np.asarray(found.objective)[alone] == pytest.approx(law.objective[alone], rel=1e-12)


def test_as_many_neurons_as_features_are_refused_before_any_work():
    with pytest.raises(ValueError, match="3 features need not share 3 neurons"):
        C7.cells(C7.presets["quick"].model_copy(update={"n_features": 3, "n_hidden": 3}))
    with pytest.raises(ValidationError, match="n_features"):
        type(C7.presets["quick"])(n_features=11)


def test_trained_networks_are_measured_drawn_and_told_and_what_keeps_nothing_wins_where_all_lose():
    params = C7.presets["quick"].model_copy(
        update={
            "penalty": (0.4, 5.0),
            "density": (0.1,),
            "steps": 60,
            "batch_size": 64,
            "seeds": 2,
            "lr": 0.05,
            "n_features": 5,
            "n_hidden": 3,
        }
    )
    found = Rows(params, [C7.run(cell, params).of(cell) for cell in C7.cells(params)])
    assert [cell.decay for cell in C7.cells(params)] == [0.8, 1.0]
    for one in found:
        assert one.W.shape == (3, 5, 3)
        assert one.kept[-1] == 0
        assert one.loss[-1] == one.objective[-1] == pytest.approx(one.nothing)
        W, b = torch.as_tensor(one.W), torch.as_tensor(one.b)
        exact = theory.expected_loss(W, b, Bernoulli(n_features=5, density=0.1), one.decay ** np.arange(5), "sum")
        assert torch.as_tensor(one.loss).tolist() == pytest.approx(exact.tolist())
        assert (torch.as_tensor(one.objectives).amin(1)[:1] == torch.as_tensor(one.objective)[:1]).all()
    statements = [claim.statement for claim in C7.claims(found)]
    assert len(set(statements)) == len(statements) >= 6
    captions = [figure.layout.meta["caption"] for figure in C7.figures(found)]
    assert len(set(captions)) == len(captions) == 6
