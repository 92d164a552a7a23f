"""Who fires, and with whom: one pass over rows and their codes, and which pairs of features meet more often than chance, or less.

Chance is that of independent features: n_i n_j / n meetings in n rows. Pairs are ranked by phi, the correlation of being on, (n n_ij - n_i n_j) /
sqrt(n_i n_j (n - n_i) (n - n_j)); Jaccard's n_ij / (n_i + n_j - n_ij) is told beside it. Rows of one document are alike, so no p-values are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tegum.activations import Activations
from tegum.features import SparseCodes
from tegum.progress import bar
from tegum.results import Result
from tegum.shapes import Float, Int

if TYPE_CHECKING:
    import pandas as pd

Codes = Callable[[Tensor], SparseCodes]

_HELD = 1 << 22  # numbers at a time
_PAIRS = 1 << 28  # pairs that are counted in all, spread evenly over the rows
_MOST = 8192  # features that are paired: their counts take 256 MiB
_OFTEN = 5.0  # meetings by chance, from which on more or fewer are told
_LIFTS = np.linspace(-6, 6, 97)  # log2 of meetings over chance


@dataclass(frozen=True, eq=False, repr=False)
class Meetings(Result):
    """What was seen of codes in `rows` rows. `fired` and `energy` (mean square code) are of every feature.

    Pairs were counted in `paired_rows` of the rows, among the features `paired`: `together` and `apart` are tables of those that meet most above
    chance, and most below it. `pairs` of them chance brings together five times or more: a share `twice` of these meet more than twice as often as
    that, a share `half` less than half as often, and `lifts` counts them by log2 of meetings over chance, in bins between `edges`.
    """

    rows: int
    fired: Int[Tensor, " features"]
    energy: Float[Tensor, " features"]
    fourth: Float[Tensor, " dims"]
    paired_rows: int
    paired: Int[Tensor, " some"]
    together: "pd.DataFrame"
    apart: "pd.DataFrame"
    pairs: int
    twice: float
    half: float
    edges: Float[Tensor, " edges"]
    lifts: Int[Tensor, " bins"]

    @property
    def rates(self) -> Float[Tensor, " features"]:
        """The share of rows in which each is on."""
        return self.fired.double() / max(1, self.rows)

    @property
    def l0(self) -> float:
        """How many are on in a row, on average."""
        return float(self.rates.sum())

    def to_dataframe(self) -> "pd.DataFrame":
        """One line a feature."""
        import pandas as pd

        return pd.DataFrame({"feature": range(len(self.fired)), "rate": self.rates.numpy(), "energy": self.energy.numpy()})

    def __repr__(self) -> str:
        return f"Meetings({self.rows:,} rows, {self.l0:.3g} of {len(self.fired):,} features on, {int((self.fired == 0).sum()):,} never)"


@torch.no_grad()
def meetings(
    activations: Activations, codes: Codes | None, *, mean: Tensor | None = None, n_features: int = 0, top: int = 20, seed: int = 0,
    progress: bool | None = None,
) -> Meetings:  # fmt: skip
    """One pass over all rows of the one site: codes by `codes`, and the fourth moments of the rows about `mean` (0 without).

    Rows that are not finite are left out. At most 2^28 pairs are counted, of the rows that are spread evenly; of more than 8,192 features as many are
    drawn for pairs. ValueError where `codes` gives another number of features than `n_features`, if that is told, or of rows.
    """
    dims = activations.n_dims
    seen = _Seen(dims, mean)
    step = max(1, _HELD // max(dims, n_features, 1 if codes is None else 1024))
    with bar("codes" if codes else "moments", len(activations), "rows", progress) as done:
        for first in range(0, len(activations), step):
            x = activations.read(slice(first, first + step))
            x = x[x.isfinite().all(1)]
            if len(x):
                seen.take_rows(x)
                if codes is not None:
                    z = codes(x)
                    _check(z, x, n_features)
                    seen.take_codes(z, min(1.0, (first + step) / len(activations)), seed)
            done(min(first + step, len(activations)))
    return seen.told(top)


class _Seen:
    """Counts so far."""

    def __init__(self, dims: int, mean: Tensor | None) -> None:
        self.mean = torch.zeros(dims, dtype=torch.float64) if mean is None else mean.double()
        self.rows = self.paired_rows = self.spent = 0
        self.fourth = torch.zeros(dims, dtype=torch.float64)
        self.fired = torch.zeros(0, dtype=torch.int64)
        self.energy = torch.zeros(0, dtype=torch.float64)
        self.paired, self.slot, self.own = self.fired, self.fired, self.fired
        self.joint = torch.zeros(0, 0, dtype=torch.int32)

    def take_rows(self, x: Float[Tensor, "batch dims"]) -> None:
        self.rows += len(x)
        self.fourth += (x - self.mean.float()).square().square().sum(0).double()

    def take_codes(self, z: SparseCodes, so_far: float, seed: int) -> None:
        if not len(self.fired):
            self._begin(z.n_features, seed)
        on = z.values != 0
        self.fired += torch.bincount(z.indices[on], minlength=len(self.fired))
        self.energy.index_add_(0, z.indices[on], z.values[on].double().square())
        slots = torch.where(on, self.slot[z.indices.clamp(min=0)], -1).sort(1, descending=True).values
        slots = slots[:, : int((slots >= 0).sum(1).max())]
        width = slots.shape[1]
        cost = len(slots) * width * (width - 1) // 2
        if self.spent + cost > _PAIRS * so_far and self.paired_rows:
            return
        self.spent, self.paired_rows = self.spent + cost, self.paired_rows + len(slots)
        self.own += torch.bincount(slots[slots >= 0], minlength=len(self.own))
        high, low = torch.triu_indices(width, width, 1)
        for part in slots.split(max(1, _HELD // max(1, len(high)))):
            many, few = part[:, high], part[:, low]  # in falling order: the second of a pair is the smaller, or -1
            keys = (few * len(self.own) + many)[few >= 0]
            self.joint.view(-1).index_add_(0, keys, torch.ones(len(keys), dtype=torch.int32))

    def _begin(self, n: int, seed: int) -> None:
        self.fired, self.energy = torch.zeros(n, dtype=torch.int64), torch.zeros(n, dtype=torch.float64)
        generator = torch.Generator().manual_seed(seed)
        self.paired = torch.arange(n) if n <= _MOST else torch.randperm(n, generator=generator)[:_MOST].sort().values
        self.slot = torch.full((n,), -1)
        self.slot[self.paired] = torch.arange(len(self.paired))
        self.own = torch.zeros(len(self.paired), dtype=torch.int64)
        self.joint = torch.zeros(len(self.paired), len(self.paired), dtype=torch.int32)

    def told(self, top: int) -> Meetings:
        together, apart, pairs, twice, half, lifts = _ranked(self.joint, self.own.double(), max(1, self.paired_rows), self.paired, top)
        return Meetings(
            rows=self.rows, fired=self.fired, energy=self.energy / max(1, self.rows), fourth=self.fourth / max(1, self.rows),
            paired_rows=self.paired_rows, paired=self.paired, together=together, apart=apart, pairs=pairs, twice=twice, half=half,
            edges=torch.from_numpy(_LIFTS), lifts=torch.from_numpy(lifts),
        )  # fmt: skip


def _ranked(joint: Int[Tensor, "some some"], own: Float[Tensor, " some"], n: int, names: Int[Tensor, " some"], top: int) -> tuple[Any, ...]:
    """Tables of pairs most above and below chance, how many chance brings together often, the shares twice and half as often, the histogram."""
    best: dict[str, list[Tensor]] = {"together": [], "apart": []}
    pairs = twice = half = 0
    lifts = np.zeros(len(_LIFTS) - 1, np.int64)
    m = len(own)
    for rows in torch.arange(m).split(max(1, (_HELD // 4) // m)) if m else ():
        i, j = torch.triu_indices(len(rows), m, int(rows[0]) + 1)
        both, first, second = joint[rows][i, j].double(), own[rows][i], own[j]
        chance = first * second / n
        left = (first * second * (n - first) * (n - second)).clamp(min=1e-300).sqrt()
        phi = (n * both - first * second) / left
        often = chance >= _OFTEN
        lift = both[often] / chance[often]
        pairs, twice, half = pairs + int(often.sum()), twice + int((lift > 2).sum()), half + int((lift < 0.5).sum())
        lifts += np.histogram(np.clip(np.log2(lift.clamp(min=1e-9).numpy()), _LIFTS[0], _LIFTS[-1]), _LIFTS)[0]
        table = torch.stack([rows[i].double(), j.double(), both, chance, phi, both / (first + second - both).clamp(min=1)], 1)
        for name, score, kept in (("together", phi, both >= 2 * _OFTEN), ("apart", (chance - both) / chance.clamp(min=1e-9).sqrt(), often)):
            score = torch.where(kept & (score > 0), score, -1.0)  # noqa: PLW2901
            chosen = score.topk(min(top, len(score))).indices
            chosen = chosen[score[chosen] > 0]
            best[name].append(torch.cat([score[chosen, None], table[chosen]], 1))
    tables = [_table(torch.cat(parts) if parts else torch.zeros(0, 7), names, top) for parts in best.values()]
    return *tables, pairs, twice / max(1, pairs), half / max(1, pairs), lifts


def _table(found: Float[Tensor, "pairs columns"], names: Int[Tensor, " some"], top: int) -> "pd.DataFrame":
    import pandas as pd

    found = found[found[:, 0].argsort(descending=True, stable=True)[:top]].double()
    i, j = (names[found[:, column].long()].numpy() for column in (1, 2))
    columns = {"meetings": found[:, 3].long(), "by chance": found[:, 4], "phi": found[:, 5], "Jaccard": found[:, 6]}
    return pd.DataFrame({"feature": i, "other": j} | {name: column.numpy() for name, column in columns.items()})


def _check(z: SparseCodes, x: Tensor, n_features: int) -> None:
    if len(z) != len(x):
        raise ValueError(f"codes gives {len(z):,} codes for {len(x):,} rows")
    if n_features and z.n_features != n_features:
        raise ValueError(f"the codes have {z.n_features:,} features but there are {n_features:,} directions")
