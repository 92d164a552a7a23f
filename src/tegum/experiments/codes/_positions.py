"""Positions of a grid as directions: how alike near ones are, and which sets of them can be read out of the sum of their codes."""

import numpy as np
import torch
from torch import Tensor

from tegum.decoders import decode
from tegum.decoders.basis_pursuit import BasisPursuit
from tegum.decoders.top_k import TopK
from tegum.dictionaries import Dictionary
from tegum.dictionaries.dense import Dense
from tegum.dictionaries.receptive_discs import grid, receptive_fields
from tegum.features import SparseCodes
from tegum.shapes import Bool, Float, Int


def fields_of_length_1(side: int, n_units: int, radius: float, seed: int) -> Dictionary:
    """Codes of the grid's side x side places, each scaled to length 1 (no field: length 0), or those that lie in few fields would count for less."""
    table = receptive_fields(side**2, n_units, seed, radius=radius, dtype=torch.float64).dense()
    length = table.norm(dim=1, keepdim=True)
    return Dense(torch.where(length > 0, table / length, 0.0))


def own_codes(dictionary: Dictionary) -> Bool[np.ndarray, " places"]:
    """Which places have a code that no other place has, and lie in a field at all."""
    fires = (dictionary.dense() != 0).numpy()
    _, which, often = np.unique(fires, axis=0, return_inverse=True, return_counts=True)
    return (often[which.ravel()] == 1) & fires.any(axis=1)


def apart(places: Int[np.ndarray, "sets k"], side: int) -> Float[np.ndarray, " sets"]:
    """The least distance between two places of each set; infinite for one place."""
    at = grid(side**2).numpy()[places]
    distance = np.linalg.norm(at[:, :, None] - at[:, None], axis=-1)
    distance[:, range(places.shape[1]), range(places.shape[1])] = np.inf
    return distance.min(axis=(1, 2))


def read_in_one_look(dictionary: Dictionary, places: Int[np.ndarray, "sets k"]) -> Bool[np.ndarray, " sets"]:
    """Whether the k places whose codes are most like the sum of the codes are the set."""
    z, x = _sums(dictionary, [places])
    return decode(dictionary, x, TopK(n_active=places.shape[1]), progress=False).support_exact(z).numpy()


def read_by_solving(dictionary: Dictionary, sets: list[Int[np.ndarray, "sets k"]]) -> list[Bool[np.ndarray, " sets"]]:
    """Whether the sum of least weights that gives x exactly is the set, each place once; sets of several sizes at a time."""
    z, x = _sums(dictionary, sets)
    right = decode(dictionary, x, BasisPursuit(), progress=False).exact(z).numpy()
    return np.split(right, np.cumsum([len(places) for places in sets])[:-1])


def inner_products(
    side: int, n_units: int, radius: float, seed: int
) -> tuple[Float[np.ndarray, " distances"], Int[np.ndarray, " distances"], Float[np.ndarray, "2 distances"]]:
    """Distances on the grid, how many pairs of places have each, and the mean and mean square of their codes' inner products."""
    table = receptive_fields(side**2, n_units, seed, radius=radius, dtype=torch.float64).dense()
    column, row = (np.arange(side**2) % side, np.arange(side**2) // side)
    squares = (column[:, None] - column) ** 2 + (row[:, None] - row) ** 2
    pairs = np.triu_indices(side**2)
    kinds, kind = np.unique(squares[pairs], return_inverse=True)
    products = (table @ table.T).numpy()[pairs]
    count = np.bincount(kind)
    return np.sqrt(kinds) / side, count, np.stack([np.bincount(kind, products) / count, np.bincount(kind, products**2) / count])


def read_everywhere(
    members: Float[np.ndarray, "members 2"], side: int, n_units: int, radius: float, seed: int
) -> Float[np.ndarray, "side side"]:
    """The inner product of the sum of the members' codes with the code of each place of the grid: row y, column x."""
    places = torch.cat([grid(side**2), torch.as_tensor(members)])
    table = receptive_fields(len(places), n_units, seed, radius=radius, places=places, dtype=torch.float64).dense()
    return (table[: side**2] @ table[side**2 :].sum(0)).reshape(side, side).numpy()


def _sums(dictionary: Dictionary, sets: list[np.ndarray]) -> tuple[SparseCodes, Tensor]:
    parts = [
        SparseCodes(torch.as_tensor(places), torch.ones(places.shape, dtype=dictionary.dtype), dictionary.n_features) for places in sets
    ]
    z = SparseCodes.concatenate(parts)
    return z, dictionary.encode(z)
