"""Refit: features that were chosen, at the values that fit x best: what a reader's choice is worth, whatever values it gave.

Values that may not be negative are a nonnegative least-squares problem a row, min |x - sum z_i D_i| over z >= 0 on its few features, solved for
many rows at once by block principal pivoting: guess which values are positive, solve, exchange all that contradict the guess, and where that does not
lessen their number three times, exchange the last one alone, which ends for certain (Portugal, Judice & Vicente 1994; Kim & Park 2011, 'Fast
nonnegative matrix factorization', sec. 3). In float64, by Gram matrices of the features chosen.
"""

import torch
from torch import Tensor

from tegum.decoders import Decoded, Values
from tegum.dictionaries import Dictionary
from tegum.features import SparseCodes
from tegum.shapes import Bool, Float

_HELD = 1 << 22  # numbers of directions and Gram matrices held at a time
_RIDGE = 1e-10  # of the mean square length: directions may depend on each other
_ROUNDING = 1e-10  # of the largest correlation: a sign below that says nothing
_TRIES, _STEPS = 3, 50  # full exchanges that lessen nothing; steps a feature, by when exact arithmetic has long ended


def refitted(dictionary: Dictionary, x: Float[Tensor, "rows dims"], z: SparseCodes, values: Values = Values.NONNEGATIVE) -> SparseCodes:
    """The features of z at the values that fit x (less the centre) best; what comes out at 0 is no longer on."""
    counts = z.n_active
    order = counts.argsort(descending=True)[: int((counts > 0).sum())]  # so that a part is as wide as its first row
    found = torch.zeros_like(z.values)
    first = 0
    while first < len(order):
        most = int(counts[order[first]])
        rows = order[first : first + max(1, _HELD // (most * (most + dictionary.n_dims)))]
        found[rows] = _fit(dictionary, x[rows], z.indices[rows], values)
        first += len(rows)
    return Decoded.of(z.indices.clamp(min=0), found, z.n_features).z


def _fit(dictionary: Dictionary, x: Tensor, indices: Tensor, values: Values) -> Float[Tensor, "rows k"]:
    there = indices >= 0
    place = there.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, : int(there.sum(1).max())]
    kept = indices.gather(1, place)
    on = kept >= 0
    directions = dictionary.directions(kept.clamp(min=0).flatten()).reshape(*kept.shape, dictionary.n_dims).double() * on[:, :, None]
    gram = directions @ directions.mT
    along = (directions @ x[:, :, None].double())[:, :, 0]
    ridge = _RIDGE * gram.diagonal(dim1=1, dim2=2).sum(1, keepdim=True) / on.sum(1, keepdim=True).clamp(min=1)
    gram.diagonal(dim1=1, dim2=2).add_(ridge)
    on = on & (gram.diagonal(dim1=1, dim2=2) > 2 * ridge)  # a direction of length 0 fits nothing
    fit = _solved(gram, along, on) if values is Values.SIGNED else _nonnegative(gram, along, on)
    return x.new_zeros(indices.shape).scatter(1, place, fit.to(x.dtype))


def _nonnegative(gram: Float[Tensor, "rows k k"], along: Float[Tensor, "rows k"], on: Bool[Tensor, "rows k"]) -> Float[Tensor, "rows k"]:
    """Block principal pivoting, from all positive."""
    slack = _ROUNDING * along.abs().amax(1, keepdim=True)
    free, fit = on.clone(), torch.zeros_like(along)
    least = torch.full((len(along),), along.shape[1] + 1)
    tries = torch.full((len(along),), _TRIES)
    left = torch.arange(len(along))
    for _ in range(_STEPS * along.shape[1]):
        mine = free[left]
        fit[left] = _solved(gram[left], along[left], mine)
        pull = along[left] - (gram[left] @ fit[left, :, None])[:, :, 0]
        wrong = (mine & (fit[left] < 0)) | (on[left] & ~mine & (pull > slack[left]))
        count = wrong.sum(1)
        going = count > 0
        left, wrong, count = left[going], wrong[going], count[going]
        if not len(left):
            break
        better = count < least[left]
        least[left] = torch.where(better, count, least[left])
        tries[left] = torch.where(better, _TRIES, tries[left] - 1)
        last = wrong.shape[1] - 1 - wrong.flip(1).to(torch.int8).argmax(1)
        single = torch.zeros_like(wrong).scatter(1, last[:, None], value=True)
        free[left] ^= torch.where((tries[left] >= 0)[:, None], wrong, single)
    return fit.clamp(min=0)


def _solved(gram: Tensor, along: Tensor, free: Tensor) -> Tensor:
    """Least squares on what is free, 0 elsewhere."""
    both = free[:, :, None] & free[:, None, :]
    system = torch.where(both, gram, 0)
    system.diagonal(dim1=1, dim2=2).add_((~free).double())
    return torch.linalg.solve(system, torch.where(free, along, 0)[:, :, None])[:, :, 0] * free
