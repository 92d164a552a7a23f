"""The report in a real browser, opened from disk: quiet, whole, and deaf to the outside."""

import json
from pathlib import Path

import pandas as pd
import pytest
from report_samples import Hostile, Packed, Unrun
from safetensors.numpy import load_file

from tegum.report import build
from tegum.store import Store, run_experiments

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip(f"no chromium at {CHROMIUM}", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # 3-D figures without a GPU


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("runs"))
    requests = [
        (Packed(), Packed.Params(steps=7), "quick"),
        (Packed(), Packed.presets["quick"], "quick"),
        (Hostile(), Hostile.Params(), "quick"),
    ]
    run_experiments(requests, store, jobs=1)
    index = build(store, store.folder / "report", [Packed, Hostile, Unrun])
    store.close()
    return index


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, report):
    """Opens the report and, at the end, holds it to silence: no error, no warning of policy, no request beyond the folder."""
    contexts, errors, outside = [], [], []

    def see(request):
        if not request.url.startswith((report.parent.as_uri(), "data:", "blob:")):
            outside.append(request.url)

    def open_(**options):
        context = browser.new_context(reduced_motion="reduce", **{"viewport": {"width": 1366, "height": 1000}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", see)
        page.goto(report.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []
    assert outside == []


def test_every_figure_is_drawn_when_the_reader_comes_to_it(opened):
    page = opened()
    holders = page.locator(".plot")
    assert holders.count() == 10
    assert holders.last.locator(".main-svg").count() == 0
    for place in range(holders.count()):
        holder = holders.nth(place)
        holder.scroll_into_view_if_needed()
        holder.locator(".main-svg").first.wait_for(state="attached")
        assert holder.locator("path, canvas, image").count() > 0


def test_hostile_words_stay_words(opened):
    page = opened()
    page.locator("#hostile .plot").scroll_into_view_if_needed()
    page.locator("#hostile .plot .main-svg").first.wait_for(state="attached")
    assert page.evaluate("window.hurt") is None
    assert page.locator("#hostile h2").inner_text().endswith("<img src=x onerror='window.hurt = 2'>")
    assert "this cell fails: <script>" in page.locator("#hostile .failures").inner_text()
    assert page.locator("img").count() == 0


def test_scripts_that_are_not_the_pages_own_do_not_run(browser, report, tmp_path):
    spoiled = report.read_text().replace("<main>", "<main><script>window.hurt = 1</script><p onclick='window.hurt = 1' id='trap'>x</p>")
    (report.parent / "spoiled.html").write_text(spoiled)
    page = browser.new_page()
    page.goto((report.parent / "spoiled.html").as_uri())
    page.locator("#trap").dispatch_event("click")
    assert page.evaluate("window.hurt") is None
    page.close()
    (report.parent / "spoiled.html").unlink()


def test_claims_are_filtered_by_verdict_and_by_words(opened):
    page = opened()
    shown = page.locator("#claims-table tbody tr:visible")
    assert shown.count() == 6
    page.get_by_role("button", name="refuted").click()
    assert shown.count() == 1
    assert "2.5 times sparser" in shown.inner_text()
    page.locator('[data-filter="changed"]').click()
    assert "agrees with the theory" in shown.inner_text()
    page.locator('[data-filter="all"]').click()
    page.keyboard.press("/")
    page.keyboard.type("loss density")
    assert shown.count() == 1
    assert page.locator("#count").inner_text() == "1 of 6 shown"
    page.locator("#search").fill("no such claim")
    assert page.locator("#none").is_visible()


def test_a_verdict_is_said_in_words_and_a_change_of_verdict_is_told(opened):
    page = opened()
    badges = page.locator("#claims-table .badge").all_inner_texts()
    assert [badge.split()[-1] for badge in badges] == ["holds", "holds", "holds", "refuted", "undecided", "holds"]
    changed = page.locator("#claims-table tr.changed")
    assert "on record: holds" in changed.inner_text()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_theme_follows_the_system_until_the_reader_switches(opened, system):
    page = opened(color_scheme=system)
    shade = "getComputedStyle(document.body).backgroundColor"
    ink = "document.querySelector('.plot .gtitle, .plot .xtick text').style.fill"
    light, dark = "rgb(255, 255, 255)", "rgb(20, 22, 26)"
    assert page.evaluate(shade) == (light if system == "light" else dark)
    page.locator(".plot").first.scroll_into_view_if_needed()
    page.locator(".plot .xtick text").first.wait_for(state="attached")
    before = page.evaluate(ink)
    page.locator("#theme").click()
    assert page.evaluate(shade) == (dark if system == "light" else light)
    page.wait_for_function(f"{ink} !== {json.dumps(before)}")


def test_the_page_never_scrolls_sideways(opened):
    page = opened(viewport={"width": 390, "height": 900})
    page.locator(".plot").first.scroll_into_view_if_needed()
    page.locator(".plot .main-svg").first.wait_for(state="attached")
    for width in (390, 768, 900, 1200, 1366):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_contents_and_claims(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#claims"


def test_the_folder_is_whole_and_small(report):
    html = report.read_text()
    assert html.count('src="plotly.min.js"') == 1
    assert html.count("plotly.js v") == 0
    assert [f.name for f in report.parent.glob("*.js")] == ["plotly.min.js"]
    assert sum(f.stat().st_size for f in report.parent.rglob("*") if f.is_file()) < 15e6


def test_rows_and_claims_are_there_to_download(opened, report):
    page = opened()
    links = [link.get_attribute("href") for link in page.locator(".downloads a").all()]
    assert links[:4] == ["data/claims.json", "data/packed.csv", "data/packed.parquet", "data/packed.json"]
    assert links[4] == "data/packed.safetensors"
    assert load_file(report.parent / links[4])["W"].shape == (5, 5, 2)
    csv, parquet = pd.read_csv(report.parent / links[1]), pd.read_parquet(report.parent / links[2])
    pd.testing.assert_frame_equal(csv, parquet, rtol=1e-15)
    assert len(csv) == len(json.loads((report.parent / links[3]).read_text())) == 5
    verdicts = [claim["verdict"] for claim in json.loads((report.parent / links[0]).read_text())]
    assert verdicts.count("refuted") == 1


def test_a_section_tells_how_to_repeat_it_and_what_waits_is_listed(report):
    html = report.read_text()
    assert "<code>tegum run packed --preset quick</code>" in html
    assert "steps = 7" in html  # the other setting in the store
    assert "<code>tegum run unrun</code>" in html
    assert "1 of 2 cells have a row; the run is finished. Claims are judged once every cell has one." in html


def test_changed_parameters_are_in_the_command(tmp_path):
    store = Store(tmp_path)
    run_experiments([(Packed(), Packed.Params(density=(0.5, 0.25), steps=3000, seed=4), "quick")], store, jobs=1)
    html = build(store, tmp_path / "report", [Packed]).read_text()
    assert "<code>tegum run packed --preset quick --set seed=4 --set density=0.5,0.25</code>" in html


def test_an_empty_store_gives_a_page_that_says_so(browser, tmp_path):
    index = build(Store(tmp_path / "none"), tmp_path / "report", [Unrun])
    page = browser.new_page()
    page.goto(index.as_uri())
    assert "Nothing has been run yet." in page.locator("#claims").inner_text()
    assert not (tmp_path / "none").exists()
    page.close()
