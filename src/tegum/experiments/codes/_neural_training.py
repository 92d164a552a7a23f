"""Neural training: the networks that are compared, each trained for dictionaries of several numbers of dims side by side, and counted at every depth.

An unrolled network grows: trained with one layer, then with the next one as well, from where it stands. One that reads nearly all codes is not made
deeper. A perceptron is trained once, from the same random start at every number of dims.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tegum.dictionaries.uniform_sphere import spherical
from tegum.features.exactly_k import ExactlyK
from tegum.learning import Perceptron, Unrolled, count_right, train_reader
from tegum.learning.reader import stacked
from tegum.store import Row

BAYES, AMP, ISTA, ALISTA, LISTA = "Bayes-AMP, trained", "AMP, trained", "ISTA, trained", "ISTA, inverse table", "ISTA, trained tables"
UNROLLED: dict[str, dict[str, Any]] = {
    BAYES: {"denoiser": "posterior"},
    AMP: {"denoiser": "soft"},
    ISTA: {"denoiser": "soft", "memory": False},
    ALISTA: {"denoiser": "soft", "memory": False, "weights": "inverse"},
    LISTA: {"denoiser": "soft", "memory": False, "weights": "free"},
}
UNTRAINED = "Bayes-AMP, untrained"
READ = 0.98  # of the codes: a network that reads more is not made deeper


def unrolled(
    kind: str, features: ExactlyK, dims: Sequence[int], depths: Sequence[int], *, steps: int, batch_size: int, samples: int, seed: int
) -> Row:
    """Codes read right at each of `depths` and `dims`, -1 where a shallower network reads nearly all; and the memory that the deepest have."""
    dims = sorted(set(dims))
    tables = [spherical(features.n_features, d, seed=seed) for d in dims]
    right = np.full((len(depths), len(dims)), -1)
    parameters = np.zeros((len(depths), len(dims)), dtype=np.int64)
    left = list(range(len(dims)))
    reader = None if kind == UNTRAINED else Unrolled(tables, n_active=features.n_active, **UNROLLED[kind])
    for place, depth in enumerate(depths):
        here = [tables[i] for i in left]
        directions, _ = stacked(here)
        if reader is None:
            measured = Unrolled.bayes_amp(here, n_active=features.n_active, depth=depth)
        else:
            reader.grow(depth)
            train_reader(reader, features, directions, steps=steps, batch_size=batch_size, seed=seed, first_step=place * steps)
            parameters[place, left] = reader.n_parameters().numpy()
            measured = reader
        right[place, left] = count_right(measured, features, directions, samples, seed).numpy()
        hard = [at for at, i in enumerate(left) if right[place, i] <= READ * samples]
        if place + 1 < len(depths) and 2 <= len(hard) < len(left):
            left = [left[at] for at in hard]
            reader = None if reader is None else reader.some(hard)
    memory = np.full((len(dims), max(depths) - 1), np.nan)
    if reader is not None and reader.memory:
        memory[left] = reader.hidden[..., 2].detach().numpy()
    return Row(depths=np.array(depths), dims=np.array(dims), right=right, parameters=parameters, memory=memory)


def perceptron(
    hidden: Sequence[int], features: ExactlyK, dims: Sequence[int], *, steps: int, batch_size: int, samples: int, seed: int
) -> Row:
    """The same of perceptrons, whose one depth is that of their hidden layers and one."""
    dims = sorted(set(dims))
    directions, _ = stacked([spherical(features.n_features, d, seed=seed) for d in dims])
    reader = Perceptron(dims, features.n_features, n_active=features.n_active, hidden=hidden, seed=seed)
    train_reader(reader, features, directions, steps=steps, batch_size=batch_size, seed=seed)
    right = count_right(reader, features, directions, samples, seed).numpy()
    return Row(
        depths=np.array([reader.depth]), dims=np.array(dims), right=right[None], parameters=reader.n_parameters().numpy()[None],
        memory=np.full((len(dims), reader.depth - 1), np.nan),
    )  # fmt: skip
