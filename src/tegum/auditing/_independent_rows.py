"""Rows for a test that takes them as independent: as few of one document as can be, none twice."""

import torch
from torch import Tensor

from tegum.activations import Activations
from tegum.activations.dataset import DOCUMENTS
from tegum.shapes import Float, Int

_SPARE = 1.2  # times as many are read as are asked for, for some may be alike


def independent_rows(activations: Activations, most: int, seed: int) -> tuple[Float[Tensor, "rows dims"], dict[str, int]]:
    """At most `most` rows, and how many were looked at, alike and left out, and of how many documents these are (0: not known).

    First one row of each document, in a random order, then a second one of each, and so on. Of rows that are the same to the bit one is kept.
    """
    order = activations.order(seed)
    documents = activations.documents[order] if activations.has(DOCUMENTS) else None
    if documents is not None:
        order = order[_turn(documents).argsort(stable=True)]
    chosen = order[: int(most * _SPARE)]
    x = activations.read(chosen.sort().values, torch.float32)[chosen.argsort().argsort()]
    distinct = first_of_each(x)
    first = distinct[:most]
    known = 0 if documents is None else len(activations.documents[chosen[first]].unique())
    return x[first], {"looked_at": len(chosen), "alike": len(chosen) - len(distinct), "rows": len(first), "documents": known}


def _turn(documents: Int[Tensor, " rows"]) -> Int[Tensor, " rows"]:
    """For each row how many of its document come before it."""
    by_document = documents.argsort(stable=True)
    grouped = documents[by_document]
    place = torch.arange(len(grouped))
    begins = torch.cat([torch.ones(1, dtype=torch.bool), grouped[1:] != grouped[:-1]]) if len(grouped) else torch.ones(0, dtype=torch.bool)
    turn = place - place[begins].repeat_interleave(torch.diff(torch.cat([place[begins], torch.tensor([len(grouped)])])))
    return torch.empty_like(turn).scatter_(0, by_document, turn)


def first_of_each(x: Float[Tensor, "rows dims"]) -> Int[Tensor, " distinct"]:
    """Places of rows that no earlier one is equal to, in their order."""
    _, inverse = torch.unique(x, dim=0, return_inverse=True)
    first = torch.full((int(inverse.max()) + 1 if len(inverse) else 0,), len(x))
    return first.scatter_reduce(0, inverse, torch.arange(len(x)), "amin").sort().values
