"""`tegum run` and `tegum reproduce`: do what the store lacks, judge the claims, and say with the exit code whether all is as on record."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tegum import parts
from tegum.cli.claims import summary, told_claim, verdict_line
from tegum.cli.errors import BadInput, Failed, note, one_line, refusing
from tegum.cli.options import Jobs, Json, Preset, StorePlace, open_store
from tegum.cli.output import emit_json

if TYPE_CHECKING:
    from tegum.store import Outcome, Progress

Request = tuple[Any, Any, str]
Changes = Annotated[
    list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change a parameter; a comma list makes a grid. Repeatable.")
]


def run(
    name: Annotated[str, typer.Argument(help="An experiment's name or id.")],
    *,
    preset: Preset = "quick",
    changes: Changes = None,
    jobs: Jobs = 0,
    store: StorePlace = "runs",
    as_json: Json = False,
) -> int:
    """Run one experiment; cells that the store has are not run again."""
    return _run(_requests([name], preset, _pairs(changes or [])), jobs, store, as_json=as_json)


def reproduce(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Experiments by name or id; all when none is named.")
    ] = None,
    *,
    preset: Preset = "quick",
    jobs: Jobs = 0,
    store: StorePlace = "runs",
    as_json: Json = False,
) -> int:
    """Run every experiment, or those named, and hold each claim against its verdict on record."""
    if not names:
        with refusing():
            names = list(parts.discover("experiments"))
            for part in parts.survey():
                if part.room == "experiments" and not part.available:
                    note(f"skipped: {part.name} is not available: {part.reason}")
    return _run(_requests(names, preset, {}), jobs, store, as_json=as_json)


def _requests(names: Sequence[str], preset: str, changes: dict[str, str]) -> list[Request]:
    """What to run; every name, preset, value and grid is checked here, before a store is touched."""
    from tegum.store import params_grid

    with refusing():
        experiments = {part.name: part() for part in (parts.find("experiments", name) for name in names)}
        requests = [
            (experiment, params, preset) for experiment in experiments.values() for params in params_grid(experiment, preset, changes)
        ]
        for experiment, params, _ in requests:
            experiment.cells(params)
    return requests


def _pairs(changes: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name.strip():
            raise BadInput(f"--set {change!r} is not FIELD=VALUE")
        if name.strip() in found:
            raise BadInput(f"--set names {name.strip()!r} twice; give one comma list")
        found[name.strip()] = value
    return found


def _run(requests: list[Request], jobs: int, place: str, *, as_json: bool) -> int:
    from tegum.store import CannotWrite, Display, run_experiments

    store = open_store(place)
    latest: dict[str, Progress] = {}
    try:
        with Display() as display:

            def follow(event: "Progress") -> None:
                latest[event.setting] = event
                display(event)

            outcomes = run_experiments(requests, store, jobs=jobs or None, progress=follow)
    except KeyboardInterrupt:
        done, total = (sum(getattr(event, field) for event in latest.values()) for field in ("done", "total"))
        note(f"tegum: interrupted; {done} of {total} cells are kept in {place!r}, and the same command does the rest")
        raise typer.Exit(130) from None
    except CannotWrite as error:
        raise Failed(one_line(error)) from error
    except OSError as error:
        raise BadInput(f"cannot write to the store at {place!r}: {one_line(error)}") from error
    if as_json:
        emit_json([_told(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            _show(outcome)
        typer.echo(summary([claim for outcome in outcomes for claim in outcome.claims], sum(len(outcome.errors) for outcome in outcomes)))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _told(outcome: "Outcome") -> dict[str, Any]:
    return {
        "experiment": outcome.experiment.name,
        "id": outcome.experiment.id,
        "version": outcome.experiment.version,
        "preset": outcome.preset,
        "params": outcome.params.model_dump(mode="json"),
        "ok": outcome.ok,
        "seconds": outcome.seconds,
        "claims": [told_claim(claim) for claim in outcome.claims],
        "errors": [{"cell": error.cell and dict(error.cell), "kind": error.kind, "message": error.message} for error in outcome.errors],
        "rows": [{name: value for name, value in dict(row).items() if not hasattr(value, "dtype")} for row in outcome.rows],
    }


def _show(outcome: "Outcome") -> None:
    experiment = outcome.experiment
    base = experiment.presets[outcome.preset]
    changed = [f"{name}={value}" for name, value in outcome.params if value != getattr(base, name)]
    setting = ", ".join([outcome.preset, *changed])
    typer.echo(f"{experiment.id} {experiment.name} ({setting}): {experiment.title}".strip())
    for claim in outcome.claims:
        typer.echo(f"  {verdict_line(claim)}")
    for error in outcome.errors:
        typer.echo(f"  {error.kind}: {f'cell ({error.cell}): ' if error.cell else ''}{error.message}")
