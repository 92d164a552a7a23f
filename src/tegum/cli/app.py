"""The commands, under one typer application. Heavy imports live in the commands themselves."""

from typing import Annotated

import typer

from tegum import __version__
from tegum.cli import audit, capacity, catalogue, convert, doctor, results, running

app = typer.Typer(name="tegum", add_completion=False, pretty_exceptions_enable=False)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - typer calls it by position
    if asked:
        typer.echo(f"tegum {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)]


@app.callback()
def _root(*, version: Version = False) -> None:
    """A workbench for superposition: experiments, their claims, and a report."""


app.command("list")(catalogue.list_parts)
app.command("info")(catalogue.info)
app.command("run")(running.run)
app.command("reproduce")(running.reproduce)
app.command("audit")(audit.audit)
app.command("capacity")(capacity.capacity)
app.command("convert")(convert.convert)
app.command("status")(results.status)
app.command("report")(results.report)
app.command("doctor")(doctor.doctor)
