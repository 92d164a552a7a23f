"""table: who reads k of N features, and from how many dims: theory at once, measurement when asked for, one line a decoder.

`dims_50` and `dims_99` are the dims from which half and 99% of all codes are read; `dims_per_bit` is dims_50 over log2 C(N, k); `marginal_dims`
what one more active feature costs, dims_50(k + 1) - dims_50(k) (from k = 200,000 on over a larger step). Given `n_dims`, `active` is the most
features that may be on for half of the codes to be read, and `success` the share that is read at the k asked for; for message passing by its
limit law, a step. Blank (nan) is what theory does not say; inf what no number of dims is enough for. Lines in brackets are no decoders: the rule
of one dim a bit, and with noise the dims below which no decoder reads without errors (Shannon's).

Measured values are those of a search (`needs.py`): a fit's 50% and 99% point with 95% intervals, through the dictionary named; success at
`n_dims` with Wilson's.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from tegum.capacity.laws import LAWS, LIMITS, Law
from tegum.capacity.measured_needs import MeasuredNeeds, need_of
from tegum.capacity.measured_shares import MeasuredShares
from tegum.capacity.panel import PANEL
from tegum.capacity.trials import Setting
from tegum.checks import check_count, check_number
from tegum.features._subset_bits import subset_bits
from tegum.progress import bar
from tegum.store import Row

if TYPE_CHECKING:
    import pandas as pd

MEASURABLE = 2**26  # features: one float32 array of 16 codes takes 4 GiB


def table(
    n_features: int,
    n_active: int,
    n_dims: int | None = None,
    noise_std: float = 0.0,
    *,
    decoders: Sequence[str] | None = None,
    measure: bool = False,
    seed: int = 0,
    progress: bool | None = None,
) -> "pd.DataFrame":
    """One line a decoder of the panel, in order of what it needs; `decoders` picks some of them by name.

    `measure` adds what is measured: some minutes for all decoders at N = 65,536. `tegum capacity --measure` does the same on several processes, and
    resumes. Raises ValueError unless 1 <= n_active <= n_features / 2, noise_std >= 0 and n_dims >= 1, and for decoders that are not in the panel.
    """
    names = check_sizes(n_features, n_active, n_dims, noise_std, decoders)
    rows: list[Row] = []
    if measure:
        check_memory(n_features)
        pieces = asked(n_features, n_active, n_dims, noise_std, names, seed)
        with bar("decoders measured", len(pieces), "pieces", progress) as done:
            for number, (experiment, params) in enumerate(pieces, 1):
                rows += [experiment.run(cell, params).of(cell) for cell in experiment.cells(params)]
                done(number)
    return with_measured(theory_table(n_features, n_active, n_dims, noise_std, names), rows)


def check_sizes(n_features: int, n_active: int, n_dims: int | None, noise_std: float, decoders: Iterable[str] | None) -> tuple[str, ...]:
    """The names of the decoders asked for. Raises ValueError for sizes that do not go together and for names that are not known."""
    Setting(n_features=n_features, n_active=n_active, noise_std=noise_std)
    if 2 * n_active > n_features:
        raise ValueError(f"n_active is {n_active:,} of {n_features:,} features; at most half of them may be on, else say what is off")
    check_number("noise_std", noise_std)
    if n_dims is not None:
        check_count("n_dims", n_dims)
    names = tuple(PANEL if decoders is None else dict.fromkeys(decoders))
    for name in names:
        if name not in PANEL:
            raise ValueError(f"there is no decoder {name!r} in the panel; it has {', '.join(PANEL)}")
    return names


def check_memory(n_features: int) -> None:
    """Refuse to measure what no decoder could hold: a batch of codes takes arrays of N numbers each. Raises ValueError."""
    if n_features > MEASURABLE:
        raise ValueError(f"n_features is {n_features:,}; up to {MEASURABLE:,} can be measured, beyond there is theory alone")


def asked(
    n_features: int, n_active: int, n_dims: int | None, noise_std: float, decoders: tuple[str, ...], seed: int = 0, *, around: bool = False
) -> list[tuple[MeasuredNeeds, MeasuredNeeds.Params]]:
    """What measures a table, a decoder at a time, so that each is kept by itself whatever else is asked for: searches, and counts at `n_dims`.

    With `around` also searches at half and at twice as many features on, for a map.
    """
    some = tuple(k for k in dict.fromkeys((n_active // 2, n_active, 2 * n_active)) if 1 <= k <= n_features // 2) if around else (n_active,)
    common = {"n_features": (n_features,), "noise_std": noise_std, "seed": seed}
    searches = [MeasuredNeeds.Params(n_active=(k,), decoders=(name,), **common) for k in some for name in decoders]
    counts = [MeasuredShares.Params(n_active=(n_active,), decoders=(name,), n_dims=n_dims, **common) for name in decoders if n_dims]
    return [*((MeasuredNeeds(), params) for params in searches), *((MeasuredShares(), params) for params in counts)]


def theory_table(n_features: int, n_active: int, n_dims: int | None, noise_std: float, names: Iterable[str]) -> "pd.DataFrame":
    """What theory says, for names of the panel and the limits."""
    import pandas as pd

    n, k = n_features, n_active
    bits = float(subset_bits(n, k))
    known: dict[Law, dict] = {}
    lines = []
    limits = [name for name, law in LIMITS.items() if not np.isnan(law.dims(n, k, 0.5, noise_std))]
    for name in (*names, *limits):
        law = LAWS.get(name) or LIMITS.get(name)
        if law is None:
            lines.append({"decoder": name})
            continue
        if law not in known:  # two decoders with one law
            half = float(law.dims(n, k, 0.5, noise_std))
            known[law] = {
                "dims_50": half,
                "dims_99": float(law.dims(n, k, 0.99, noise_std)) if law.success else np.nan,
                "dims_per_bit": half / bits,
                "marginal_dims": _marginal(law, n, k, half, noise_std),
            }
            if n_dims is not None:
                known[law]["active"] = most_active(law, n, n_dims, noise_std)
                known[law]["success"] = float(law.success(n_dims, n, k, noise_std)) if law.success else np.nan
        lines.append({"decoder": name, **known[law]})
    frame = pd.DataFrame(lines)
    if "dims_50" not in frame:  # only decoders without a law
        frame["dims_50"] = np.nan
    return frame.sort_values("dims_50", kind="stable", na_position="last", ignore_index=True)


def _marginal(law: Law, n: int, k: int, half: float, noise_std: float) -> float:
    """Dims that one more active feature costs, over a step that float64 resolves; nan where there is none to add."""
    step = max(1, k // 10**5)
    if not np.isfinite(half) or k + step >= n:
        return half if np.isinf(half) else np.nan
    return (float(law.dims(n, k + step, 0.5, noise_std)) - half) / step


def most_active(law: Law, n_features: int, n_dims: int, noise_std: float = 0.0) -> float:
    """The most features, half of all at most, that may be on for half of the codes to be read from `n_dims`; 0 if not one, nan if unknown."""
    by_dims = law.success is None or law.rises

    @cache
    def read(k: int) -> bool | None:
        if by_dims:
            need = float(law.dims(n_features, k, 0.5, noise_std))
            return None if np.isnan(need) else need <= n_dims
        share = float(law.success(n_dims, n_features, k, noise_std))  # pyright: ignore[reportOptionalCall]
        return None if np.isnan(share) else share >= 0.5

    if read(1) is None:
        return np.nan
    low, high = 0, n_features // 2 + 1
    step = 1
    while low + step < high and read(low + step):
        low, step = low + step, 2 * step
    high = min(high, low + step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if read(middle) else (low, middle)
    return float(low)


def with_measured(frame: "pd.DataFrame", rows: Iterable[Row]) -> "pd.DataFrame":
    """The table with the rows of searches and counts beside it; then in order of what was measured, where it was."""
    import pandas as pd

    lines: dict[str, dict[str, Any]] = {}
    for row in rows:
        line = lines.setdefault(row.decoder, {"decoder": row.decoder})
        if "right_at" in row:
            share = binomtest(int(row.right_at), int(row.trials_at))
            interval = share.proportion_ci(method="wilson")
            line |= {"measured_success": share.statistic, "low_success": interval.low, "high_success": interval.high}
            continue
        need = need_of(row)
        line |= {"trials": int(need.trials.sum()), "stopped": need.stopped, "dictionary": row.dictionary}
        if need.fit is not None:
            for percent, share in ((50, 0.5), (99, 0.99)):
                low, high = need.fit.interval_at(share)
                line |= {f"measured_{percent}": need.fit.at(share), f"low_{percent}": low, f"high_{percent}": high}
    if not lines:
        return frame
    frame = frame.merge(pd.DataFrame(list(lines.values())), on="decoder", how="left")
    if "measured_50" not in frame:
        return frame
    return frame.iloc[frame["measured_50"].fillna(frame["dims_50"]).argsort(kind="stable")].reset_index(drop=True)


def need_around(row: Mapping[str, Any], column: str) -> str:
    """A measured need of a line of the table with its interval, in words; or on which side of what was looked at it lies."""
    value, percent = row.get(column), column.rpartition("_")[2]
    if value is None or np.isnan(value):
        stopped = row.get("stopped")
        return f"{stopped} all looked at" if stopped in ("above", "below") else ""
    if np.isinf(value):
        return "none is enough"
    return f"{value:,.1f} ({row[f'low_{percent}']:,.0f}-{row[f'high_{percent}']:,.0f})"
