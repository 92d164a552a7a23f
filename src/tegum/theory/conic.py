"""The exact chance that l1 recovers a code on an i.i.d. Gaussian dictionary of any finite size.

l1 fails when the null space of the dictionary, a uniformly random one of codimension d, meets the descent cone of the norm at the code. By
the conic kinematic formula that has chance 2 (v_{d+1} + v_{d+3} + ...), v_j the cone's conic intrinsic volumes: the chance that a Gaussian
vector g, projected on the cone, lands inside a face of dimension j. The volumes of either parity sum to 1/2 (Gauss-Bonnet), so success is
also the chance that the face has fewer than d dims, given that its dimension and d differ in parity: a frequency, with its binomial
interval. One set of draws serves all d.

- non-negative codes: the cone is {u : u >= 0 off the support, sum u <= 0}. Its polar cone holds the s with s = tau on the support and s <=
  tau off it, tau >= 0, so g projects to g - tau on the support and to (g - tau)_+ off it, where tau makes the sum 0, or is 0 if the sum
  then is below 0. The face is as wide as the k entries on the support and the entries off it that are above tau, less 1 for the sum when
  tau > 0;
- codes of either sign: the same with |g| off the support. There tau = 0 has no face of its own: it takes a g with nothing above 0.

Here Gaussian vectors are sampled, alone in this room: the formula is exact, its volumes are frequencies with a standard error. Of g only
the sum on the support and the largest entries off it matter, and those are drawn from the top down (Renyi 1953: the j-th largest of M
uniforms is the one before it times U^(1/(M-j+1))). So a draw costs the time of some d numbers, whatever N is.

Source: Amelunxen, Lotz, McCoy & Tropp 2014, 'Living on the edge: phase transitions in convex programs with random data', sec. 5 and theorem
I.
"""

import math
from typing import NamedTuple

import numpy as np
import torch

from tegum import draws
from tegum.checks import check_count, check_seed
from tegum.theory import _special as special
from tegum.theory._counts import counts, positive
from tegum.theory._numbers import Numbers
from tegum.theory.l1 import lasso_dims, lasso_width

CHUNK = 2**20  # numbers drawn at a time


class L1Success(NamedTuple):
    """Chances of success, their standard errors, and 95% intervals (Wilson's), each in the shape of the dims asked for."""

    probability: np.ndarray
    standard_error: np.ndarray
    low: np.ndarray
    high: np.ndarray


def l1_success(n_dims: Numbers, n_features: int, n_active: int, *, signed: bool = False, trials: int = 20_000, seed: int = 0) -> L1Success:
    """The chance that l1 recovers an `n_active`-sparse code from `n_dims` dims, exact but for the sampling of `trials` vectors.

    Half of them count for each number of dims. `signed` when it may not use that codes are >= 0. All dims share the draws. Raises
    ValueError unless 1 <= n_active <= n_features, the dims are positive whole numbers, and there are at least 100 trials.
    """
    dims = positive("n_dims", n_dims)
    if not np.all(dims == np.floor(dims)):
        raise ValueError(f"n_dims must be whole numbers, got {n_dims}")
    faces = face_dims(n_features, n_active, signed=signed, trials=trials, seed=seed)
    other = (faces - dims[..., None]) % 2 == 1
    trials_seen = other.sum(-1)
    chance = (other & (faces < dims[..., None])).sum(-1) / trials_seen
    z2 = 1.959963984540054**2 / trials_seen
    centre, reach = (chance + z2 / 2) / (1 + z2), np.sqrt(z2 * (chance * (1 - chance) + z2 / 4)) / (1 + z2)
    return L1Success(
        chance, np.sqrt(chance * (1 - chance) / trials_seen), np.minimum(centre - reach, chance), np.maximum(centre + reach, chance)
    )


def face_dims(n_features: int, n_active: int, *, signed: bool = False, trials: int = 20_000, seed: int = 0) -> np.ndarray:
    """Dimensions of the faces of the descent cone on which `trials` Gaussian vectors land: their frequencies are the conic intrinsic volumes.

    Their mean is the cone's statistical dimension. Raises ValueError unless 1 <= n_active <= n_features.
    """
    check_count("trials", trials, at_least=100)
    check_seed(seed)
    _, k, rest = counts(n_features, n_active)
    others = float(rest)
    likely = lasso_dims(n_features, n_active, signed) - k + 6 * lasso_width(n_features, n_active, signed=signed) + 10
    depth = int(min(likely, others))  # how many of the largest are drawn
    rows = max(1, CHUNK // max(depth, 1))
    chunks = [(first, min(rows, trials - first)) for first in range(0, trials, rows)]
    return np.concatenate([_faces(float(k), others, depth, signed, seed, first, size) for first, size in chunks])


def _faces(k: float, others: float, depth: int, signed: bool, seed: int, first: int, rows: int) -> np.ndarray:  # noqa: FBT001 (private)
    """The faces of draws `first` to `first + rows`.

    With m entries above it, tau = (sum on the support + the m largest) / (k + m), kept at 0 or above: the right m is the first that leaves the
    next entry at tau or below.
    """
    uniform = _uniforms(seed, first, rows, depth + 1)
    support = math.sqrt(k) * special.ndtri(uniform[:, :1])
    log_below = np.cumsum(np.log(uniform[:, 1:]) / (others - np.arange(depth)), axis=1)
    largest = -special.ndtri(-np.expm1(log_below) / (2 if signed else 1))
    sums = support + np.concatenate((np.zeros((rows, 1)), np.cumsum(largest, axis=1)), axis=1)
    tau = np.maximum(sums / (k + np.arange(depth + 1)), 0.0)
    stops = np.concatenate((largest, np.full((rows, 1), -np.inf)), axis=1) <= tau
    if depth < others and not stops[:, :-1].any(1).all():
        return _faces(k, others, int(min(2 * depth, others)), signed, seed, first, rows)
    above = stops.argmax(1)
    return (k + above - (tau[np.arange(rows), above] > 0)).astype(np.int64)


def _uniforms(seed: int, first: int, rows: int, n: int) -> np.ndarray:
    """Row r is draw `first + r`, whatever the others are; 52 bits each."""
    index = torch.arange(-(-n // 2))
    w0, w1, w2, w3 = draws.words(seed, draws.INTRINSIC_VOLUMES, 0, 0, torch.arange(first, first + rows)[:, None], index)
    return torch.stack((draws.uniform52(w0, w1), draws.uniform52(w2, w3)), dim=-1).flatten(1)[:, :n].numpy()
