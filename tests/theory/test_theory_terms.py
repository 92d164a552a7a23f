"""What the loss is made of, against integrals and the exact loss."""

import pytest
import torch
from scipy import integrate

from tegum.features.bernoulli import Bernoulli
from tegum.features.one_hot import OneHot
from tegum.theory import expected_loss, linear_loss_terms, one_active_loss, zero_active_loss

IMPORTANCE = (1.0, 0.7, 0.5, 0.3)


def model(seed=0):
    generator = torch.Generator().manual_seed(seed)
    W = torch.randn(4, 2, dtype=torch.float64, generator=generator)
    return W, 0.3 * torch.randn(4, dtype=torch.float64, generator=generator)


def test_the_one_active_loss_equals_the_integrals_of_seed_001():
    W, b = model()
    terms = one_active_loss(W, b, IMPORTANCE)
    gains, bias = (W @ W.T).tolist(), b.tolist()
    for i in range(4):

        def area(function, gain, offset):
            kink = [k] if gain and 0 < (k := -offset / gain) < 1 else None
            return integrate.quad(function, 0, 1, points=kink, epsabs=1e-13)[0]

        own = IMPORTANCE[i] * area(lambda x, i=i: (x - max(gains[i][i] * x + bias[i], 0)) ** 2, gains[i][i], bias[i])
        others = sum(
            IMPORTANCE[j] * area(lambda x, i=i, j=j: max(gains[j][i] * x + bias[j], 0) ** 2, gains[j][i], bias[j])
            for j in range(4)
            if j != i
        )
        assert terms.benefit[i].item() == pytest.approx(own, abs=1e-12)
        assert terms.interference[i].item() == pytest.approx(others, abs=1e-12)


@pytest.mark.parametrize("values", ["uniform", "binary", "signed", "gaussian"])
def test_one_hot_features_cost_the_one_active_loss_over_n(values):
    W, b = model(1)
    exact = expected_loss(W, b, OneHot(n_features=4, values=values), IMPORTANCE, reduction="sum")
    assert one_active_loss(W, b, IMPORTANCE, values).total.item() / 4 == pytest.approx(exact.item(), rel=1e-13)


def test_sparse_features_cost_the_zero_and_one_active_losses_to_first_order():
    W, b = model(2)
    p = 1e-4
    exact = expected_loss(W, b, Bernoulli(n_features=4, density=p), IMPORTANCE, reduction="sum").item()
    first_order = (1 - p) ** 4 * zero_active_loss(b, IMPORTANCE) + p * (1 - p) ** 3 * one_active_loss(W, b, IMPORTANCE).total
    both_on = max(expected_loss(W, b, Bernoulli(n_features=4, density=1.0, values="binary"), reduction="sum").item(), 10.0)
    assert exact == pytest.approx(first_order.item(), abs=6 * p**2 * both_on)  # 6 pairs, none costing more than that


def test_the_linear_terms_are_the_linear_loss_exactly_where_their_docstring_says():
    W, _ = model(3)
    terms = linear_loss_terms(W, IMPORTANCE).total.item()
    for values in ("signed", "gaussian"):
        features = Bernoulli(n_features=4, density=0.3, values=values)
        assert expected_loss(W, None, features, IMPORTANCE, "sum", "linear").item() == pytest.approx(0.3 * terms, rel=1e-13)
    features, missing = Bernoulli(n_features=4, density=0.3), (torch.eye(4) - W @ W.T) @ torch.full((4,), 0.15, dtype=torch.float64)
    variance = 0.3 / 3 - 0.3**2 / 4
    assert expected_loss(W, missing, features, IMPORTANCE, "sum", "linear").item() == pytest.approx(variance * terms, rel=1e-13)
    on_top = (torch.tensor(IMPORTANCE, dtype=torch.float64) * missing.square()).sum().item()
    assert expected_loss(W, None, features, IMPORTANCE, "sum", "linear").item() == pytest.approx(variance * terms + on_top, rel=1e-13)
    assert on_top > 0.01 * variance * terms


def test_terms_split_by_the_active_feature():
    W = torch.tensor([[1.0], [-1.0], [0.5]])
    terms = linear_loss_terms(W, [1.0, 2.0, 4.0])
    assert terms.benefit.tolist() == [0.0, 0.0, 4 * 0.75**2]
    assert terms.interference.tolist() == [2 + 4 * 0.25, 1 + 4 * 0.25, 0.25 + 2 * 0.25]
    rectified = one_active_loss(W, None, [1.0, 2.0, 4.0], "binary")
    assert rectified.interference.tolist() == [4 * 0.25, 0.0, 0.25]  # negative interference is free
