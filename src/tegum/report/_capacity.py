"""The page of `tegum capacity --html`: one file with the table, the map around the point that was asked for, and how to read both.

Everything is inside, plotly's script too (some 5 MB), and the Content-Security-Policy lets nothing else run or load.
"""

import math
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from tegum import figures
from tegum.capacity.capacity_table import need_around
from tegum.capacity.law_curves import law_curves
from tegum.capacity.laws import LIMITS
from tegum.capacity.measured_needs import need_of
from tegum.features._subset_bits import subset_bits
from tegum.pages import drawing, one_file
from tegum.store import Row

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ("threshold 1/2", "top-k", "basis pursuit, signed", "basis pursuit", "AMP", "Bayes-AMP")
_COLUMNS = {
    "decoder": "decoder",
    "dims_50": "dims, 50%",
    "dims_99": "dims, 99%",
    "dims_per_bit": "dims a bit",
    "marginal_dims": "dims, one more on",
    "active": "most on",
    "success": "read there",
    "measured_50": "measured, 50%",
    "measured_99": "measured, 99%",
    "measured_success": "read there, measured",
    "trials": "codes",
}


def capacity_page(
    frame: "pd.DataFrame", rows: Iterable[Row] = (), *, n_features: int, n_active: int, n_dims: int | None = None, noise_std: float = 0.0
) -> str:
    """The HTML of a `tegum.capacity.table`, with the saved rows of the searches behind its measured columns, if any."""
    bits = float(subset_bits(n_features, n_active))
    through = f", seen through noise of {noise_std:g} in each dim" if noise_std else ""
    room = (
        f" In {n_dims:,} dims: the most features that half of the codes can have on, and the share read at {n_active:,}." if n_dims else ""
    )
    figure = around(frame, rows, n_features=n_features, n_active=n_active, n_dims=n_dims, noise_std=noise_std)
    title = f"{n_active:,} of {n_features:,} features on"
    body = (
        f"<header id='top'><h1>Who reads {escape(title)}?</h1>"
        f"<p class='lede'>A set of {n_active:,} has {bits:,.1f} bits{escape(through)}. Dims that each decoder needs to read half of all codes, "
        f"and 99%, every coordinate right.{escape(room)} A blank is what theory does not say.</p></header>\n"
        f"{drawing(figure.to_json() or '', 'map', figure.layout.meta['caption'], figure.layout.height or 460)}{_table(frame)}"
    )
    return one_file(f"{title}: capacity", body, [("map", "Dims over features on"), ("needs", "Every decoder")])


def around(
    frame: "pd.DataFrame", rows: Iterable[Row], *, n_features: int, n_active: int, n_dims: int | None, noise_std: float
) -> "figures.Figure":
    """Dims over features on, from an eighth to eight times as many: laws dashed, what was measured as points with bars, the point asked for."""
    told = set(frame["decoder"])
    curves = law_curves(n_features, n_active, [*(name for name in _SHOWN if name in told), *LIMITS], noise_std)
    points = [
        {"decoder": row.decoder, "k": row.n_active, "d": need.fit.d50, "low": need.fit.interval[0], "high": need.fit.interval[1]}
        for row in rows
        if (need := need_of(row)).fit is not None
    ]
    measured = (
        " Points: measured, with 95% intervals; grey ones are of decoders whose law is not drawn, or who have none." if points else ""
    )
    marks = {f"k = {n_active:,}": float(n_active)}
    return figures.law_map(
        curves, points, marks=marks, levels={f"{n_dims:,} dims": float(n_dims)} if n_dims else None,
        caption=f"Dims at which half of the codes are read, over how many of {n_features:,} features are on: above its curve a decoder "
        f"reads.{measured}",
    )  # fmt: skip


def _table(frame: "pd.DataFrame") -> str:
    shown = [column for column in _COLUMNS if column in frame]
    head = "".join(f"<th scope='col'>{escape(_COLUMNS[column])}</th>" for column in shown)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(column, row))}</td>" for column in shown) + "</tr>" for row in frame.to_dict(orient="records")
    )
    return f"<div class='scroller' id='needs'><table class='numbers'><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"


def _cell(column: str, row: dict) -> str:
    value = row[column]
    if isinstance(value, str):
        return value
    if column in ("measured_50", "measured_99"):
        return need_around(row, column)
    if value is None or math.isnan(value):
        return ""
    if math.isinf(value):
        return "none is enough"
    if column in ("success", "measured_success"):
        return f"{value:.1%}"
    return f"{value:,.0f}" if column in ("active", "trials") else f"{value:,.2f}" if column == "dims_per_bit" else f"{value:,.1f}"
