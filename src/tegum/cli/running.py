"""`tegum run` and `tegum reproduce`: do what the store lacks, judge the claims, and say with the exit code whether all is as on record."""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tegum import parts
from tegum.cli.claims import summary, told_claim, verdict_line
from tegum.cli.errors import BadInput, Failed, Interrupted, note, one_line, refusing
from tegum.cli.options import Jobs, Json, Preset, StorePlace, open_store
from tegum.cli.output import emit_json

if TYPE_CHECKING:
    from tegum.store import Outcome, Progress, Store

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
    broken = 0
    if not names:
        with refusing():
            names = list(parts.discover("experiments"))
            for part in parts.survey():
                if part.room == "experiments" and not part.available:
                    lacks = _lacks_a_package(part)
                    broken += not lacks
                    note(f"{'skipped' if lacks else 'failed'}: {part.name} is not available: {part.reason}")
    code = _run(_requests(names, preset, {}), jobs, store, as_json=as_json)
    return code or int(broken > 0)


def _lacks_a_package(part: parts.Part) -> bool:
    """True for an experiment that wants what is not installed; its own file and this package are always to be had."""
    found = re.match("ModuleNotFoundError: No module named '([^'.]+)", part.reason)
    return found is not None and found[1] not in {"tegum", part.module.partition(".")[0]} | sys.stdlib_module_names


def _requests(names: Sequence[str], preset: str, changes: dict[str, str]) -> list[Request]:
    """What to run; every name, preset, value, grid and cell is checked here, before a store is touched."""
    from tegum.store import params_grid
    from tegum.store.lab import checked_cells

    with refusing():
        experiments = {part.name: part() for part in (parts.find("experiments", name) for name in names)}
        requests = [
            (experiment, params, preset) for experiment in experiments.values() for params in params_grid(experiment, preset, changes)
        ]
    for experiment, params, _ in requests:
        try:
            checked_cells(experiment, params)
        except ValueError as error:
            raise BadInput(one_line(error)) from error
        except Exception as error:
            raise BadInput(f"{experiment.name} lists no cells at {params!r}: {type(error).__name__}: {one_line(error)}") from error
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
    from tegum.store import Display, NoPermission, Unreadable, run_experiments
    from tegum.store.provenance import without_passwords

    store = writable_store(place)
    latest: dict[str, Progress] = {}
    try:
        with Display(names=_names(requests)) as display:

            def follow(event: "Progress") -> None:
                latest[event.setting] = event
                display(event)

            outcomes = run_experiments(requests, store, jobs=jobs or None, progress=follow)
    except KeyboardInterrupt:
        done, total = (sum(getattr(event, field) for event in latest.values()) for field in ("done", "total"))
        kept = f"; {done} of {total} cells are kept in {without_passwords(place)!r}, and the same command does the rest" if total else ""
        raise Interrupted(f"interrupted{kept}") from None
    except (NoPermission, Unreadable) as error:
        raise BadInput(one_line(error)) from error
    except (OSError, RuntimeError) as error:  # of the disk, of the pool
        raise Failed(f"the run stopped: {one_line(error)}") from error
    if as_json:
        emit_json([_told(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            _show(outcome)
        typer.echo(summary([claim for outcome in outcomes for claim in outcome.claims], sum(len(outcome.errors) for outcome in outcomes)))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def writable_store(place: str) -> "Store":
    """The store at `place`, whose folder can be made. Raises BadInput when it cannot."""
    from tegum.store.provenance import without_passwords

    store = open_store(place)
    try:
        store.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write to the store at {without_passwords(place)!r}: {error.strerror}") from error
    return store


def _names(requests: list[Request]) -> dict[str, str]:
    """What progress calls the settings of an experiment that runs at several: its name and what is changed in this one."""
    from tegum.store.experiment import setting_key

    several = {name for name, count in Counter(experiment.name for experiment, _, _ in requests).items() if count > 1}
    return {
        setting_key(experiment, params): f"{experiment.name} {_setting(experiment, preset, params)}"
        for experiment, params, preset in requests
        if experiment.name in several
    }


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
    setting = _setting(experiment, outcome.preset, outcome.params)
    typer.echo(f"{experiment.id} {experiment.name} ({setting}): {experiment.title}".strip())
    for claim in outcome.claims:
        typer.echo(f"  {verdict_line(claim)}")
    for error in outcome.errors:
        typer.echo(f"  {error.kind}: {f'cell ({error.cell}): ' if error.cell else ''}{error.message}")


def _setting(experiment: Any, preset: str, params: Any) -> str:
    from tegum.store.settings import setting_words

    return setting_words(experiment, preset, params.model_dump(mode="json"))
