"""Splitting and absorption are what their formulas say, on cases made by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tegum.learning import absorption, splitting

PARENT, CHILD, OTHER = torch.eye(3)
TRUE = torch.stack([PARENT, CHILD, OTHER])
ON = torch.tensor(
    [[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=torch.bool
)  # a child is on only where its parent is


def test_what_is_found_as_it_is_has_one_piece_each_and_absorbs_nothing():
    split = splitting(TRUE, ON, TRUE, ON)
    assert split.pieces.tolist() == [1, 1, 1]
    assert split.best.tolist() == split.covered.tolist() == [1, 1, 1]
    assert not split.split.any()
    absorbed = absorption(TRUE, ON, TRUE, ON)
    assert absorbed.rate.tolist() == absorbed.missed.tolist() == [0, 0, 0]
    assert absorbed.by.tolist() == [-1, -1, -1]


def test_a_child_that_takes_over_its_parent_absorbs_it():
    """The parent's found feature is off where the child is on; the child's direction holds the parent's too."""
    found = torch.stack([OTHER, PARENT, PARENT + CHILD])
    found_on = torch.stack([ON[:, 2], ON[:, 0] & ~ON[:, 1], ON[:, 1]], dim=1)
    absorbed = absorption(TRUE, ON, found, found_on)
    assert absorbed.rate.tolist() == [0.5, 0, 0]
    assert absorbed.missed.tolist() == [0.5, 0, 0]
    assert absorbed.by.tolist() == [2, -1, -1]
    assert absorbed.mean == pytest.approx(0.5 / 3)
    assert absorption(TRUE, ON, found, found_on, bound=0.8).rate[:1].tolist() == [0]
    split = splitting(TRUE, ON, found, found_on)
    assert split.pieces.tolist() == [1, 1, 1]  # the child's feature is a piece of the child, though it lies along the parent as well
    assert split.covered.tolist() == [0.5, 1, 1]


def test_a_miss_that_nothing_makes_up_for_is_no_absorption():
    found_on = ON.clone()
    found_on[2, 0] = False
    absorbed = absorption(TRUE, ON, TRUE, found_on)
    assert absorbed.missed.tolist() == [0.25, 0, 0]
    assert absorbed.rate.tolist() == [0, 0, 0]


def test_a_feature_in_two_parts_is_split_and_one_found_twice_is_not():
    on = torch.zeros(8, 1, dtype=torch.bool)
    on[:6] = True
    true, near = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.3], [1.0, -0.3]])
    parts = torch.zeros(8, 2, dtype=torch.bool)
    parts[:4, 0], parts[4:6, 1] = True, True
    split = splitting(true, on, near, parts)
    assert (split.pieces.tolist(), split.covered.tolist(), split.split.tolist()) == ([2], [1], [True])
    assert float(split.best) == pytest.approx(2 / 3)
    assert absorption(true, on, near, parts).rate.tolist() == [0]  # another piece is on: that is no absorption
    twice = splitting(true, on, near, on.expand(8, 2))
    assert (twice.pieces.tolist(), twice.split.tolist()) == ([2], [False])
    assert splitting(true, on, near, parts, least=0.4).pieces.tolist() == [1]
    assert splitting(true, on, near, parts, bound=0.99).pieces.tolist() == [0]


def test_what_never_occurs_or_was_not_found_has_no_share():
    never = ON.clone()
    never[:, 1] = False
    assert splitting(TRUE, never, TRUE, never).covered.isnan().tolist() == [False, True, False]
    absorbed = absorption(TRUE, never, TRUE[:1], never[:, :1])
    assert absorbed.rate.isnan().tolist() == [False, True, True]
    assert absorbed.mean == 0


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 40), true=st.integers(1, 6), found=st.integers(1, 8))
def test_both_are_their_definitions_row_by_row(seed, rows, true, found):
    rng = np.random.default_rng(seed)
    D, F = rng.normal(size=(true, 3)), rng.normal(size=(found, 3))
    on, seen = rng.random((rows, true)) < 0.4, rng.random((rows, found)) < 0.4
    cosines = (D / np.linalg.norm(D, axis=1, keepdims=True)) @ (F / np.linalg.norm(F, axis=1, keepdims=True)).T
    pieces = [[] for _ in range(true)]
    for j in range(found):
        scores = [
            2 * (on[:, i] & seen[:, j]).sum() / max(1, on[:, i].sum() + seen[:, j].sum()) if cosines[i, j] >= 0.4 else 0
            for i in range(true)
        ]
        if max(scores) > 0:
            pieces[int(np.argmax(scores))].append(j)
    tensors = [torch.from_numpy(part) for part in (D, on, F, seen)]
    absorbed, split = absorption(*tensors), splitting(*tensors, least=0.0)
    assert split.pieces.tolist() == [len(mine) for mine in pieces]
    for i, mine in enumerate(pieces):
        mine_on = seen[:, mine].any(1)
        if on[:, i].any():
            assert float(split.covered[i]) == pytest.approx((on[:, i] & mine_on).sum() / on[:, i].sum())
        if on[:, i].any() and mine:
            others = [j for j in range(found) if cosines[i, j] >= 0.4 and j not in mine]
            taken = on[:, i] & ~mine_on & seen[:, others].any(1)
            assert float(absorbed.rate[i]) == pytest.approx(taken.sum() / on[:, i].sum())


@pytest.mark.parametrize("metric", [splitting, absorption])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"found": torch.eye(2)}, "3 dims, found ones 2"),
        ({"found_on": ON[:2]}, "6 rows of true codes and 2"),
        ({"found_on": ON[:, :2]}, "3 true and 3 found directions, but codes of 3 and 2 features"),
        ({"bound": 2.0}, "bound is 2.0"),
    ],
)
def test_what_does_not_go_together_is_refused(metric, change, said):
    given_ = {"true": TRUE, "true_on": ON, "found": TRUE, "found_on": ON} | change
    with pytest.raises(ValueError, match=said):
        metric(**given_)
