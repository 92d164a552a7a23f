"""What every toy model must do, over whatever is discovered: a new file is tested the day it appears."""

import dataclasses

import pytest
import torch
from part_examples import arguments

from tegum import parts, theory
from tegum.features.bernoulli import Bernoulli
from tegum.toys.losses.squared_error import SquaredError

SIZES = {"n_features": 6, "n_hidden": 3}
N, M, INSTANCES = SIZES["n_features"], SIZES["n_hidden"], 4
ROUNDING = 1e-12  # float64: a few thousand roundings of 1.1e-16 in numbers of order 1, and a hundredfold margin


def example(model, **changes):
    return model(**arguments(model, SIZES) | changes)


def built(model, instances=INSTANCES, seed=3):
    """A module whose biases are not zero either, so that no term of a pass is hidden."""
    module = example(model).build(instances, seed, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


def inputs(instances=INSTANCES, batch=7):
    return torch.rand(instances, batch, N, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def alone(module, model, i):
    one = example(model).empty(1).double()
    one.load_state_dict({name: value[i : i + 1] for name, value in module.state_dict().items()})
    return one


every = pytest.mark.parametrize("model", [pytest.param(m, id=n) for n, m in parts.discover("models").items()])


@every
def test_every_parameter_has_a_leading_axis_of_instances_and_so_has_the_output(model):
    module, x = built(model), inputs()
    assert isinstance(module, torch.nn.Module)
    assert [p.shape[0] for p in module.parameters()] == [INSTANCES] * len(list(module.parameters()))
    assert module(x).shape == x.shape
    assert module.directions.shape == (INSTANCES, N, M)
    assert module.bias.shape == (INSTANCES, N)


@every
def test_an_instance_answers_as_it_would_alone(model):
    module, x = built(model), inputs()
    together = module(x)
    for i in range(INSTANCES):
        torch.testing.assert_close(alone(module, model, i)(x[i]), together[i], rtol=0, atol=ROUNDING)


@every
def test_a_sample_is_answered_without_regard_to_the_others_of_its_batch(model):
    module, x = built(model), inputs()
    for row in range(x.shape[1]):
        torch.testing.assert_close(module(x[:, row : row + 1]), module(x)[:, row : row + 1], rtol=0, atol=ROUNDING)


@every
def test_an_instance_starts_as_it_would_alone_bit_by_bit(model):
    whole = example(model).build(5, seed=11)
    for i in range(5):
        one = example(model).build(1, seed=11, first_instance=i)
        assert all(a[i].equal(b[0]) for a, b in zip(whole.parameters(), one.parameters(), strict=True))
    other = example(model).build(5, seed=12)
    assert not other.directions.equal(whole.directions)
    assert not whole.directions[0].equal(whole.directions[1])


@every
@pytest.mark.parametrize("instances", [1, 50])
def test_weights_start_xavier_normal_for_one_instance_and_biases_at_zero(model, instances):
    module = example(model, n_features=60, n_hidden=40).build(instances, seed=2, dtype=torch.float64)
    for parameter in module.parameters():
        if parameter.ndim == 2:
            assert not parameter.any()
            continue
        rows, columns = parameter.shape[1:]
        wanted, n = (2 / (rows + columns)) ** 0.5, rows * columns
        each = parameter.detach().flatten(1)
        # 5 standard errors of a mean and of a standard deviation, at up to 100 instances and weights: a false alarm once in 10,000 runs
        assert ((each.std(1) - wanted).abs() <= 5 * wanted / (2 * n) ** 0.5).all()
        assert (each.mean(1).abs() <= 5 * wanted / n**0.5).all()


@every
def test_no_weights_of_a_network_repeat_each_other_or_those_of_its_neighbour(model):
    module = example(model, n_features=30, n_hidden=30).build(2, seed=5, dtype=torch.float64)
    drawn = torch.cat([p.detach().flatten(1) for p in module.parameters() if p.ndim == 3]).reshape(-1, 900)
    correlation = torch.corrcoef(drawn) - torch.eye(len(drawn))
    assert correlation.abs().max() < 5 / 900**0.5  # five standard errors of independent numbers, at most six pairs


@every
def test_every_parameter_of_every_instance_gets_a_gradient(model):
    module, x = built(model), 2 * inputs(batch=50) - 1  # of both signs: some sample opens each ReLU
    (module(x) - x).square().sum().backward()
    assert all(bool(p.grad.flatten(1).any(1).all()) for p in module.parameters())


@every
def test_the_gradient_is_that_of_finite_differences(model):
    module, x = built(model), inputs(batch=3)
    names, values = zip(*module.named_parameters(), strict=True)

    def output(*parameters):
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (x,))

    # central differences at 1e-6: truncation about 1e-12, rounding about 1e-16 / 1e-6 = 1e-10
    assert torch.autograd.gradcheck(output, values, eps=1e-6, atol=1e-8, rtol=1e-6)


@every
def test_a_module_of_one_instance_takes_batch_and_features_and_others_say_what_they_take(model):
    one, x = built(model, 1), inputs(1)
    assert one(x[0]).equal(one(x)[0])
    for module, wrong, words in (
        (built(model), x[0], rf"\(7, {N}\).*{INSTANCES} instances.*\({INSTANCES}, batch, {N}\)"),
        (built(model), x, rf"\(1, 7, {N}\).*{INSTANCES} instances"),
        (one, x[0, :, :-1], rf"\(7, {N - 1}\).*1 instances of {N} features.*or \(batch, {N}\)"),
        (one, x[0, 0], rf"\({N},\)"),
        (one, x[None], rf"\(1, 1, 7, {N}\)"),
    ):
        with pytest.raises(ValueError, match=words):
            module(wrong)


@every
def test_hooks_see_the_output_and_the_hidden_activations(model):
    module, x, seen = built(model, 1), inputs(1), {}
    module.register_forward_hook(lambda _, inputs, output: seen.update(output=output))
    module.hidden.register_forward_hook(lambda _, inputs, output: seen.update(hidden=output))
    output = module(x[0])
    assert seen["output"].equal(output)
    assert seen["hidden"].shape == (1, 7, M)
    module.hidden.register_forward_hook(lambda _, inputs, output: torch.zeros_like(output))
    silenced = module(x[0])
    assert (silenced - silenced[:1]).abs().max() == 0  # nothing but the hidden activations tells one sample from another
    assert not silenced.equal(output)


@every
def test_a_state_dict_loads_into_a_fresh_module(model):
    module, other, x = built(model), example(model).build(INSTANCES, seed=99, dtype=torch.float64), inputs()
    assert not other(x).equal(module(x))
    other.load_state_dict(module.state_dict())
    assert other(x).equal(module(x))


@pytest.mark.parametrize("model", [pytest.param(m, id=n) for n, m in parts.discover("models").items() if m.exact])
def test_a_closed_form_that_a_model_claims_is_its_loss(model):
    module, features = built(model), Bernoulli(n_features=N, density=0.3)
    importance = torch.linspace(0.5, 1.5, N, dtype=torch.float64)
    exact = theory.expected_loss(module.directions.detach(), module.bias.detach(), features, importance, model=model.exact)
    x = features.sample(40_000, seed=1, dtype=torch.float64).dense().expand(INSTANCES, -1, -1)
    each = SquaredError().per_sample(module(x).detach(), x, importance.expand(INSTANCES, N))
    # 5 standard errors, 4 instances: a false alarm once in 400,000 runs
    assert ((each.mean(1) - exact).abs() <= 5 * each.std(1) / each.shape[1] ** 0.5).all()


@every
def test_a_description_is_frozen_compares_by_its_fields_and_refuses_bad_sizes(model):
    assert example(model) == example(model)
    assert example(model) != example(model, n_hidden=M + 1)
    assert "n_hidden=3" in repr(example(model))
    with pytest.raises(dataclasses.FrozenInstanceError):
        example(model).n_hidden = 9
    for field in ("n_features", "n_hidden"):
        for wrong in (0, -2):
            with pytest.raises(ValueError, match=f"{field} is {wrong}; it must be an integer of at least 1"):
                example(model, **{field: wrong})
    with pytest.raises(ValueError, match="instances is 0"):
        example(model).build(0)


@every
def test_it_names_a_loss_that_exists(model):
    assert model.loss in parts.discover("losses")
