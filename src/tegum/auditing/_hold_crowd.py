"""What k active directions at random do to one reading of the others: interference measured, beside the normal law of directions at random.

x is the sum of k unit directions; each feature that is off reads <u_i, x>, where it should read 0. For directions at random that is N(0, k/d), since
a cosine has variance 1/d. A threshold at 1/2 takes what is above it for a feature that is on.

Of the M = N - 1 others each set of k is as likely, so the mean square of a reading is known without drawing any: with m_i and v_i the mean and the
variance of feature i's cosines with the others, it is (k m_i)^2 + k v_i (M - k) / (M - 1). The first part is the same whatever is on, and a bias
takes it away; the second is what is left. Quantiles are of sets that are drawn.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor

from tegum.auditing._hold_babel import gram_of, one_table
from tegum.checks import check_count, check_seed
from tegum.dictionaries.dense import Dense
from tegum.features.exactly_k import ExactlyK
from tegum.geometry._directions import unit
from tegum.results import Result
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd

SHARES = 0.5, 0.9, 0.99, 0.999
_READINGS = 1 << 22  # held at a time, and counted in all, but for at least `_FEWEST` samples
_FEWEST, _MOST = 32, 1024
_BINS = 4000


@dataclass(frozen=True, eq=False, repr=False)
class Interference(Result):
    """Readings of features that are off while `n_active` other unit directions in `n_dims` dims are on, at random.

    `rms` is their root mean square and `spread` that of what is left of them when each feature's mean is taken away, both over all sets and exact. Of
    `n_samples` sets: `quantiles` of magnitudes, at `shares`; the share above 1/2 with a 95% interval over sets; a histogram.
    """

    n_active: int
    n_dims: int
    n_samples: int
    shares: tuple[float, ...]
    quantiles: tuple[float, ...]
    rms: float
    spread: float
    false_share: float
    false_interval: tuple[float, float]
    edges: Float[Tensor, " edges"]
    counts: Int[Tensor, " bins"]

    @property
    def normal_quantiles(self) -> tuple[float, ...]:
        """What directions at random give: those of |N(0, k/d)|."""
        return tuple(float(self.normal_std * ndtri((1 + share) / 2)) for share in self.shares)

    @property
    def normal_std(self) -> float:
        """sqrt(k/d)."""
        return (self.n_active / self.n_dims) ** 0.5

    @property
    def normal_false_share(self) -> float:
        """P(N(0, k/d) > 1/2)."""
        return float(ndtr(-0.5 / self.normal_std))

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a quantile."""
        import pandas as pd

        return pd.DataFrame({"share": self.shares, "interference": self.quantiles, "normal": self.normal_quantiles})

    def __repr__(self) -> str:
        return f"Interference({self.n_active} on at random: root mean square {self.rms:.3g}, {self.normal_std:.3g} of directions at random)"


@torch.no_grad()
def interference_of_sets(directions: Tensor, n_active: int, *, n_samples: int | None = None, seed: int = 0) -> Interference:
    """Draw sets of `n_active` of the directions, each at length 1 and value 1, and read all the others.

    By default some four million readings. Rows of length 0 are left out. ValueError where none is off: `n_active` must be below the number of
    directions.
    """
    check_count("n_active", n_active)
    check_seed(seed)
    U = unit(one_table(directions)).float()
    U = U[U.any(1)]
    n, dims = U.shape
    if n_active >= n:
        raise ValueError(f"n_active is {n_active:,} of {n:,} directions: none is off, so nothing is interfered with")
    samples = max(_FEWEST, min(_MOST, _READINGS // n)) if n_samples is None else n_samples
    check_count("n_samples", samples)
    z = ExactlyK(n_features=n, n_active=n_active).sample(samples, seed=seed)
    dictionary = Dense(U)
    x = dictionary.encode(z.to(dtype=U.dtype))
    kept, false = [], torch.zeros(samples, dtype=torch.float64)
    for first in range(0, samples, step := max(1, _READINGS // n)):
        rows = slice(first, first + step)
        read = dictionary.correlate(x[rows])
        off = torch.ones_like(read, dtype=torch.bool).scatter_(1, z.indices[rows], value=False)
        read = read[off].reshape(len(read), n - n_active)
        false[rows] = (read > 0.5).double().mean(1)
        kept.append(read.flatten())
    bias, variance = _mean_squares(U, n_active)
    everything = torch.cat(kept).numpy()
    share, about = float(false.mean()), 1.96 * float(false.std(correction=1)) / samples**0.5 if samples > 1 else np.nan
    high = share + about if share else min(1.0, 3 / samples)  # no set of so many has one: at most 3 / samples of all do, at 95%
    reach = max(float(np.abs(everything).max()), 1e-6) * (1 + 1e-6)
    counts, edges = np.histogram(everything, bins=_BINS, range=(-reach, reach))
    return Interference(
        n_active=n_active, n_dims=dims, n_samples=samples, shares=SHARES,
        quantiles=tuple(float(q) for q in np.quantile(np.abs(everything), SHARES)),
        rms=(bias + variance) ** 0.5, spread=variance**0.5,
        false_share=share, false_interval=(max(0.0, share - about), high),
        edges=torch.from_numpy(edges), counts=torch.from_numpy(counts),
    )  # fmt: skip


def _mean_squares(U: Float[Tensor, "features dims"], k: int) -> tuple[float, float]:
    """Over all features and sets: the mean square of each feature's mean reading, and of what its readings vary about it."""
    others, gram, total = len(U) - 1, gram_of(U), U.double().sum(0)
    parts = [(V @ total, ((V @ gram) * V).sum(1)) for V in (rows.double() for rows in U.split(4096))]
    mean, square = ((torch.cat(sums) - 1) / others for sums in zip(*parts, strict=True))
    left = (others - k) / (others - 1) if others > 1 else 0.0
    return float((k * mean).square().mean()), float((k * left * (square - mean.square()).clamp(min=0)).mean())
