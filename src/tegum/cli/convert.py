"""`tegum convert`: a sparse autoencoder from one format into another, with the same codes."""

from pathlib import Path
from typing import Annotated

import typer

from tegum.cli.errors import refusing
from tegum.cli.options import Json
from tegum.cli.output import columns, emit_json

Source = Annotated[Path, typer.Argument(metavar="SRC", help="The file or folder of an autoencoder; its format is told by its files.")]
Target = Annotated[Path, typer.Argument(metavar="DST", help="Where to write: a new or empty folder, or a new file for tegum's own format.")]
To = Annotated[str, typer.Option("--to", metavar="FORMAT", help="saelens, dictionary_learning, sparsify or tegum; `tegum list formats`.")]
Force = Annotated[bool, typer.Option("--force", help="Write over an autoencoder of that format.")]


def convert(source: Source, target: Target, *, to: To, force: Force = False, as_json: Json = False) -> None:
    """Write the sparse autoencoder at SRC to DST in another format: the same codes, offline, and no pickle is run."""
    with refusing():
        from tegum.learning import export
        from tegum.learning.formats._doors import named, recognised

        written, read = named(to), recognised(source)
        sae = read.read(source)
        export(sae, target, written.name, replace=force)
        back = written.read(target)
    told = {
        "source": str(source),
        "from": read.name,
        "target": str(target),
        "to": written.name,
        "architecture": type(sae.architecture).__name__,
        "read_back_as": type(back.architecture).__name__,
        "n_features": sae.n_features,
        "n_dims": sae.n_dims,
        "dtype": str(sae.dtype).removeprefix("torch."),
    }
    if as_json:
        emit_json(told)
        return
    typer.echo(f"{told['architecture']}: {sae.n_features:,} features in {sae.n_dims:,} dims, {told['dtype']}")
    lines = [("read", source, read.name), ("written", target, written.name)]
    if told["read_back_as"] != told["architecture"]:
        lines[1] = (*lines[1][:2], f"{written.name}, where it is a {told['read_back_as']} of the same codes")
    typer.echo(columns(lines))
