"""What every dictionary construction must do, over whatever is discovered."""

import inspect

import pytest
import torch
from part_examples import arguments

from tegum import parts
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.features.exactly_k import ExactlyK

SIZES = {
    "n_features": 60,
    "n_dims": 24,
    "seed": 3,
    "steps": 24,
    "starts": 1,
    "directions": torch.linspace(-1, 1, 60 * 24, dtype=torch.float64).sin().reshape(60, 24),
}
FEW = {"equiangular": {"n_features": 28, "n_dims": 7}, "gabor": {"n_dims": 22}}  # what exists at few sizes


def example(construct):
    names = inspect.signature(construct).parameters
    return construct(**wanted(construct), **({"dtype": torch.float64} if "dtype" in names else {}))


def wanted(construct):
    return arguments(construct, SIZES) | sizes(construct) | FEW.get(construct.__name__, {})


PARTS = parts.discover("dictionaries")
every = pytest.mark.parametrize("construct", [pytest.param(c, id=n) for n, c in PARTS.items()])
DRAWN = {name: part for name, part in PARTS.items() if "seed" in inspect.signature(part).parameters}
drawn = pytest.mark.parametrize("construct", [pytest.param(c, id=n) for n, c in DRAWN.items()])


def sizes(construct):
    return {name: SIZES[name] for name in inspect.signature(construct).parameters if name in SIZES}


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


@every
def test_blocks_and_the_largest_are_those_of_all_correlations(construct):
    D = example(construct)
    x = torch.linspace(-3, 5, 11 * D.n_dims, dtype=D.dtype).sin().reshape(11, D.n_dims)
    whole = D.correlate(x)
    for block in (1, 7, 64, None):
        starts, blocks = zip(*D.correlations(x, block), strict=True)
        assert list(starts) == [sum(b.shape[1] for b in blocks[:i]) for i in range(len(blocks))]
        assert all(b.shape[1] <= (block or D.n_features) for b in blocks)
        torch.testing.assert_close(torch.cat(blocks, dim=1), whole)
    scale = torch.linspace(0.5, 2, D.n_features, dtype=D.dtype)
    for k, signed, by in (
        (1, False, None),
        (6, False, None),
        (6, True, None),
        (6, False, scale),
        (6, True, scale),
        (D.n_features, False, None),
    ):
        values, features = D.largest(x, k, signed=signed, scale=by)
        seen = whole if by is None else whole / by
        torch.testing.assert_close(values, seen.gather(1, features))
        size = (lambda v: v.abs()) if signed else (lambda v: v)
        torch.testing.assert_close(size(values), size(seen).topk(k, dim=1).values)
        assert all(len(set(row)) == k for row in features.tolist())


@every
def test_the_gram_matrix_comes_in_parts_and_sums(construct):
    D = example(construct)
    gram = D.dense() @ D.dense().T
    rows, columns = torch.tensor([3, 0, 17]), torch.tensor([5, 3])
    torch.testing.assert_close(D.gram(rows), gram[rows][:, rows])
    torch.testing.assert_close(D.gram(rows, columns), gram[rows][:, columns])
    for size in (1, 7, None):
        torch.testing.assert_close(torch.cat([block for _, block in D.gram_blocks(size)]), gram)
    others = gram - torch.diag(gram.diagonal())
    torch.testing.assert_close(D.gram_row_sums(power=1), others.abs().sum(1))
    torch.testing.assert_close(D.gram_row_sums(power=2), others.square().sum(1))


@every
@pytest.mark.parametrize("feature", [-1, 10**6])
def test_a_feature_that_is_not_there_has_no_direction(construct, feature):
    with pytest.raises(IndexError):
        example(construct).directions(torch.tensor([0, feature]))


@every
@pytest.mark.parametrize("beyond", [None, -2, 10**9], ids=["N", "-2", "a billion"])
def test_codes_of_a_feature_that_is_not_there_are_not_encoded(construct, beyond):
    D = example(construct)
    feature = D.n_features if beyond is None else beyond
    z = SparseCodes(torch.tensor([[0, 1], [-1, feature]]), torch.ones(2, 2, dtype=D.dtype), D.n_features)
    with pytest.raises(IndexError, match=f"feature {feature} is not one of {D.n_features}"):
        D.encode(z)


def devices_agree(D):
    return (
        D.device
        == D.directions(torch.tensor([0])).device
        == D.encode(SparseCodes(torch.tensor([[0]]), torch.ones(1, 1), D.n_features)).device
    )


