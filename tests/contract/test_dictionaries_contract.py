"""What every dictionary construction must do, over whatever is discovered."""

import inspect

import pytest
import torch
from part_examples import arguments

from tegum import parts
from tegum.dictionaries import Dictionary
from tegum.features.exactly_k import ExactlyK

SIZES = {"n_features": 60, "n_dims": 24, "seed": 3, "directions": torch.linspace(-1, 1, 60 * 24, dtype=torch.float64).sin().reshape(60, 24)}


def example(construct):
    names = inspect.signature(construct).parameters
    given = arguments(construct, SIZES) | {name: SIZES[name] for name in names if name in SIZES}
    return construct(**given, **({"dtype": torch.float64} if "dtype" in names else {}))


every = pytest.mark.parametrize("construct", [pytest.param(c, id=n) for n, c in parts.discover("dictionaries").items()])


@every
def test_it_is_called_otherwise_than_its_file(construct):
    """It would be found all the same, but a type checker takes `from tegum.dictionaries import name` for the file."""
    assert construct.__name__ != construct.__module__.rpartition(".")[2]


@every
def test_it_is_the_linear_operator_of_its_directions(construct):
    D = example(construct)
    assert isinstance(D, Dictionary)
    table = D.directions(torch.arange(D.n_features))
    assert table.shape == (D.n_features, D.n_dims)
    z = ExactlyK(n_features=D.n_features, n_active=5, values="gaussian").sample(17, dtype=D.dtype)
    x = D.encode(z)
    torch.testing.assert_close(x, z.dense() @ table)
    torch.testing.assert_close(D.correlate(x), x @ table.T)
    torch.testing.assert_close(D.squared_norms(), table.square().sum(1))
    torch.testing.assert_close(D.dense(), table)


@every
def test_encode_and_correlate_are_adjoint(construct):
    D = example(construct)
    z = ExactlyK(n_features=D.n_features, n_active=7, values="gaussian").sample(9, dtype=D.dtype)
    y = torch.linspace(-1, 2, 9 * D.n_dims, dtype=D.dtype).cos().reshape(9, D.n_dims)
    torch.testing.assert_close((D.encode(z) * y).sum(), (z.dense() * D.correlate(y)).sum())


@every
def test_no_active_feature_gives_the_zero_vector(construct):
    D = example(construct)
    z = ExactlyK(n_features=D.n_features, n_active=1).sample(2, dtype=D.dtype)
    nothing = type(z)(torch.full_like(z.indices, -1), torch.zeros_like(z.values), z.n_features)
    assert D.encode(nothing).eq(0).all()
