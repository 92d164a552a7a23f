"""What every autoencoder must do, over whatever is discovered: codes of one sample depend on no other, gradients are those of its loss."""

import pytest
import torch
from part_examples import arguments

from tegum import parts
from tegum.learning._listed_stepping import ListStepper
from tegum.learning._stepping import TorchStepper
from tegum.learning.autoencoders._base import Moment
from tegum.learning.autoencoders._k_sparse import KSparse
from tegum.learning.sparse_autoencoder import SparseAutoencoder, read_saved

M, D, B, K = 24, 10, 16, 3
PARTS = parts.discover("autoencoders")


def made(part, **sizes):
    return part(**arguments(part, {"n_features": M, "n_active": K} | sizes))


every = pytest.mark.parametrize("one", [pytest.param(made(part), id=name) for name, part in PARTS.items()])
k_sparse = pytest.mark.parametrize("one", [pytest.param(made(part), id=name) for name, part in PARTS.items() if issubclass(part, KSparse)])


def drawn(one, dtype=torch.float64, d=D, seed=0):
    """Weights as training begins with them, all moved a little, so that nothing is 0 or alike by chance."""
    draw = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(one.n_features, d, generator=draw, dtype=dtype), dim=1)
    weights = one.begin(directions, torch.randn(d, generator=draw, dtype=dtype) / 10)
    if "threshold" in weights:
        weights["threshold"] = torch.full_like(weights["threshold"], 0.3)
    moved = {name: value + torch.randn(value.shape, generator=draw, dtype=dtype) / 20 for name, value in weights.items()}
    moved["decoder"] = torch.nn.functional.normalize(moved["decoder"], dim=1)
    return moved, torch.randn(B, d, generator=draw, dtype=dtype)


@every
def test_codes_of_a_sample_do_not_depend_on_its_company(one):
    weights, x = drawn(one)
    together = one.encode(weights, x)
    alone = torch.cat([one.encode(weights, row[None]) for row in x])
    assert together.shape == (B, M)
    assert (together >= 0).all()
    assert (together > 0).any()
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


@every
def test_gradients_of_what_makes_codes_are_those_of_the_loss(one):
    """Central differences of 1e-6 in float64: errors of some 1e-9 from rounding. Thresholds have estimates for gradients."""
    weights, x = drawn(one)
    name, now = "encoder" if "encoder" in weights else "decoder", Moment(0.5)
    leaf = weights[name].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(one.loss(weights | {name: leaf}, x, now).total, leaf)
    draw = torch.Generator().manual_seed(7)
    for _ in range(5):
        way = torch.randn(leaf.shape, generator=draw, dtype=torch.float64)
        up, down = (float(one.loss(weights | {name: weights[name] + t * way}, x, now).total) for t in (1e-6, -1e-6))
        assert float((gradient * way).sum()) == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-6)


@every
def test_the_terms_of_a_loss_add_up_and_penalties_follow_the_ramp(one):
    weights, x = drawn(one)
    whole, none = one.loss(weights, x, Moment(1.0)), one.loss(weights, x, Moment(0.0))
    torch.testing.assert_close(whole.total, sum(whole.terms.values()))
    assert whole.terms["error"] == none.terms["error"]
    assert float(none.terms.get("sparsity", torch.tensor(0.0))) == 0


@every
@pytest.mark.parametrize("factor", [0.01, 3.0])
def test_scaled_weights_give_scaled_codes_of_scaled_activations(one, factor):
    weights, x = drawn(one)
    scaled = one.scaled(weights, factor)
    z, larger = one.encode(weights, x), one.encode(scaled, factor * x)
    torch.testing.assert_close(larger, factor * z, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(one.decode(scaled, larger), factor * one.decode(weights, z), rtol=1e-9, atol=1e-12)
    assert scaled["decoder"] is weights["decoder"]


@every
def test_silent_features_alone_are_brought_back(one):
    """With all others at the same error, a silent feature has a gradient from revival, and another one none."""
    weights, x = drawn(one)
    silent = torch.arange(M) == 5
    leaf = weights["decoder"].clone().requires_grad_()
    term = one.loss(weights | {"decoder": leaf}, x, Moment(1.0, silent)).terms["revival"]
    (gradient,) = torch.autograd.grad(term, leaf)
    assert gradient[5].abs().max() > 0
    assert "revival" not in one.loss(weights, x, Moment(1.0, torch.zeros(M, dtype=torch.bool))).terms


@every
def test_training_lowers_the_loss_and_keeps_directions_at_length_1(one):
    weights, x = drawn(one, torch.float32)
    stepper = TorchStepper(one, weights)
    first = sum(stepper.step(x, 0.01, Moment()).terms.values())
    for _ in range(60):
        took = stepper.step(x, 0.01, Moment())
    assert sum(took.terms.values()) < 0.8 * first
    torch.testing.assert_close(stepper.weights["decoder"].norm(dim=1), torch.ones(M), rtol=0, atol=1e-6)


@every
def test_a_saved_autoencoder_is_read_back_bit_for_bit(one, tmp_path):
    weights, x = drawn(one, torch.float32)
    sae = SparseAutoencoder(one, weights, {"history": [{"loss": 1.5}]})
    sae.save(tmp_path / "one.safetensors")
    again = read_saved(tmp_path / "one.safetensors")
    assert (again.architecture, again.notes) == (one, sae.notes)
    assert again.encode(x).equal(sae.encode(x))


@pytest.mark.parametrize("part", [pytest.param(part, id=name) for name, part in PARTS.items()])
def test_no_features_are_refused(part):
    with pytest.raises(ValueError, match="n_features"):
        made(part, n_features=0)


@k_sparse
@pytest.mark.parametrize(
    ("features", "dims", "batch", "frozen"), [(24, 10, 16, []), (600, 70, 33, []), (130, 256, 65, []), (130, 256, 65, ["decoder"])]
)
def test_the_step_from_lists_is_the_step_of_torch(one, features, dims, batch, frozen):
    """Both in float32. An Adam step turns a gradient of any size into one of up to lr, so rounding may count: .1 lr."""
    one = made(type(one), n_features=features, n_active=5)
    weights, _ = drawn(one, torch.float32, dims, seed=3)
    draw = torch.Generator().manual_seed(1)
    by_torch, by_lists = TorchStepper(one, weights, frozen), ListStepper(one, weights, frozen)
    for step in range(6):
        x = torch.randn(batch, dims, generator=draw)
        now = Moment(1.0, None if step < 2 else torch.rand(features, generator=draw) < (0.1 if step < 4 else 0.6))
        a, b = by_torch.step(x, 1e-3, now), by_lists.step(x, 1e-3, now)
        assert a.terms == pytest.approx(b.terms, rel=1e-4)
        assert a.l0 == pytest.approx(b.l0)
        assert a.on.equal(b.on)
        for name, value in by_torch.weights.items():
            torch.testing.assert_close(by_lists.weights[name], value, rtol=0, atol=1e-4, msg=lambda m, name=name: f"{name}: {m}")
    assert by_lists.weights["decoder"].equal(weights["decoder"]) == bool(frozen)
