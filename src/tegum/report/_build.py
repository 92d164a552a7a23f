"""Writing the report's folder: index.html, plotly.min.js once, and the rows under data/."""

from collections.abc import Iterable
from pathlib import Path

from tegum.report._collect import collect
from tegum.report._page import page
from tegum.report._parts import Report
from tegum.store import Experiment, Store


def build(store: Store, out: str | Path, experiments: Iterable[type[Experiment]] | None = None) -> Path:
    """Write the report of `store` to the folder `out` and return the path of its index.html, which opens from disk.

    `experiments` are classes, in the order to be shown; by default every one that is discovered. Those without a run are listed as such.
    """
    from tegum.parts import discover

    chosen = discover("experiments") if experiments is None else {experiment.name: experiment for experiment in experiments}
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    return write(collect(store, chosen, folder), folder)


def write(report: Report, folder: Path) -> Path:
    """Write `report` as a page into `folder`, with plotly's own script beside it when it has figures."""
    index = folder / "index.html"
    if any(section.figures for section in report.sections):
        from plotly.offline import get_plotlyjs

        (folder / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    index.write_text(page(report), encoding="utf-8")
    return index
