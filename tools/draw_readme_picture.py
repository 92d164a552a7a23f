"""Draw the picture at the head of README.md: .venv/bin/python tools/draw_readme_picture.py (needs chromium on the PATH)."""

import shutil
import tempfile
from pathlib import Path

import tegum

TARGET = Path(__file__).parents[1] / "docs" / "five_in_two.png"
DENSITIES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.01)
SEEDS = 8


def main() -> None:
    """Train five features in two dims at six densities, and draw the best network of each."""
    from playwright.sync_api import sync_playwright

    importance = [0.9**i for i in range(5)]
    features = [tegum.features.Bernoulli(n_features=5, density=p) for p in DENSITIES for _ in range(SEEDS)]
    run = tegum.train(
        tegum.toys.ReLUOutput(n_features=5, n_hidden=2), features, importance=importance,
        steps=3_000, batch_size=512, lr=0.01, schedule="cosine",
    )  # fmt: skip
    best = run.best_of(SEEDS)
    figure = tegum.figures.directions_2d(run.W[best], importance, [f"density {p:g}" for p in DENSITIES])
    figure.update_layout(paper_bgcolor="white", plot_bgcolor="white", font_size=11)
    figure.update_xaxes(title_font_size=12)
    figure.update_yaxes(title_font_size=12)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as player:
        page_file = Path(folder) / "page.html"
        figure.write_html(page_file, include_plotlyjs=True, config={"displayModeBar": False})
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        )
        page = browser.new_page(device_scale_factor=2, viewport={"width": 980, "height": 800})
        page.goto(page_file.as_uri())
        page.wait_for_selector(".main-svg")
        TARGET.parent.mkdir(exist_ok=True)
        page.locator(".svg-container").screenshot(path=TARGET)
        browser.close()


if __name__ == "__main__":
    main()
