"""The Babel function of a table of directions: how much k others can say in one direction's place, and the k for which recovery is certain.

    mu_1(k) = max over i of the sum of the k largest |<a_i, a_j>|, j != i

for unit directions (Tropp 2004, 'Greed is good', definition 2.4); mu_1(1) is the coherence. OMP and l1 minimisation read every code with k features
on, whatever they are, where mu_1(k - 1) + mu_1(k) < 1 (ibid., theorems 3.1, 3.3 and 3.5), for which k < (1 + 1 / mu_1(1)) / 2 is enough (Donoho &
Elad 2003). The same sums say how far linear probes are off at worst (`tegum.theory.linear_access`): a direction that is its own probe by mu_1(k), and
at its best length by s / (1 + g), s being the sum of the k largest and g the k-th, or by 1, which the probe 0 is off by.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tegum.checks import check_count
from tegum.dictionaries._base import CHUNK
from tegum.dictionaries._largest import largest
from tegum.geometry._directions import as_directions, unit
from tegum.progress import bar
from tegum.results import Result
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 2e-6  # of a cosine in float32: what is nearer to 1 is a copy
_FIRST = 64  # others of each direction that are looked at, more where that is too few


@dataclass(frozen=True, eq=False, repr=False)
class Babel(Result):
    """`values[k - 1]` is mu_1(k). `guaranteed` is the largest k for which every code is read; `by_coherence` what the coherence alone says of it.

    `left_out` rows of length 0 count in nothing; the numbers of features are those of the table with them. `pairs` are the most coherent ones,
    `cosines` theirs; `copies` features are another's copy or its opposite. `others[i]` holds the largest |cosines| of feature `there[i]` with others.
    """

    values: Float[Tensor, " most"]
    guaranteed: int
    by_coherence: int
    pairs: Int[Tensor, "pairs 2"]
    cosines: Float[Tensor, " pairs"]
    copies: int
    left_out: int
    there: Int[Tensor, " features"]
    others: Float[Tensor, "features most"]

    @property
    def coherence(self) -> float:
        """The largest |cosine|; 0 with fewer than two directions."""
        return float(self.values[0]) if len(self.values) else 0.0

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a k."""
        import pandas as pd

        return pd.DataFrame({"k": range(1, len(self.values) + 1), "mu_1": self.values.numpy()})

    def __repr__(self) -> str:
        lost = f", {self.left_out:,} of length 0 left out" if self.left_out else ""
        return f"Babel({len(self.there):,} directions{lost}, coherence {self.coherence:.4g}, every code read up to k = {self.guaranteed})"


def babel(directions: Tensor, most: int = _FIRST, *, n_pairs: int = 20, progress: bool | None = None) -> Babel:
    """mu_1(k) for k = 1 to `most`, or further where it takes more to find `guaranteed`; as far as there are other directions.

    `directions` is (features, dims), of any lengths. Works in blocks: features x `most` numbers are the largest thing made. ValueError for tables of
    another shape and numbers that are not finite.
    """
    table = one_table(directions)
    check_count("most", most)
    check_count("n_pairs", n_pairs)
    U = unit(table)
    there = U.any(1).nonzero()[:, 0]
    U = U[there].float()
    n, wanted = len(U), max(most, n_pairs, _FIRST)
    while True:
        others, signed, partner = largest_others(U, U, min(wanted, max(0, n - 1)), progress)
        values = others.double().cumsum(1).amax(0) if others.numel() else others.new_zeros(0, dtype=torch.float64)
        guaranteed = _guaranteed(values)
        if guaranteed < len(values) or len(values) >= n - 1:
            break
        wanted *= 4  # every code is read as far as was looked
    guaranteed = n if guaranteed >= n - 1 else guaranteed  # the last one has no others left to be confused with
    coherence = float(values[0]) if len(values) else 0.0
    pairs, cosines = _most_coherent(others, signed, partner, n_pairs)
    return Babel(
        values=values, guaranteed=guaranteed, by_coherence=_by_coherence(coherence, n), pairs=there[pairs], cosines=cosines,
        copies=int((others[:, 0] >= 1 - ROUNDING).sum()) if others.numel() else 0,
        left_out=len(table) - n, there=there, others=others,
    )  # fmt: skip


