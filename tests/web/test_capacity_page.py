"""The page of `tegum capacity --html` in a real browser, opened from disk: drawn, quiet, and deaf to the outside."""

from pathlib import Path

import numpy as np
import pytest

from tegum.capacity.capacity_table import asked, check_sizes, theory_table, with_measured
from tegum.report import capacity_page

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip(f"no chromium at {CHROMIUM}", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


def test_it_draws_the_map_and_asks_nothing_of_anyone(tmp_path):
    sizes = {"n_features": 128, "n_active": 2, "n_dims": 40, "noise_std": 0.05}
    names = check_sizes(128, 2, 40, 0.05, ("top-k", "OMP"))
    pieces = asked(128, 2, 40, 0.05, names, around=True)
    assert [params.n_active[0] for _, params in pieces] == [1, 1, 2, 2, 4, 4, 2, 2]
    few = [(experiment, params.model_copy(update={"budget": 64})) for experiment, params in pieces]
    found = [experiment.run(cell, params).of(cell) for experiment, params in few for cell in experiment.cells(params)]
    rows = [row for row in found if "dims" in row]
    frame = with_measured(theory_table(*sizes.values(), names), [row for row in found if row.n_active == 2])
    assert np.isfinite(frame["measured_success"].dropna()).all()
    page = tmp_path / "page.html"
    page.write_text(capacity_page(frame, rows, **sizes), encoding="utf-8")
    errors, outside = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("request", lambda request: outside.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None)
        tab.goto(page.as_uri())
        tab.locator("#map .main-svg").first.wait_for(state="attached")
        traces = tab.locator("#map .scatterlayer .trace").count()
        lines = tab.locator("table.numbers tbody tr").count()
        browser.close()
    assert errors == []
    assert outside == []
    assert traces == 3 + 2  # top-k, one dim a bit, the limit; points of two decoders
    assert lines == 4
