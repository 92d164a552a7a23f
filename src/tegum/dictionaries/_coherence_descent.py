"""Directions moved apart: the largest |cosine| of N unit vectors, minimised through smooth norms of all of them, of order 4, 8, ... 8192.

The p-norm (sum over pairs |cos|^p)^(1/p) lies between the coherence and N^(2/p) times it, so at p = 8192 its minimum is that of the coherence to
within (2 ln N) / p. Each order starts from the minimum of the one before. (Benedetto & Kolesar 2006, 'Geometric properties of Grassmannian
frames', on the problem; energies of high order in its place: Conway, Hardin & Sloane 1996, 'Packing lines, planes, etc.')
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from tegum.shapes import Float

ORDERS = tuple(2**i for i in range(2, 14))
_BLOCK = 1 << 22  # cosines held at a time


def spread(start: Float[Tensor, "features dims"], steps: int, done: Callable[[int], None]) -> Float[Tensor, "features dims"]:
    """Unit rows of least coherence near `start`, after at most `steps` steps of L-BFGS; `done` is told after each order how many."""
    free = torch.nn.Parameter(start.clone())
    best, least = _unit(start), coherence_of(_unit(start))
    for number, order in enumerate(ORDERS):
        share = steps * (number + 1) // len(ORDERS) - steps * number // len(ORDERS)
        if share:
            _descend(free, order, share)
        found = _unit(free.detach())
        if (reached := coherence_of(found)) < least:
            best, least = found, reached
        done(share)
    return best


def coherence_of(U: Float[Tensor, "features dims"]) -> float:
    """The largest |cosine| of unit rows."""
    return max(float(cosines.abs().max()) for _, cosines in _blocks(U))


def _descend(free: torch.nn.Parameter, order: int, steps: int) -> None:
    search = torch.optim.LBFGS(
        [free], max_iter=steps, history_size=20, tolerance_grad=1e-14, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        with torch.no_grad():
            length = free.norm(dim=1, keepdim=True)
            U = free / length
            loss, slope = _log_norm(U, order)
            free.grad = (slope - (slope * U).sum(1, keepdim=True) * U) / length
        return loss

    search.step(closure)  # pyright: ignore[reportArgumentType]  torch says float and takes tensors
    with torch.no_grad():
        free.div_(free.norm(dim=1, keepdim=True))


def _log_norm(U: Float[Tensor, "features dims"], order: int) -> tuple[Float[Tensor, ""], Float[Tensor, "features dims"]]:
    """ln of the p-norm of all cosines of pairs, both ways round, and its gradient by U."""
    largest = torch.stack([cosines.abs().max() for _, cosines in _blocks(U)]).max()
    total, slope = U.new_zeros(()), torch.empty_like(U)
    for rows, cosines in _blocks(U):
        power = (cosines / largest).square_()
        for _ in range(order.bit_length() - 2):
            power.square_()
        total += power.sum()
        slope[rows] = power.div_(cosines.where(cosines != 0, 1)) @ U  # |c|^p / c is odd in c, as the slope of |c|^p is
    return largest.log() + total.log() / order, 2 * slope / total


def _blocks(U: Float[Tensor, "features dims"]) -> Iterator[tuple[slice, Float[Tensor, "rows features"]]]:
    """Rows, and their cosines with all others; 0 with themselves."""
    step = max(1, _BLOCK // len(U))
    for start in range(0, len(U), step):
        rows = slice(start, min(start + step, len(U)))
        cosines = U[rows] @ U.T
        cosines.diagonal(offset=start).zero_()
        yield rows, cosines


def _unit(rows: Float[Tensor, "features dims"]) -> Float[Tensor, "features dims"]:
    return rows / rows.norm(dim=1, keepdim=True)
