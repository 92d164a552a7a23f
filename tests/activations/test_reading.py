"""Rows are read in the order that is asked for, whatever shards they lie in; splits keep documents whole; moments are those of all rows at once."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from tegum.activations import Moments, load
from tegum.activations.dataset import DOCUMENTS, Activations, Shard
from tegum.activations.moments import moments_of


def sharded(*sizes, dims=3, documents=False):
    """Row i is (i, i, ...), in shards of these sizes."""
    shards, first = [], 0
    for size in sizes:
        tensors = {"site": torch.arange(first, first + size).float()[:, None].repeat(1, dims)}
        if documents:
            tensors[DOCUMENTS] = torch.arange(first, first + size) // 5
        shards.append(Shard(size, lambda tensors=tensors: tensors))
        first += size
    return Activations(shards, {"site": dims})


@given(sizes=st.lists(st.integers(0, 7), min_size=1, max_size=5), seed=st.integers(0, 99), batch=st.integers(1, 9))
def test_every_row_comes_once_an_epoch_and_a_pass_can_begin_anywhere(sizes, seed, batch):
    acts = sharded(*sizes)
    passes = list(acts.batches(batch, seed=seed, drop_last=False))
    rows = torch.cat(passes)[:, 0] if passes else torch.empty(0)
    assert rows.sort().values.tolist() == list(range(len(acts)))
    for start in range(len(passes)):
        assert torch.cat(list(acts.batches(batch, seed=seed, start=start, drop_last=False))).equal(torch.cat(passes[start:]))


def test_orders_differ_by_seed_and_epoch_and_are_uniform():
    acts = sharded(100, 100)
    orders = [acts.order(seed, epoch) for seed in range(40) for epoch in range(10)]
    assert len({tuple(order.tolist()) for order in orders}) == 400
    first = np.array([int(order[0]) for order in orders])
    counts = np.bincount(first // 20, minlength=10)
    assert chi2.sf(((counts - 40) ** 2 / 40).sum(), 9) > 1e-4


def test_batches_of_one_size_unless_the_last_is_wanted():
    assert [len(x) for x in sharded(10).batches(4)] == [4, 4]
    assert [len(x) for x in sharded(10).batches(4, drop_last=False)] == [4, 4, 2]
    assert torch.cat(list(sharded(4, 6).batches(5, shuffle=False)))[:, 0].tolist() == list(range(10))


def test_a_split_keeps_documents_whole_and_does_not_depend_on_what_else_is_there():
    acts = sharded(203, 297, documents=True)
    rest, held = acts.split(0.3, seed=1)
    assert len(rest) + len(held) == 500
    assert not set(rest.documents.tolist()) & set(held.documents.tolist())
    few = sharded(203, documents=True).split(0.3, seed=1)[1]
    assert few.read()[:, 0].tolist() == [x for x in held.read()[:, 0].tolist() if x < 200 or x < 203]
    shares = [len(acts.split(0.3, seed=seed)[1]) / 500 for seed in range(200)]
    assert np.mean(shares) == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 100 / 200))


def test_a_selection_of_a_selection_is_read_through_both():
    acts = sharded(4, 4).select(torch.tensor([7, 1, 5, 3]))
    assert acts.select(torch.tensor([2, 0])).read()[:, 0].tolist() == [5, 7]
    assert acts.select(torch.tensor([True, False, False, True])).read()[:, 0].tolist() == [7, 3]
    with pytest.raises(ValueError, match=r"mask has shape \(3,\), but there are 4 rows"):
        acts.select(torch.tensor([True, False, True]))
    with pytest.raises(IndexError, match="rows from 0 to 4"):
        acts.select(torch.tensor([0, 4]))


def test_rows_are_asked_for_in_any_way_that_pytorch_knows():
    acts = sharded(3, 4)
    for rows in (
        slice(None, None, -1),
        [5, 0, -1],
        torch.tensor([True] * 3 + [False] * 4),
        slice(2, 100, 2),
        torch.tensor([], dtype=torch.int64),
    ):
        wanted = list(range(7))[rows] if isinstance(rows, slice) else torch.arange(7)[torch.as_tensor(rows)].tolist()
        assert acts.read(rows)[:, 0].tolist() == wanted
        assert acts.select(rows).read()[:, 0].tolist() == wanted
    with pytest.raises(ValueError, match="there are 7 rows, not one batch of 8"):
        acts.batches(8)
    with pytest.raises(ValueError, match="start is -1"):
        acts.batches(2, start=-1)


def test_float64_rows_keep_their_digits_in_moments():
    rows = torch.randn(500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1e8
    np.testing.assert_allclose(load(rows).moments().covariance, np.cov(rows.T.numpy(), bias=True), rtol=1e-6)


def test_moments_are_those_of_all_rows_at_once_however_far_from_0():
    rows = (
        torch.randn(1000, 4, generator=torch.Generator().manual_seed(0)).double() @ torch.diag(torch.tensor([1.0, 2, 3, 1e-3]).double())
        + 1e4
    )
    found = moments_of(rows.split(77), 4)
    np.testing.assert_allclose(found.mean, rows.mean(0), rtol=1e-13)
    np.testing.assert_allclose(found.covariance, np.cov(rows.T.numpy(), bias=True), atol=1e-9)
    assert found.mean_norm == pytest.approx(float(rows.norm(dim=1).mean()), rel=1e-12)
    values = np.linalg.eigvalsh(found.covariance)
    assert found.effective_dims == pytest.approx(values.sum() ** 2 / (values**2).sum())


def test_moments_leave_out_what_is_not_finite_and_know_of_no_rows():
    rows = torch.tensor([[1.0, 2.0], [torch.inf, 0.0], [3.0, 4.0]])
    found = moments_of([rows], 2)
    assert (found.count, found.left_out) == (2, 1)
    assert found.mean.tolist() == [2.0, 3.0]
    nothing = moments_of([], 2)
    assert isinstance(nothing, Moments)
    assert nothing.count == 0
    assert nothing.mean.isnan().all()


def test_held_out_words_are_uniform():
    shares = [len(sharded(1).split(p / 100)[1]) for p in range(1, 100)]
    assert sorted(shares) == shares  # one threshold, passed once
    places = [next((p for p in np.linspace(0, 1, 200) if len(sharded(1).split(p, seed=seed)[1])), 1.0) for seed in range(60)]
    assert kstest(places, "uniform").pvalue > 1e-4
