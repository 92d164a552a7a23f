"""From a store to what a report shows: the latest run of each experiment at its present version.

Rows are written out to be downloaded. Claims and figures are made anew from saved rows, so a reworded claim or a better figure shows
without a run. What raises on the way is told in its section, and the rest of the report goes on.
"""

import inspect
import json
import shlex
import time
from pathlib import Path
from typing import Any

from tegum.report._parts import ClaimRow, Download, Drawing, Failed, Report, Section
from tegum.report._words import seconds, setting
from tegum.store import Claim, Experiment, Rows, RunRecord, Store, evaluate, rows_of


def collect(store: Store, experiments: dict[str, type[Experiment]], out: Path) -> Report:
    """The report of `store` on `experiments` (by name, in the order to be shown); rows go to `out`/data."""
    runs = store.runs()
    latest = {name: _latest(runs, name, found) for name, found in experiments.items()}
    sections = tuple(_section(store, experiments[name](), run, runs, out) for name, run in latest.items() if run is not None)
    waiting = tuple((e.id, name, e.title) for name, e in experiments.items() if latest[name] is None)
    failed = sum(len(section.failures) for section in sections)
    facts = {"written": time.strftime("%Y-%m-%d %H:%M %Z"), "experiments": f"{len(sections)} of {len(experiments)} run"}
    facts |= {"failures": str(failed)} if failed else {}
    return Report(sections, waiting, facts, _write_claims(sections, out))


def _latest(runs: list[RunRecord], name: str, experiment: type[Experiment]) -> RunRecord | None:
    """The latest run that has rows; one without rows only where there is no other."""
    found = [run for run in runs if run.experiment == name and run.version == experiment.version]
    return next((run for run in found if run.done), found[0] if found else None)


def _section(store: Store, experiment: Experiment, run: RunRecord, runs: list[RunRecord], out: Path) -> Section:
    name, failures = experiment.name, [_failed(failure) for _, failure in store.failures(run.setting).values()]
    claims: tuple[Claim, ...] = ()
    figures: tuple[Drawing, ...] = ()
    downloads: tuple[Download, ...] = ()
    try:
        rows = rows_of(store, experiment, experiment.Params.model_validate(run.params))
    except Exception as error:  # noqa: BLE001 - a part's own code ran: whatever it raised is told in its section
        failures.append(Failed("rows", "raised", _told(error)))
    else:
        downloads = _write_rows(rows, name, out)
        try:
            claims = evaluate(experiment, rows) if rows.complete else ()
        except Exception as error:  # noqa: BLE001
            failures.append(Failed("claims", "raised", _told(error)))
        try:
            figures = tuple(_drawing(figure) for figure in experiment.figures(rows)) if len(rows) else ()
        except Exception as error:  # noqa: BLE001
            failures.append(Failed("figures", "raised", _told(error)))
    module = inspect.getmodule(type(experiment))
    return Section(
        name=name,
        title=experiment.title or name,
        id=experiment.id,
        introduction=inspect.cleandoc((module and module.__doc__) or type(experiment).__doc__ or ""),
        source=experiment.source,
        preset=run.preset,
        command=_command(experiment, run),
        state=run.state,
        done=run.done,
        total=run.total,
        parameters=_ordered(experiment, run.params),
        facts=_facts(run),
        claims=tuple(_claim_row(claim) for claim in claims),
        figures=figures,
        failures=tuple(failures),
        downloads=downloads,
        others=tuple(_other(o) for o in runs if o.experiment == name and o.setting != run.setting),
    )


def _claim_row(claim: Claim) -> ClaimRow:
    return ClaimRow(verdict=claim.verdict, bounds=claim.bounds, **claim.to_dict())


def _drawing(figure: Any) -> Drawing:
    meta = figure.layout.meta
    caption = meta.get("caption", "") if isinstance(meta, dict) else ""
    return Drawing(figure.to_json(), str(caption), int(figure.layout.height or 400), figure.layout.width and int(figure.layout.width))


def _failed(failure: Any) -> Failed:
    return Failed(str(failure.cell) if failure.cell is not None else failure.kind, failure.kind, failure.message, failure.traceback)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _command(experiment: Experiment, run: RunRecord) -> str:
    """The command that repeats the run: its preset, and whatever was set beside it."""
    preset = run.preset if run.preset in experiment.presets else next(iter(experiment.presets), "")
    given = experiment.presets[preset].model_dump(mode="json") if preset else {}
    words = ["tegum", "run", experiment.name, *(("--preset", preset) if preset else ())]
    for name, value in _ordered(experiment, run.params).items():
        if given.get(name) != value:
            words += ["--set", f"{name}={_typed(value)}"]
    return shlex.join(words)


def _ordered(experiment: Experiment, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters in the order in which the experiment declares them."""
    return {name: params[name] for name in [*type(experiment).Params.model_fields, *params] if name in params}


def _typed(value: Any) -> str:
    """A parameter as `--set` reads it: words as they are, a list of numbers by commas, the rest as JSON."""
    if isinstance(value, list) and value and all(isinstance(v, (int, float)) for v in value):
        return ",".join(map(json.dumps, value))
    return value if isinstance(value, str) else json.dumps(value)


def _facts(run: RunRecord) -> dict[str, str]:
    machine, git = run.provenance.get("machine") or {}, run.provenance.get("git")
    facts = {
        "cells": f"{run.done} of {run.total} done" + (f", {run.failed} failed" if run.failed else ""),
        "preset": run.preset,
        "computing": f"{seconds(run.seconds)}, its cells together",
        "started": time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(run.started)),
        "finished": "" if run.elapsed is None else f"{seconds(run.elapsed)} later, with whatever else was run by the same command",
        "machine": ", ".join(str(w) for w in (machine.get("processor"), _cpus(machine), machine.get("system")) if w),
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
        "git": "not a checkout" if not git else f"{git['commit'][:12]}{', with uncommitted changes' if git['dirty'] else ''}",
        "experiment version": str(run.version),
    }
    return {label: words for label, words in facts.items() if words}


def _cpus(machine: dict[str, Any]) -> str:
    return f"{machine['usable_cpus']} processors" if machine.get("usable_cpus") else ""


def _other(run: RunRecord) -> str:
    settings = "; ".join(f"{key} = {setting(value)}" for key, value in run.params.items())
    return f"{run.preset or 'own settings'}, version {run.version}, {run.done} of {run.total} cells: {settings}"


def _write_rows(rows: Rows, name: str, out: Path) -> tuple[Download, ...]:
    if not len(rows):
        return ()
    paths = [rows.export(out / "data" / f"{name}.{kind}") for kind in ("csv", "parquet", "json")]
    told = [Download(f"rows as {p.suffix[1:]}", f"data/{p.name}", p.stat().st_size) for p in paths]
    if rows.arrays():
        path = rows.export(out / "data" / f"{name}.safetensors")
        told.append(Download("arrays as safetensors", f"data/{path.name}", path.stat().st_size))
    return tuple(told)


def _write_claims(sections: tuple[Section, ...], out: Path) -> tuple[Download, ...]:
    told = [{"experiment": s.name, "id": s.id, **vars(claim)} for s in sections for claim in s.claims]
    if not told:
        return ()
    path = out / "data" / "claims.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1, default=str), encoding="utf-8")
    return (Download("claims as json", "data/claims.json", path.stat().st_size),)
