"""Gram-Schmidt a step at a time: compiled code and torch agree, and the basis stays orthonormal where directions nearly depend on each other."""

import pytest
import torch

from tegum.decoders import _gram_schmidt
from tegum.decoders._gram_schmidt import plain_split, plain_take, split, take


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("d", [5, 16, 53])
@pytest.mark.parametrize("near", [1.0, 1e-2])
def test_compiled_and_torch_steps_agree(dtype, d, near):
    g = torch.Generator().manual_seed(0)
    common = torch.randn(7, d, generator=g, dtype=dtype)
    directions = [torch.nn.functional.normalize(common + near * torch.randn(7, d, generator=g, dtype=dtype), dim=1) for _ in range(4)]
    x = torch.randn(7, d, generator=g, dtype=dtype)
    bases, left = [torch.zeros(7, 6, d, dtype=dtype) for _ in range(2)], [x.clone(), x.clone()]
    rounding = 50 * torch.finfo(dtype).eps
    for n, direction in enumerate(directions):
        parts = [split(bases[0], n, direction), plain_split(bases[1][:, :n], direction)]
        for ours, theirs in zip(*parts, strict=True):
            assert torch.allclose(ours, theirs, atol=rounding / near)
        taken = [take(bases[0], n, *parts[0][1:], left[0]), plain_take(bases[1], n, *parts[1][1:], left[1])]
        assert torch.allclose(*taken, atol=rounding / near)
        rebuilt = (parts[0][0][:, :, None] * bases[0][:, :n]).sum(1) + parts[0][1]
        assert torch.allclose(rebuilt, direction, atol=rounding)
    for Q, rest in zip(bases, left, strict=True):
        assert torch.allclose(Q[:, :4] @ Q[:, :4].mT, torch.eye(4, dtype=dtype), atol=rounding)
        assert (Q[:, :4] @ rest[:, :, None]).abs().max() < rounding * 4
        assert torch.allclose(rest + ((Q @ x[:, :, None]) * Q).sum(1), x, atol=rounding * 4)


def test_a_direction_that_is_there_already_leaves_nothing(monkeypatch):
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr(_gram_schmidt, "_kernels", lambda: None)
        Q = torch.zeros(1, 3, 20)
        direction = torch.nn.functional.normalize(torch.arange(1.0, 21)[None], dim=1)
        _, across, length = split(Q, 0, direction)
        take(Q, 0, across, length, torch.ones(1, 20))
        along, _, length = split(Q, 1, direction)
        assert float(length) < 1e-6
        assert float(along) == pytest.approx(1, abs=1e-6)


def test_directions_that_lie_by_columns_are_split_like_any_others():
    rows = torch.nn.functional.normalize(torch.randn(9, 20, generator=torch.Generator().manual_seed(0)), dim=1)
    Q, (_, across, length) = torch.zeros(9, 2, 20), split(torch.zeros(9, 2, 20), 0, rows.T.contiguous().T)
    x = rows.clone()
    take(Q, 0, across, length, x)
    assert Q[:, 0].allclose(rows, atol=1e-6)
    assert float(x.abs().max()) < 1e-6
    with pytest.raises(RuntimeError):
        take(Q, 1, across, length, x.T.contiguous().T)  # what is not done in place is not done
