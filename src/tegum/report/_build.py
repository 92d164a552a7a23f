"""Writing the report's folder: index.html, plotly.min.js once, claims.json, and the rows under data/.

It is written whole beside the old one and then takes its place, so a report that cannot be written leaves the last one as it was.
"""

import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tegum.report._collect import collect
from tegum.report._page import page
from tegum.report._parts import Report
from tegum.store import Experiment, Store

_SCRATCH = ".unfinished-"


def build(store: Store, out: str | Path, experiments: Iterable[type[Experiment]] | None = None) -> Path:
    """Write the report of `store` to the folder `out` and return the path of its index.html, which opens from disk.

    `experiments` are classes, in the order to be shown; by default every one that is discovered. Those without a run are listed as such.
    Raises OSError when `out` cannot be written; what stood there then still does.
    """
    from tegum.parts import discover

    chosen = discover("experiments") if experiments is None else {experiment.name: experiment for experiment in experiments}
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    for killed in folder.glob(f"{_SCRATCH}*"):  # no report takes an hour: who was writing there is gone
        if time.time() - killed.stat().st_mtime > 3600:
            shutil.rmtree(killed, ignore_errors=True)
    with TemporaryDirectory(prefix=_SCRATCH, dir=folder) as name:
        scratch = Path(name)
        _write(collect(store, chosen, scratch), scratch)
        files = (file.relative_to(scratch) for file in scratch.rglob("*") if file.is_file())
        for file in sorted(files, key=lambda file: file == Path("index.html")):  # the page last: what it links to is there by then
            (folder / file).parent.mkdir(exist_ok=True)
            (scratch / file).replace(folder / file)
    return folder / "index.html"


def _write(report: Report, folder: Path) -> None:
    """Write `report` as a page into `folder`, with plotly's own script beside it when it has figures."""
    if any(section.figures for section in report.sections):
        from plotly.offline import get_plotlyjs

        (folder / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    (folder / "index.html").write_text(page(report), encoding="utf-8", errors="backslashreplace")
