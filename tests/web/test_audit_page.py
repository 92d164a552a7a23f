"""The page of an audit in a real browser, opened from disk: every figure drawn, no error, and nothing asked of anyone."""

from pathlib import Path

import pytest

import tegum

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip(f"no chromium at {CHROMIUM}", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


def test_it_draws_every_figure_and_asks_nothing_of_anyone(tmp_path):
    features = tegum.features.Bernoulli(n_features=24, density=0.1)
    D = tegum.dictionaries.spherical(24, 12, seed=1)
    found = tegum.audit(
        D.encode(features.sample(1_200, seed=0)), D, n_active=2, rows=100, references=3, test_rows=500, polish_rows=300, progress=False
    )
    page = tmp_path / "audit.html"
    found.to_html(page)
    errors, outside = [], []
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        tab = browser.new_page(viewport={"width": 1300, "height": 900})
        tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("request", lambda request: outside.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None)
        tab.goto(page.as_uri())
        for holder in tab.locator(".plot").all():
            holder.scroll_into_view_if_needed()
            holder.locator(".main-svg").first.wait_for(state="attached")
        drawn = tab.locator(".plot .main-svg").count()
        cards = tab.locator(".card").count()
        tab.locator("#theme").click()
        dark = tab.evaluate("document.documentElement.dataset.theme")
        tab.set_viewport_size({"width": 400, "height": 800})
        wide = tab.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert errors == []
    assert outside == []
    assert drawn >= len(found.figures)
    assert cards == len(found.answers) == 4
    assert dark in ("dark", "light")
    assert wide <= 400  # a telephone scrolls down, not sideways
