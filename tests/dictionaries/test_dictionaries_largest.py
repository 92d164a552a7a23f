"""The k largest of each row are those of torch.topk, by either way of finding them, whatever the numbers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tegum.dictionaries import _largest, _running_top_numba
from tegum.dictionaries._largest import largest, largest_one

WAYS = {
    "as chosen": largest,
    "plain": _largest.plain,
    "two levels": _largest.two_levels,
    "compiled": lambda values, k, *, signed: _largest.by_kernel(_running_top_numba, values, k, signed=signed),
}
way = pytest.mark.parametrize("find", [pytest.param(f, id=n) for n, f in WAYS.items()])


def check(find, values, k, signed):
    found, indices = find(values, k, signed=signed)
    size = values.abs() if signed else values
    assert size.topk(k, dim=1).values.equal(found.abs() if signed else found)
    assert values.gather(1, indices).equal(found)
    assert all(len(set(row)) == k for row in indices.tolist())


@way
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(seed=st.integers(0, 10**6), n=st.integers(64, 1500), share=st.floats(0, 0.05), signed=st.booleans())
def test_they_are_those_of_a_full_sort(find, dtype, seed, n, share, signed):
    values = torch.randn(3, n, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    check(find, values, 1 + int(share * n), signed)


@way
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(torch.zeros(2048), id="all equal"),
        pytest.param(torch.arange(2048.0), id="ascending"),
        pytest.param(-torch.arange(2048.0), id="descending"),
        pytest.param(torch.arange(2048) % 7 / 7, id="many ties"),
        pytest.param(torch.arange(1 << 18) * 40503 % (1 << 18) / 7 + torch.arange(1 << 18) // 4096 * 1000.0, id="rising slowly"),
        pytest.param(torch.full((2048,), -torch.inf), id="all minus infinity"),
        pytest.param(torch.arange(2048.0).where(torch.arange(2048) % 64 == 5, -1e9), id="all in one residue"),
    ],
)
def test_no_order_and_no_ties_mislead_it(find, row, signed):
    check(find, torch.stack([row, row.flip(0)]), 40, signed)


@way
def test_a_row_longer_than_its_sample_is_read_to_its_end(find):
    values = torch.zeros(1, (1 << 17) + 37)
    values[0, -40:] = torch.arange(40.0) + 1
    check(find, values, 30, False)


@pytest.mark.parametrize("n", [1024, 3000, (1 << 17) + 5])
@pytest.mark.parametrize("k", [1, 16, 50])
def test_the_compiled_pass_leaves_no_row_of_numbers_to_topk(n, k, monkeypatch):
    monkeypatch.setattr(_largest, "plain", lambda values, k, *, signed: pytest.fail(f"{len(values)} rows were left"))
    check(largest, torch.randn(5, n, generator=torch.Generator().manual_seed(n)), k, False)


def test_a_row_without_k_numbers_is_that_of_topk_and_harms_no_other():
    values = torch.randn(3, 1024, generator=torch.Generator().manual_seed(1))
    values[1, 5:] = torch.nan
    found, _ = largest(values, 8)
    assert found[1].isnan().any()
    assert found[[0, 2]].equal(values[[0, 2]].topk(8).values)


def test_the_largest_one_is_the_maximum():
    values = torch.randn(5, 3000, generator=torch.Generator().manual_seed(2))
    found, indices = largest_one(values)
    assert found.equal(values.amax(1))
    assert indices.equal(values.argmax(1))


def test_rows_are_the_same_on_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(_largest, "_WORTH_THREADS", 1)
    values = torch.randn(7, 1000, generator=torch.Generator().manual_seed(3))
    alone = largest(values, 6)
    for threads in (2, 3, 16):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert all(a.equal(b) for a, b in zip(alone, largest(values, 6), strict=True))


def test_gradients_reach_the_numbers_chosen():
    values = torch.randn(2, 1024, dtype=torch.float64, generator=torch.Generator().manual_seed(4)).requires_grad_()
    found, indices = largest(values, 3)
    found.sum().backward()
    assert values.grad is not None
    assert values.grad.equal(torch.zeros_like(values).scatter(1, indices, 1.0))
