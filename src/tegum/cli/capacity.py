"""`tegum capacity`: who reads k of N features, and from how many dims; theory at once, measurement when asked for."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tegum.cli.errors import BadInput, Failed, Interrupted, one_line, refusing
from tegum.cli.options import Jobs, Json, StorePlace
from tegum.cli.output import columns, emit_json
from tegum.cli.running import writable_store

if TYPE_CHECKING:
    import pandas as pd

    from tegum.capacity.measured_needs import MeasuredNeeds
    from tegum.store import Outcome

Features = Annotated[int, typer.Option("--features", "-N", metavar="N", min=2, help="How many features there are.")]
Active = Annotated[int, typer.Option("--active", "-k", metavar="K", min=1, help="How many of them are on at once.")]
Dims = Annotated[int | None, typer.Option("--dims", "-d", metavar="D", min=1, help="Dims at hand: adds who reads how much from them.")]
Noise = Annotated[float, typer.Option("--noise", min=0, help="Standard deviation of the noise in each dim; directions have length 1.")]
Measure = Annotated[bool, typer.Option("--measure", help="Measure every decoder too: some minutes; what is done is kept in the store.")]
Decoders = Annotated[list[str] | None, typer.Option("--decoder", metavar="NAME", help="Only this decoder of the panel. Repeatable.")]
Html = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write the table, and a map around the point, as one page; with --measure it is measured at half and twice K too.",
    ),
]


def capacity(
    *,
    features: Features,
    active: Active,
    dims: Dims = None,
    noise: Noise = 0.0,
    measure: Measure = False,
    decoders: Decoders = None,
    html: Html = None,
    jobs: Jobs = 0,
    store: StorePlace = "runs",
    as_json: Json = False,
) -> int:
    """Show how many dims every decoder needs for K of N features: at 50% and 99% success, in theory and, with --measure, measured.

    Dims per bit are over log2 C(N, K); marginal dims are what one more active feature costs. A blank (in JSON null) is what theory does not say,
    "none is enough" (in JSON "inf") what no number of dims is enough for.
    """
    from tegum.capacity.capacity_table import asked, check_memory, check_sizes, theory_table, with_measured

    with refusing():
        names = check_sizes(features, active, dims, noise, decoders)
        if measure:
            check_memory(features)
    if html is not None and (html.is_dir() or not html.resolve().parent.is_dir()):
        raise BadInput(
            f"cannot write {html}: it is a folder" if html.is_dir() else f"cannot write {html}: there is no folder {html.parent}"
        )
    frame = theory_table(features, active, dims, noise, names)
    rows, code = [], 0
    if measure:
        outcomes = _measured(asked(features, active, dims, noise, names, around=html is not None), store, jobs)
        rows, code = [row for outcome in outcomes for row in outcome.rows], int(any(outcome.errors for outcome in outcomes))
        frame = with_measured(frame, [row for row in rows if row.n_active == active])
    told = {"n_features": features, "n_active": active, "n_dims": dims, "noise_std": noise}
    if as_json:
        lines = [{key: "inf" if value == math.inf else value for key, value in line.items()} for line in frame.to_dict(orient="records")]
        emit_json(told | {"subset_bits": _bits(features, active), "decoders": lines})
    else:
        typer.echo(_heading(features, active, dims, noise))
        typer.echo(columns(_lines(frame, dims, measured=bool(rows))))
    if html is not None:
        from tegum.report import capacity_page

        try:
            html.write_text(capacity_page(frame, [row for row in rows if "dims" in row], **told), encoding="utf-8")
        except OSError as error:
            raise BadInput(f"cannot write {html}: {error.strerror}") from error
    return code


def _measured(pieces: "list[tuple[MeasuredNeeds, MeasuredNeeds.Params]]", place: str, jobs: int) -> "list[Outcome]":
    """Run what the store lacks of these."""
    from tegum.store import Display, NoPermission, Together, Unreadable, run_experiments

    store = writable_store(place)
    try:
        with Display() as display:
            requests = [(experiment, params, "quick") for experiment, params in pieces]
            outcomes = run_experiments(requests, store, jobs=jobs or None, progress=Together(display, "decoders measured", len(pieces)))
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the decoders that were done are kept, and the same command does the rest") from None
    except (NoPermission, Unreadable) as error:
        raise BadInput(one_line(error)) from error
    except (OSError, RuntimeError) as error:
        raise Failed(f"the run stopped: {one_line(error)}") from error
    for error in (error for outcome in outcomes for error in outcome.errors):
        typer.echo(f"{error.kind}: {f'cell ({error.cell}): ' if error.cell else ''}{error.message}", err=True)
    return outcomes


def _heading(n: int, k: int, d: int | None, noise: float) -> str:
    room = f" in {d:,} dims" if d else ""
    through = f", noise {noise:g} a dim" if noise else ""
    return f"{k:,} of {n:,} features on{room}{through}: {_bits(n, k):,.1f} bits; dims needed"


def _bits(n: int, k: int) -> float:
    from tegum.features._subset_bits import subset_bits

    return float(subset_bits(n, k))


def _lines(frame: "pd.DataFrame", d: int | None, *, measured: bool) -> list[tuple[str, ...]]:
    """A heading, and a line a decoder."""
    heading: list[str] = ["decoder", "50%", "99%", "a bit", "one more"]
    if d:
        heading += [f"most on at {d:,}", "read there"]
    if measured:
        heading += ["50% measured", "99% measured", *(["read there, measured"] if d else []), "codes"]
    return [tuple(heading), *(_line(row, d, measured=measured) for row in frame.to_dict(orient="records"))]


def _line(row: dict[str, Any], d: int | None, *, measured: bool) -> tuple[str, ...]:
    from tegum.capacity.capacity_table import need_around

    found = [
        row["decoder"],
        _dims(row.get("dims_50")),
        _dims(row.get("dims_99")),
        _dims(row.get("dims_per_bit"), 2),
        _dims(row.get("marginal_dims")),
    ]
    if d:
        found += [_dims(row.get("active"), 0), _share(row.get("success"))]
    if measured:
        found += [need_around(row, "measured_50"), need_around(row, "measured_99")]
        found += [_share(row.get("measured_success"))] if d else []
        found += [_dims(row.get("trials"), 0)]
    return tuple(found)


def _dims(value: float | None, digits: int = 1) -> str:
    if value is None or math.isnan(value):
        return ""
    return "none is enough" if value == float("inf") else f"{value:,.{digits}f}"


def _share(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.1%}"
