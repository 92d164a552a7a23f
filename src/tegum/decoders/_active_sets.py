"""Active sets: which features of each sample are free to move, in slots, with the inverse of their Gram matrix kept up to date.

One feature a sample enters or leaves at a time. Both change the inverse by one outer product (the bordering method; Golub & Van Loan, sec. 6.5),
so a batch of changes, some of them entries and some exits, is one pass over (batch, slots, slots), in float64. The rows and columns of slots
that are not free are 0.
"""

from copy import copy

import torch
from torch import Tensor

from tegum.dictionaries import Dictionary
from tegum.shapes import Bool, Float, Int

_DEPENDENT = 1e-10  # a direction of which less than this share of the squared length is new depends on those that are there
_NAMES = "index", "sign", "rows", "inverse"


class ActiveSets:
    """`index` and `sign` (batch, slots), -1 and 0 where empty; `rows` (batch, slots, dims); `inverse` (batch, slots, slots) of the free ones."""

    def __init__(self, dictionary: Dictionary, n_samples: int, slots: int = 16) -> None:
        self.dictionary = dictionary
        place = {"device": dictionary.device, "dtype": torch.float64}
        self.index = torch.full((n_samples, slots), -1, device=dictionary.device)
        self.sign = torch.zeros(n_samples, slots, **place)
        self.rows = torch.zeros(n_samples, slots, dictionary.n_dims, **place)
        self.inverse = torch.zeros(n_samples, slots, slots, **place)

    @property
    def free(self) -> Tensor:
        """The slots whose values move."""
        return self.sign != 0

    def vacant(self) -> Tensor:
        """An empty slot in each sample, made where there is none."""
        if (self.index >= 0).all(dim=1).any():
            more = max(8, self.index.shape[1] // 2)
            pad = torch.nn.functional.pad
            self.index, self.sign = pad(self.index, (0, more), value=-1), pad(self.sign, (0, more))
            self.rows, self.inverse = pad(self.rows, (0, 0, 0, more)), pad(self.inverse, (0, more, 0, more))
        return (self.index < 0).int().argmax(dim=1)

    def __getitem__(self, samples: Int[Tensor, " some"]) -> "ActiveSets":
        """Those of some samples."""
        part = copy(self)
        for name in _NAMES:
            setattr(part, name, getattr(self, name)[samples])
        return part

    def solve(self, right: Tensor) -> Tensor:
        """The Gram matrix of what is free, solved for `right` (batch, slots); 0 in the other slots."""
        return (self.inverse @ right[:, :, None])[:, :, 0]

    def combined(self, weights: Tensor) -> Tensor:
        """The sum of the directions by these weights (batch, slots)."""
        return (weights[:, None, :] @ self.rows)[:, 0]

    def against(self, vector: Tensor) -> Tensor:
        """The inner products of the directions with a vector (batch, dims)."""
        return (self.rows @ vector[:, :, None])[:, :, 0]

    def change(
        self, slot: Int[Tensor, " batch"], feature: Int[Tensor, " batch"], sign: Float[Tensor, " batch"], leaves: Bool[Tensor, " batch"]
    ) -> Bool[Tensor, " batch"]:
        """In each sample, let `slot` go where `leaves`, else free `feature` in it where `sign` is not 0. False where it depends on the others.

        A slot that leaves keeps its feature and its direction, so that it can hold a value or be freed again; `clear` empties it.
        """
        at, enters = slot[:, None], ~leaves & (sign != 0)
        new = self.dictionary.directions(torch.where(enters, feature, 0)).double() * enters[:, None]
        overlap, size = self.against(new), new.square().sum(1)
        spread = self.solve(overlap)
        fresh = size - (overlap * spread).sum(1)
        independent = ~enters | (fresh > _DEPENDENT * size)
        enters = enters & independent
        column = self.inverse.gather(2, at[:, :, None].expand(-1, self.index.shape[1], 1))[:, :, 0]
        vector = torch.where(leaves[:, None], column, -spread).scatter(1, at, torch.where(leaves[:, None], column.gather(1, at), 1.0))
        scale = torch.where(leaves, -1 / column.gather(1, at)[:, 0], torch.where(enters, 1 / fresh, 0.0))
        vector = torch.where((leaves | enters)[:, None], vector, 0.0)
        self.inverse.baddbmm_(vector[:, :, None], (scale[:, None] * vector)[:, None, :])
        gone, entered = leaves.nonzero()[:, 0], enters.nonzero()[:, 0]
        self.inverse[gone, slot[gone]] = 0
        self.inverse[gone, :, slot[gone]] = 0
        self.sign[gone, slot[gone]] = 0
        self.sign[entered, slot[entered]] = sign[entered]
        self.index[entered, slot[entered]] = feature[entered]
        self.rows[entered, slot[entered]] = new[entered]
        return independent

    def clear(self, samples: Int[Tensor, " some"], slots: Int[Tensor, " some"]) -> None:
        """Empty slots that have been let go."""
        self.index[samples, slots] = -1
        self.rows[samples, slots] = 0

    def renew(self) -> None:
        """Compute the inverse afresh, against the rounding of many changes."""
        rows = self.rows * self.free[:, :, None]
        gram = rows @ rows.mT + torch.diag_embed((~self.free).double())
        factor, info = torch.linalg.cholesky_ex(gram)
        factor[info != 0] = torch.eye(gram.shape[1], dtype=factor.dtype, device=factor.device)  # or one of them would stop them all
        fresh = torch.cholesky_inverse(factor) * (self.free[:, :, None] & self.free[:, None, :])
        self.inverse = torch.where((info == 0)[:, None, None], fresh, self.inverse)
