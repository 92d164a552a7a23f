"""From a store to what a report shows: one run of each experiment at its present version, that of a preset where there is one.

Rows are written out to be downloaded. Claims and figures are made anew from saved rows, so a reworded claim or a better figure shows
without a run. What raises on the way is told in its section, and the rest of the report goes on.
"""

import inspect
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tegum.pages.words import seconds
from tegum.report._commands import first_run, repeat, run_all
from tegum.report._files import write_claims, write_rows
from tegum.report._parts import Download, Drawing, Failed, Other, Report, Section
from tegum.store import Claim, ClaimRecord, Experiment, RunRecord, Store, evaluate, rows_of
from tegum.store.settings import changed_params, setting_words


def collect(store: Store, experiments: dict[str, type[Experiment]], out: Path) -> Report:
    """The report of `store` on `experiments` (by name, in the order to be shown); files to download go to `out`."""
    runs, records = store.runs(), store.claims()
    shown = {name: _shown(runs, found) for name, found in experiments.items()}
    sections = tuple(
        _section(store, experiments[name](), run, _others(runs, records, experiments[name], run), out)
        for name, run in shown.items()
        if run is not None
    )
    waiting = tuple((e.id, e.title, first_run(store, name)) for name, e in experiments.items() if shown[name] is None)
    facts = {
        "written": time.strftime("%Y-%m-%d %H:%M %Z"),
        "experiments": f"{len(sections)} of {len(experiments)} run",
        "failures": _count_failures(sections),
    }
    return Report(sections, waiting, {label: words for label, words in facts.items() if words}, write_claims(sections, out), run_all(store))


def _shown(runs: list[RunRecord], experiment: type[Experiment]) -> RunRecord | None:
    """The run that stands for the experiment: at a preset as it is before any that was changed, with rows before without, then the latest."""
    found = [run for run in runs if run.experiment == experiment.name and run.version == experiment.version]
    return min(found, key=lambda run: (not _is_preset(experiment, run), not run.done), default=None)


def _is_preset(experiment: type[Experiment], run: RunRecord) -> bool:
    return any(not changed_params(experiment, preset, run.params) for preset in experiment.presets)


def _others(runs: list[RunRecord], records: list[ClaimRecord], experiment: type[Experiment], shown: RunRecord | None) -> tuple[Other, ...]:
    """The experiment's other settings in the store, and what became of each."""
    return tuple(
        _other(run, [record.claim for record in records if record.setting == run.setting], experiment)
        for run in runs
        if run.experiment == experiment.name and run is not shown
    )


def _other(run: RunRecord, claims: list[Claim], experiment: type[Experiment]) -> Other:
    verdicts = Counter(claim.verdict for claim in claims)
    differ = sum(not claim.as_recorded for claim in claims)
    told = [
        f"{run.done} of {run.total} cells",
        f"{run.failed} failed" if run.failed else "",
        "" if run.state == "finished" else run.state,
        f"claims failed: {run.claims_failure.message}" if run.claims_failure else "",
        *(f"{count} {verdict}" for verdict, count in verdicts.items()),
        f"{differ} not as on record" if differ else "",
    ]
    old = "" if run.version == experiment.version else f" at version {run.version}"
    failures = 0 if old else run.failed + (run.claims_failure is not None)
    return Other(setting_words(experiment, run.preset, run.params) + old, ", ".join(filter(None, told)), failures, bool(differ and not old))


def _count_failures(sections: tuple[Section, ...]) -> str:
    here = sum(len(section.failures) for section in sections)
    elsewhere = sum(other.failures for section in sections for other in section.others)
    return f"{here + elsewhere}" + (f", {elsewhere} at other settings" if elsewhere else "") if here + elsewhere else ""


def _section(store: Store, experiment: Experiment, run: RunRecord, others: tuple[Other, ...], out: Path) -> Section:
    name, failures = experiment.name, [_failed(failure) for _, failure in store.failures(run.setting).values()]
    claims: tuple[Claim, ...] = ()
    figures: tuple[Drawing, ...] = ()
    downloads: tuple[Download, ...] = ()
    try:
        rows = rows_of(store, experiment, experiment.Params.model_validate(run.params))
    except Exception as error:  # noqa: BLE001 - a part's own code ran: whatever it raised is told in its section
        failures.append(Failed("rows", "raised", _told(error)))
    else:
        downloads, unwritten = write_rows(rows, name, out)
        failures += unwritten
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
        command=repeat(store, experiment, run),
        state=run.state,
        done=run.done,
        total=run.total,
        parameters=_ordered(experiment, run.params),
        facts=_facts(run),
        claims=claims,
        figures=figures,
        failures=tuple(failures),
        downloads=downloads,
        others=others,
    )


def _drawing(figure: Any) -> Drawing:
    meta = figure.layout.meta
    caption = meta.get("caption", "") if isinstance(meta, dict) else ""
    return Drawing(figure.to_json(), str(caption), int(figure.layout.height or 400), figure.layout.width and int(figure.layout.width))


def _failed(failure: Any) -> Failed:
    return Failed(str(failure.cell) if failure.cell is not None else failure.kind, failure.kind, failure.message, failure.traceback)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _ordered(experiment: Experiment, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters in the order in which the experiment declares them."""
    return {name: params[name] for name in [*type(experiment).Params.model_fields, *params] if name in params}


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
