"""`tegum status` and `tegum report`: what a store holds, as a table and as pages to read."""

import errno
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tegum import parts
from tegum.cli.claims import summary, told_claim, verdict_line
from tegum.cli.errors import BadInput, Failed, one_line, refusing
from tegum.cli.options import Json, StorePlace, existing_store
from tegum.cli.output import columns, emit_json

if TYPE_CHECKING:
    from tegum.store import Claim, RunRecord


def status(*, store: StorePlace = "runs", as_json: Json = False) -> int:
    """Show the latest run of every experiment at every setting: cells done and failed, claims by verdict.

    Only runs of an experiment's present version decide the exit code.
    """
    with refusing():
        held = existing_store(store)
        runs, records = held.runs(), held.claims()
        experiments = {run.experiment: _experiment(run.experiment) for run in runs}
    claims: dict[str, list[Claim]] = {run.setting: [] for run in runs}
    for record in records:
        claims[record.setting].append(record.claim)
    settings = {run.setting: _setting(run, experiments[run.experiment]) for run in runs}
    valid = [run for run in runs if run.version == _present_version(runs, run.experiment, experiments[run.experiment])]
    differing = [(run, claim) for run in valid for claim in claims[run.setting] if not claim.as_recorded]
    unjudged = [(run, run.claims_failure) for run in valid if run.claims_failure is not None]
    failed = sum(run.failed for run in valid) + len(unjudged)
    if as_json:
        emit_json([_told(run, claims[run.setting], superseded=run not in valid) for run in runs])
    else:
        heading = ("experiment", "version", "state", "cells", "failed", "compute", "claims", "setting")
        lines = [_line(run, settings[run.setting], claims[run.setting], superseded=run not in valid) for run in runs]
        typer.echo(columns([heading, *lines], indent=""))
        for run, claim in differing:
            typer.echo(f"{run.experiment} ({settings[run.setting]}): {verdict_line(claim)}")
        for run, failure in unjudged:
            typer.echo(f"{run.experiment} ({settings[run.setting]}): claims failed: {one_line(failure.message)}")
        typer.echo(summary([claim for run in valid for claim in claims[run.setting]], failed))
    return 1 if failed or differing else 0


def report(
    *,
    store: StorePlace = "runs",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the pages go; the store's own report/ by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the report: one page that opens from disk, with every claim, figure and row that the store holds."""
    from tegum import report as pages

    with refusing():
        held = existing_store(store)
    folder = out or held.folder / "report"
    try:
        page = pages.build(held, folder)
    except (ValueError, LookupError) as error:
        raise BadInput(one_line(error)) from error
    except (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise BadInput(f"cannot write the report to {folder}: {error.strerror}") from error
    except OSError as error:
        if error.errno == errno.EROFS:
            raise BadInput(f"cannot write the report to {folder}: {error.strerror}") from error
        raise Failed(f"cannot write the report to {folder}: {error.strerror}" if error.strerror else one_line(error)) from error
    if as_json:
        emit_json({"report": str(page), "bytes": page.stat().st_size})
    else:
        typer.echo(page)


def _experiment(name: str) -> Any:
    """The experiment of exactly this name (a script's may be called as another's id); None where it is not available any more."""
    try:
        found = parts.find("experiments", name)
    except parts.UnknownPart:
        return None
    return found if found.name == name else None


def _present_version(runs: "list[RunRecord]", name: str, experiment: Any) -> int:
    """The experiment's version now; of one that is not available any more, the last that ran."""
    return experiment.version if experiment else max(run.version for run in runs if run.experiment == name)


def _setting(run: "RunRecord", experiment: Any) -> str:
    from tegum.store.settings import setting_words

    return setting_words(experiment, run.preset, run.params) if experiment else run.preset


def _told(run: "RunRecord", claims: "list[Claim]", *, superseded: bool) -> dict[str, Any]:
    return {
        "experiment": run.experiment,
        "version": run.version,
        "superseded": superseded,
        "preset": run.preset,
        "params": run.params,
        "state": run.state,
        "done": run.done,
        "failed": run.failed,
        "total": run.total,
        "compute_seconds": run.seconds,
        "claims": [told_claim(claim) for claim in claims],
        "claims_failure": None if run.claims_failure is None else run.claims_failure.message,
    }


def _line(run: "RunRecord", setting: str, claims: "list[Claim]", *, superseded: bool) -> tuple[str, ...]:
    counts = Counter(claim.verdict for claim in claims)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "not judged"
    verdicts = "failed" if run.claims_failure else verdicts
    version = f"{run.version}, superseded" if superseded else str(run.version)
    cells = f"{run.done}/{run.total}"
    return (run.experiment, version, run.state, cells, str(run.failed), f"{run.seconds:.1f} s", verdicts, setting)