@every
def test_its_device_has_the_name_that_its_tensors_give_it(construct):
    """A tensor made on "cpu:0" says "cpu", and one made on "cuda" says "cuda:0"; torch holds each pair of names to be different."""
    assert devices_agree(example(construct).to("cpu:0"))
    if "device" in inspect.signature(construct).parameters:
        assert devices_agree(construct(**wanted(construct), device="cpu:0"))


@every
@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64, torch.bool], ids=str)
def test_it_goes_to_no_dtype_but_real_floating_ones(construct, dtype):
    with pytest.raises(ValueError, match=f"dtype is {dtype}"):
        example(construct).to(dtype=dtype)


@every
def test_it_is_the_same_dictionary_in_another_dtype(construct):
    D = example(construct)
    single = D.to(dtype=torch.float32)
    assert (single.dtype, single.device, single.n_features) == (torch.float32, D.device, D.n_features)
    torch.testing.assert_close(single.dense(), D.dense().float())
    z = ExactlyK(n_features=D.n_features, n_active=5, values="gaussian").sample(4)
    torch.testing.assert_close(single.correlate(single.encode(z)), D.correlate(D.encode(z.to(dtype=D.dtype))).float(), rtol=1e-4, atol=1e-4)


@drawn
def test_a_seed_gives_the_same_directions_again_and_another_seed_others(construct):
    given = sizes(construct)
    D, again, other = construct(**given), construct(**given), construct(**(given | {"seed": 4}))
    assert D.dense().equal(again.dense())
    assert not D.dense().equal(other.dense())
    assert D.dtype == torch.float32


@drawn
@pytest.mark.parametrize("wrong", [{"n_features": 0}, {"n_dims": 0}, {"seed": -1}, {"dtype": torch.int64}], ids=lambda w: next(iter(w)))
def test_sizes_and_seeds_are_checked_at_the_door(construct, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        construct(**(sizes(construct) | wrong))


@every
def test_what_does_not_fit_is_refused_with_the_sizes_seen(construct):
    D = example(construct)
    x = torch.zeros(2, D.n_dims, dtype=D.dtype)
    with pytest.raises(ValueError, match=rf"\(2, {D.n_dims + 1}\)"):
        D.correlate(torch.zeros(2, D.n_dims + 1, dtype=D.dtype))
    with pytest.raises(ValueError, match="float16"):
        D.correlate(x.half())
    with pytest.raises(ValueError, match=f"k is {D.n_features + 1}"):
        D.largest(x, D.n_features + 1)
    with pytest.raises(ValueError, match="scale"):
        D.largest(x, 2, scale=torch.ones(3, dtype=D.dtype))
    with pytest.raises(ValueError, match=f"scale is torch.float16 on cpu but x is {D.dtype} on cpu"):
        D.largest(x, 2, scale=torch.ones(D.n_features, dtype=torch.float16))
    with pytest.raises(ValueError, match=r"scale is .* on meta but x is .* on cpu"):
        D.largest(x, 2, scale=torch.ones(D.n_features, dtype=D.dtype, device="meta"))
    with pytest.raises(ValueError, match="block is 0"):
        D.correlations(x, 0)
    with pytest.raises(ValueError, match="power is 3"):
        D.gram_row_sums(power=3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@every
def test_it_is_the_same_dictionary_on_a_gpu(construct):
    D = example(construct)
    moved = D.to("cuda")
    assert devices_agree(moved)
    z = ExactlyK(n_features=D.n_features, n_active=5, values="gaussian").sample(17, dtype=D.dtype)
    x = D.encode(z)
    torch.testing.assert_close(moved.dense().cpu(), D.dense())
    torch.testing.assert_close(moved.encode(z).cpu(), x)
    torch.testing.assert_close(moved.correlate(x.cuda()).cpu(), D.correlate(x))
    torch.testing.assert_close(moved.largest(x.cuda(), 6, signed=True)[0].cpu(), D.largest(x, 6, signed=True)[0])
    torch.testing.assert_close(moved.gram_row_sums(power=2).cpu(), D.gram_row_sums(power=2))
    if construct.__name__ in DRAWN and construct.__name__ != "grassmannian":  # whose descent another rounding leads elsewhere
        torch.testing.assert_close(construct(**sizes(construct), device="cuda").dense().cpu(), construct(**sizes(construct)).dense())
    if "device" in inspect.signature(construct).parameters:
        assert devices_agree(construct(**wanted(construct), device="cuda"))
