"""Gram-Schmidt, a direction a sample at a time: its parts along and across an orthonormal basis that grows by a row a step.

On the CPU in compiled code (`_gram_schmidt_numba.py`), a quarter of what torch takes for many small products; elsewhere torch.
"""

import functools
from functools import partial

import numpy as np
import torch
from torch import Tensor

from tegum._compiled import kernels
from tegum._threads import shared_out
from tegum.shapes import Float

_kernels = functools.partial(kernels, "tegum.decoders._gram_schmidt_numba")

NEAR = 0.5  # a direction with less than this across the others is orthogonalised twice: rounding has grown by its inverse
_WORTH_THREADS = 1 << 20  # numbers of the basis


def split(
    Q: Float[Tensor, "batch rows dims"], n: int, directions: Float[Tensor, "batch dims"]
) -> tuple[Float[Tensor, "batch n"], Float[Tensor, "batch dims"], Float[Tensor, " batch"]]:
    """Coefficients along the first n rows of Q, what is left of each direction, and how long that is."""
    compiled = _kernels() if Q.device.type == "cpu" else None
    if compiled is None:
        return plain_split(Q[:, :n], directions)
    across = directions.clone(memory_format=torch.contiguous_format).numpy()
    along, length = np.zeros((len(Q), n), across.dtype), directions.new_empty(len(Q))
    work = partial(compiled.split_rows, Q.view(-1).numpy(), Q.shape[1], n, across.reshape(-1), along, length.numpy(), NEAR)
    shared_out(work, len(Q), worth=across.size * n >= _WORTH_THREADS)
    return torch.from_numpy(along), torch.from_numpy(across), length


def take(
    Q: Float[Tensor, "batch rows dims"],
    n: int,
    across: Float[Tensor, "batch dims"],
    length: Float[Tensor, " batch"],
    x: Float[Tensor, "batch dims"],
) -> Float[Tensor, " batch"]:
    """Make `across` at length 1 row n of Q, and take from x its part along that, in place. Returns how long that part is."""
    compiled = _kernels() if Q.device.type == "cpu" else None
    if compiled is None:
        return plain_take(Q, n, across, length, x)
    along = length.new_empty(len(Q))
    work = partial(
        compiled.take_rows,
        Q.view(-1).numpy(),
        Q.shape[1],
        n,
        across.numpy().reshape(-1),
        length.numpy(),
        x.view(-1).numpy(),
        along.numpy(),
    )
    shared_out(work, len(Q), worth=False)
    return along


def plain_split(Q: Tensor, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """In torch."""
    along, across = _once(Q, directions)
    length = across.norm(dim=1)
    twice = (length < NEAR).nonzero()[:, 0]
    if len(twice):
        again, across[twice] = _once(Q[twice], across[twice])
        along[twice] += again
        length[twice] = across[twice].norm(dim=1)
    return along, across, length


def plain_take(Q: Tensor, n: int, across: Tensor, length: Tensor, x: Tensor) -> Tensor:
    """In torch."""
    row = across / length.clamp(min=torch.finfo(length.dtype).tiny)[:, None]
    along = (row * x).sum(dim=1)
    x.addcmul_(row, along[:, None], value=-1)
    Q[:, n] = row
    return along


def _once(Q: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    along = torch.bmm(directions[:, None], Q.mT)  # in half the time of Q @ directions
    return along[:, 0], torch.baddbmm(directions[:, None], along, Q, alpha=-1)[:, 0]
