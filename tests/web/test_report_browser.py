"""The report in a real browser, opened from disk: quiet, whole, and deaf to the outside."""

import json
from pathlib import Path

import pytest
from report_samples import Unrun

from tegum.report import build
from tegum.store import Store

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip(f"no chromium at {CHROMIUM}", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # 3-D figures without a GPU


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
    page.locator("#run-hostile .plot").scroll_into_view_if_needed()
    page.locator("#run-hostile .plot .main-svg").first.wait_for(state="attached")
    assert page.evaluate("window.hurt") is None
    assert page.locator("#run-hostile h2").inner_text().endswith("<img src=x onerror='window.hurt = 2'>")
    assert "this cell fails: <script>" in page.locator("#run-hostile .failures").inner_text()
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


def test_an_empty_store_gives_a_page_that_says_so(browser, tmp_path):
    index = build(Store(tmp_path / "none"), tmp_path / "report", [Unrun])
    page = browser.new_page()
    page.goto(index.as_uri())
    assert "Nothing has been run yet." in page.locator("#claims").inner_text()
    assert not (tmp_path / "none").exists()
    page.close()
