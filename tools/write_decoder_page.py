"""Write docs/choosing-a-decoder.md: measure every decoder, then its table and picture (.venv/bin/python tools/write_decoder_page.py).

Runs the experiment T2 at its paper preset (it resumes; what the store in runs/ has is not run again), then times each decoder on one thread. The
prose of the page is left alone: the table goes between its two marks. The picture needs chromium on the PATH.
"""

import statistics
import time
from pathlib import Path

import numpy as np
import torch
from photograph import photograph

import tegum
from tegum.capacity.panel import PANEL
from tegum.capacity.transition import Transition
from tegum.decoders import Decoder
from tegum.experiments.codes.decoders_side_by_side import DecodersSideBySide, fit_of
from tegum.store import Display, Row, Rows, Store, rows_of, run_experiments

HERE = Path(__file__).parents[1]
PAGE, PICTURE = HERE / "docs" / "choosing-a-decoder.md", HERE / "docs" / "decoders.png"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
LINK = "![How many dims each decoder needs to read half of the codes](decoders.png)"
SHOWN = (60, 80, 100, 120, 160, 200, 300, 500, 700, 900, 1100)
DIMS, BATCH, ROUNDS = 150, 256, 7  # of the timing


def main() -> None:
    """Run, time, write."""
    store, params = Store(HERE / "runs"), DecodersSideBySide.presets["paper"]
    with Display() as show:
        run_experiments([(DecodersSideBySide, params, "paper")], store, progress=show)
    rows = rows_of(store, DecodersSideBySide, params)
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(rows)}\n\n{LINK}\n{END}{after}")
    photograph(next(iter(DecodersSideBySide().figures(rows))), PICTURE)


def table(rows: Rows) -> str:
    """One line a decoder, the fewest dims first."""
    params = rows.params
    found = [(row, fit_of(row, params)) for row in rows if row.dictionary == "gaussian"]
    found.sort(key=lambda pair: pair[1].d50 if pair[1] else np.inf)
    head = ["decoder", "told", "codes", "half at d", "99% at d", *map(str, SHOWN), "us a code"]
    lines = [head, ["---", "---", "---", *["--:"] * (len(head) - 3)]]
    lines += [line(row, fit, params) for row, fit in found]
    bits = float(tegum.theory.subset_bits(params.n_features, params.n_active))
    told = (
        f"N = {params.n_features:,} Gaussian directions, k = {params.n_active} features on at 1 ({bits:.0f} bits), "
        f"{params.samples} codes a number of dims; share of codes read right, in percent, at d = {SHOWN[0]} to {SHOWN[-1]}. Half and 99%: "
        f"of the fitted transition, with its 95% interval. Time: float32, d = {DIMS}, batches of {BATCH}, one thread of the machine that wrote this."
    )
    return "\n".join([told, "", *("| " + " | ".join(cells) + " |" for cells in lines)])


def line(row: Row, fit: Transition | None, params: DecodersSideBySide.Params) -> list[str]:
    """What is known of one decoder."""
    share = {int(d): 100 * int(right) / params.samples for d, right in zip(row.dims, row.right, strict=True)}
    needs = ["-", "-"] if fit is None else [f"{fit.d50:.0f} ({fit.interval[0]:.0f}-{fit.interval[1]:.0f})", f"{fit.at(0.99):.0f}"]
    cells = [f"{share[d]:.0f}" if d in share else "" for d in SHOWN]
    told = row.told.replace("n_active", "k") or "nothing"
    return [
        row.decoder,
        told,
        row.codes,
        *needs,
        *cells,
        f"{microseconds(PANEL[row.decoder](params.n_features, params.n_active, 0.0), params):.0f}",
    ]


def microseconds(decoder: Decoder, params: DecodersSideBySide.Params) -> float:
    """Microseconds a code, median of some batches, on one thread."""
    torch.set_num_threads(1)
    D = tegum.dictionaries.gaussian(n_features=params.n_features, n_dims=DIMS, seed=0)
    x = D.encode(tegum.features.ExactlyK(n_features=params.n_features, n_active=params.n_active).sample(BATCH, seed=0))
    state, taken = decoder.init(D), []
    for _ in range(ROUNDS + 1):
        begin = time.perf_counter()
        tegum.decode(D, x, decoder, state=state, progress=False)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[1:]) / BATCH * 1e6


if __name__ == "__main__":
    main()
