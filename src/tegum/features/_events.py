"""Events: the one description behind every distribution over sparse feature vectors, and its sampler in torch.

A distribution is a set of independent events. An event fires with its own density; firing, it switches on `pick` of its `size` features, chosen
uniformly. One feature an event makes independent features, all of a group makes correlated ones, one of a group anticorrelated ones, k of
all N a uniform k-subset. Events of nearly one density stand together in a Bucket, and a bucket is sampled by the gaps between the events
that fire, through 1,024 samples at a time as one long row of slots: what does not fire costs nothing, so N = 2^24 with 32 active is instant.

Words (see `tegum.draws`): firings 2 i and 2 i + 1 of a block of 1,024 samples share index i of stream EVENTS + bucket, two words each: the gap
before the firing, and the value of a single feature. Member m of firing j of a larger event reads index j * pick + m of stream MEMBERS + bucket:
words 0, 1 its place (Floyd's algorithm: Bentley & Floyd 1987), 2 its value; and word 3 of a firing's first member thins it.
A gap of one word has the law of a geometric number to 2^-33: a density is right to that.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tegum import draws
from tegum.shapes import Float, Int

BLOCK = 1024  # samples that share one row of slots
_FAR = 1 << 40  # a gap longer than any row of slots
MOST = _FAR // BLOCK  # features: a row of slots holds BLOCK samples
VALUES = ("uniform", "binary", "signed", "gaussian")


@dataclass(frozen=True, eq=False)
class Bucket:
    """`count` independent events; each fires with `density` (times its `ratio`, if given) and switches on `pick` of its `size` features.

    Event e owns the features `first + e * size ...`, or `features[e]` where `features` is given (then size is 1).
    """

    density: float
    count: int
    size: int = 1
    pick: int = 1
    first: int = 0
    features: np.ndarray | None = None  # (count,) int64
    ratio: np.ndarray | None = None  # (count,) float64 in (0, 1]

    @property
    def gap_scale(self) -> float:
        """1 / ln(1 - density): what turns ln(u) into a geometric gap; -0.0 where every event fires."""
        return -0.0 if self.density >= 1 else 1.0 / math.log1p(-self.density)

    def event_density(self) -> np.ndarray:
        """The density of each event, (count,) float64."""
        return np.full(self.count, self.density) if self.ratio is None else self.density * self.ratio

    def members(self) -> np.ndarray:
        """The features of each event, (count, size) int64."""
        if self.features is not None:
            return self.features[:, None]
        return self.first + np.arange(self.count * self.size).reshape(self.count, self.size)


def by_density(density: np.ndarray) -> tuple[Bucket, ...]:
    """Independent features of any densities, as buckets within a factor of two; each is sampled at its bucket's largest and thinned."""
    present = np.flatnonzero(density > 0)
    level = np.maximum(np.floor(np.log2(density[present])), -62).astype(int)
    buckets = []
    for wanted in np.unique(level)[::-1]:
        members = present[level == wanted].astype(np.int64)
        top = float(density[members].max())
        buckets.append(Bucket(top, len(members), features=members, ratio=density[members] / top))
    return tuple(buckets)


def draw(
    buckets: tuple[Bucket, ...],
    n_features: int,
    values: str,
    n_samples: int,
    seeds: Int[Tensor, " instances"],
    instances: Int[Tensor, " instances"],
    step: int,
    first_sample: int = 0,
) -> tuple[Int[Tensor, " active"], Float[Tensor, " active"]]:
    """What is active, as positions in a flat (instances, n_samples, n_features) array, ascending, and their values (float64)."""
    parts = [_draw(b, i, n_features, values, n_samples, seeds, instances, step, first_sample) for i, b in enumerate(buckets)]
    flat, value = (
        (torch.cat(p) for p in zip(*parts, strict=True))
        if parts
        else (torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.float64))
    )
    if len(parts) > 1 or (parts and seeds.numel() > 1):
        flat, order = flat.sort()
        value = value[order]
    return flat, value


def to_values(kind: str, word: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The value of an active feature from one word."""
    if kind == "binary":
        return torch.ones(word.shape, dtype=torch.float64, device=word.device)
    if kind == "signed":
        return 1.0 - 2.0 * (word >> 31).to(torch.float64)
    u = draws.uniform32(word)
    return u if kind == "uniform" else draws.normal(u)


def _draw(
    bucket: Bucket,
    number: int,
    n_features: int,
    kind: str,
    n_samples: int,
    seeds: Tensor,
    instances: Tensor,
    step: int,
    first_sample: int,
) -> tuple[Tensor, Tensor]:
    device = seeds.device
    first_block, end = first_sample // BLOCK, first_sample + n_samples
    blocks = torch.arange(first_block, -(-end // BLOCK), device=device)
    slots = min(BLOCK, end - first_block * BLOCK) * bucket.count
    expected = bucket.density * slots
    capacity = min(slots, int(expected + 6 * math.sqrt(expected) + 8)) + 1
    while True:
        index = torch.arange(-(-capacity // 2), device=device)
        w = draws.words(seeds[:, None, None], draws.EVENTS + number, instances[:, None, None], step, blocks[:, None], index)
        gap_word, value_word = (torch.stack(pair, -1).flatten(-2) for pair in ((w[0], w[2]), (w[1], w[3])))
        gap = torch.floor(draws.log(draws.uniform32(gap_word)) * bucket.gap_scale).clamp(max=_FAR).to(torch.int64)
        place = torch.cumsum(gap + 1, dim=-1) - 1
        if bool((place[..., -1] >= slots).all()):
            break
        capacity = capacity * 2
    event = place % bucket.count
    sample = blocks[:, None] * BLOCK + torch.div(place, bucket.count, rounding_mode="floor")
    fired = (place < slots) & (sample >= first_sample) & (sample < end)
    if bucket.ratio is not None:
        first_member = torch.arange(place.shape[-1], device=device) * bucket.pick
        w = draws.words(seeds[:, None, None], draws.MEMBERS + number, instances[:, None, None], step, blocks[:, None], first_member)
        fired &= draws.uniform32(w[3]) < torch.as_tensor(bucket.ratio, device=device)[event]
    row, block, j = fired.nonzero(as_tuple=True)
    base = (row * n_samples + sample[fired] - first_sample) * n_features
    event = event[fired]
    if bucket.size == 1:
        feature = bucket.first + event if bucket.features is None else torch.as_tensor(bucket.features, device=device)[event]
        return base + feature, to_values(kind, value_word[fired])
    member = torch.arange(bucket.pick, device=device)
    index = j[:, None] * bucket.pick + member
    w = draws.words(seeds[row, None], draws.MEMBERS + number, instances[row, None], step, blocks[block, None], index)
    place, value = member.expand(len(j), -1), to_values(kind, w[2])
    if bucket.pick < bucket.size:
        place, order = _choose(draws.uniform52(w[0], w[1]), bucket.size).sort(dim=-1)
        value = value.gather(1, order)
    return (base[:, None] + bucket.first + event[:, None] * bucket.size + place).flatten(), value.flatten()


def _choose(u: Float[Tensor, "events pick"], size: int) -> Int[Tensor, "events pick"]:
    """Floyd's algorithm, a row at a time: `pick` distinct places below `size`, every subset equally likely."""
    pick = u.shape[1]
    chosen = torch.full(u.shape, -1, dtype=torch.int64, device=u.device)
    for m in range(pick):
        last = size - pick + m
        place = torch.floor(u[:, m] * (last + 1)).to(torch.int64)
        taken = (chosen[:, :m] == place[:, None]).any(dim=1)
        chosen[:, m] = torch.where(taken, last, place)
    return chosen
