"""The figures of what a table of directions could hold: cosines, the Babel function, interference."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import betaln

from tegum import figures
from tegum.auditing._hold_babel import Babel
from tegum.auditing._hold_crowd import Interference
from tegum.geometry import CosineHistogram, welch_bound

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COARSER = 5  # bins of the cosines' histogram drawn as one


def cosines(found: Mapping[str, CosineHistogram], n: int, dims: int) -> "Figure":
    """Cosines of all pairs, of each table; the exact density of directions at random, and the Welch bound."""
    edges = next(iter(found.values())).edges.numpy()[::_COARSER]
    counts = {name: one.counts.numpy().reshape(-1, _COARSER).sum(1) for name, one in found.items()}
    edges, counts = _trimmed(edges, counts)
    curves = {}
    if dims > 2:
        most = max(int(one.sum()) for one in counts.values())
        grid = np.linspace(max(-1.0, edges[0]), min(1.0, edges[-1]), 400)[1:-1]
        density = np.exp((dims - 3) / 2 * np.log1p(-(grid**2)) - betaln(0.5, (dims - 1) / 2))
        shown = density * (edges[1] - edges[0]) * max(1, most) > 0.1  # where fewer pairs than that would be met
        curves["random, exact"] = (grid[shown], density[shown])
    bound = welch_bound(n, dims)
    spread = ", ".join(f"{name} {float(one.rms):.4f}" for name, one in found.items())
    return figures.histogram(
        edges, counts, log_y=True, curves=curves, marks={"Welch bound": bound} if bound else None,
        caption=f"Cosines of all pairs of {n:,} directions in {dims:,} dims. Root mean square: {spread}; 1/sqrt(d) is {dims**-0.5:.4f}. No "
        f"directions have all |cosines| below the Welch bound, {bound:.4f}.",
    )  # fmt: skip


def babel_curves(found: Mapping[str, Babel], n: int, dims: int, n_active: int) -> "Figure":
    """mu_1 over k."""
    most = max(1, min(*(len(one.values) for one in found.values()), max(32, 2 * n_active)))
    ks = np.unique(np.round(np.geomspace(1, most, 40))).astype(int)
    lines = pd.concat([pd.DataFrame({"k": ks, "mu": one.values.numpy()[ks - 1], "table": name}) for name, one in found.items()])
    bound = welch_bound(n, dims)
    sure = ", ".join(f"{name} {one.guaranteed}" for name, one in found.items())
    return figures.lines(
        lines, "k", "mu", "table", log_x=True, log_y=True, mode="lines", x_title="others on, k", y_title="mu_1(k)", colour_title="",
        curves={"k times the Welch bound": (ks, ks * bound)} if bound else None, levels={"1/2": 0.5},
        marks={f"k = {n_active:,}": float(n_active)} if n_active <= most else None,
        caption="The Babel function: the most that k other directions can add up to along any one. OMP and l1 minimisation read every code with k "
        f"on for certain where mu_1(k - 1) + mu_1(k) < 1, which is for k up to: {sure}. Most codes are read far beyond that.",
    )  # fmt: skip


def interference(found: Mapping[str, Interference]) -> "Figure":
    """Readings of features that are off, and the normal law."""
    one = next(iter(found.values()))
    reach = max(float(each.edges[-1]) for each in found.values())
    edges = np.linspace(-reach, reach, 161)
    edges, counts = _trimmed(edges, {name: _rebinned(each, edges) for name, each in found.items()})
    grid = np.linspace(edges[0], edges[-1], 400)
    normal = np.exp(-((grid / one.normal_std) ** 2) / 2) / (one.normal_std * np.sqrt(2 * np.pi))
    shown = normal > 1e-7 * normal.max()
    told = "; ".join(f"{name}: root mean square {each.rms:.3g}, above 1/2 in {each.false_share:.2%}" for name, each in found.items())
    return figures.histogram(
        edges, counts, log_y=True, x_title=f"reading of a feature that is off, {one.n_active:,} others on at 1",
        curves={"N(0, k/d)": (grid[shown], normal[shown])}, marks={"1/2": 0.5} if reach > 0.5 else None,
        caption=f"{one.n_active:,} unit directions at random, added up, and read along each of the others: {one.n_samples:,} such sums. {told}. A "
        f"threshold at 1/2 takes what is above it for a feature that is on; by the normal law {one.normal_false_share:.2%}.",
    )  # fmt: skip


def _trimmed(edges: np.ndarray, counts: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Without the bins at both ends that are empty in every table."""
    seen = np.flatnonzero(np.sum(list(counts.values()), axis=0))
    low, high = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, len(edges) - 1)
    return edges[low : high + 1], {name: one[low:high] for name, one in counts.items()}


def _rebinned(one: Interference, edges: np.ndarray) -> np.ndarray:
    """Counts between other edges: each bin goes where its middle lies."""
    own = one.edges.numpy()
    return np.histogram((own[1:] + own[:-1]) / 2, edges, weights=one.counts.numpy())[0]
