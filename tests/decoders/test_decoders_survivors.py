"""Entries above the threshold of their row, as lists: the compiled pass finds what torch finds."""

import pytest
import torch

from tegum.decoders import _survivors
from tegum.decoders._survivors import plain, survivors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("rows", "features"), [(1, 1), (7, 63), (5, 64), (40, 1000), (0, 100)])
def test_the_compiled_pass_finds_what_torch_finds(dtype, signed, rows, features):
    generator = torch.Generator().manual_seed(rows + features)
    values = torch.randn(rows, features, dtype=dtype, generator=generator)
    limits, offset = torch.rand(rows, dtype=dtype, generator=generator), torch.rand(features, dtype=dtype, generator=generator)
    found, expected = survivors(values, limits, offset, signed=signed), plain(values, limits, offset, signed=signed)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_what_is_found_is_above_and_what_is_not_is_not():
    values = torch.tensor([[0.2, -3.0, 1.0, torch.nan], [0.4, 2.0, 5.0, 0.5]])
    limits, offset = torch.tensor([0.1, 0.5]), torch.tensor([0.2, 0.0, 0.0, 0.0])
    for find in (survivors, plain):
        indices, found = find(values, limits, offset, signed=False)
        assert indices.tolist() == [[2, 0], [1, 2]]
        assert found.tolist() == [[1.0, 0.0], [2.0, 5.0]]
        indices, found = find(values, limits, offset, signed=True)
        assert indices.tolist() == [[1, 2], [1, 2]]
        assert found.tolist() == [[-3.0, 1.0], [2.0, 5.0]]


def test_a_row_may_have_more_than_there_is_room_for_at_first():
    values = torch.rand(3, 5000, generator=torch.Generator().manual_seed(0))
    values[1] = 0
    indices, found = survivors(values, torch.zeros(3))
    assert found.shape[1] == 5000 > _survivors._ROOM
    assert indices[0].tolist() == list(range(5000))
    assert found[1].eq(0).all()
