"""A figure as a PNG on white, for the pages in docs/ (needs chromium on the PATH)."""

import shutil
import tempfile
from pathlib import Path

from plotly.graph_objects import Figure


def photograph(figure: Figure, target: Path, width: int = 900) -> None:
    """Draw `figure` in a browser that is `width` pixels wide, and take its picture at twice the resolution."""
    from playwright.sync_api import sync_playwright

    figure.update_layout(paper_bgcolor="white", plot_bgcolor="white")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as player:
        page_file = Path(folder) / "page.html"
        figure.write_html(page_file, include_plotlyjs=True, config={"displayModeBar": False})
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        )
        page = browser.new_page(device_scale_factor=2, viewport={"width": width, "height": 800})
        page.goto(page_file.as_uri())
        page.wait_for_selector(".main-svg")
        target.parent.mkdir(exist_ok=True)
        page.locator(".svg-container").screenshot(path=target)
        browser.close()
