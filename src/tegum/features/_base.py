"""Distribution: the contract of every distribution over sparse feature vectors. A part says which events it is made of; the rest follows.

Given the support, the values of active features are i.i.d. of one kind: uniform U[0,1], binary 1, signed +-1 (fair), gaussian N(0,1).
"""

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tegum.checks import check_below, check_count, check_seed
from tegum.features._codes import SparseCodes
from tegum.features._events import BLOCK, MOST, VALUES, Bucket, draw
from tegum.features._subset_bits import subset_bits
from tegum.shapes import Float, Int

SUPPORT_LIMIT = 4096
_MEAN = {"uniform": 0.5, "binary": 1.0, "signed": 0.0, "gaussian": 0.0}
_SECOND = {"uniform": 1 / 3, "binary": 1.0, "signed": 1.0, "gaussian": 1.0}


@dataclass(frozen=True, kw_only=True, eq=False)
class Distribution(ABC):
    """A distribution over sparse vectors z of `n_features` features; `values` is the kind of an active feature's value."""

    n_features: int
    values: str = "uniform"

    def __post_init__(self) -> None:
        """Check every field once, here: a description that exists is one that can be sampled."""
        check_count("n_features", self.n_features)
        if self.values not in VALUES:
            raise ValueError(f"values is {self.values!r}; it must be one of {', '.join(VALUES)}")
        self._check()

    @abstractmethod
    def _check(self) -> None:
        """Raise ValueError for fields out of range."""

    @abstractmethod
    def _events(self) -> tuple[Bucket, ...]:
        """The independent events that the distribution is made of; no feature belongs to two."""

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        """The events, in buckets of nearly one density; what never fires is left out."""
        found = tuple(b for b in self._events() if b.density > 0)
        if len(found) > 64:
            raise ValueError(f"{type(self).__name__} has {len(found)} buckets of events; there are 64 streams of words for them")
        return found

    def sample(
        self,
        n_samples: int,
        seed: int = 0,
        *,
        instance: int = 0,
        step: int = 0,
        first_sample: int = 0,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> SparseCodes:
        """`n_samples` codes. The same (seed, instance, step, sample) gives the same code on any device and in any batch.

        Samples are drawn in blocks of 1,024, each from its beginning: up to 1,023 before `first_sample` are drawn and thrown away.
        Raises ValueError for more than 2^30 features, a seed outside [0, 2^63), and places outside the counter (see `tegum.draws`).
        """
        check_count("n_samples", n_samples)
        check_seed(seed)
        for name, value, end in (
            ("instance", instance, 2**24),
            ("step", step, 2**32),
            ("first_sample", first_sample, 2**32 * BLOCK - n_samples),
        ):
            check_below(name, value, end)
        if self.n_features > MOST:
            raise ValueError(f"n_features is {self.n_features}; at most 2^30 = {MOST} can be sampled")
        place = torch.tensor([instance], dtype=torch.int64, device=device)
        flat, value = active(self, n_samples, torch.full_like(place, seed), place, step, first_sample)
        row = torch.div(flat, self.n_features, rounding_mode="floor")
        counts = torch.bincount(row, minlength=n_samples)
        width = int(counts.max())
        column = torch.arange(len(flat), device=flat.device) - (counts.cumsum(0) - counts)[row]
        indices = torch.full((n_samples, width), -1, dtype=torch.int64, device=flat.device)
        values = torch.zeros((n_samples, width), dtype=dtype, device=flat.device)
        indices[row, column] = flat - row * self.n_features
        values[row, column] = value.to(dtype)
        return SparseCodes(indices, values, self.n_features)

    def marginal_density(self) -> Float[Tensor, " features"]:
        """The marginal probability that each feature is active, float64."""
        out = np.zeros(self.n_features)
        for bucket in self.buckets:
            out[bucket.members()] = (bucket.event_density() * bucket.pick / bucket.size)[:, None]
        return torch.from_numpy(out)

    def mean(self) -> Float[Tensor, " features"]:
        """E z_i, float64."""
        return self.marginal_density() * _MEAN[self.values]

    def variance(self) -> Float[Tensor, " features"]:
        """Var z_i, float64."""
        return self.marginal_density() * _SECOND[self.values] - self.mean() ** 2

    def second_moments(self) -> Float[Tensor, "features features"]:
        """E z_i z_j, float64: exact, dependence within events included. Holds N x N numbers."""
        mean = self.mean()
        out = mean[:, None] * mean[None, :]
        for bucket in self.buckets:
            if bucket.size > 1:
                both = bucket.density * bucket.pick * (bucket.pick - 1) / (bucket.size * (bucket.size - 1)) * _MEAN[self.values] ** 2
                for members in torch.from_numpy(bucket.members()):
                    out[members[:, None], members[None, :]] = both
        return out.fill_diagonal_(0) + torch.diag(self.marginal_density() * _SECOND[self.values])

    @property
    def max_active(self) -> int:
        """The most features that can be active at once."""
        return sum(b.count * b.pick for b in self.buckets)

    def mean_active(self) -> float:
        """The expected number of active features."""
        return float(sum((b.event_density() * b.pick).sum() if b.ratio is not None else b.density * b.count * b.pick for b in self.buckets))

    def support_bits(self) -> float:
        """Entropy of the set of active features, bits: sum over events of h(p) + p log2 C(size, pick), exact."""
        total = 0.0
        for b in self.buckets:
            which = float(subset_bits(b.size, b.pick))
            if b.ratio is None:
                total += b.count * (_binary_entropy(b.density) + b.density * which)
            else:
                total += sum(_binary_entropy(p) + p * which for p in b.event_density().tolist())
        return total

    def entropy_bits(self) -> float:
        """Entropy of z in bits: exact for binary and signed values. Raises ValueError for continuous ones, which no number of bits holds."""
        if self.values in ("uniform", "gaussian"):
            raise ValueError(
                f"the entropy of {self.values} values is not finite; support_bits() is the entropy of which features are active"
            )
        return self.support_bits() + (self.mean_active() if self.values == "signed" else 0.0)

    def supports(self) -> list[tuple[tuple[int, ...], float]]:
        """Every set of active features with its probability. Raises ValueError when there are more than 4096 of them."""
        events: list[list[tuple[tuple[int, ...], float]]] = []
        total = 1
        for b in self.buckets:
            outcomes = math.comb(b.size, b.pick)
            quiet = b.ratio is not None or b.density < 1
            total *= (outcomes + quiet) ** b.count if b.count * math.log2(outcomes + quiet) < 64 else SUPPORT_LIMIT + 1
            if total > SUPPORT_LIMIT:
                raise ValueError(
                    f"{type(self).__name__} over {self.n_features} features has more than {SUPPORT_LIMIT} supports: too many to list"
                )
            for p, members in zip(b.event_density().tolist(), b.members().tolist(), strict=True):
                fires = [(subset, p / outcomes) for subset in itertools.combinations(members, b.pick)]
                events.append(fires if p >= 1 else [((), 1 - p), *fires])
        return [
            (tuple(sorted(itertools.chain.from_iterable(s for s, _ in chosen))), math.prod(p for _, p in chosen))
            for chosen in itertools.product(*events)
        ]


def active(
    features: Distribution,
    n_samples: int,
    seeds: Int[Tensor, " instances"],
    instances: Int[Tensor, " instances"],
    step: int,
    first_sample: int = 0,
) -> tuple[Int[Tensor, " active"], Float[Tensor, " active"]]:
    """What is active, as ascending positions in a flat (instances, n_samples, n_features) array, and their values (float64)."""
    if seeds.device.type == "cpu" and (kernel := _kernel()) is not None:
        return kernel.sparse(features.buckets, features.n_features, features.values, n_samples, seeds, instances, step, first_sample)
    return draw(features.buckets, features.n_features, features.values, n_samples, seeds, instances, step, first_sample)


def fill(
    out: Float[Tensor, "instances batch features"],
    features: Distribution,
    seeds: Int[Tensor, " instances"],
    instances: Int[Tensor, " instances"],
    step: int,
    first_sample: int = 0,
) -> None:
    """Overwrite `out` with a fresh batch for each instance."""
    out.zero_()
    if out.device.type == "cpu" and (kernel := _kernel()) is not None:
        kernel.dense(out, features.buckets, features.values, seeds, instances, step, first_sample)
        return
    flat, value = draw(features.buckets, out.shape[2], features.values, out.shape[1], seeds, instances, step, first_sample)
    out.view(-1)[flat] = value.to(out.dtype)


def _kernel():  # noqa: ANN202 - a module
    try:
        from tegum.features import _fast
    except ModuleNotFoundError:  # no numba: torch draws the same numbers
        return None
    return _fast


def _binary_entropy(p: float) -> float:
    return 0.0 if p <= 0 or p >= 1 else -(p * math.log2(p) + (1 - p) * math.log1p(-p) / math.log(2))


def check_densities(name: str, value: object, n_features: int) -> None:
    """Raise ValueError unless `value` is one probability or `n_features` of them."""
    try:
        density = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}; it must be a number in [0, 1] or one a feature") from None
    if density.ndim > 1 or (density.ndim == 1 and len(density) != n_features):
        raise ValueError(f"{name} has shape {density.shape} but there are {n_features} features; give one number or one a feature")
    wrong = np.flatnonzero(~((density >= 0) & (density <= 1)))
    if len(wrong):
        at = int(wrong[0])
        raise ValueError(f"{name if density.ndim == 0 else f'{name}[{at}]'} is {density.reshape(-1)[at]}; it must lie in [0, 1]")


def check_sets(n_sets: Any, n_features: int) -> None:
    """Raise ValueError unless the features fall into `n_sets` equal sets."""
    check_count("n_sets", n_sets)
    if n_features % n_sets:
        raise ValueError(f"{n_features} features do not fall into {n_sets} equal sets")
