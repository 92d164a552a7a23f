"""The sampler's kernel against torch's own random numbers, for a dense batch of sparse features.

The peer is the sampler of the notebook of Elhage et al. 2022, `where(rand <= density, rand, 0)`: two random numbers an entry. Ours visits what
is active alone, after one pass that zeroes the batch; it also keeps the contract of `tegum.draws`, which the peer does not.
"""

import torch

import tegum
from bench.interleave import Result, Side, interleave
from bench.limits import write_seconds
from tegum.features._base import fill

FEATURES, BATCH, DENSITY = 1024, 4096, 0.01


def contest() -> Result:
    """Seconds for one dense float32 batch."""
    features = tegum.features.Bernoulli(n_features=FEATURES, density=DENSITY)
    out, seeds, ids = torch.empty(1, BATCH, FEATURES), torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)
    work = f"one batch of {BATCH} samples of {FEATURES} features, density {DENSITY}, float32, dense"
    limit = f"writing {out.nbytes / 1e6:.0f} MB once, at the bandwidth of a fill"
    ours, theirs = Side("tegum, numba kernel", lambda: fill(out, features, seeds, ids, 0)), Side("torch.rand and where", _notebook)
    return interleave("sampling", work, ours, theirs, limit=(limit, write_seconds(out.nbytes)))


def _notebook() -> torch.Tensor:
    shape = (BATCH, FEATURES)
    return torch.where(torch.rand(shape) <= DENSITY, torch.rand(shape), torch.zeros(()))
