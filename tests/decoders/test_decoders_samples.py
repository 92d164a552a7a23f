"""Samples that leave their batch, and codes that are compared by what is active."""

import pytest
import torch

from tegum.decoders import Decoded, Status
from tegum.decoders._samples import RUNNING, Samples, every
from tegum.features import SparseCodes


def test_each_sample_leaves_when_it_is_done_and_comes_back_in_its_place():
    ends = torch.tensor([3, 1, 2, 9, 1, 2, 5, 1, 2, 1, 4, 6, 1, 1, 2, 3])
    value, worked = torch.arange(16.0), 0
    samples = Samples(
        16,
        lambda slots: SparseCodes(torch.zeros(len(slots), 1, dtype=torch.int64), count[slots, None] + value[slots, None], 3),
        ends.device,
    )
    count, left = torch.zeros(16), ends
    for step in range(1, 8):
        count = count + 1
        worked += len(count)
        kept = samples.leave(every(left == step, Status.OK), step)
        if kept is not None:
            count, left, value = count[kept], left[kept], value[kept]
    samples.ended(7)
    out = samples.decoded()
    assert out.steps.tolist() == [min(end, 7) for end in ends.tolist()]
    assert out.z.values[:, 0].tolist() == [min(end, 7) + i for i, end in enumerate(ends.tolist())]
    assert [i for i, s in enumerate(out.status.tolist()) if s == Status.MAX_STEPS] == [3]
    assert worked < 16 + 11 + 7 * 6  # who is done costs nothing any more


def test_nothing_leaves_while_all_are_running():
    samples = Samples(3, lambda slots: pytest.fail("nobody was to leave"), torch.device("cpu"))
    assert samples.leave(torch.full((3,), RUNNING), 1) is None


@pytest.mark.parametrize(
    ("found", "support", "rounded", "within"),
    [
        ([0, 1.0, 0, 2.0], True, True, True),
        ([0, 1.2, 0, 2.0], True, True, False),
        ([0, 1.0, 0.1, 2.0], False, True, False),
        ([0, 1.0, 0.6, 2.0], False, False, False),
        ([0, 1.0, 0, 0], False, False, False),
        ([1e-3, 1.0, 0, 2.0], False, True, True),
        ([0, -1.0, 0, 2.0], True, False, False),
    ],
)
def test_codes_are_compared_by_support_after_rounding_or_within_a_tolerance(found, support, rounded, within):
    truth = SparseCodes(torch.tensor([[3, -1, 1]]), torch.tensor([[2.0, 0, 1.0]]), 4)
    z = SparseCodes.from_dense(torch.tensor([found]))
    out = Decoded(z, torch.zeros(1, dtype=torch.int64), torch.ones(1, dtype=torch.int64))
    assert out.support_exact(truth).tolist() == [support]
    assert out.exact(truth).tolist() == [rounded]
    assert out.exact(truth, tolerance=0.01).tolist() == [within]
