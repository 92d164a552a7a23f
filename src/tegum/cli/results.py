"""`tegum status` and `tegum report`: what a store holds, as a table and as pages to read."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tegum.cli.claims import summary, told_claim, verdict_line
from tegum.cli.errors import refusing
from tegum.cli.options import Json, StorePlace, existing_store
from tegum.cli.output import columns, emit_json

if TYPE_CHECKING:
    from tegum.store import ClaimRecord, RunRecord


def status(*, store: StorePlace = "runs", as_json: Json = False) -> int:
    """Show the latest run of every experiment: cells done and failed, claims by verdict."""
    with refusing():
        held = existing_store(store)
        runs, claims = held.runs(), held.claims()
    if as_json:
        emit_json([_told(run, claims) for run in runs])
    else:
        typer.echo(
            columns(
                [("experiment", "preset", "state", "cells", "failed", "compute", "claims"), *(_line(run, claims) for run in runs)],
                indent="",
            )
        )
        for record in claims:
            if not record.claim.as_recorded:
                typer.echo(f"{record.experiment} ({record.preset}): {verdict_line(record.claim)}")
        typer.echo(summary([record.claim for record in claims], sum(run.failed for run in runs)))
    return 1 if any(run.failed for run in runs) or not all(record.claim.as_recorded for record in claims) else 0


def report(
    *,
    store: StorePlace = "runs",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the pages go; the store's own report/ by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the report: one page that opens from disk, with every claim, figure and row that the store holds."""
    held = existing_store(store)
    from tegum import report as pages

    page = pages.build(held, out or held.folder / "report")
    if as_json:
        emit_json({"report": str(page), "bytes": page.stat().st_size})
    else:
        typer.echo(page)


def _told(run: "RunRecord", claims: "list[ClaimRecord]") -> dict[str, Any]:
    return {
        "experiment": run.experiment,
        "version": run.version,
        "preset": run.preset,
        "params": run.params,
        "state": run.state,
        "done": run.done,
        "failed": run.failed,
        "total": run.total,
        "compute_seconds": run.seconds,
        "claims": [told_claim(record.claim) for record in claims if record.setting == run.setting],
    }


def _line(run: "RunRecord", claims: "list[ClaimRecord]") -> tuple[str, ...]:
    counts = Counter(record.claim.verdict for record in claims if record.setting == run.setting)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "not judged"
    return (run.experiment, run.preset, run.state, f"{run.done}/{run.total}", str(run.failed), f"{run.seconds:.1f} s", verdicts)