def worst_errors(others: Float[Tensor, "features most"], k: int) -> Float[Tensor, " features"]:
    """How far each probe is off at worst at its best length, over codes in [-1, 1] with k on, as in `tegum.theory.rescaled_probes`.

    `others` are as `largest_others` gives them, k of each probe at least.
    """
    kept = others[:, :k].double()
    if kept.shape[1] == 0:
        return torch.zeros(len(others), dtype=torch.float64)
    total, last = kept.sum(1), kept[:, -1] if kept.shape[1] == k else torch.zeros(len(kept), dtype=torch.float64)
    return torch.where(total - last < 1, total / (1 + last), 1.0)


def largest_others(
    probes: Float[Tensor, "features dims"],
    U: Float[Tensor, "features dims"],
    m: int,
    progress: bool | None = None,  # noqa: FBT001
) -> tuple[Float[Tensor, "features m"], Float[Tensor, "features m"], Int[Tensor, "features m"]]:
    """Of each probe, for a reading 1 of its own direction, its m largest readings of others: their magnitudes, they with their signs, and whose.

    A probe that does not read its own direction reads 0 of all.
    """
    n = len(U)
    size, signed = torch.zeros(n, m), torch.zeros(n, m)
    which = torch.zeros(n, m, dtype=torch.int64)
    if not m:
        return size, signed, which
    step = max(1, CHUNK // n)
    with bar(f"cosines of {n:,} directions", n, "directions", progress) as done:
        for first in range(0, n, step):
            read = probes[first : first + step] @ U.T
            own = torch.arange(first, first + len(read))
            mine = read[own - first, own]
            read *= torch.where(mine != 0, 1 / torch.where(mine != 0, mine, 1), 0)[:, None]
            read[own - first, own] = 0  # among the largest only where all others are 0 too
            signed[own], which[own] = largest(read, m, signed=True)
            done(first + len(own))
    torch.abs(signed, out=size)
    return size, signed, which


def one_table(directions: Tensor, name: str = "directions") -> Float[Tensor, "features dims"]:
    """The one table of directions of the audit. ValueError where it is not (features, dims), empty, or not finite."""
    table = as_directions(directions, name).detach()
    if table.ndim != 2 or not len(table):
        raise ValueError(f"{name} has shape {tuple(table.shape)}; it must be (features, dims), with one feature at least")
    return table


def gram_of(U: Float[Tensor, "features dims"]) -> Float[Tensor, "dims dims"]:
    """U^T U in float64, some rows at a time."""
    total = torch.zeros(U.shape[1], U.shape[1], dtype=torch.float64)
    for rows in U.split(4096):
        exact = rows.double()
        total.addmm_(exact.T, exact)
    return total


def _guaranteed(values: Float[Tensor, " most"]) -> int:
    """The largest k up to which mu_1(k - 1) + mu_1(k) is below 1 by more than rounding."""
    before = torch.cat([values.new_zeros(1), values[:-1]])[: len(values)]
    k = torch.arange(1, len(values) + 1)
    fails = (values + before + (2 * k - 1) * ROUNDING >= 1).nonzero()
    return int(fails[0]) if len(fails) else len(values)


def _by_coherence(coherence: float, n: int) -> int:
    """The largest k below (1 + 1 / coherence) / 2, rounding allowed for."""
    bound = coherence + ROUNDING
    return n if coherence == 0 else max(0, min(n, math.ceil((1 + 1 / bound) / 2) - 1))


def _most_coherent(others: Tensor, signed: Tensor, partner: Tensor, n_pairs: int) -> tuple[Tensor, Tensor]:
    """Pairs i < j among the largest of each row, of which there are more than of pairs: the n largest pairs of all are there."""
    if not others.numel():
        return torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0)
    rows = torch.arange(len(others))[:, None].expand_as(partner)
    once = rows < partner
    flat = torch.where(once, others, -1.0).flatten()
    top = flat.topk(min(n_pairs, int(once.sum()))).indices
    return torch.stack([rows.flatten()[top], partner.flatten()[top]], 1), signed.flatten()[top]
