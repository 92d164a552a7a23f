"""Coherence: the largest |cosine| between two features, which says how many active ones can be told apart (Donoho & Elad 2003)."""

import torch
from torch import Tensor

from tegum.geometry._directions import Directions, as_directions, cosine_blocks, stacked, unit
from tegum.shapes import Float


def coherence(W: Directions) -> Float[Tensor, " *batch"]:
    """Largest |cos(W_i, W_j)| over i != j; 0 with fewer than two features there.

    Blocked: a large table never makes its features x features matrix. The gradient is that of the first pair that reaches the maximum.
    """
    W = as_directions(W)
    batch = W.shape[:-2]
    U = stacked(unit(W))
    if W.shape[-2] < 2:
        return U.sum((-2, -1)).reshape(batch) * 0
    best = torch.full((len(U),), -1.0, dtype=U.dtype, device=U.device)
    i, j = (torch.zeros(len(U), dtype=torch.int64, device=U.device) for _ in range(2))
    for first, row, column, cosines in cosine_blocks(U.detach()):
        size = cosines.abs_()
        if row == column:
            size.masked_fill_(torch.ones(size.shape[-2:], dtype=torch.bool, device=U.device).tril(), -1.0)
        top, where = size.flatten(1).max(-1)
        here = slice(first, first + len(size))
        better = top > best[here]
        best[here] = torch.where(better, top, best[here])
        i[here] = torch.where(better, row + where // size.shape[-1], i[here])
        j[here] = torch.where(better, column + where % size.shape[-1], j[here])
    every = torch.arange(len(U), device=U.device)
    return (U[every, i] * U[every, j]).sum(-1).abs().reshape(batch)
