"""Dims per feature: dense, a network spends a dim on each feature; sparser, it stops for a while at two features to a dim, then packs on.

D* = m / |W|_F^2 counts the dims that each feature gets, where features that are represented have norms near 1. Between 1/p of some 2.5 and 3.5 it
stays near 1/2, for features pair up at opposite ends of a dim. How many dims feature i has for itself is D_i, and a network that is packed has
nothing left: the D_i of all features add up to m.

The ranges of 1/p that the claims name were settled after a look at networks of other seeds, trained outside of this; the quick grid got 1/p = 3.5
after a look at its own, for of two densities on the plateau the first is not trained to its end in 2,000 steps.
"""

from collections.abc import Iterable

import numpy as np

from tegum import figures, geometry
from tegum.experiments import Cell, Claim, Row, Rows
from tegum.experiments.toys._training import quick
from tegum.experiments.toys._uniform import Uniform, by_sparsity, densities, within

PLATEAU, AFTER, PACKED = (2.5, 3.5), (5, 10), 2.5  # 1/p


class UniformSuperposition(Uniform):
    """D* and the sum of D_i, over density."""

    id = "A6"
    title = "Uniform superposition: dims per feature against sparsity"
    version = 2
    source = "Elhage et al. 2022, 'The Geometry of Superposition', section 'Uniform superposition'"
    presets = {
        "quick": Uniform.Params(density=densities(1, 2, 2.5, 3, 3.5, 4, 5, 7, 10, 30, 100), **quick(seeds=2)),
        "paper": Uniform.Params(),
    }

    def run(self, cell: Cell, params: Uniform.Params) -> Row:
        """Every network's measures."""
        trained = self.networks(cell, params)
        return Row(
            dims_per_feature=geometry.dims_per_feature(trained.W),
            shared_out=geometry.feature_dimensionality(trained.W).sum(-1) / params.n_hidden,
            represented=geometry.represented(trained.W).sum(-1),
            losses=trained.loss,
        )

    def claims(self, rows: Rows) -> Iterable[Claim]:
        """From 1 to a plateau near 1/2 and on; and all dims are shared out."""
        found, inverse = by_sparsity(rows)
        mean = np.array([row.dims_per_feature.mean() for row in found])
        n, m = rows.params.n_features, rows.params.n_hidden
        if inverse[0] == 1:
            yield Claim(
                "at density 1 D* is 1: mean over networks", mean[0], expected=1, tolerance=0.02,
                reason="without sparsity the least loss is that of a projection on m dims, and |W|_F^2 = m; 2% is for weight decay and for training "
                "on samples",
            )  # fmt: skip
        if len(found) > 1:
            yield Claim(
                "the sparser, the smaller is D*: largest rise of its mean from one density to the next", np.diff(mean).max(), expected=(None, 0),
                tolerance=0.5 / m,
                reason=f"in networks of digons (D* = 1/2) one digon fewer of {m} makes a rise of .5/{m}; a network may end in a worse minimum",
            )  # fmt: skip
        flat, after = within(inverse, PLATEAU), within(inverse, AFTER)
        if flat.any():
            yield Claim(
                f"D* is near 1/2 from 1/p = {PLATEAU[0]:g} to {PLATEAU[1]:g}: largest deviation of its mean", np.abs(mean[flat] - 0.5).max(),
                expected=0, tolerance=0.05, reason="half of what parts the digon's 1/2 from the next level, the pentagon's 2/5",
            )  # fmt: skip
        if flat.sum() > 1 and after.sum() > 1:
            yield Claim(
                f"that is a plateau: slope of ln D* in ln 1/p, less half of that from 1/p = {AFTER[0]:g} to {AFTER[1]:g}",
                _slope(inverse[flat], mean[flat]) - _slope(inverse[after], mean[after]) / 2, expected=(0, None),
                reason="a D* that fell as a power of p would have one slope everywhere; less than half as steep is a choice",
            )  # fmt: skip
        packed = [row.shared_out for row, x in zip(found, inverse, strict=True) if x > PACKED - 1e-9]
        if packed and n > m:
            yield Claim(
                f"once packed (1/p >= {PACKED:g}) the D_i of all features add up to m: largest deviation of a network's sum, as a share of m",
                np.abs(np.stack(packed) - 1).max(), expected=0, tolerance=0.01,
                reason="the source's own 1%. The sum is at most m, and m only where every W_i is an eigenvector of W^T W",
            )  # fmt: skip

    def figures(self, rows: Rows) -> Iterable["figures.Figure"]:
        """D* against 1/p, and the sum of D_i over m."""
        spread = f"against sparsity: mean and range of {rows.params.what()}."
        yield _against(rows, "dims_per_feature", "D* = m / |W|<sub>F</sub>²", {"two features to a dim": 0.5}, f"Dims per feature, {spread}")
        yield _against(
            rows, "shared_out", "Σ D<sub>i</sub> / m", {"every dim shared out": 1.0},
            f"Sum of the dimensionalities of all features, over the dims there are, {spread}",
        )  # fmt: skip


def _against(rows: Rows, name: str, title: str, levels: dict[str, float], caption: str) -> "figures.Figure":
    """A measure of every network against 1/p."""
    found, inverse = by_sparsity(rows)
    values = np.stack([row[name] for row in found])
    return figures.lines(
        {"inverse": inverse, "value": values.mean(1), "low": values.min(1), "high": values.max(1)}, "inverse", "value",
        error=("low", "high"), log_x=True, x_title="1/p", y_title=title, levels=levels, caption=caption,
    )  # fmt: skip


def _slope(inverse: np.ndarray, value: np.ndarray) -> float:
    """Of ln value in ln inverse, by least squares."""
    return float(np.polyfit(np.log(inverse), np.log(value), 1)[0])
