"""Draw the picture at the head of README.md: .venv/bin/python tools/draw_readme_picture.py (needs chromium on the PATH)."""

from pathlib import Path

from photograph import photograph

import tegum

TARGET = Path(__file__).parents[1] / "docs" / "five_in_two.png"
DENSITIES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.01)
SEEDS = 8


def main() -> None:
    """Train five features in two dims at six densities, and draw the best network of each."""
    importance = [0.9**i for i in range(5)]
    features = [tegum.features.Bernoulli(n_features=5, density=p) for p in DENSITIES for _ in range(SEEDS)]
    run = tegum.train(
        tegum.toys.ReLUOutput(n_features=5, n_hidden=2), features, importance=importance,
        steps=3_000, batch_size=512, lr=0.01, schedule="cosine",
    )  # fmt: skip
    best = run.best_of(SEEDS)
    figure = tegum.figures.directions_2d(run.W[best], importance, [f"density {p:g}" for p in DENSITIES])
    figure.update_layout(font_size=11)
    figure.update_xaxes(title_font_size=12)
    figure.update_yaxes(title_font_size=12)
    photograph(figure, TARGET, width=980)


if __name__ == "__main__":
    main()
