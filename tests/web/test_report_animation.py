"""An animation in the report, in a real browser from disk: it plays, its slider moves it, and it keeps its place when the theme changes."""

from pathlib import Path

import numpy as np
import pytest

from tegum import figures
from tegum.report import build
from tegum.store import Cell, Experiment, Row, Store, run_experiments

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip(f"no chromium at {CHROMIUM}", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

TIMES = 40


class Moving(Experiment):
    """Two triangles that turn against each other, and a cloud that rises."""

    id, name, title = "T6", "moving", "What moves"
    presets = {"quick": Experiment.Params()}

    def cells(self, params):
        return [Cell(place=0)]

    def run(self, cell, params):
        return Row(loss=1.0)

    def claims(self, rows):
        return ()

    def figures(self, rows):
        steps, loss = np.arange(TIMES) * 10, np.geomspace(1, 0.01, TIMES)
        angles = 2 * np.pi * np.arange(6) / 6 + np.linspace(0, 1, TIMES)[:, None] * np.array([0, 1] * 3)
        W = np.stack([np.cos(angles), np.sin(angles)], -1)
        yield figures.moving_directions(np.stack([W, W]), steps, loss, ["a", "b"] * 3, ["one", "two"], caption="Two triangles.")
        rising = np.linspace(0, 1, TIMES)[:, None] * np.linspace(0.2, 1, 8)
        yield figures.moving_points(rising, rising**2, steps, loss, levels={"half": 0.5}, caption="A cloud.")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report, opened; at the end it has made no error and asked for nothing outside its folder."""
    store = Store(tmp_path_factory.mktemp("moving"))
    run_experiments([(Moving(), Moving.presets["quick"], "quick")], store, jobs=1)
    index = build(store, store.folder / "report", [Moving])
    errors, outside = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1366, "height": 1100})
        page.set_default_timeout(30_000)
        page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request",
            lambda r: None if r.url.startswith((index.parent.as_uri(), "data:", "blob:")) else outside.append(r.url),
        )
        page.goto(index.as_uri())
        yield page
        browser.close()
    store.close()
    assert errors == []
    assert outside == []


@pytest.fixture(params=[0, 1], ids=["directions", "points"])
def figure(page, request):
    """An animation, drawn, at its first frame."""
    holder = page.locator(".plot").nth(request.param)
    holder.scroll_into_view_if_needed()
    holder.locator(".slider-grip-rect").wait_for(state="attached")
    to_step(holder, 0)
    return holder


def marks(figure):
    """Where the browser has painted the marks, as text."""
    return figure.evaluate("gd => Array.from(gd.querySelectorAll('.point')).map(p => p.getAttribute('transform')).join(' ')")


def step_shown(figure):
    return int(figure.locator(".slider-label").first.text_content().removeprefix("step ").replace(",", ""))


def to_step(figure, share):
    """Press on the slider's rail at a share of its length."""
    rail = figure.locator(".slider-rail-touch-rect").bounding_box()
    figure.page.mouse.click(rail["x"] + 8 + share * (rail["width"] - 16), rail["y"] + rail["height"] / 2)
    figure.page.wait_for_function(
        """([gd, share]) => {
          const { active, steps } = gd._fullLayout.sliders[0];
          return Math.abs(active - share * (steps.length - 1)) <= 1 && String(gd.data.at(-1).x[0]) === steps[active].args[0][0];
        }""",
        arg=[figure.element_handle(), share],
    )
    figure.page.evaluate("new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")


def test_the_slider_moves_the_marks_and_the_dot_on_the_loss(figure):
    before = marks(figure)
    to_step(figure, 1)
    assert step_shown(figure) == 390
    assert marks(figure) != before
    to_step(figure, 0)
    assert marks(figure) == before


def test_play_goes_through_the_frames_to_the_last_and_the_slider_follows(figure):
    before = marks(figure)
    to_step(figure, 0.8)
    near_the_end = marks(figure)
    assert near_the_end != before
    figure.get_by_text("Play").click()
    figure.page.wait_for_function(
        "gd => gd.data.at(-1).x[0] === 390 && gd._fullLayout.sliders[0].active === 39", arg=figure.element_handle()
    )
    assert step_shown(figure) == 390
    assert marks(figure) not in (before, near_the_end)


def test_pause_stops_it(figure):
    figure.get_by_text("Play").click()
    figure.page.wait_for_function("gd => gd._fullLayout.sliders[0].active > 1", arg=figure.element_handle())
    figure.get_by_text("Pause").click()
    figure.page.wait_for_function("gd => !gd._transitionData._animationRaf", arg=figure.element_handle())
    stopped = marks(figure)
    figure.page.wait_for_timeout(800)  # two frames and more, were it still playing
    assert marks(figure) == stopped
    assert step_shown(figure) < 390


def test_another_theme_leaves_it_where_it_is(figure):
    to_step(figure, 0.5)
    before, step = marks(figure), step_shown(figure)
    ink = figure.evaluate("gd => getComputedStyle(gd.querySelector('.xtick text')).fill")
    figure.page.locator("#theme").click()
    figure.page.wait_for_function(
        "([gd, ink]) => getComputedStyle(gd.querySelector('.xtick text')).fill !== ink", arg=[figure.element_handle(), ink]
    )
    figure.page.wait_for_function("([gd, step]) => gd.data.at(-1).x[0] === step", arg=[figure.element_handle(), step])
    assert (marks(figure), step_shown(figure)) == (before, step)
    to_step(figure, 1)
    assert marks(figure) != before


def test_another_theme_while_it_plays_stops_it_and_it_plays_on(figure):
    figure.get_by_text("Play").click()
    figure.page.wait_for_function("gd => gd._fullLayout.sliders[0].active > 2", arg=figure.element_handle())
    figure.page.locator("#theme").click()
    to_step(figure, 0.6)
    assert step_shown(figure) in (230, 240)
    figure.get_by_text("Play").click()
    figure.page.wait_for_function("gd => gd.data.at(-1).x[0] === 390", arg=figure.element_handle())
    assert step_shown(figure) == 390
