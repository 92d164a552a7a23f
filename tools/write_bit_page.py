"""Write the measured part of docs/one-dim-per-bit.md: run B4, its table and pictures (.venv/bin/python tools/write_bit_page.py [PRESET] [--stored]).

The preset is "paper" unless said. It resumes; what the store in runs/ has is not run again. --stored runs nothing: cells that the store lacks
are marked as not measured. The prose of the page is left alone. The pictures need chromium on the PATH.
"""

import sys
from pathlib import Path

from photograph import photograph

from tegum import theory
from tegum.experiments.codes.one_dim_per_bit import OneDimPerBit, fit_of
from tegum.store import Display, Rows, Store, rows_of, run_experiments

HERE = Path(__file__).parents[1]
PAGE = HERE / "docs" / "one-dim-per-bit.md"
PICTURES = ("bits_ratio.png", "bits_edge.png", "bits_one_size.png", "bits_pieces.png", "bits_left.png")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> None:
    """Run, tabulate, draw."""
    words = sys.argv[1:]
    preset = next((word for word in words if word != "--stored"), "paper")
    store, params = Store(HERE / "runs"), OneDimPerBit.presets[preset]
    if "--stored" not in words:
        with Display() as show:
            run_experiments([(OneDimPerBit, params, preset)], store, progress=show)
    rows = rows_of(store, OneDimPerBit, params)
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{heading(rows, preset)}\n\n{table(rows)}\n{END}{after}")
    for figure, name in zip(OneDimPerBit().figures(rows), PICTURES, strict=True):
        photograph(figure, PAGE.parent / name)


def heading(rows: Rows, preset: str) -> str:
    """How many codes were read, and what of the preset is not measured."""
    codes = " or ".join(str(number) for number in sorted({row.trials for row in rows}, reverse=True))
    words = f"Preset {preset}, {codes} codes a number of dims."
    return f"{words} A dash: not measured yet." if rows.missing else words


def table(rows: Rows) -> str:
    """One line a size: bits, the dims that half of the sets need, measured and by the curve, for both kinds of l1."""
    lines = [
        "| N | k | bits | signed: half at d | theory | dims a bit | non-negative: half at d | theory | dims a bit |",
        f"|{' --: |' * 9}",
    ]
    for n, k in rows.params.sizes:
        bits = float(theory.subset_bits(n, k))
        cells = [f"{n:,}", f"{k}", f"{bits:.1f}"]
        for kind in ("signed", "non-negative"):
            found = [row for row in rows if (row.n_features, row.n_active, row.kind) == (n, k, kind)]
            fit = fit_of(found[0]) if found else None
            law = float(theory.lasso_dims(n, k, signed=kind == "signed"))
            told = "-" if fit is None else f"{fit.d50:.1f} ({fit.interval[0]:.1f}-{fit.interval[1]:.1f})"
            cells += [told, f"{law:.1f}", "-" if fit is None else f"{fit.d50 / bits:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
